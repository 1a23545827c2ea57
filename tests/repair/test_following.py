"""Rows that go after others are counted before anything moves, and each is kept with a reason that is true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, Table, Text, func

import fixer
from fixer.connect.target import resolve
from fixer.defects import orphan_rows
from fixer.errors import NeedsPermission
from fixer.model.plan import Plan
from lab import process
from lab.database import Database, all_of, lent
from lab.examples.library import LIBRARY, library
from lab.laboratory import Laboratory

TREE = MetaData()
Table("owner", TREE, Column("id", Integer, primary_key=True))
Table(
    "node",
    TREE,
    Column("id", Integer, primary_key=True),
    Column("owner_id", ForeignKey("owner.id"), nullable=False),
    Column("parent_id", ForeignKey("node.id")),
)
Table("note", TREE, Column("id", Integer, primary_key=True), Column("node_id", ForeignKey("node.id"), nullable=False))
TREE_ROWS = """
CREATE TABLE owner (id serial PRIMARY KEY);
CREATE TABLE node (id serial PRIMARY KEY, owner_id integer NOT NULL, parent_id integer REFERENCES node);
CREATE TABLE note (id serial PRIMARY KEY, node_id integer NOT NULL REFERENCES node);
INSERT INTO owner VALUES (1);
INSERT INTO node VALUES (1, 99, NULL), (2, 1, 1), (3, 1, 2), (4, 1, 3), (5, 1, NULL);
INSERT INTO note VALUES (1, 3), (2, 5);
SELECT setval('owner_id_seq', 1), setval('node_id_seq', 5), setval('note_id_seq', 2);
"""

TURNS = MetaData()
Table(
    "t",
    TURNS,
    Column("id", Integer, primary_key=True),
    Column("a", ForeignKey("t.id")),
    Column("b", ForeignKey("t.id")),
    Column("v", Text, nullable=False),
)
TURNS_ROWS = """
CREATE TABLE t (id serial PRIMARY KEY, a integer REFERENCES t, b integer REFERENCES t, v text);
INSERT INTO t VALUES (1, NULL, NULL, NULL), (2, 1, NULL, 'x'), (3, NULL, 2, 'x'), (4, 3, NULL, 'x'),
  (5, NULL, NULL, 'y');
SELECT setval('t_id_seq', 9);
"""


@pytest.fixture
def database(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), None) as database:
        yield database


def announced(plan: Plan) -> dict[str, int]:
    moves = [step for step in plan.steps if step.effect.moves]
    return {step.table.name: sum(s.effect.rows for s in moves if s.table == step.table) for step in moves}


def moved(run: fixer.Run) -> dict[str, int]:
    return {entry.table.name: entry.quarantined for entry in run.ledger if entry.quarantined}


def reasons(database: Database, table: str) -> list[tuple[str, str]]:
    found = database.run(f"SELECT \"row\" ->> 'id', reason FROM fixer_quarantine.{table} ORDER BY 1")
    return [(row[0], row[1]) for row in found]


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_rows_down_a_tree_are_counted_and_each_names_its_parent(database: Database, mode: str) -> None:
    database.run(TREE_ROWS)
    plan = fixer.plan(resolve(database.dsn), TREE, mode=mode)
    run = fixer.apply(resolve(database.dsn), TREE, mode=mode, allow_hazards="all")

    assert (announced(plan), moved(run)) == ({"node": 4, "note": 1}, {"node": 4, "note": 1})
    assert reasons(database, "node") == [
        ("1", "its owner_id points at no row of owner"),
        ("2", "its row of node (id 1) is in quarantine"),
        ("3", "its row of node (id 2) is in quarantine"),
        ("4", "its row of node (id 3) is in quarantine"),
    ]
    assert reasons(database, "note") == [("1", "its row of node (id 3) is in quarantine")]


def test_a_row_that_two_findings_move_is_counted_once(database: Database) -> None:
    database.run(f"{TREE_ROWS} ALTER TABLE note DROP CONSTRAINT note_node_id_fkey; UPDATE note SET node_id = 88")
    plan = fixer.plan(resolve(database.dsn), TREE)
    run = fixer.apply(resolve(database.dsn), TREE, allow_hazards="all")

    assert announced(plan) == moved(run) == {"node": 4, "note": 2}


def test_a_row_that_is_an_orphan_of_two_foreign_keys_is_counted_once(database: Database) -> None:
    database.run(f"{TREE_ROWS} ALTER TABLE node DROP CONSTRAINT node_parent_id_fkey; DELETE FROM note")
    database.run("UPDATE node SET parent_id = CASE WHEN id IN (1, 4) THEN 77 END")
    plan = fixer.plan(resolve(database.dsn), TREE)
    run = fixer.apply(resolve(database.dsn), TREE, allow_hazards="all")

    assert (announced(plan)["node"], moved(run)) == (2, {"node": 2})


def test_rows_without_a_foreign_key_are_counted_although_their_parent_is_still_there(database: Database) -> None:
    database.run(f"{TREE_ROWS} ALTER TABLE note DROP CONSTRAINT note_node_id_fkey")
    plan = fixer.plan(resolve(database.dsn), TREE)
    run = fixer.apply(resolve(database.dsn), TREE, allow_hazards="all")

    assert announced(plan) == moved(run) == {"node": 4, "note": 1}


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_rows_that_hang_on_each_other_by_turns_go_together(database: Database, mode: str) -> None:
    database.run(TURNS_ROWS)
    plan = fixer.plan(resolve(database.dsn), TURNS, mode=mode)
    run = fixer.apply(resolve(database.dsn), TURNS, mode=mode, allow_hazards="all")

    assert announced(plan) == moved(run) == {"t": 4}
    assert [reason for _, reason in reasons(database, "t")][1:] == [
        f"its row of t (id {parent}) is in quarantine" for parent in (1, 2, 3)
    ]


def keyed(ondelete: str | None, *, nullable: bool = True, **info: str) -> MetaData:
    metadata = MetaData()
    Table("owner", metadata, Column("id", Integer, primary_key=True))
    owner = ForeignKey("owner.id", ondelete=ondelete)
    columns = [Column("id", Integer, primary_key=True), Column("owner_id", owner, nullable=nullable, info=info)]
    Table("item", metadata, *columns)
    return metadata


@pytest.mark.parametrize(
    ("contract", "rule", "stays"),
    [
        (keyed("SET NULL"), "(ON DELETE SET NULL)", True),
        (keyed("SET NULL", nullable=False), "(ON DELETE SET NULL cannot empty it)", False),
        (keyed("SET NULL", orphans="quarantine"), "(orphans: quarantine)", False),
        (keyed("CASCADE", orphans="null"), "(orphans: null)", True),
        (keyed("CASCADE"), "(ON DELETE CASCADE)", False),
        (keyed("SET DEFAULT"), "(ON DELETE SET DEFAULT)", False),
        (keyed(None), "(ON DELETE NO ACTION)", False),
    ],
)
def test_orphans_follow_the_hint_or_else_the_foreign_key(
    database: Database, contract: MetaData, rule: str, stays: bool
) -> None:
    not_null = "" if contract.tables["item"].c.owner_id.nullable else "NOT NULL"
    database.run(
        "CREATE TABLE owner (id serial PRIMARY KEY);"
        f"CREATE TABLE item (id serial PRIMARY KEY, owner_id int {not_null});"
        "INSERT INTO item (owner_id) VALUES (9)"
    )
    run = fixer.apply(resolve(database.dsn), contract, allow_hazards="all")

    assert [rule] == [step.title[-len(rule) :] for step in run.steps if step.effect.rows and step.effect.writes_rows]
    assert database.run("SELECT id, owner_id FROM item") == ([(1, None)] if stays else [])


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_a_plan_that_moves_more_rows_than_may_is_refused(database: Database, mode: str) -> None:
    database.run(TREE_ROWS)
    before = all_of(database)
    with pytest.raises(
        NeedsPermission, match=r"^The plan moves 5 rows .* --max-moved allows 4\. Nothing was changed\.$"
    ):
        fixer.apply(resolve(database.dsn), TREE, mode=mode, allow_hazards="all", max_moved=4)

    assert before == all_of(database)
    assert fixer.apply(resolve(database.dsn), TREE, mode=mode, allow_hazards="all", max_moved=5).ok


def test_rows_that_came_in_since_the_plan_count_against_what_may_move(database: Database) -> None:
    database.run(TREE_ROWS)
    plan = fixer.plan(resolve(database.dsn), TREE, max_moved=5)
    database.run("INSERT INTO note VALUES (3, 4)")
    before = all_of(database)
    with pytest.raises(NeedsPermission, match="moves 6 rows"):
        fixer.apply(resolve(database.dsn), TREE, plan=plan, allow_hazards="all", max_moved=5)

    assert before == all_of(database)


def test_the_command_line_says_how_many_rows_are_too_many(laboratory: Laboratory) -> None:
    with library(laboratory, 18, orphan_rows.SPECIMENS[0].breaks) as database:
        for words in (("plan",), ("apply", "--yes", "--allow-hazards", "all")):
            ended = process.fixer(*words, "--max-moved", "5", *LIBRARY, "--dsn", database.dsn)

            assert (ended.returncode, ended.stderr) == (
                1,
                "fixer: The plan moves 6 rows to quarantine, --max-moved allows 5. Nothing was changed.\n",
            )


def renamed() -> MetaData:
    """Return a contract of tables and of a column that had other names."""
    metadata = MetaData()
    Table("owner", metadata, Column("id", Integer, primary_key=True), info={"legacy_names": ["boss"]})
    Table("pet", metadata, Column("id", Integer, primary_key=True),
          Column("n", Integer, nullable=False, info={"legacy_names": ["num"]}),
          Column("owner_id", ForeignKey("owner.id"), nullable=False), info={"legacy_names": ["beast"]})  # fmt: skip
    return metadata


def test_a_row_that_goes_for_two_reasons_counts_once_whatever_its_table_is_called(database: Database) -> None:
    database.run(
        "CREATE TABLE boss (id serial PRIMARY KEY); INSERT INTO boss VALUES (1);"
        "CREATE TABLE beast (id serial PRIMARY KEY, num text NOT NULL, owner_id integer NOT NULL);"
        "INSERT INTO beast VALUES (1, '1', 1), (2, 'x', 1), (3, '3', 9), (4, 'y', 9)"
    )
    plan = fixer.plan(resolve(database.dsn), renamed())
    run = fixer.apply(resolve(database.dsn), renamed(), allow_hazards="all")

    assert (announced(plan), plan.uncounted) == ({"pet": 3}, "")
    assert moved(run) == {"pet": 3}


FITTING = MetaData()
Table("p", FITTING, Column("id", Integer, primary_key=True), Column("n", Integer))
Table("c", FITTING, Column("id", Integer, primary_key=True), Column("p_id", ForeignKey("p.id"), nullable=False))
Table("d", FITTING, Column("id", Integer, primary_key=True), Column("c_id", ForeignKey("c.id"), nullable=False))


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_what_follows_a_row_that_does_not_fit_is_counted_although_its_key_is_missing(
    database: Database, mode: str
) -> None:
    database.run(
        "CREATE TABLE p (id serial PRIMARY KEY, n text); INSERT INTO p (n) VALUES ('1'), ('x');"
        "CREATE TABLE c (id serial PRIMARY KEY, p_id integer NOT NULL); INSERT INTO c (p_id) VALUES (1), (2), (2);"
        "CREATE TABLE d (id serial PRIMARY KEY, c_id integer NOT NULL REFERENCES c);"
        "INSERT INTO d (c_id) VALUES (1), (3)"
    )
    plan = fixer.plan(resolve(database.dsn), FITTING, mode=mode)
    run = fixer.apply(resolve(database.dsn), FITTING, plan=plan, allow_hazards="all")

    assert announced(plan) == {"p": 1, "c": 2, "d": 1}
    assert moved(run) == {"p": 1, "c": 2, "d": 1}


LOWER = MetaData()
_NAMES = Table("account", LOWER, Column("id", Integer, primary_key=True), Column("name", Text), Column("gone", Text))
Index("one_name", func.lower(_NAMES.c.name), unique=True)
Index("one_left", _NAMES.c.name, unique=True, postgresql_where=_NAMES.c.gone.is_(None))
ACCOUNTS = "CREATE TABLE account (id serial PRIMARY KEY, name text, gone text);"


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("('A', 'x'), ('a', NULL)", ["(lower(name))"]),
        ("('a', NULL), ('a', NULL)", ["(lower(name))", "(name) WHERE (gone IS NULL)"]),
    ],
)
def test_repeats_under_a_special_unique_are_for_a_person(
    database: Database, rows: str, said: list[str], mode: str
) -> None:
    database.run(f"{ACCOUNTS} INSERT INTO account (name, gone) VALUES {rows}")
    before = all_of(database)
    plan = fixer.plan(resolve(database.dsn), LOWER, mode=mode)
    with pytest.raises(NeedsPermission):
        fixer.apply(resolve(database.dsn), LOWER, mode=mode, allow_hazards="all")

    manual = [(f.message, f.rows) for f in plan.findings if f.repair.refusal]
    assert manual == [(f"account has rows that repeat {each}", 1) for each in said]
    assert before == all_of(database)


def test_a_special_unique_is_added_where_nothing_repeats(database: Database) -> None:
    database.run(
        f"{ACCOUNTS} INSERT INTO account (name, gone) VALUES ('a', 'x'), ('b', NULL), (NULL, NULL), (NULL, NULL)"
    )

    assert fixer.apply(resolve(database.dsn), LOWER).ok


KEEPERS = MetaData()
Table("shop", KEEPERS, Column("id", Integer, primary_key=True, autoincrement=False), Column("name", Text, unique=True))
Table(
    "sta.ll%",
    KEEPERS,
    Column("co de", Text, primary_key=True),
    Column("shop_id", ForeignKey("shop.id"), nullable=False),
    Column("word", Text, unique=True),
)
_STALL = KEEPERS.tables["sta.ll%"]
Table("good", KEEPERS, Column("id", Integer, primary_key=True), Column("stall", ForeignKey(_STALL.c["co de"])))
Table("tree", KEEPERS, Column("id", Integer, primary_key=True, autoincrement=False), Column("u", Integer, unique=True),
      Column("up", ForeignKey("tree.id")))  # fmt: skip
REPEATED = """
CREATE TABLE shop (id integer PRIMARY KEY, name text); INSERT INTO shop VALUES (1, 'x'), (2, 'x');
CREATE TABLE "sta.ll%" ("co de" text, shop_id integer NOT NULL, word text);
INSERT INTO "sta.ll%" VALUES ('a', 9, 'goes: an orphan'), ('a', 1, 'stays'), ('a', 1, 'goes: a repeat'),
  ('b', 2, 'goes: its shop repeats'), ('b', 1, 'stays too'), ('c', 2, 'w'), ('d', 1, 'w');
CREATE TABLE good (id serial PRIMARY KEY, stall text);
INSERT INTO good (stall) VALUES ('a'), ('b'), ('c'), ('d'), (NULL);
CREATE TABLE tree (id integer PRIMARY KEY, u integer, up integer REFERENCES tree);
INSERT INTO tree VALUES (2, 3, NULL), (6, 4, 2), (5, 4, 6), (11, 4, NULL);
"""


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_of_rows_that_repeat_one_stays_that_does_not_go_after_its_parent(database: Database, mode: str) -> None:
    database.run(REPEATED)
    before = all_of(database)
    run = fixer.apply(resolve(database.dsn), KEEPERS, mode=mode, allow_hazards="all")

    kept = [("a", 1, "stays"), ("b", 1, "stays too"), ("d", 1, "w")]
    assert database.run('SELECT * FROM "sta.ll%" ORDER BY 1') == kept
    assert database.run("SELECT stall FROM good ORDER BY id") == [("a",), ("b",), ("d",), (None,)]
    assert database.run("SELECT id, up FROM tree ORDER BY id") == [(2, None), (6, 2)]
    fixer.undo(resolve(database.dsn), run.run or 0)
    assert all_of(database) == before


REPEATING = """
CREATE TABLE shop (id integer PRIMARY KEY, name text); INSERT INTO shop VALUES (1, 'x');
CREATE TABLE "sta.ll%" ("co de" text, shop_id integer NOT NULL, word text);
INSERT INTO "sta.ll%" VALUES ('a', 1, 'u'), ('a', 1, 'v'), ('b', 1, 'v'), ('c', 1, NULL);
CREATE TABLE good (id serial PRIMARY KEY, stall text); INSERT INTO good (stall) VALUES ('a'), ('b'), ('z');
CREATE TABLE tree (id integer PRIMARY KEY, u integer, up integer);
"""


def test_where_rivals_may_go_before_the_plan_announces_at_most_so_many(database: Database) -> None:
    database.run(REPEATING)
    plan = fixer.plan(resolve(database.dsn), KEEPERS)
    run = fixer.apply(resolve(database.dsn), KEEPERS, allow_hazards="all")

    titles = [step.title for step in plan.steps if step.effect.moves]
    assert [" ".join(title.split(" to ")[0].split()[1:]) for title in titles] == [
        "at most one row of sta.ll%",
        "at most one row of sta.ll%",
        "at most 2 rows of good",
    ]
    assert moved(run) == {"sta.ll%": 1, "good": 1}
