"""Rows that move are counted alike in one statement and in many, and no statement takes a server's memory."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, ForeignKey, MetaData, String

from fixer import plan
from fixer.compare import sessions
from fixer.compare.sessions import ROOM, Session
from fixer.connect.target import resolve
from fixer.defects.text_reference import TEXTS
from fixer.model.plan import MODES
from fixer.sql.compose import Composable
from lab.database import Database, lent
from lab.examples.models import contract, integer, key
from lab.laboratory import Laboratory

FEW, MANY, CHAIN = (3, "uv"), (6, "uvwxyz"), (8, "u")  # tables and their uniques


def stalls(tables: int, uniques: str) -> MetaData:
    """Return a contract of tables, each with a key of texts, uniques, and references to itself and to the last."""
    return contract(
        **{
            f"t{n}": (
                Column("k", String(9), primary_key=True),
                *(integer(name, unique=True) for name in uniques),
                Column("s", ForeignKey(f"t{n}.k")),
                Column("p", ForeignKey(f"t{max(n - 1, 0)}.k")),
            )
            for n in range(tables)
        }
    )


def fill(database: Database, tables: int, uniques: str) -> None:
    """Create the tables without any constraint, as after a restore that failed, with rows that repeat."""
    for n in range(tables):
        columns, numbers = (", ".join(each) for each in zip(*((f"{u} integer", "g % 4") for u in uniques), strict=True))
        database.run(
            f"CREATE TABLE t{n} (k varchar(9), {columns}, s varchar(9), p varchar(9));"
            f"INSERT INTO t{n} SELECT 'k' || g % 5, {numbers}, 'k' || (g + 1) % 6, 'k' || g % 7"
            " FROM generate_series(1, 8) AS g"
        )


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the questions that are asked."""
    found, ask = list[int](), Session.ask

    def asked(session: Session, question: Composable) -> sessions.Answer:
        found.append(len(question.as_string(session.cursor)))
        return ask(session, question)

    monkeypatch.setattr(Session, "ask", asked)
    return found


def test_rows_are_counted_alike_in_one_statement_and_in_many(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, sizes: list[int]
) -> None:
    with lent(laboratory.server(18), None) as database:
        fill(database, *FEW)
        in_parts = plan(resolve(database.dsn), stalls(*FEW))
        largest = max(sizes)
        monkeypatch.setattr("fixer.compare.moved.ROOM", 10_000_000)
        at_once = plan(resolve(database.dsn), stalls(*FEW))

    assert largest < 2 * ROOM < max(sizes)
    assert [step.effect.rows for step in at_once.steps] == [step.effect.rows for step in in_parts.steps]


def test_statements_do_not_grow_with_the_tables(laboratory: Laboratory, sizes: list[int]) -> None:
    """Six such tables took 22 GB to plan before there was a limit."""
    with lent(laboratory.server(18), None) as database:
        fill(database, *MANY)
        made = plan(resolve(database.dsn), stalls(*MANY))

    assert max(sizes) < 2 * ROOM
    assert max(len(step.sql) for step in made.steps) < 2 * ROOM


def test_what_goes_down_a_chain_is_asked_once(laboratory: Laboratory, sizes: list[int]) -> None:
    """Fifteen tables took 0.4 GB to plan while each condition contained those of all tables before it."""
    with lent(laboratory.server(18), None) as database:
        fill(database, *CHAIN)
        plan(resolve(database.dsn), stalls(*CHAIN))

    assert sum(sizes) < 10 * ROOM


TWO_WAYS = f"""
{TEXTS} UPDATE books SET author_id = 'A-77' WHERE id < 3;
ALTER TABLE reviews ADD also integer REFERENCES books; UPDATE reviews SET also = 1 WHERE book_id > 20;
"""


def test_online_steps_of_one_title_are_each_announced_with_their_own_rows(laboratory: Laboratory) -> None:
    with laboratory.database(18) as case:
        case.break_(TWO_WAYS)
        announced = {mode: case.plan(mode=mode).moves for mode in MODES}
        run = case.apply(mode="online", allow_hazards="all")
        moved = {entry.table: entry.quarantined for entry in run.ledger if entry.quarantined}

        assert announced == {"atomic": moved, "online": moved}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that are asked."""
    found, ask = list[str](), Session.ask

    def noted(session: Session, question: Composable) -> sessions.Answer:
        found.append(question.as_string(session.cursor))
        return ask(session, question)

    monkeypatch.setattr(Session, "ask", noted)
    return found


PARTS = (")", ") PARTITION BY RANGE (id); CREATE TABLE a PARTITION OF stalls FOR VALUES FROM (0) TO (3);"
         "CREATE TABLE b PARTITION OF stalls DEFAULT")  # fmt: skip


def test_copies_that_were_just_found_are_counted_at_their_places(laboratory: Laboratory, asked: list[str]) -> None:
    """In another partition, other rows stand at the same places: there the copies are searched again."""
    wanted, moved = contract(stalls=(key(), integer("n", nullable=False))), list[list[int]]()
    for rest in PARTS:
        with lent(laboratory.server(18), None) as database:
            database.run(f"CREATE TABLE stalls (id integer, n integer{rest}")
            database.run("INSERT INTO stalls VALUES (1, 1), (1, 1), (2, NULL), (3, 3), (4, 4)")
            steps = plan(resolve(database.dsn), wanted).steps
            moved.append([step.effect.rows for step in steps if step.effect.moves])

    assert moved == [[1, 1], [1, 1]]
    assert ["pgmend_copy" in each for each in asked if "w.step" in each] == [False, True]


def test_rivals_that_were_just_found_are_counted_at_their_places(laboratory: Laboratory, asked: list[str]) -> None:
    """In another partition, other rows stand at the same places: there the rivals are searched again."""
    wanted, written = contract(stalls=(key(), integer("n", nullable=False))), list[list[int]]()
    for rest in PARTS:
        with lent(laboratory.server(18), None) as database:
            database.run(f"CREATE TABLE stalls (id integer, n integer{rest}")
            database.run("INSERT INTO stalls VALUES (1, 1), (1, 1), (1, 2), (1, 3), (2, NULL), (3, 3)")
            steps = plan(resolve(database.dsn), wanted).steps
            written.append([step.effect.rows for step in steps if step.effect.writes_rows])

    assert written == [[1, 2, 1], [1, 2, 1]]
    assert ["pgmend_rival" in each for each in asked if "w.step" in each] == [False, True]


def test_orphans_that_were_just_found_are_counted_at_their_places(laboratory: Laboratory, asked: list[str]) -> None:
    """One of them goes for another fault, and counts for that alone; in partitions they are searched again."""
    yard = integer("yard", ForeignKey("yards.id"))
    wanted = contract(yards=(key(),), stalls=(key(), integer("n", nullable=False), yard))
    moved = list[list[int]]()
    for rest in PARTS:
        with lent(laboratory.server(18), None) as database:
            database.run("CREATE TABLE yards (id integer); INSERT INTO yards VALUES (1)")
            database.run(f"CREATE TABLE stalls (id integer, n integer, yard integer{rest}")
            database.run("INSERT INTO stalls VALUES (1, 1, 1), (2, NULL, 9), (3, 3, 9), (4, 4, NULL), (5, 5, 9)")
            steps = plan(resolve(database.dsn), wanted).steps
            moved.append([step.effect.rows for step in steps if step.effect.moves])

    assert moved == [[1, 2], [1, 2]]
    assert ["t.ctid = ANY" in each for each in asked if "w.step" in each] == [True, False]
