"""Undo of views that a run put over what it made: they, and what stands over them, are what they were."""

from __future__ import annotations

import pytest

import fixer
from fixer.errors import UndoRefused
from fixer.model.defect import Specimen
from fixer.model.plan import MODES
from lab.evidence.dumps import everything
from lab.laboratory import VERSIONS, Laboratory
from lab.laws import return_


def listed() -> str:
    return "CREATE TABLE t (id integer PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t WHERE id > 0"


OVER = {
    "nothing": "",
    "a view of others": "CREATE VIEW w AS SELECT count(*) AS n FROM v",
    "a view of others, with a comment": "CREATE VIEW w AS SELECT count(*) AS n FROM v; COMMENT ON VIEW w IS 'kept'",
    "a view of others, with grants": "CREATE VIEW w AS SELECT count(*) AS n FROM v; GRANT SELECT ON v, w TO PUBLIC",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("over", OVER)
def test_views_over_a_table_that_is_made_anew_are_taken_back(laboratory: Laboratory, over: str, mode: str) -> None:
    with laboratory.database(max(VERSIONS), Specimen("", "", contract=listed), "owner") as case:
        case.break_(f"{OVER[over] or 'SELECT'}; ALTER TABLE t RENAME TO t_of_old")
        before = everything(case.server, case.name)
        run = case.apply(mode=mode, allow_hazards="all")

        assert (run.report.ok, return_(case, run, before, refusable=False)) == (True, [])


def told() -> str:
    return """
CREATE TABLE t (id integer PRIMARY KEY, a text);
CREATE FUNCTION f(n integer) RETURNS text LANGUAGE sql AS $$SELECT 'x' || n$$;
CREATE VIEW v AS SELECT id, a FROM t;
CREATE VIEW w AS SELECT id, a FROM v;
CREATE VIEW x AS SELECT id, f(id) AS said FROM t;
GRANT SELECT ON v TO pg_monitor
"""


BROKEN = {
    "a column is renamed": "ALTER TABLE t RENAME a TO old",
    "a column is missing": "DROP VIEW w, v; ALTER TABLE t DROP a; CREATE VIEW v AS SELECT id, ''::text AS a FROM t",
    "a column of the view above is another": "DROP VIEW w; ALTER TABLE t RENAME a TO old;"
    "CREATE VIEW w AS SELECT id, old AS a FROM t",
    "a function is missing": "DROP VIEW x; DROP FUNCTION f; CREATE VIEW x AS SELECT id, 'x' || id AS said FROM t",
    "a column is of another type": "DROP VIEW w, v; ALTER TABLE t ALTER a TYPE integer USING 1;"
    "CREATE VIEW v AS SELECT id, a::text FROM t; CREATE VIEW w AS SELECT id, a FROM v",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("broken", BROKEN)
def test_views_over_columns_and_functions_of_a_run_are_taken_back(
    laboratory: Laboratory, broken: str, mode: str
) -> None:
    with laboratory.database(max(VERSIONS), Specimen("", "", contract=told), "owner") as case:
        case.break_(BROKEN[broken], "SELECT")
        before = everything(case.server, case.name)
        run = case.apply(mode=mode, allow_hazards="all")

        assert (run.report.ok, return_(case, run, before, refusable=False)) == (True, [])


OTHERS = {
    "a view over it": ("CREATE VIEW mine AS SELECT a FROM v", "view public.mine depends on view public.v"),
    "a comment on a column that goes": ("COMMENT ON COLUMN v.a IS 'mine'", "columns of public.v have grants, comments"),
}


def _grown() -> str:
    return "CREATE TABLE t (id integer PRIMARY KEY, a text); CREATE VIEW v AS SELECT id, a FROM t;"


@pytest.mark.parametrize("others", OTHERS)
def test_a_view_keeps_what_others_built_on_its_new_columns(laboratory: Laboratory, others: str) -> None:
    deed, why = OTHERS[others]
    with laboratory.database(max(VERSIONS), Specimen("", "", contract=_grown), "owner") as case:
        case.break_("DROP VIEW v; CREATE VIEW v AS SELECT id FROM t")
        run = case.apply(allow_hazards="all")
        case.observer.cursor().execute(deed)

        with pytest.raises(UndoRefused, match=why):
            fixer.undo(case.connection, run.run)


def test_a_view_keeps_the_grants_that_it_got_since(laboratory: Laboratory) -> None:
    with laboratory.database(max(VERSIONS), Specimen("", "", contract=_grown), "owner") as case:
        case.break_("DROP VIEW v; CREATE VIEW v AS SELECT id FROM t")
        run = case.apply(allow_hazards="all")
        case.observer.cursor().execute("GRANT SELECT ON v TO pg_monitor; COMMENT ON VIEW v IS 'mine'")
        fixer.undo(case.connection, run.run)
        cursor = case.observer.cursor()
        cursor.execute(
            "SELECT has_table_privilege('pg_monitor', 'v', 'SELECT'), obj_description('v'::regclass),"
            " pg_get_viewdef('v'::regclass)"
        )

        assert cursor.fetchone() == (True, "mine", " SELECT id\n   FROM t;")
