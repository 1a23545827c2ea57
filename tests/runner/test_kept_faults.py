"""What is left out by choice is no reason for another repair: rows whose fault stays keep those below them, too."""

from __future__ import annotations

import pytest

import fixer
from fixer.errors import NeedsPermission
from fixer.model.plan import MODES
from lab.database import all_of, differences, lent
from lab.laboratory import VERSIONS, Laboratory

WANTED = """
CREATE TABLE p (id integer PRIMARY KEY, x integer NOT NULL, y integer CONSTRAINT positive CHECK (y > 0));
CREATE TABLE c (id integer PRIMARY KEY, n text UNIQUE, p_id integer REFERENCES p)
"""
FOUND = """
CREATE TABLE p (id integer PRIMARY KEY, x integer, y integer);
CREATE TABLE c (id integer PRIMARY KEY, n text, p_id integer REFERENCES p);
INSERT INTO p VALUES (1, {}, {}), (2, 2, 2); INSERT INTO c VALUES (1, 'a', 1), (2, 'a', 2)
"""
LEFT = {"null-rows:public.p.x": ("NULL", "1"), "broken-check:public.p.positive": ("1", "-1")}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("left", LEFT)
def test_a_row_goes_for_no_fault_that_stays(laboratory: Laboratory, left: str, mode: str) -> None:
    """Of the two that share a text, the first stays, although its row of p would go if that were repaired."""
    server = laboratory.server(max(VERSIONS))
    with lent(server, None) as model, lent(server, None) as database:
        model.run(WANTED)
        database.run(FOUND.format(*LEFT[left]))
        before = all_of(database)
        run = fixer.apply(database.dsn, model.dsn, mode=mode, allow_hazards="all", skip=(left,))
        reasons = database.run("SELECT reason FROM fixer_quarantine.c")

        assert (database.ask("SELECT count(*) FROM p"), database.ask("SELECT id FROM c")) == (2, 1)
        assert [reason.startswith("of the rows that share its (n)") for (reason,) in reasons] == [True]
        assert run.run is not None
        fixer.undo(database.dsn, run.run)
        assert differences(before, database) == []


@pytest.mark.parametrize("left", ["orphan-rows:public.c.p_id", "missing-foreign-key:public.c.p_id"])
def test_a_row_goes_after_none_whose_parent_is_left_out(laboratory: Laboratory, left: str) -> None:
    """The first of two that share a text stays, although the row of c below which it is has no parent in p."""
    server = laboratory.server(max(VERSIONS))
    with lent(server, None) as model, lent(server, None) as database:
        model.run(f"{WANTED}; CREATE TABLE d (id integer PRIMARY KEY, n text UNIQUE, c_id integer REFERENCES c)")
        database.run(
            f"{WANTED}; ALTER TABLE c DROP CONSTRAINT c_p_id_fkey;"
            "CREATE TABLE d (id integer PRIMARY KEY, n text, c_id integer REFERENCES c);"
            "INSERT INTO c VALUES (1, 'a', 7), (2, 'b', NULL); INSERT INTO d VALUES (1, 'a', 1), (2, 'a', 2)"
        )
        fixer.apply(database.dsn, model.dsn, allow_hazards="all", skip=(left,))
        reasons = database.run("SELECT reason FROM fixer_quarantine.d")

        assert (database.ask("SELECT id FROM d"), database.ask("SELECT count(*) FROM c")) == (1, 2)
        assert [reason.startswith("of the rows that share its (n)") for (reason,) in reasons] == [True]


WITHOUT_PARENT = {
    "rows of a parent that stands go": "INSERT INTO c VALUES (1, 'a', 7), (2, 'b', 1); INSERT INTO p VALUES (1, 1, -1)",
    "its parent is to come": "INSERT INTO c VALUES (1, 'a', 7); DROP TABLE p CASCADE; INSERT INTO q VALUES (NULL, 1)",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("broken", WITHOUT_PARENT.values(), ids=WITHOUT_PARENT.keys())
def test_a_row_without_a_parent_that_stays_by_choice_goes_with_no_other(
    laboratory: Laboratory, broken: str, mode: str
) -> None:
    server, left = laboratory.server(max(VERSIONS)), "orphan-rows:public.c.p_id"
    with lent(server, None) as model, lent(server, None) as database:
        wanted = f"CREATE TABLE q (id text PRIMARY KEY, n integer); {WANTED}; ALTER TABLE p ADD q_id text REFERENCES q"
        model.run(wanted)
        database.run(
            f"{wanted}; ALTER TABLE c DROP CONSTRAINT c_p_id_fkey; ALTER TABLE p DROP CONSTRAINT positive;"
            f"ALTER TABLE q DROP CONSTRAINT q_pkey CASCADE; ALTER TABLE q ALTER id DROP NOT NULL; {broken}"
        )
        before = all_of(database)
        with pytest.raises(NeedsPermission, match=r"rows of public\.c would follow, and its orphans stay by choice"):
            fixer.apply(database.dsn, model.dsn, mode=mode, allow_hazards="all", skip=left)
        assert differences(before, database) == []
