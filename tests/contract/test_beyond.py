"""What SQL or another database declares and nobody compares is said once, with what of it the target lacks."""

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
CREATE RULE "no %" AS ON DELETE TO t DO INSTEAD NOTHING;
CREATE STATISTICS pairs ON a, b FROM t;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_monitor;
"""


def checked(database: Database, contract: object) -> tuple[str, list[dict[str, object]]]:
    """Return the line about what is not compared, and what JSON says of it."""
    words = ("check", "--contract", contract, "--dsn", database.dsn)
    document = json.loads(fixer(*words, "--format", "json").stdout)
    lines = [each for each in fixer(*words, env={"COLUMNS": "400"}).stdout.splitlines() if "not compared" in each]
    assert len(lines) <= 1
    return "".join(lines), document.get("not_compared", [])


@pytest.fixture
def other(server: Server) -> Iterator[Database]:
    with lent(server, None) as database:
        yield database


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    file = tmp_path / "wanted.sql"
    file.write_text(TABLE + BEYOND)
    return file


def test_what_is_not_compared_is_counted_and_what_lacks_is_named(empty: Database, sql: Path) -> None:
    empty.run(f"{TABLE} CREATE STATISTICS pairs ON a, b FROM t")
    line, document = checked(empty, sql)

    assert line.startswith(
        "! not compared, although the contract has them: 1 aggregate, 1 default privilege, 1 rule, 1 statistics object;"
    )
    assert line.endswith('the target lacks: aggregate public.total(integer), rule "no %" on public.t')
    there = {str(each["kind"]): each["there"] for each in document}
    assert there["statistics object"] is True
    assert [there[kind] for kind in ("aggregate", "rule")] == [False, False]


def test_what_the_target_has_is_not_said_to_lack(empty: Database, sql: Path) -> None:
    empty.run(TABLE + BEYOND)
    line, _ = checked(empty, sql)

    assert "not compared" in line
    assert "lacks" not in line


def test_a_contract_without_any_says_nothing(empty: Database, tmp_path: Path) -> None:
    (tmp_path / "wanted.sql").write_text(TABLE)
    empty.run(TABLE + BEYOND)

    assert checked(empty, tmp_path / "wanted.sql") == ("", [])
    assert checked(empty, "self") == ("", [])


def test_another_database_declares_event_triggers(empty: Database, other: Database) -> None:
    other.run(
        f"{TABLE} CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER told ON ddl_command_end EXECUTE FUNCTION seen()"
    )
    empty.run(f"{TABLE} CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'")

    assert checked(empty, other.dsn)[0].endswith("1 event trigger; the target lacks: event trigger told")
