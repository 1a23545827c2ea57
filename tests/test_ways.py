"""The comparison of ways to repair: what it counts as lost, changed and taken back, and the page that shows it."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench import rivals, ways
from bench.harness import HERE, run_sql
from bench.rivals import Case, Stopped, Way
from bench.ways import Measure, Stage, Ways
from fixer.connect import servers
from fixer.connect.servers import Server
from lab.process import HOUSE

USERS = 2_000
DAMAGE = (
    "DELETE FROM users WHERE username = 'user5'",
    "DELETE FROM paper_trades WHERE ctid = (SELECT min(ctid) FROM paper_trades WHERE id = 100)",  # one of two copies
    "DELETE FROM paper_trades WHERE id = (SELECT max(id) FROM paper_trades WHERE id < 0)",
    "UPDATE paper_trades SET symbol = left(symbol, 20)",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with servers.embedded(ways.VERSION) as lent:
        yield lent


@pytest.fixture(scope="module")
def stages(server: Server) -> list[Stage]:
    return ways._stages(server, USERS)


def docs() -> ModuleType:
    """Return what writes the page."""
    spec = importlib.util.spec_from_file_location("ways_page", HOUSE / "docs/ways.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured(server: Server, stage: Stage, way: Way) -> dict[str, Any]:
    """Measure one way, and return what is kept of it."""
    result = Ways("ways", facts={"rows": 3 * USERS})
    Measure(server, USERS, result).way(way, stage)
    return result.ways[0]


def by_hand(*statements: str, undo: bool = False) -> Way:
    """Return a way that runs statements; its undo does nothing."""
    return Way(
        "by hand", "", "", lambda case: run_sql(case.dsn, *statements), (lambda case: None) if undo else None, "x"
    )


@pytest.mark.parametrize("mode", ["online", "atomic"])
def test_ours_keeps_every_row_leaves_nothing_and_is_taken_back(server: Server, stages: list[Stage], mode: str) -> None:
    (way,) = [each for each in rivals.ours() if each.name.endswith(mode)]
    said = measured(server, stages[0], way)

    assert said["stopped"] is None
    assert (said["lost"], said["changed"], said["entered_lost"], said["left"]) == (0, 0, 0, [])
    assert (said["undo_failed"], said["definitions_as_before"], said["rows_as_before"]) == (None, True, True)


def test_the_careful_scripts_keep_every_row_and_leave_nothing(server: Server, stages: list[Stage]) -> None:
    said = {way.name: measured(server, stages[0], way) for way in rivals.by_hand() if "careful" in way.name}

    assert [each["stopped"] for each in said.values()] == [None, None]
    assert {(each["lost"], each["changed"], *each["left"]) for each in said.values()} == {(0, 0)}


def test_what_is_gone_cut_or_entered_in_vain_is_counted(server: Server, stages: list[Stage]) -> None:
    said = measured(server, stages[0], by_hand(*DAMAGE))

    assert (said["lost"], said["copies_lost"], said["entered_lost"]) == (2, 1, 1)
    assert said["changed"] == USERS // 2 - USERS // 10_000  # one symbol of four has 21 characters
    assert "missing-primary-key" in said["left"]


def test_an_undo_that_takes_nothing_back_is_seen(server: Server, stages: list[Stage]) -> None:
    definitions = measured(server, stages[0], by_hand("ALTER TABLE users ADD CHECK (id > 0)", undo=True))
    rows = measured(server, stages[0], by_hand("UPDATE users SET status = 'gone' WHERE id = 5", undo=True))

    assert (definitions["definitions_as_before"], definitions["rows_as_before"]) == (False, True)
    assert (rows["definitions_as_before"], rows["rows_as_before"]) == (True, False)


def test_a_way_that_stops_is_told_by_its_sentence(server: Server, stages: list[Stage], tmp_path: Path) -> None:
    dsn = server.database_dsn(server.create_database(stages[0].template))
    case = Case(dsn, stages[0].wanted, dsn, tmp_path, wide=False)
    (script := tmp_path / "x.sql").write_text("ALTER TABLE users ADD PRIMARY KEY (id);", "utf-8")
    with pytest.raises(Stopped) as by_psql:
        rivals.run(dsn, script)
    with pytest.raises(Stopped) as by_alembic:
        next(iter(rivals.peers())).repair(case)

    assert str(by_psql.value) == 'could not create unique index "users_pkey"; Key (id)=(6) is duplicated.'
    assert str(by_alembic.value) == "value too long for type character varying(20)"


def test_a_deadlock_is_tried_again_and_nothing_else(server: Server, stages: list[Stage]) -> None:
    said = []
    half = "ALTER TABLE users ADD CHECK (id > 0)"
    for words in (["deadlock detected", "too bad"], ["too bad"], ["deadlock detected"], ["deadlock detected", half]):

        def repair(case: Case, words: list[str] = words) -> None:
            if words[1:] == [half]:
                run_sql(case.dsn, half)
            if words:
                raise Stopped(words.pop(0))

        said.append(measured(server, stages[0], Way("x", "", "", repair)))

    assert [(each["stopped"], each["tries"]) for each in said] == [
        ("too bad", 2), ("too bad", 1), (None, 2), ("deadlock detected", 1),
    ]  # fmt: skip


def test_the_page_shows_each_way_and_what_it_lost() -> None:
    kept = json.loads((HERE / "results/ways.json").read_text("utf-8"))
    page = docs().page(kept)

    assert (HOUSE / "docs/ways.md").read_text("utf-8") == page
    assert all(f"| {each['way']} | {each['stage']}" in page for each in kept["ways"])


def test_the_page_lists_where_another_way_does_better() -> None:
    figures = {
        "writer_longest_ms": 90,
        "reader_longest_ms": 9,
        "seconds": 6,
        "lost": 0,
        "entered_lost": 0,
        "changed": 0,
    }
    ours = {**figures, "way": "pgmend, online", "left": []}
    other = {**figures, "way": "script", "left": [], "writer_longest_ms": 30, "seconds": 3}
    loses, leaves = {**other, "lost": 1}, {**other, "left": ["missing-check"]}

    assert docs()._worse([ours, loses, leaves], 600) == ["Nothing of the above."]
    assert docs()._worse([ours, other], 600) == [
        "- pgmend, online: the writer waits 90 ms; with the script 30 ms.",
        "- pgmend, online: 100 rows a second; the script: 200.",
    ]
