"""What the application's role lacks is found, with the statements that are enough; what it has is silence."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Column, Computed, Identity, Integer, MetaData, Numeric, Sequence, Table, Text, create_engine
from sqlalchemy import text as sql
from sqlalchemy.pool import NullPool

import fixer
from fixer.errors import TargetError
from fixer.model.finding import Finding
from fixer.model.plan import MODES
from fixer.sql.compose import quoted
from lab.database import Database, role
from lab.examples.models import contract, key, once_called
from lab.process import fixer as command

PLACE = 's."x%'
METADATA = MetaData(schema=PLACE)
Table("u", METADATA, Column("id", Integer, primary_key=True), Column("Odd name%", Text), Column("n", Numeric))
Table(
    "always",
    METADATA,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("n", Integer),
    Column("twice", Integer, Computed("n * 2", persisted=True)),
)
SCHEMA, U, ALWAYS = quoted([PLACE]), quoted([PLACE, "u"]), quoted([PLACE, "always"])
COUNTER = quoted([PLACE, "u_id_seq"])
ALL = f"""GRANT USAGE ON SCHEMA {SCHEMA} TO {{r}}; GRANT SELECT, INSERT, UPDATE, DELETE ON {U}, {ALWAYS} TO {{r}};
    GRANT USAGE ON SEQUENCE {COUNTER} TO {{r}};"""
SECURED = f"ALTER TABLE {U} ENABLE ROW LEVEL SECURITY;"


@dataclass(frozen=True)
class Application:
    database: Database
    role: str

    def run(self, statements: str) -> None:
        self.database.run(statements.replace("{r}", quoted([self.role])).replace("{g}", quoted([f"{self.role} group"])))

    def found(self) -> list[Finding]:
        with closing(psycopg2.connect(self.database.dsn)) as connection:
            found = fixer.check(connection, METADATA, role=self.role).findings
        return [each for each in found if each.severity != "info"]


@pytest.fixture
def application(empty: Database) -> Iterator[Application]:
    engine = create_engine(empty.dsn.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool)
    empty.run(f"CREATE SCHEMA {SCHEMA}")
    METADATA.create_all(engine)
    lent = Application(empty, f'a."p%{os.urandom(4).hex()}')
    lent.run("CREATE ROLE {r}; CREATE ROLE {g}")
    try:
        yield lent
    finally:
        lent.run("DROP OWNED BY {r}, {g}; DROP ROLE {r}, {g}")


LOST = {
    "everything": ("SELECT", {"lost-grants"}, 3),
    "the schema": (ALL + f"REVOKE USAGE ON SCHEMA {SCHEMA} FROM {{r}}", {"lost-grants"}, 1),
    "the sequence": (ALL + f"REVOKE USAGE ON SEQUENCE {COUNTER} FROM {{r}}", {"lost-grants"}, 1),
    "one deed": (ALL + f"REVOKE DELETE ON {U} FROM {{r}}", {"lost-grants"}, 1),
    "a column": (ALL + f"REVOKE UPDATE ON {U} FROM {{r}}; GRANT UPDATE (n) ON {U} TO {{r}}", {"lost-grants"}, 1),
    "what its group has and it does not inherit": (
        ALL.replace("{r}", "{g}") + "ALTER ROLE {r} NOINHERIT; GRANT {g} TO {r}",
        {"lost-grants"},
        3,
    ),
    "a function of a default": (
        ALL + f"CREATE FUNCTION {SCHEMA}.one() RETURNS numeric LANGUAGE sql AS 'SELECT 1';"
        f"REVOKE ALL ON FUNCTION {SCHEMA}.one() FROM PUBLIC; ALTER TABLE {U} ALTER n SET DEFAULT {SCHEMA}.one()",
        {"lost-grants"},
        1,
    ),
    "the operator of an index": (
        ALL + f"CREATE FUNCTION {SCHEMA}.eq(text, integer) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true';"
        f"CREATE OPERATOR {SCHEMA}.=== (leftarg = text, rightarg = integer, function = {SCHEMA}.eq);"
        f"REVOKE ALL ON FUNCTION {SCHEMA}.eq(text, integer) FROM PUBLIC;"
        f'CREATE INDEX ON {U} (("Odd name%" OPERATOR({SCHEMA}.===) 1))',
        {"lost-grants"},
        1,
    ),
    "rows without a policy": (ALL + SECURED, {"closed-row-security"}, 1),
    "rows with a policy for others": (ALL + SECURED + f"CREATE POLICY p ON {U} TO {{g}}", {"closed-row-security"}, 1),
    "rows of its own, forced": (
        ALL + SECURED + f"ALTER TABLE {U} OWNER TO {{r}}; ALTER TABLE {U} FORCE ROW LEVEL SECURITY",
        {"closed-row-security"},
        1,
    ),
}
HAD = {
    "all": ALL,
    "by its group": ALL.replace("{r}", "{g}") + "GRANT {g} TO {r}",
    "as everybody": ALL.replace("{r}", "PUBLIC"),
    "its own tables": f"GRANT USAGE ON SCHEMA {SCHEMA} TO {{r}}; ALTER TABLE {U} OWNER TO {{r}};"
    f"ALTER TABLE {ALWAYS} OWNER TO {{r}}",
    "a superuser": "ALTER ROLE {r} SUPERUSER",
    "columns": ALL
    + f"REVOKE SELECT, INSERT, UPDATE ON {U}, {ALWAYS} FROM {{r}}; GRANT SELECT (id, n, twice) ON {ALWAYS} TO {{r}};"
    + f'GRANT INSERT (n), UPDATE (n) ON {ALWAYS} TO {{r}}; GRANT SELECT (id, n, "Odd name%"), UPDATE (n, "Odd name%")'
    + f', INSERT (id, n, "Odd name%") ON {U} TO {{r}}',
    "UPDATE on the sequence": ALL
    + f"REVOKE USAGE ON SEQUENCE {COUNTER} FROM {{r}}; GRANT UPDATE ON SEQUENCE {COUNTER} TO {{r}}",
    "a column that the contract does not know": ALL
    + f"ALTER TABLE {U} ADD more text; REVOKE SELECT, INSERT, UPDATE ON {U} FROM {{r}};"
    + f'GRANT SELECT (id, n, "Odd name%"), INSERT (id, n, "Odd name%"), UPDATE (n, "Odd name%") ON {U} TO {{r}}',
    "a policy for its group": ALL + SECURED + f"GRANT {{g}} TO {{r}}; CREATE POLICY p ON {U} TO {{g}}",
    "policies that do not bind it": ALL + SECURED + "ALTER ROLE {r} BYPASSRLS",
    "policies that do not bind the owner": ALL + SECURED + f"ALTER TABLE {U} OWNER TO {{r}}",
}


@pytest.mark.parametrize("case", LOST)
def test_what_it_lacks_is_found_and_the_statements_are_enough(application: Application, case: str) -> None:
    statements, slugs, number = LOST[case]
    application.run(statements)
    found = application.found()
    ways = [re.search(r"(?:GRANT|ALTER TABLE) .*", str(each.repair.refusal)) for each in found]
    application.database.run("; ".join(way[0] for way in ways if way))

    assert (slugs, number) == ({each.slug for each in found}, len(found))
    assert {each.severity for each in found} == {"error"}
    assert application.found() == []


@pytest.mark.parametrize("case", HAD)
def test_what_it_has_is_silence(application: Application, case: str) -> None:
    application.run(HAD[case])

    assert [each.message for each in application.found()] == []


def test_without_a_role_nothing_is_asked(application: Application) -> None:
    with closing(psycopg2.connect(application.database.dsn)) as connection:
        assert fixer.check(connection, METADATA).findings == ()


def test_a_role_that_is_not_there_is_a_sentence(application: Application) -> None:
    with pytest.raises(TargetError, match=r"There is no role nobody\.here"):
        Application(application.database, "nobody.here").found()


@pytest.mark.parametrize("default", [False, True])
def test_what_a_missing_table_will_lack_is_said_before_it_is_made(application: Application, default: bool) -> None:
    application.run(ALL + f"DROP TABLE {ALWAYS}")
    if default:
        application.run(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {SCHEMA} GRANT ALL ON TABLES TO {{r}}")

    assert default == ("lost-grants" not in {each.slug for each in application.found()})


def test_a_closed_schema_that_is_only_referenced_lacks_nothing(empty: Database, tmp_path: Path) -> None:
    with role(empty) as name:
        empty.run(
            "CREATE SCHEMA auth; CREATE TABLE auth.users (id integer PRIMARY KEY);"
            f"CREATE TABLE posts (id integer PRIMARY KEY REFERENCES auth.users); GRANT ALL ON posts TO {name}"
        )
        (tmp_path / "pyproject.toml").write_text("[tool.pgmend]\nexclude = ['auth.*']\n")
        ended = command("check", "--contract", "self", "--role", name, empty.dsn, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")


BROUGHT = {
    "a table that gets its name back": "REVOKE ALL ON t FROM {r}; ALTER TABLE t RENAME TO old",
    "a column that gets its name back": "REVOKE UPDATE ON t FROM {r}; ALTER TABLE t RENAME n TO m",
    "a sequence that is created": "REVOKE ALL ON t, t_id_seq FROM {r}; ALTER TABLE t ALTER id DROP DEFAULT;"
    "DROP SEQUENCE t_id_seq",
    "a sequence that counts again": "REVOKE ALL ON t, t_id_seq FROM {r}; ALTER TABLE t ALTER id SET DEFAULT 41",
    "a column that is added": "REVOKE UPDATE ON t FROM {r}; ALTER TABLE t DROP n, ADD o integer;"
    "GRANT UPDATE (id, o) ON t TO {r}",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", BROUGHT)
def test_what_the_plan_leaves_shut_is_told_before(empty: Database, how: str, mode: str) -> None:
    meant = once_called(contract(t=(key(), Column("n", Integer, info={"legacy_names": ["m"]}))), "t", "old")
    empty.run("CREATE TABLE t (id serial PRIMARY KEY, n integer)")
    asked = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET pgmend.role = {}', current_database()); END $$"
    with (
        role(empty, asked, "GRANT ALL ON t, t_id_seq TO {}") as who,
        closing(psycopg2.connect(empty.dsn)) as connection,
    ):
        empty.run(BROUGHT[how].format(r=who))
        plan = fixer.plan(connection, meant, mode=mode)
        named = {f"{each.slug}:{each.object}" for each in plan.findings if each.repair.refusal}
        run = fixer.apply(connection, meant, mode=mode, skip=named)
        found = fixer.check(connection, meant).findings
        left = {f"{each.slug}:{each.object}" for each in found if each.severity == "error"}
        for each in found:
            empty.run("; ".join(re.findall(r"GRANT [^;]*", str(each.repair.refusal))))

        assert run.steps
        assert named == left
        assert len(named) == 1
        assert [each for each in fixer.check(connection, meant).findings if each.severity == "error"] == []


def _to_come() -> MetaData:
    """Return a contract of a table that stands, and of what is to come: another, and a schema with a third."""
    meant = contract(t=(key(),), v=(key(), Column("c", Text, server_default=sql("'N' || nextval('c')"))))
    Sequence("c", metadata=meant)
    Table("u", meant, Column("id", Integer, primary_key=True), schema="shop")
    return meant


GIVEN = "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {r};"
TO_COME = {
    "nothing is given": ("SELECT;", {"public.v", "shop.u"}),
    "tables, no schema": (GIVEN, {"shop.u"}),
    "tables and schemas": (GIVEN + "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO {r};", set()),
    "it owns most tables": ("ALTER TABLE t OWNER TO {r};", set()),
    "a sequence that stands is shut": (GIVEN + "CREATE SCHEMA shop; CREATE SEQUENCE c;", {"public.v.c", "shop.u"}),
    "the table that calls it stands": (GIVEN + "CREATE SEQUENCE c; CREATE TABLE v (id serial PRIMARY KEY, c text);"
    "GRANT ALL ON v_id_seq TO {r}; CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO {r};", {"public.v.c"}),
    "the column is to come": (GIVEN + "CREATE SEQUENCE c; CREATE TABLE v (id serial PRIMARY KEY);"
    "GRANT ALL ON v_id_seq TO {r}; CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO {r};", {"public.v.c"}),
    "the table of the schema is left out": (GIVEN, {"shop.u"}),
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", TO_COME)
def test_what_it_may_do_to_what_is_to_come_is_known_before(empty: Database, how: str, mode: str) -> None:
    asked = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET pgmend.role = {}', current_database()); END $$"
    statements, lacking = TO_COME[how]
    empty.run("CREATE TABLE t (id serial PRIMARY KEY)")
    granted = "GRANT USAGE ON SCHEMA public TO {}; GRANT ALL ON t, t_id_seq TO {}"
    with role(empty, asked, granted) as who, closing(psycopg2.connect(empty.dsn)) as connection:
        empty.run(statements.replace("{r}", who))
        left_out = {"missing-table:shop.u"} if "left out" in how else set()
        plan = fixer.plan(connection, _to_come(), mode=mode, skip=left_out)
        named = {f"{each.slug}:{each.object}" for each in plan.findings if each.repair.refusal} | left_out
        run = fixer.apply(connection, _to_come(), mode=mode, skip=named, allow_hazards="all")
        found = fixer.check(connection, _to_come()).findings

        assert run.steps
        assert {each.object for each in plan.findings if each.slug == "lost-grants"} == lacking
        assert {f"{each.slug}:{each.object}" for each in found if each.severity == "error"} == named
