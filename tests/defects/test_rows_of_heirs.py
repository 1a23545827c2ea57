"""Rows of heirs that break what the contract wants of the heirs, too: each is told, repaired and left out there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

import fixer
from fixer.model.plan import MODES
from lab.database import all_of, differences, lent
from lab.examples.models import contract, integer, key
from lab.laboratory import VERSIONS, Laboratory
from lab.outcomes import outcome

ABOVE = "CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL, CONSTRAINT small CHECK (n < 10));"
HEIRS = "CREATE TABLE b (PRIMARY KEY (id)) INHERITS (a); CREATE TABLE c (PRIMARY KEY (id)) INHERITS (b);"
ROWS = "INSERT INTO a VALUES (1, 1), (2, 2); INSERT INTO b VALUES (3, 3), (4, 4); INSERT INTO c VALUES (5, 5), (6, 6);"
BROKEN = {
    "NULL": ("ALTER TABLE a ALTER n DROP NOT NULL; UPDATE {} SET n = NULL WHERE id % 2 = 1", "null-rows:public.{}.n"),
    "check": (
        "ALTER TABLE a DROP CONSTRAINT small; UPDATE {} SET n = 77 WHERE id % 2 = 1",
        "broken-check:public.{}.small",
    ),
}
BELOW = "ALTER TABLE b ALTER n DROP NOT NULL; UPDATE b SET n = NULL WHERE id = 3;"  # up to 17 a NOT NULL may go there


@pytest.fixture
def wanted(tmp_path: Path) -> Callable[[str], str]:
    """Return what writes a contract of these statements, and returns its path."""

    def write(statements: str) -> str:
        (tmp_path / "wanted.sql").write_text(statements)
        return str(tmp_path / "wanted.sql")

    return write


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("heirs", [HEIRS, HEIRS.partition(";")[0] + ";"], ids=["two levels", "one level"])
@pytest.mark.parametrize("break_", [broken for broken, _ in BROKEN.values()], ids=BROKEN.keys())
@pytest.mark.parametrize("version", VERSIONS)
def test_they_are_repaired_where_they_lie(
    laboratory: Laboratory, wanted: Callable[[str], str], version: int, break_: str, heirs: str, mode: str
) -> None:
    rows, lowest = (ROWS, "c") if heirs == HEIRS else (ROWS.partition("INSERT INTO c")[0], "b")
    made = ABOVE + heirs + rows + break_.format(lowest)

    assert outcome(laboratory, wanted(ABOVE + heirs), made, mode, version) == "mended"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("break_", [broken for broken, _ in BROKEN.values()], ids=BROKEN.keys())
def test_those_of_an_heir_that_the_contract_does_not_know_are_for_a_person(
    laboratory: Laboratory, wanted: Callable[[str], str], break_: str, mode: str
) -> None:
    made = ABOVE + HEIRS + ROWS + break_.format("c")
    known = wanted(ABOVE + HEIRS.partition(";")[0])

    ended = outcome(laboratory, known, made, mode)
    assert "others INHERIT from public.b" in ended
    assert "public.a" not in ended


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("break_", "name"), BROKEN.values(), ids=BROKEN.keys())
def test_what_stays_in_an_heir_holds_what_would_bind_it_from_above(
    laboratory: Laboratory, wanted: Callable[[str], str], break_: str, name: str, mode: str
) -> None:
    meant = wanted(ABOVE.replace("n int", "x text DEFAULT 'x', n int") + HEIRS)
    made = ABOVE + HEIRS + ROWS + break_.format("c")
    with (
        lent(laboratory.server(max(VERSIONS)), None) as database,
        closing(psycopg2.connect(database.dsn)) as connection,
    ):
        database.run(made)
        before = all_of(database)
        run = fixer.apply(connection, meant, mode=mode, allow_hazards="all", skip=name.format("c"))

        assert {step.title.partition(" ")[0] for step in run.plan.steps} == {"add"}
        assert {left.why for left in run.plan.left} >= {f"it depends on {name.format('c')}"}
        assert {f.object.split(".")[1] for f in run.report.findings if f.only_with_rows} == {"c"}
        fixer.undo(connection, 1)
        assert differences(before, database) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.skipif(min(VERSIONS) >= 18, reason="from PostgreSQL 18 on an heir keeps the NOT NULL from above")
def test_a_column_is_renamed_above_an_heir_whose_rows_stay(laboratory: Laboratory, mode: str) -> None:
    wanted = contract(a=(key(autoincrement=False), integer("n", nullable=False, info={"legacy_names": ["m"]})))
    sa.Table("b", wanted, key(autoincrement=False), postgresql_inherits="a")
    made = f"{ABOVE} {HEIRS} {ROWS} ALTER TABLE a DROP CONSTRAINT small; DROP TABLE c; {BELOW}"
    with (
        lent(laboratory.server(min(VERSIONS)), None) as database,
        closing(psycopg2.connect(database.dsn)) as connection,
    ):
        database.run(f"{made} ALTER TABLE a RENAME n TO m")
        before = all_of(database)
        run = fixer.apply(connection, wanted, mode=mode, allow_hazards="all", skip="null-rows:public.b.n")

        assert [step.title.partition(" (")[0] for step in run.plan.steps] == ["rename a.m to n"]
        assert {(f.slug, f.object) for f in run.report.findings} == {
            (slug, "public.b.n") for slug in ("null-rows", "missing-not-null")
        }
        fixer.undo(connection, 1)
        assert differences(before, database) == []


def test_a_check_that_heirs_do_without_is_not_asked_of_their_rows(
    laboratory: Laboratory, wanted: Callable[[str], str]
) -> None:
    apart = ABOVE.replace("(n < 10)", "(n < 10) NO INHERIT") + HEIRS
    made = apart + ROWS + "UPDATE c SET n = 77; ALTER TABLE a DROP CONSTRAINT small"

    assert outcome(laboratory, wanted(apart), made, "atomic") == "mended"


@pytest.mark.parametrize("mode", MODES)
def test_values_that_a_unique_above_would_show_twice_are_for_a_person(
    laboratory: Laboratory, wanted: Callable[[str], str], mode: str
) -> None:
    apart = "CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL DEFAULT 7 UNIQUE); CREATE TABLE b () INHERITS (a);"
    rows = "INSERT INTO b VALUES (1, 1), (2, 2), (3, 3);"
    made = f"{apart} {rows} ALTER TABLE a ALTER n DROP NOT NULL;"

    ended = outcome(laboratory, wanted(apart), f"{made} UPDATE b SET n = NULL WHERE id > 1", mode)
    assert "UNIQUE (n) (a_n_key) of a, which shows these rows, would refuse the contract's value" in ended
