"""undo: default rows that a run inserted are known again, whatever tells them; what stays away is said."""

from __future__ import annotations

import pytest
from rich.console import Console
from sqlalchemy import ARRAY, Column, ForeignKey, Integer, MetaData, Text, text

import fixer
from fixer.connect.target import resolve
from fixer.errors import UndoRefused
from fixer.model.plan import MODES
from fixer.report.text import of_undone
from lab.database import Database, all_of, differences, lent
from lab.examples.models import contract, key
from lab.laboratory import Laboratory


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("names", ["{a}", "{}", '{"[1]",NULL}'])
def test_a_default_row_that_an_array_tells_is_taken_out_again(laboratory: Laboratory, mode: str, names: str) -> None:
    wanted = contract(t=(key(), Column("names", ARRAY(Text), unique=True)))
    wanted.tables["t"].info["default_rows"] = [{"names": text(f"'{names}'::text[]")}]
    with lent(laboratory.server(18), None) as database:
        database.run("CREATE TABLE t (id serial PRIMARY KEY, names text[] UNIQUE)")
        database.run("INSERT INTO t (names) VALUES ('{b}')")
        run = fixer.apply(resolve(database.dsn), wanted, mode=mode, allow_hazards="all")
        made = database.ask("SELECT count(*) FROM t")
        fixer.undo(resolve(database.dsn), run.run or 0)

        assert (made, database.run("SELECT names FROM t")) == (2, [(["b"],)])


@pytest.mark.parametrize("mode", MODES)
def test_an_invalid_index_stays_away_and_undo_says_so(empty: Database, mode: str) -> None:
    empty.run('CREATE TABLE t (id serial PRIMARY KEY); CREATE INDEX "o.d%d" ON t ((id + 1))')
    empty.run("UPDATE pg_index SET indisvalid = false WHERE NOT indisprimary AND indrelid = 't'::regclass")
    run = fixer.apply(resolve(empty.dsn), contract(t=(key(),)), mode=mode)
    done = fixer.undo(resolve(empty.dsn), run.run or 0)

    assert done.without == ("the invalid index o.d%d of public.t",)
    console = Console(width=200)
    with console.capture() as printed:
        console.print(of_undone(done))
    assert "as before, but the invalid index o.d%d of public.t stays away" in printed.get()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("found", "wanted"), [("integer", Integer), ("text", Integer), ("text", Text)])
def test_rows_that_pointed_at_a_default_row_before_it_came_do_so_again(
    empty: Database, found: str, wanted: type[Integer | Text], mode: str
) -> None:
    metadata = pointing(wanted)
    empty.run(f"CREATE TABLE c (id serial PRIMARY KEY, u_id {found})")
    empty.run(f"CREATE TABLE u (id {'text' if wanted is Text else 'serial'} PRIMARY KEY, name text)")
    empty.run("INSERT INTO c (u_id) VALUES (1), (NULL), (1)")
    before = all_of(empty)
    fixer.apply(resolve(empty.dsn), metadata, mode=mode, allow_hazards="all")
    made = empty.ask("SELECT count(*) FROM c JOIN u ON u.id = u_id")
    empty.run("INSERT INTO c (u_id) VALUES (1)")
    with pytest.raises(UndoRefused, match="is referenced by 3 rows"):
        fixer.undo(resolve(empty.dsn), 1)
    empty.run("DELETE FROM c WHERE id = 4; SELECT setval('c_id_seq', 3)")
    fixer.undo(resolve(empty.dsn), 1)

    assert (made, differences(before, empty)) == (2, [])


def pointing(type_: type[Integer | Text]) -> MetaData:
    """Return a contract whose table `c` points at a default row of `u`, whose key has this type."""
    reference = Column("u_id", type_, ForeignKey("u.id"), index=True)
    wanted = contract(u=(Column("id", type_, primary_key=True), Column("name", Text)), c=(key(), reference))
    wanted.tables["u"].info["default_rows"] = [{"id": 1 if type_ is Integer else "1", "name": "root"}]
    return wanted


def test_an_index_counts_what_pointed_at_a_default_row(empty: Database) -> None:
    empty.run("CREATE TABLE u (id serial PRIMARY KEY, name text); CREATE TABLE c (id serial PRIMARY KEY, u_id integer)")
    empty.run("CREATE INDEX ix_c_u_id ON c (u_id)")
    steps = fixer.plan(resolve(empty.dsn), pointing(Integer)).steps
    insert = next(step.sql for step in steps if step.effect.inserts)
    counting = insert[insert.index("(SELECT count(*)") :].partition("), mark")[0]
    new = "(SELECT '{}'::jsonb AS mark OFFSET 0) AS new"
    told = empty.run(f"SET enable_seqscan = off; EXPLAIN SELECT {counting} FROM {new}")

    assert any("Index Cond" in line for (line,) in told)
