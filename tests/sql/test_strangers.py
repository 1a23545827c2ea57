"""Nobody else's code runs: what a role may leave in a schema of the application is never taken for PostgreSQL's own."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import run
from typing import Any

import psycopg2
import pytest
import sqlalchemy
from psycopg2.extensions import parse_dsn
from sqlalchemy import DDL, CheckConstraint, Column, Enum, ForeignKey, MetaData, Numeric, Table, event
from sqlalchemy.types import UserDefinedType

import fixer
from fixer.connect import servers
from fixer.connect.servers import Server
from fixer.errors import ContractError, NeedsPermission
from lab.database import HEALTHY, STORY, Database, lent, template_of
from lab.evidence.dumps import everything
from lab.examples.models import contract, integer, key, text
from lab.laboratory import VERSIONS
from lab.process import HOUSE
from lab.process import fixer as command

# Every operator and function that our statements may mean, with arguments that fit better than PostgreSQL's own, or as
# well as those. Each leaves a mark in the server's log, and does nothing else.
LEAVE_MARKS = r"""
DO $do$ BEGIN CREATE ROLE mallory LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $do$;
GRANT CREATE ON SCHEMA public TO mallory;
GRANT TEMPORARY ON DATABASE {database} TO mallory;
SET ROLE mallory;
SET search_path = pg_catalog;
DO $do$
DECLARE
    types text[] := '{oid,regclass,name,text,varchar,"\"char\"",int2,int4,int8,numeric,bool,timestamptz,jsonb,tid,
                      text[],varchar[],int2[],int2vector,oid[],tid[]}';
    marking text := 'LANGUAGE plpgsql SET search_path = pg_catalog AS $f$ BEGIN IF current_user <> ''mallory'' THEN'
                    ' RAISE LOG ''the mark of %s''; END IF; RETURN NULL; END $f$';
    a text; b text; sign text; each record;
BEGIN
    FOREACH a IN ARRAY types LOOP
        FOREACH b IN ARRAY types LOOP
            EXECUTE format('CREATE FUNCTION public.marked(%s, %s) RETURNS bool ' || marking, a, b,
                           format('an operator over %s, %s', a, b));
            FOREACH sign IN ARRAY '{=,<>,<,>,<=,>=,~,!~,||,+,-,->>,@>,&}'::text[] LOOP
                EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.marked)',
                               sign, a, b);
            END LOOP;
        END LOOP;
    END LOOP;
    FOR each IN
        SELECT p.proname, p.prorettype::regtype AS gives, pg_get_function_identity_arguments(p.oid) AS takes
          FROM pg_catalog.pg_proc p
         WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND NOT p.proretset
           AND p.proname = ANY (%s)
           AND NOT EXISTS (SELECT FROM unnest(p.proargtypes::oid[] || p.prorettype) AS u (num)
                             JOIN pg_catalog.pg_type t ON t.oid = u.num WHERE t.typtype = 'p')
    LOOP
        EXECUTE format('CREATE OR REPLACE FUNCTION public.%I(%s) RETURNS %s ' || marking, each.proname,
                       replace(each.takes, 'VARIADIC ', ''), each.gives, each.proname);
        EXECUTE format('CREATE OR REPLACE FUNCTION public.%I(%s) RETURNS %s ' || marking, each.proname,
                       regexp_replace(replace(each.takes, 'VARIADIC ', ''), '\mtext\M', 'varchar', 'g'), each.gives,
                       each.proname);
    END LOOP;
    FOREACH a IN ARRAY '{text,name,oid,regclass,jsonb,int8,tid}'::text[] LOOP
        EXECUTE format('CREATE DOMAIN public.%I AS pg_catalog.%I CHECK (public.marked(VALUE, VALUE) IS NULL)', a, a);
    END LOOP;
END $do$;
"""
OURS = sorted(
    {
        name
        for file in (HOUSE / "fixer").rglob("*.*")
        if file.suffix in (".py", ".sql")
        for name in re.findall(r"\b([a-z_]+[a-z])\(", file.read_text())
    }
)


marked: dict[tuple[Server, str], str] = {}


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with servers.embedded(request.param) as server:
        yield server


def marks(server: Server) -> set[str]:
    return set(re.findall("the mark of (.*)", Path(parse_dsn(server.dsn)["host"], "log").read_text()))


@contextmanager
def lent_marked(server: Server, name: str, path: str) -> Iterator[Database]:
    """Lend a snapshot in which each name that we may mean has been taken by a stranger."""
    if (server, name) not in marked:
        database = Database(server, server.create_database(template_of(server, name)))
        with closing(psycopg2.connect(database.dsn)) as connection, connection.cursor() as cursor:
            statement = LEAVE_MARKS.replace("{database}", database.name)
            cursor.execute(statement.replace("%", "%%").replace("ANY (%%s)", "ANY (%s)"), (OURS,))
            connection.commit()
        marked[server, name] = database.name
    database = Database(server, server.create_database(marked[server, name]))
    database.run(f"ALTER DATABASE {database.name} SET search_path = {path}")
    try:
        yield database
    finally:
        server.drop_database(database.name)


def checked(database: Database) -> None:
    command("check", "--deep", "--role", "mallory", "--dsn", database.dsn)


def repaired(database: Database) -> None:
    words = ("--yes", "--allow-hazards", "all", "--dsn", database.dsn)
    assert (command("apply", *words).returncode, command("history", "--dsn", database.dsn).returncode) == (0, 0)
    assert command("undo", "1", "--yes", "--dsn", database.dsn).returncode == 0


def repaired_online(database: Database) -> None:
    words = ("--mode", "online", "--yes", "--allow-hazards", "all", "--dsn", database.dsn)
    assert command("apply", *words).returncode == 0
    assert command("undo", "1", "--yes", "--dsn", database.dsn).returncode == 0
    assert command("history", "--prune", "--yes", "--dsn", database.dsn).returncode == 0


def scripted(database: Database) -> None:
    script = command("plan", "--sql", "-", "--dsn", database.dsn).stdout
    words = [database.server.bindir / "psql", "-X", "-q", database.dsn]
    assert run(words, input=script, text=True, capture_output=True).returncode == 0


def proved(database: Database) -> None:
    suite = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--pyargs",
        "contracts",
        "-p",
        "no:cacheprovider",
        "--dsn",
        database.dsn,
    ]
    proof = run([*suite, "--contract", "contracts.trading:metadata"], cwd=HOUSE, capture_output=True, text=True)
    assert proof.returncode == 0, proof.stdout


@pytest.mark.parametrize("path", ["public", "public, pg_catalog"], ids=["behind", "before"])
@pytest.mark.parametrize("deed", [checked, repaired, repaired_online, scripted, proved])
def test_no_code_of_another_role_runs(server: Server, deed: Callable[[Database], None], path: str) -> None:
    with lent_marked(server, HEALTHY if deed is proved else STORY, path) as database:
        deed(database)

    assert marks(server) == set()


# --- what the contract names still works


MALLORY = (
    "DO $$ BEGIN CREATE ROLE mallory LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
    "GRANT CREATE ON SCHEMA public TO mallory; SET ROLE mallory;"
)
BETTER = MALLORY + (
    "CREATE FUNCTION nothing(numeric, int) RETURNS bool LANGUAGE sql AS 'SELECT NULL::bool';"
    "CREATE OPERATOR public.> (LEFTARG = numeric, RIGHTARG = int, FUNCTION = nothing); RESET ROLE;"
)
TOKEN = "CREATE FUNCTION token() RETURNS text LANGUAGE sql AS 'SELECT md5(random()::text)';"


def orders(*columns: Column[Any], **words: Any) -> MetaData:
    return contract(orders=(key(), Column("qty", Numeric, CheckConstraint("qty > 0")), *columns, *words.values()))


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    with lent(server, None) as database:
        yield database


def found(database: Database, wanted: MetaData) -> list[str]:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return [finding.message for finding in fixer.check(connection, wanted, deep=True).findings]


def mended(database: Database, wanted: MetaData, mode: str = "atomic") -> None:
    with closing(psycopg2.connect(database.dsn)) as connection:
        assert fixer.apply(connection, wanted, mode=mode, allow_hazards="all").report.ok


def test_a_check_of_the_contract_means_the_operators_of_postgresql(database: Database) -> None:
    database.run(
        BETTER + "CREATE TABLE orders (id serial PRIMARY KEY, qty numeric); INSERT INTO orders (qty) VALUES (1)"
    )

    mended(database, orders())

    assert (
        database.ask("SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE contype = 'c'").count("OPERATOR")
        == 0
    )


def test_a_sound_database_is_sound_whatever_others_left_beside_it(database: Database) -> None:
    database.run("CREATE TABLE orders (id serial PRIMARY KEY, qty numeric CHECK (qty > 0));" + BETTER)

    assert found(database, orders()) == []


def test_a_function_that_the_contract_names_without_its_schema_is_found(database: Database) -> None:
    database.run(TOKEN + "CREATE TABLE orders (id serial PRIMARY KEY, qty numeric CHECK (qty > 0))")
    wanted = orders(text("code", server_default=sqlalchemy.text("token()"), nullable=False))

    mended(database, wanted)

    assert found(database, wanted) == []


def test_a_hint_may_name_a_function_without_its_schema(database: Database) -> None:
    database.run(TOKEN + "CREATE TABLE orders (id serial PRIMARY KEY, code text); INSERT INTO orders DEFAULT VALUES")

    mended(
        database, contract(orders=(key(), text("code", nullable=False, info={"backfill": sqlalchemy.text("token()")})))
    )

    assert database.ask("SELECT length(code) FROM orders") == 32


def test_a_hint_may_ask_another_table(database: Database) -> None:
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (7);"
        "CREATE TABLE orders (id serial PRIMARY KEY, by int); INSERT INTO orders DEFAULT VALUES"
    )
    oldest = {"backfill": sqlalchemy.text("(SELECT min(id) FROM users)")}

    mended(database, contract(orders=(key(), integer("by", nullable=False, info=oldest))))

    assert database.ask("SELECT by FROM orders") == 7


def test_where_others_left_what_the_contract_may_mean_it_says_what_to_do(database: Database) -> None:
    database.run(TOKEN + BETTER + "CREATE TABLE orders (id serial PRIMARY KEY)")
    wanted = orders(text("code", server_default=sqlalchemy.text("token()")))

    with pytest.raises(ContractError, match=r"without its schema .* the operator .* of the role mallory .*drop that"):
        found(database, wanted)


@pytest.mark.parametrize("schema", ["app", 's"x', "App"])
def test_types_and_functions_of_the_schema_of_the_contract_are_its_own(database: Database, schema: str) -> None:
    quoted = '"' + schema.replace('"', '""') + '"'
    metadata = MetaData(schema=schema)
    kind = Enum("a", "b", name="kind", metadata=metadata)
    default = sqlalchemy.text(f"{quoted}.token()")
    Table(
        "t",
        metadata,
        key(),
        Column("kind", kind, server_default="a", nullable=False),
        text("code", server_default=default),
    )
    database.run(f"CREATE SCHEMA {quoted}; {TOKEN.replace('token', f'{quoted}.token')}")

    mended(database, metadata)
    assert found(database, metadata) == []
    database.run(f"ALTER TABLE {quoted}.t DROP kind, ALTER code DROP DEFAULT; INSERT INTO {quoted}.t DEFAULT VALUES")
    mended(database, metadata)

    assert (found(database, metadata), database.ask(f"SELECT kind::text FROM {quoted}.t")) == ([], "a")


# A type of others that compares as it likes, as citext does: letters of either case are equal.
LIKE_CITEXT = """
CREATE TYPE ci;
CREATE FUNCTION ci_in(cstring) RETURNS ci LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION ci_out(ci) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE ci (INPUT = ci_in, OUTPUT = ci_out, INTERNALLENGTH = VARIABLE, LIKE = text, CATEGORY = 'S');
CREATE CAST (ci AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE FUNCTION ci_cmp(ci, ci) RETURNS int IMMUTABLE LANGUAGE sql AS
    'SELECT bttextcmp(lower($1::text), lower($2::text))';
CREATE FUNCTION ci_eq(ci, ci) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT lower($1::text) = lower($2::text)';
CREATE FUNCTION ci_lt(ci, ci) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT lower($1::text) < lower($2::text)';
CREATE FUNCTION ci_gt(ci, ci) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT lower($1::text) > lower($2::text)';
CREATE FUNCTION ci_le(ci, ci) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT lower($1::text) <= lower($2::text)';
CREATE FUNCTION ci_ge(ci, ci) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT lower($1::text) >= lower($2::text)';
CREATE OPERATOR = (LEFTARG = ci, RIGHTARG = ci, FUNCTION = ci_eq, MERGES);
CREATE OPERATOR < (LEFTARG = ci, RIGHTARG = ci, FUNCTION = ci_lt);
CREATE OPERATOR > (LEFTARG = ci, RIGHTARG = ci, FUNCTION = ci_gt);
CREATE OPERATOR <= (LEFTARG = ci, RIGHTARG = ci, FUNCTION = ci_le);
CREATE OPERATOR >= (LEFTARG = ci, RIGHTARG = ci, FUNCTION = ci_ge);
CREATE OPERATOR CLASS ci_ops DEFAULT FOR TYPE ci USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 ci_cmp(ci, ci);
"""


class Ci(UserDefinedType[str]):
    """The type above."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "ci"


PEOPLE = (
    "CREATE TABLE people (name ci PRIMARY KEY); INSERT INTO people VALUES ('Ann'), ('Bob');"
    "CREATE TABLE notes (id serial PRIMARY KEY, by ci NOT NULL REFERENCES people);"
    "INSERT INTO notes (by) VALUES ('ann'), ('BOB'), ('Ann');"
)


def people() -> MetaData:
    by = Column("by", Ci, ForeignKey("people.name"), nullable=False)
    return contract(people=(Column("name", Ci, primary_key=True),), notes=(key(), by))


def test_rows_are_compared_as_their_type_compares_them(database: Database) -> None:
    database.run(LIKE_CITEXT + PEOPLE)

    assert found(database, people()) == []


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_orphans_and_repeated_keys_are_settled_as_their_type_compares_them(database: Database, mode: str) -> None:
    database.run(
        LIKE_CITEXT
        + PEOPLE
        + "ALTER TABLE notes DROP CONSTRAINT notes_by_fkey; ALTER TABLE people DROP CONSTRAINT people_pkey;"
        "INSERT INTO people VALUES ('ANN'), ('Bob'); INSERT INTO notes (by) VALUES ('carl')"
    )

    mended(database, people(), mode)

    assert database.run("SELECT name::text FROM people ORDER BY 1") == [("Ann",), ("Bob",)]
    assert database.run("SELECT by::text FROM notes ORDER BY id") == [("ann",), ("BOB",), ("Ann",)]


BARE = LIKE_CITEXT.replace("CREATE CAST (ci AS text) WITHOUT FUNCTION AS IMPLICIT;", "")


def people_of_an_age() -> MetaData:
    wanted = people()
    wanted.tables["people"].append_column(integer("age", nullable=False, info={"backfill": 7}))
    return wanted


def people_and_the_system() -> MetaData:
    wanted = people()
    wanted.tables["people"].info["default_rows"] = [{"name": "System"}]
    return wanted


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("types", [LIKE_CITEXT, BARE], ids=["with a cast to text", "without"])
@pytest.mark.parametrize(
    ("broken", "wanted"),
    [
        (
            "ALTER TABLE notes DROP CONSTRAINT notes_by_fkey; ALTER TABLE people DROP CONSTRAINT people_pkey;"
            "INSERT INTO people VALUES ('ANN'), ('Bob'); INSERT INTO notes (by) VALUES ('carl')",
            people,
        ),
        ("ALTER TABLE notes DROP CONSTRAINT notes_pkey; INSERT INTO notes SELECT * FROM notes", people),
        ("ALTER TABLE people ADD age int", people_of_an_age),
        ("SELECT", people_and_the_system),
    ],
    ids=["orphans", "rows under a foreign key", "cells of rows with a key", "rows that were inserted"],
)
def test_what_such_a_type_compares_is_taken_back(
    database: Database, broken: str, wanted: Callable[[], MetaData], types: str, mode: str
) -> None:
    database.run(types + PEOPLE + broken)
    before = everything(database.server, database.name)

    mended(database, wanted(), mode)
    with closing(psycopg2.connect(database.dsn)) as connection:
        fixer.undo(connection, 1)

    assert everything(database.server, database.name) == before


# --- listeners of the models


def test_what_a_listener_says_touches_no_live_table(database: Database) -> None:
    wanted = contract(t=(key(),))
    event.listen(wanted.tables["t"], "after_create", DDL("ALTER TABLE public.t ADD CHECK (id > 0)"))
    database.run("CREATE TABLE t (id serial PRIMARY KEY)")

    with closing(psycopg2.connect(database.dsn)) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT FROM t")  # whoever wants more than to read waits for this transaction
        findings = found(database, wanted)

    assert findings == ["t should have CHECK (id > 0), has none"]


def test_what_a_listener_needs_of_the_target_leaves_the_rest_to_be_checked(database: Database) -> None:
    wanted = contract(t=(key(), text("code")))
    event.listen(wanted.tables["t"], "after_create", DDL("ALTER TABLE t ALTER code SET DEFAULT only_here()"))
    database.run(
        TOKEN.replace("token", "only_here") + "CREATE TABLE t (id serial PRIMARY KEY, code text DEFAULT only_here())"
    )

    assert found(database, wanted) == []


KNOWN = (
    "CREATE TABLE words (w text); CREATE FUNCTION known(text) RETURNS bool LANGUAGE plpgsql AS"
    " 'BEGIN RETURN NOT EXISTS (SELECT FROM words WHERE w = $1); END';"
    "CREATE TABLE t (id serial PRIMARY KEY, code text{}); INSERT INTO t (code) VALUES ('a')"
)


def known() -> MetaData:
    return contract(t=(key(), text("code", CheckConstraint("known(code)"))))


def test_a_function_that_relies_on_the_search_path_is_named(database: Database) -> None:
    database.run(KNOWN.format(""))

    with pytest.raises(
        NeedsPermission, match=r"in the function public.known\(text\).* ALTER FUNCTION .* SET search_path"
    ):
        mended(database, known())


def test_a_check_by_such_a_function_is_believed_where_the_catalogue_vouches_for_it(database: Database) -> None:
    database.run(KNOWN.format(" CHECK (known(code))"))

    with closing(psycopg2.connect(database.dsn)) as connection:
        plain, deep = (fixer.check(connection, known(), deep=deep).findings for deep in (False, True))

    assert ([*plain], [finding.slug for finding in deep]) == ([], ["unreadable-rows"])
