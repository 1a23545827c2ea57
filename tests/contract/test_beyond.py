"""What SQL or another database declares and nobody compares is said once; what of it the target lacks is a finding."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixer.connect.servers import Server
from lab.database import Database, lent
from lab.process import fixer

TABLE = "CREATE TABLE t (id serial PRIMARY KEY, a integer, b integer);"
BEYOND = """
CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer);
CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq);
CREATE STATISTICS pairs ON a, b FROM t;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_monitor;
"""


def checked(database: Database, contract: object) -> tuple[str, dict[str, object]]:
    """Return the line about what is not compared, and what JSON says."""
    words = ("check", "--contract", contract, "--dsn", database.dsn)
    document = json.loads(fixer(*words, "--format", "json").stdout)
    lines = [each for each in fixer(*words, env={"COLUMNS": "400"}).stdout.splitlines() if "not compared" in each]
    assert len(lines) <= 1
    return "".join(lines), document


def lacking(document: dict[str, object]) -> dict[str, str]:
    """Return what is said to be missing, with the severity of each."""
    found = document["findings"]
    assert isinstance(found, list)
    return {each["object"]: each["severity"] for each in found if each["slug"] == "missing-object"}


@pytest.fixture
def other(server: Server) -> Iterator[Database]:
    with lent(server, None) as database:
        yield database


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    file = tmp_path / "wanted.sql"
    file.write_text(TABLE + BEYOND)
    return file


def test_what_is_not_compared_is_counted_and_what_lacks_is_found(empty: Database, sql: Path) -> None:
    empty.run(f"{TABLE} CREATE STATISTICS pairs ON a, b FROM t")
    line, document = checked(empty, sql)
    beyond = document["not_compared"]
    assert isinstance(beyond, list)

    assert line == (
        "! their definitions are not compared with the contract: 1 aggregate, 1 default privilege, 1 operator,"
        " 1 statistics object"
    )
    there = {str(each["kind"]): each["there"] for each in beyond}
    assert there["statistics object"] is True
    assert [there[kind] for kind in ("aggregate", "operator")] == [False, False]
    assert lacking(document) == {
        "aggregate public.total(integer)": "error",
        "operator public.===(integer,integer)": "error",
    }
    assert document["ok"] is False


def test_what_the_target_has_is_not_said_to_lack(empty: Database, sql: Path) -> None:
    empty.run(TABLE + BEYOND)
    line, document = checked(empty, sql)

    assert "not compared" in line
    assert lacking(document) == {}


def test_a_contract_without_any_says_nothing(empty: Database, tmp_path: Path) -> None:
    (tmp_path / "wanted.sql").write_text(TABLE)
    empty.run(TABLE + BEYOND)

    for contract in (tmp_path / "wanted.sql", "self"):
        line, document = checked(empty, contract)
        assert (line, "not_compared" in document, lacking(document)) == ("", False, {})


def test_another_database_declares_event_triggers(empty: Database, other: Database) -> None:
    other.run(
        f"{TABLE} CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER told ON ddl_command_end EXECUTE FUNCTION seen()"
    )
    empty.run(f"{TABLE} CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'")

    assert lacking(checked(empty, other.dsn)[1]) == {"event trigger told": "warning"}


def test_what_an_extension_brings_is_there(empty: Database, other: Database) -> None:
    made = "CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer);"
    other.run(TABLE + made)
    empty.run(TABLE + made + "ALTER EXTENSION plpgsql ADD AGGREGATE total(integer)")
    found = lacking(checked(empty, other.dsn)[1])
    empty.run("ALTER EXTENSION plpgsql DROP AGGREGATE total(integer)")

    assert found == {}


def test_what_has_no_schema_is_looked_for_in_the_one_that_is_named(empty: Database, sql: Path) -> None:
    empty.run(f"CREATE SCHEMA tenant; SET search_path = tenant; {TABLE + BEYOND}")
    words = ("--contract", sql, "--schema", "tenant", "--dsn", empty.dsn)

    assert lacking(json.loads(fixer("check", *words, "--format", "json").stdout)) == {}
