"""undo: default rows that a run inserted are known again, whatever tells them; what stays away is said."""

from __future__ import annotations

import pytest
from rich.console import Console
from sqlalchemy import ARRAY, Column, Text, text

import fixer
from fixer.connect.target import resolve
from fixer.model.plan import MODES
from fixer.report.text import of_undone
from lab.database import Database, lent
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
