"""What is called like something that is missing: it is never made anew beside rows, and a stranger is asked about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table

import fixer as library
from fixer.errors import NeedsPermission, PlanRefused
from fixer.model.plan import MODES, Plan, from_json
from fixer.report import json as as_json
from lab.database import Database, lent, role
from lab.laboratory import Laboratory
from lab.process import fixer

USERS = '(id serial PRIMARY KEY, email varchar(50) NOT NULL, "Name" text)'
FILL = "INSERT INTO {} (email) SELECT 'u' || n FROM generate_series(1, 120) AS n"
ANEW = 'declare Table("users", ..., info={"legacy_names": []}), and it is created'


@pytest.fixture
def database(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), None) as database:
        yield database


Hints = dict[str, Any]


def models(name: str = "users", schema: str | None = None, email: Hints | None = None, **info: Any) -> MetaData:
    """Return a contract with users and what they ordered."""
    metadata = MetaData()
    key = Column("id", Integer, primary_key=True)
    address = Column("email", String(50), nullable=False, info=email or {})
    users = Table(name, metadata, key, address, schema=schema, info=info)
    reference = Column("user_id", ForeignKey(users.c.id), nullable=False)
    Table("orders", metadata, Column("id", Integer, primary_key=True), reference)
    return metadata


def planned(database: Database, metadata: MetaData, user: str = "postgres", **options: Any) -> Plan:
    with closing(psycopg2.connect(database.seen_by(user))) as connection:
        return library.plan(connection, metadata, **options)


def applied(database: Database, metadata: MetaData, **options: Any) -> library.Run:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return library.apply(connection, metadata, allow_hazards="all", **options)


def filled(name: str) -> str:
    return f"CREATE TABLE {name} {USERS}; {FILL.format(name)}"


HYPHEN, CAPITAL = '"user-accounts"', '"Users"'
TWINS = {
    "in another schema": ("users", f"CREATE SCHEMA shop; {filled('shop.users')}", "shop.users (120 rows)"),
    "with a capital": ("users", filled('"Users"'), '"Users" (120 rows)'),
    "in capitals": ("users", filled('"USERS"'), '"USERS" (120 rows)'),
    "in small letters": ("Users", filled("users"), "users (120 rows)"),
    "in letters of another alphabet": ("straße", filled('"STRAßE"'), '"STRAßE" (120 rows)'),
    "in one word": ("user_accounts", filled('"UserAccounts"'), '"UserAccounts" (120 rows)'),
    "with a blank": ("user_accounts", filled('"User Accounts"'), '"User Accounts" (120 rows)'),
    "with a hyphen, elsewhere": (
        "user_accounts",
        f'CREATE SCHEMA "My-Shop"; SET search_path = "My-Shop"; {filled(HYPHEN)}',
        '"My-Shop"."user-accounts" (120 rows)',
    ),
    "in partitions": (
        "users",
        "CREATE SCHEMA shop; CREATE TABLE shop.users (email text) PARTITION BY LIST (email);"
        "CREATE TABLE shop.rest PARTITION OF shop.users DEFAULT; INSERT INTO shop.users VALUES ('a')",
        "shop.users (one row)",
    ),
    "unlogged": ("users", f'{filled(CAPITAL)}; ALTER TABLE "Users" SET UNLOGGED', '"Users" (120 rows)'),
    "as a view": ("users", "CREATE SCHEMA shop; CREATE VIEW shop.users AS SELECT 1 AS id", "shop.users (a view)"),
    "as a materialized view": (
        "users", 'CREATE MATERIALIZED VIEW "Users" AS SELECT 1 AS id', '"Users" (a materialized view)'
    ),
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "setup", "told"), TWINS.values(), ids=TWINS.keys())
def test_a_table_with_rows_is_never_made_anew(database: Database, mode: str, name: str, setup: str, told: str) -> None:
    database.run(setup)
    before = database.dump()
    with pytest.raises(NeedsPermission) as refused:
        applied(database, models(name), mode=mode)

    assert f"{name} should be a table of 2 columns, is missing, but {told} is there: " in str(refused.value)
    assert before == database.dump()


WAYS_OUT = {
    "its schema": (models(), "shop", "users", "if it is meant, say --schema shop; if not"),
    "its schema, where the table names one": (
        models(schema="app"), "shop", "users", 'if it is meant, declare Table("users", ..., schema="shop"); if not'
    ),
    "its name": (models(), "public", '"Users"', 'Table("users", ..., info={"legacy_names": ["Users"]}); if not'),
    "its name, after those that are known": (
        models(legacy_names=["clients"]), "public", '"Users"', 'info={"legacy_names": ["clients", "Users"]}); if not'
    ),
    "an earlier name in another schema": (
        models(legacy_names=["clients"]), "shop", "clients", "if it is meant, say --schema shop; if not"
    ),
    "both": (
        models(), "shop", '"Users"',
        'say --schema shop and declare Table("users", ..., info={"legacy_names": ["Users"]}); if not',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("metadata", "schema", "name", "told"), WAYS_OUT.values(), ids=WAYS_OUT.keys())
def test_what_helps_is_said_to_be_pasted(
    database: Database, metadata: MetaData, schema: str, name: str, told: str
) -> None:
    database.run(f"CREATE SCHEMA app; CREATE SCHEMA IF NOT EXISTS {schema}; {filled(f'{schema}.{name}')}")
    (refusal,) = planned(database, metadata).refusals

    assert f"{told}, {ANEW}" in refusal


def test_with_its_schema_the_table_is_found(database: Database) -> None:
    database.run(f"CREATE SCHEMA shop; {filled('shop.users')}")

    assert rows_after(database, models(), "shop.users", "public.users", schema="shop") == (120, None)


def test_with_its_name_declared_the_table_is_taken(database: Database) -> None:
    database.run(filled('"Users"'))

    assert rows_after(database, models(legacy_names=["Users"]), "users", '"Users"') == (120, 120)  # kept as a view


def test_what_is_declared_to_be_another_table_is_left_alone(database: Database) -> None:
    database.run(filled('"Users"'))

    assert rows_after(database, models(legacy_names=[]), "users", '"Users"') == (0, 120)


def rows_after(database: Database, metadata: MetaData, *tables: str, **options: Any) -> tuple[int | None, ...]:
    """Apply, and give how many rows these tables have then; None where there is none."""
    applied(database, metadata, **options)
    there = [table for table in tables if database.ask(f"SELECT to_regclass('{table}')")]
    return tuple(database.ask(f"SELECT count(*) FROM {table}") if table in there else None for table in tables)


def test_of_many_twins_a_few_are_named(database: Database) -> None:
    for tenant in range(5):
        database.run(f"CREATE SCHEMA t{tenant}; {filled(f't{tenant}.users')}")
    (refusal,) = planned(database, models()).refusals

    assert "but t0.users (120 rows), t1.users (120 rows), t2.users (120 rows) and 2 more are there" in refusal
    assert f"if one of them is meant, say --schema t0 or say --schema t1 or say --schema t2; if none, {ANEW}" in refusal


def test_an_empty_twin_is_told_and_hinders_nothing(database: Database) -> None:
    database.run(f"CREATE SCHEMA shop; CREATE TABLE shop.users {USERS}")
    told = [finding.message for finding in planned(database, models()).findings if finding.object == "public.users"]

    assert told == ["users should be a table of 2 columns, is missing, but shop.users (empty) is there"]
    assert rows_after(database, models(), "users", "shop.users") == (0, 0)


STRANGERS = {
    "a table of the system": ("tables", ""),
    "a view of the system": ("pg_user", ""),
    "the fixer's own": ("users", f"CREATE SCHEMA fixer_quarantine; {filled('fixer_quarantine.users')}"),
    "a table of an extension": (
        "users", f"CREATE SCHEMA shop; {filled('shop.users')}; ALTER EXTENSION plpgsql ADD TABLE shop.users"
    ),
    "a table in the schema of an extension": (
        "users", f"CREATE SCHEMA shop; {filled('shop.users')}; ALTER EXTENSION plpgsql ADD SCHEMA shop"
    ),
    "a partition": (
        "users",
        "CREATE SCHEMA shop; CREATE TABLE shop.rows (email text) PARTITION BY LIST (email);"
        "CREATE TABLE shop.users PARTITION OF shop.rows DEFAULT; INSERT INTO shop.rows VALUES ('a')",
    ),
    "an index": ("users", "CREATE SCHEMA shop; CREATE TABLE shop.t (id integer); CREATE INDEX users ON shop.t (id)"),
    "another word": ("users", filled("user_")),
}  # fmt: skip


@pytest.mark.parametrize(("name", "setup"), STRANGERS.values(), ids=STRANGERS.keys())
def test_a_stranger_is_no_twin(database: Database, name: str, setup: str) -> None:
    database.run(f"{setup}; CREATE TABLE orders (id serial PRIMARY KEY, user_id integer)")

    assert ((), [name]) == found(planned(database, models(name)))


def found(plan: Plan) -> tuple[tuple[str, ...], list[str]]:
    """Return what a plan leaves to a person, and the tables that it creates."""
    return plan.refusals, sorted(step.table.name for step in plan.steps if step.title.startswith("create the table"))


def test_a_temporary_table_of_a_session_is_no_twin(database: Database) -> None:
    with closing(psycopg2.connect(database.dsn)) as other:
        other.autocommit = True
        other.cursor().execute(filled("pg_temp.users"))

        assert found(planned(database, models())) == ((), ["orders", "users"])


def test_a_table_that_the_contract_has_as_well_is_no_twin(database: Database) -> None:
    database.run(filled('"Users"'))
    metadata = models()
    Table("Users", metadata, Column("id", Integer, primary_key=True), Column("email", String(50), nullable=False))

    assert found(planned(database, metadata)) == ((), ["orders", "users"])


def test_a_schema_of_the_contract_is_not_elsewhere(database: Database) -> None:
    database.run(f"CREATE SCHEMA shop; {filled('shop.users')}")
    metadata = models()
    Table("items", metadata, Column("id", Integer, primary_key=True), schema="shop")

    assert (planned(database, metadata).refusals, sorted(found(planned(database, metadata))[1])) == (
        (),
        ["items", "orders", "users"],
    )


@pytest.mark.parametrize(
    "hide",
    [
        "REVOKE ALL ON shop.users FROM PUBLIC; GRANT USAGE ON SCHEMA shop TO PUBLIC",
        "GRANT SELECT ON shop.users TO PUBLIC",
        "GRANT USAGE ON SCHEMA shop TO PUBLIC; GRANT SELECT ON shop.users TO PUBLIC;"
        "ALTER TABLE shop.users ENABLE ROW LEVEL SECURITY",
    ],
    ids=["the table", "the schema", "its rows"],
)
def test_a_twin_that_may_not_be_read_is_told_without_rows(database: Database, hide: str) -> None:
    database.run(f"CREATE SCHEMA shop; {filled('shop.users')}; {hide}")
    with role(database) as stranger:
        (refusal,) = planned(database, models(), stranger).refusals

    assert (
        "is missing, but shop.users (which this role may not read) is there: if it is meant, say --schema shop"
        in refusal
    )


def test_nobody_is_waited_for_to_count_a_twin(database: Database) -> None:
    database.run(f"CREATE SCHEMA shop; {filled('shop.users')}; CREATE SCHEMA web; {filled('web.users')}")
    with closing(psycopg2.connect(database.dsn)) as other:
        other.cursor().execute("LOCK TABLE shop.users IN ACCESS EXCLUSIVE MODE")
        (refusal,) = planned(database, models()).refusals

    assert "but shop.users and web.users (120 rows) are there" in refusal


def test_no_function_of_a_view_elsewhere_is_called(database: Database) -> None:
    database.run(
        "CREATE SCHEMA shop; CREATE FUNCTION shop.never() RETURNS integer LANGUAGE plpgsql"
        " AS 'BEGIN RAISE EXCEPTION ''called''; END'; CREATE VIEW shop.users AS SELECT shop.never() AS id"
    )
    (refusal,) = planned(database, models()).refusals

    assert f"(a view) is there: what is no table cannot be taken for it; if it is something else, {ANEW}" in refusal


@pytest.mark.parametrize("mode", MODES)
def test_a_plan_is_refused_where_a_twin_came_after_it(database: Database, mode: str) -> None:
    plan = kept(planned(database, models(), mode=mode))
    database.run(f"CREATE SCHEMA shop; {filled('shop.users')}")

    with pytest.raises(
        PlanRefused, match=r"was made, shop.users \(120 rows\) is there: plan again. Nothing was changed"
    ):
        applied(database, models(), plan=plan)


def test_a_plan_for_an_empty_database_is_refused_where_tables_came_after_it(database: Database) -> None:
    plan = kept(planned(database, models()))
    database.run("CREATE SCHEMA shop; CREATE TABLE shop.things (id integer)")

    with pytest.raises(PlanRefused, match=r"was made, other tables are there: plan again"):
        applied(database, models(), plan=plan)


def kept(plan: Plan) -> Plan:
    """Return a plan as it comes back from a file."""
    return from_json(json.loads(as_json.of_plan(plan)))


@pytest.mark.parametrize("taken", ["SEQUENCE users", "TYPE users AS (id integer)", "INDEX users ON things (id)"])
def test_a_name_that_is_taken_by_something_else_is_told(database: Database, taken: str) -> None:
    database.run(f"CREATE TABLE things (id integer); CREATE TABLE orders (id serial); CREATE {taken}")
    (refusal,) = planned(database, models()).refusals

    assert "is missing: an index, a sequence or a type is called users: rename that" in refusal


# ---- the wrong database


OTHERS = "; ".join(f"CREATE TABLE t{number} (id integer)" for number in range(14))
TRADING = "none of the 2 tables of contracts.trading:metadata is here, and 14 others are: is it the right database?"


@pytest.mark.parametrize("mode", MODES)
def test_in_a_stranger_s_database_nothing_is_created_unasked(database: Database, mode: str) -> None:
    database.run(OTHERS)
    before = database.dump()
    ended = fixer("apply", "--yes", "--mode", mode, "--dsn", database.dsn)
    said = f"fixer: The plan needs --allow-hazards creates-schema, because {TRADING} Nothing was changed."

    assert (1, said, before) == (ended.returncode, ended.stderr.splitlines()[-1], database.dump())


def test_a_plan_asks_whether_it_is_the_right_database(database: Database) -> None:
    database.run(OTHERS)
    ended = fixer("plan", "--dsn", database.dsn)

    assert f"  creates-schema: {TRADING}" in ended.stdout.splitlines()
    assert "Run it with: fixer apply --dsn " in ended.stdout
    assert " --allow-hazards creates-schema" in ended.stdout


def test_json_says_that_it_needs_a_hazard(database: Database) -> None:
    database.run(OTHERS)
    check = json.loads(fixer("check", "--dsn", database.dsn, "--format", "json").stdout)
    plan = json.loads(fixer("plan", "--dsn", database.dsn, "--format", "json").stdout)
    labels = {finding["repair"] for finding in check["findings"] if finding["slug"] == "missing-table"}

    assert ({"needs-hazard"}, ["creates-schema"], TRADING) == (labels, plan["hazards"], plan["question"])


def test_a_kept_plan_asks_again(database: Database) -> None:
    database.run(OTHERS)
    plan = kept(planned(database, models()))

    with closing(psycopg2.connect(database.dsn)) as connection, pytest.raises(NeedsPermission, match="14 others are"):
        library.apply(connection, models(), plan=plan)


def test_ensure_asks_as_well(database: Database) -> None:
    database.run("CREATE SCHEMA web; CREATE TABLE web.pages (id integer)")
    with closing(psycopg2.connect(database.dsn)) as connection, pytest.raises(NeedsPermission) as refused:
        library.ensure(connection, models())

    assert "creates-schema, because none of the 2 tables of the contract is here, and one other is: " in str(
        refused.value
    )


@pytest.mark.parametrize("mode", MODES)
def test_once_allowed_all_tables_are_created(database: Database, mode: str) -> None:
    database.run(OTHERS)
    with closing(psycopg2.connect(database.dsn)) as connection:
        run = library.apply(connection, models(), mode=mode, allow_hazards="creates-schema")
        again = library.apply(connection, models(), mode=mode)

    assert run.ok
    assert again.ok
    assert again.plan.steps == ()


ALONE = {
    "nothing": "",
    "our own schemas": "CREATE SCHEMA fixer_journal; CREATE TABLE fixer_journal.old (id integer)",
    "a table of an extension": "CREATE TABLE theirs (id integer); ALTER EXTENSION plpgsql ADD TABLE theirs",
    "a view": "CREATE VIEW numbers AS SELECT 1 AS n",
}


@pytest.mark.parametrize("setup", ALONE.values(), ids=ALONE.keys())
def test_an_empty_database_needs_no_permission(database: Database, setup: str) -> None:
    database.run(setup or "SELECT")
    plan = planned(database, models())

    assert (frozenset(), "", ()) == (plan.hazards, plan.question, plan.refusals)


@pytest.mark.parametrize("there", ["CREATE TABLE orders (id serial)", "CREATE TABLE clients (id serial)"])
def test_where_one_table_is_there_it_is_the_right_database(database: Database, there: str) -> None:
    database.run(f"{OTHERS}; {there}")
    plan = planned(database, models(legacy_names=["clients"]))

    assert "creates-schema" not in plan.hazards
    assert plan.question == ""


# ---- columns


@pytest.mark.parametrize("mode", MODES)
def test_no_column_is_added_beside_its_values(database: Database, mode: str) -> None:
    database.run(f'{filled("users")}; ALTER TABLE users RENAME email TO "eMail"')
    before = database.dump()
    with pytest.raises(NeedsPermission) as refused:
        applied(database, models(), mode=mode)

    assert 'is missing, but "eMail" is there: "eMail" may hold what is meant, for 120 rows' in str(refused.value)
    assert 'declare Column("email", ..., info={"legacy_names": ["eMail"]})' in str(refused.value)
    assert before == database.dump()


def test_a_column_that_is_declared_is_renamed(database: Database) -> None:
    database.run(f'{filled("users")}; ALTER TABLE users RENAME email TO "Email"')
    applied(database, models(email={"legacy_names": ["Email"]}))

    assert database.ask("SELECT count(email) FROM users") == 120


def test_a_column_that_is_declared_to_be_another_is_left_alone(database: Database) -> None:
    database.run(f'{filled("users")}; ALTER TABLE users RENAME email TO "Email"')
    applied(database, models(email={"legacy_names": [], "backfill": "nobody"}))

    assert database.run('SELECT count(*), count("Email"), max(email) FROM users') == [(120, 120, "nobody")]


def test_keys_of_another_case_are_taken_over_or_asked_about(database: Database) -> None:
    database.run(
        f'{filled("users")}; ALTER TABLE users RENAME id TO "Id"; ALTER TABLE users DROP CONSTRAINT users_pkey'
    )
    refusals = planned(database, models()).refusals

    assert 'is missing, but "Id" is there' in "".join(refusals)
    assert 'declare Column("id", ..., info={"legacy_names": ["Id"]})' in refusals[0]


def test_a_statement_to_paste_ends_where_the_sentence_does(database: Database, tmp_path: Path) -> None:
    (tmp_path / "it.sql").write_text(
        "CREATE SCHEMA app; CREATE TABLE app.visits (id serial PRIMARY KEY, at timestamptz);"
    )
    database.run("CREATE SCHEMA app; CREATE TABLE visits (id serial PRIMARY KEY, at text)")
    database.run("INSERT INTO visits (at) VALUES ('2026-01-01 10:00')")
    contract = ("--contract", tmp_path / "it.sql", "--scratch", database.server.dsn)
    elsewhere = fixer("apply", "--yes", "--dsn", database.dsn, *contract)
    database.run("ALTER TABLE visits SET SCHEMA app")
    converted = fixer("apply", "--yes", "--dsn", database.dsn, *contract)

    assert "if it is meant, run: ALTER TABLE public.visits SET SCHEMA app; if not, declare" in elsewhere.stderr
    assert re.search(r"ALTER COLUMN at TYPE [^;]*; Nothing was changed\.", converted.stderr), converted.stderr
