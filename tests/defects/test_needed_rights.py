"""What a role lacks for a repair is said by the plan, with the statement that is enough; never first by the run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

import fixer
from lab.database import Database, lent, role
from lab.laboratory import VERSIONS, Laboratory

BASE = "CREATE TABLE t (id integer PRIMARY KEY, n integer);"
FUNCTION = "CREATE FUNCTION f(integer) RETURNS integer LANGUAGE"
ACT = "CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
PARTED = "CREATE TABLE p (k integer{}) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
HEIRS = "CREATE TABLE h (k integer{}); CREATE TABLE h1 () INHERITS (h); CREATE TABLE h2 () INHERITS (h1);"


class Case(NamedTuple):
    wanted: str
    found: str = ""  # {r} is the role, {d} the database


RESERVED = {
    "internal": Case(f"{FUNCTION} internal AS 'int4abs'"),
    "leakproof": Case(f"{FUNCTION} sql LEAKPROOF AS 'SELECT 1'"),
    "a setting": Case(f"{FUNCTION} sql SET session_replication_role = 'origin' AS 'SELECT 1'"),
    "replaced": Case(
        f"{FUNCTION} sql LEAKPROOF AS 'SELECT 1'", f"{FUNCTION} sql AS 'SELECT 1'; ALTER FUNCTION f OWNER TO {{r}}"
    ),
}
GRANTED = {
    "a language": Case(f"{FUNCTION} sql AS 'SELECT 1'", "REVOKE USAGE ON LANGUAGE sql FROM PUBLIC"),
    "the fixer's own language": Case("CREATE TABLE u ()", "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC"),
    "a function": Case(
        f"{ACT} CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION act()",
        f"{ACT} REVOKE ALL ON FUNCTION act() FROM PUBLIC",
    ),
    "a partition": Case(PARTED.format(" PRIMARY KEY"), PARTED.format("") + "ALTER TABLE p OWNER TO {r}"),
    "heirs of heirs": Case(
        "CREATE TABLE h (k integer NOT NULL)",
        HEIRS.format("") + "ALTER TABLE h OWNER TO {r}; ALTER TABLE h1 OWNER TO {r}; GRANT SELECT ON h2 TO {r}",
    ),
    "a tablespace": Case(
        "CREATE TABLE u (id integer PRIMARY KEY)", "ALTER DATABASE {d} SET default_tablespace = pg_global"
    ),
}


@pytest.fixture
def database(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        yield database


@pytest.fixture
def owner(database: Database) -> Iterator[str]:
    """Lend a role that may do all that an owner may."""
    database.run(BASE)
    with role(database, "ALTER TABLE t OWNER TO {}", "GRANT ALL ON SCHEMA public TO {}") as owner:
        database.run(f"GRANT CREATE ON DATABASE {database.name} TO {owner}")
        yield owner


def contract(case: Case, database: Database) -> str:
    """Return another database, in which all is as wanted."""
    other = database.server.create_database()
    Database(database.server, other).run(BASE + case.wanted)
    return database.server.database_dsn(other)


def said(database: Database, owner: str, contract: str, mode: str) -> list[str]:
    plan = fixer.plan(database.seen_by(owner), contract, mode=mode)
    return [*plan.needs, *plan.refusals]


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("case", RESERVED)
def test_what_only_a_superuser_may_create_is_left_to_one(database: Database, owner: str, case: str, mode: str) -> None:
    database.run(RESERVED[case].found.replace("{r}", owner) or "SELECT")
    wanted = contract(RESERVED[case], database)

    assert ["only a superuser" in each for each in said(database, owner, wanted, mode)] == [True]
    assert fixer.apply(database.dsn, wanted, mode=mode, allow_hazards="all").ok


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("case", [each for each in GRANTED if each != "a tablespace"])
def test_what_a_plan_asks_for_is_enough(database: Database, owner: str, case: str, mode: str) -> None:
    database.run(GRANTED[case].found.replace("{r}", owner).replace("{d}", database.name))
    wanted = contract(GRANTED[case], database)
    asked = re.findall(r"(?:GRANT|ALTER TABLE) [^;]*", "; ".join(said(database, owner, wanted, mode)))
    assert asked != []
    assert "GRANT postgres" not in "".join(asked)
    database.run("; ".join(asked))

    assert said(database, owner, wanted, mode) == []
    assert fixer.apply(database.seen_by(owner), wanted, mode=mode, allow_hazards="all").ok


def test_a_default_tablespace_in_which_nothing_may_be_made_is_named(database: Database, owner: str) -> None:
    database.run(GRANTED["a tablespace"].found.replace("{d}", database.name))
    told = said(database, owner, contract(GRANTED["a tablespace"], database), "atomic")

    assert ["GRANT CREATE ON TABLESPACE" in each for each in told] == [True]


def test_no_role_is_told_to_become_a_superuser(database: Database, owner: str) -> None:
    database.run(
        "ALTER TABLE t OWNER TO postgres; CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'"
    )
    wanted = contract(Case(f"CREATE INDEX ON t (n); {FUNCTION} sql AS 'SELECT 2'"), database)
    plan = fixer.plan(database.seen_by(owner), wanted)

    assert [f"ALTER TABLE public.t OWNER TO {owner};" in each for each in plan.needs] == [True]
    assert ["belongs to postgres, a superuser: let that role apply the plan" in each for each in plan.refusals] == [
        True
    ]


def test_a_role_that_is_none_is_joined(database: Database, owner: str) -> None:
    with role(database, "ALTER TABLE t OWNER TO {}") as other:
        plan = fixer.plan(database.seen_by(owner), contract(Case("CREATE INDEX ON t (n)"), database))

        assert [f"GRANT {other} TO {owner}" in each for each in plan.needs] == [True]
