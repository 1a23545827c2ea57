"""Rows whose parents go, and that a constraint would refuse once their reference is emptied or adopted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fixer.connect.servers import Server
from fixer.model.plan import MODES
from lab.database import Database, lent
from lab.process import fixer as command

K = "CREATE TABLE k (id integer PRIMARY KEY, n integer NOT NULL);"
OTHER = "CREATE TABLE o (id integer PRIMARY KEY, k_id integer REFERENCES k {});"
KEPT = "ALTER TABLE k ALTER n DROP NOT NULL;"
ROWS = "INSERT INTO k VALUES (1, NULL), (2, NULL), (3, 3); INSERT INTO o VALUES (1, 1), (2, 2), (3, 3);"
CHECK = "ALTER TABLE o ADD CONSTRAINT o_check CHECK (k_id IS NOT NULL OR id > {});"
UNIQUE = "ALTER TABLE o ADD UNIQUE {} (k_id);"
EXCLUDED = "ALTER TABLE o ADD EXCLUDE ({} WITH =);"
TIMES = "ALTER TABLE o ADD at int4range, ADD EXCLUDE USING gist (int4range(k_id, k_id, '[]') WITH =, at WITH &&);"
FREE = "ALTER TABLE o DROP CONSTRAINT o_k_id_fkey;"
EMPTIED = K + OTHER.format("ON DELETE SET NULL")
ADOPTED = K + OTHER.format("")
HINTS = """
[tool.pgmend.hints."public.o.k_id"]
orphans = "adopt"
[tool.pgmend.hints."public.k"]
default_rows = [{id = 9, n = 9}]
"""
TWICE = (
    K + "CREATE TABLE m (id integer PRIMARY KEY, k_id integer NOT NULL REFERENCES k);" + OTHER.replace("k {}", "m {}")
)
TWO_LEVELS = TWICE.format("ON DELETE SET NULL") + UNIQUE.format("NULLS NOT DISTINCT")
OF_TWO = "INSERT INTO k VALUES (1, NULL), (2, 2); INSERT INTO m VALUES (1, 1), (2, 1), (3, 2);" + ROWS.split("; ")[1]
REFUSED = {
    "a check stands": (EMPTIED + CHECK.format(5), KEPT + ROWS, "CHECK"),
    "a check is to come, and the key": (
        EMPTIED + CHECK.format(5),
        f"{KEPT} {FREE} ALTER TABLE o DROP CONSTRAINT o_check; {ROWS}",
        "CHECK",
    ),
    "NULLs are alike": (EMPTIED + UNIQUE.format("NULLS NOT DISTINCT"), KEPT + ROWS, "UNIQUE"),
    "one default row for two": (ADOPTED + UNIQUE.format(""), KEPT + FREE + ROWS, "UNIQUE"),
    "rows exclude each other": (EMPTIED + EXCLUDED.format("coalesce(k_id, 0)"), KEPT + ROWS, "EXCLUDE USING"),
    "times that overlap under one default row": (
        ADOPTED + TIMES,
        f"{KEPT} {FREE} {ROWS} UPDATE o SET at = int4range(id, id + 2)",
        "EXCLUDE USING",
    ),
    "after rows that go after others": (TWO_LEVELS, KEPT + OF_TWO, "UNIQUE"),
}
TAKEN = {
    "a check that takes NULL there": (EMPTIED + CHECK.format(0), KEPT + ROWS),
    "NULLs are apart": (EMPTIED + UNIQUE.format(""), KEPT + ROWS),
    "NULLs exclude nothing": (EMPTIED + EXCLUDED.format("k_id"), KEPT + ROWS),
    "times that lie apart": (ADOPTED + TIMES, f"{KEPT} {FREE} {ROWS} UPDATE o SET at = int4range(id * 2, id * 2 + 1)"),
    "nobody references those": (EMPTIED + CHECK.format(5), f"{KEPT} {ROWS} DELETE FROM o WHERE id < 3"),
}


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    with lent(server, None) as database:
        yield database


def applied(database: Database, contract: str, broken: str, mode: str, place: Path) -> CompletedProcess[str]:
    (place / "pyproject.toml").write_text(HINTS if contract.startswith(ADOPTED) else "[tool.pgmend]")
    (place / "contract.sql").write_text(contract)
    database.run(contract + broken)
    words = ("--contract", "contract.sql", "--mode", mode, "--yes", "--allow-hazards", "all")
    return command("apply", "--dsn", database.dsn, *words, cwd=place)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("contract", "broken", "what"), REFUSED.values(), ids=REFUSED)
def test_a_person_decides_before_anything_moves(
    database: Database, tmp_path: Path, contract: str, broken: str, what: str, mode: str
) -> None:
    done = applied(database, contract, broken, mode, tmp_path)

    assert done.returncode == 1, done.stderr
    assert f"that go; {what} " in done.stderr
    assert 'orphans = "quarantine"' in done.stderr
    assert database.ask("SELECT count(*) FROM k WHERE n IS NULL") > 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("contract", "broken"), TAKEN.values(), ids=TAKEN)
def test_what_nothing_refuses_is_done(
    database: Database, tmp_path: Path, contract: str, broken: str, mode: str
) -> None:
    assert applied(database, contract, broken, mode, tmp_path).returncode == 0
