"""What others make while a run is on, or left behind before it, takes no row with it and no promise away."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from sqlalchemy import Column, ForeignKeyConstraint, Integer, MetaData, Table

from fixer.defects import legacy_table, text_reference
from fixer.errors import ApplyFailed, NeedsPermission, PlanRefused
from fixer.model.defect import Specimen
from fixer.model.plan import MODES, PlannedStep
from fixer.runner.journal import writing as journal
from fixer.runner.journal.definitions import Definitions
from fixer.runner.locking.sole_fixer import floor
from fixer.runner.undo import undo
from lab.commands import psql, script
from lab.database import Database
from lab.evidence.dumps import everything
from lab.hook import Hook, apply, ask
from lab.laboratory import Case, Laboratory

ORPHANS = (
    "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey; UPDATE books SET author_id = 900 WHERE id = 5;"
    "DELETE FROM reviews WHERE book_id = 5"
)


# ---- tables that come to reference others


LIKES = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE {schema}.likes (id int, book int REFERENCES books (id) ON DELETE {act});
INSERT INTO {schema}.likes VALUES (1, 5), (2, 6)
"""


@pytest.mark.parametrize("act", ["CASCADE", "SET NULL"])
def test_rows_under_a_foreign_key_that_came_about_meanwhile_are_not_lost(laboratory: Laboratory, act: str) -> None:
    with laboratory.database(18) as case:
        case.break_(ORPHANS)
        apply(case, Hook("for new rows", lambda: ask(case, LIKES.format(schema="public", act=act))))
        moved = ask(case, """SELECT "row" -> 'id', "row" -> 'book' FROM fixer_quarantine.likes""")

        assert (ask(case, "SELECT id, book FROM likes"), moved) == ([(2, 6)], [(1, 5)])


@pytest.mark.parametrize("act", ["CASCADE", "SET NULL"])
def test_a_table_elsewhere_that_came_about_meanwhile_is_left_to_a_person(laboratory: Laboratory, act: str) -> None:
    with laboratory.database(18) as case:
        case.break_(ORPHANS)
        with pytest.raises(NeedsPermission, match=r"elsewhere\.likes, in a schema that the contract does not name"):
            apply(case, Hook("for new rows", lambda: ask(case, LIKES.format(schema="elsewhere", act=act))))

        assert ask(case, "SELECT id, book FROM elsewhere.likes") == [(1, 5), (2, 6)]


TREE = """
ALTER TABLE books ADD COLUMN sequel_to integer REFERENCES books (id);
UPDATE books SET sequel_to = 5 WHERE id = 7;
DELETE FROM reviews WHERE book_id = 7
"""


def test_rows_that_reference_each_other_do_not_take_late_children_with_them(laboratory: Laboratory) -> None:
    with laboratory.database(18) as case:
        case.break_(ORPHANS, TREE)
        late = "INSERT INTO reviews (book_id, body) VALUES (7, 'late'), (5, 'late')"
        apply(case, Hook("of books to quarantine", lambda: ask(case, late)))
        moved = ask(case, "SELECT source FROM fixer_quarantine.reviews")

        assert moved == [("public.reviews",)] * 2


@pytest.mark.parametrize("schema", ["public", "elsewhere"])
@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_a_kept_plan_is_refused_where_a_foreign_key_came_about_since(
    laboratory: Laboratory, mode: str, schema: str
) -> None:
    with laboratory.database(18) as case:
        case.break_(ORPHANS)
        plan = case.plan(mode=mode)
        ask(case, LIKES.format(schema=schema, act="CASCADE"))
        with pytest.raises(PlanRefused):
            case.apply(plan=plan, mode=mode, allow_hazards="all")

        assert ask(case, f"SELECT id, book FROM {schema}.likes") == [(1, 5), (2, 6)]


@pytest.mark.parametrize("schema", ["public", "elsewhere"])
def test_a_script_fails_where_a_foreign_key_came_about_since(
    laboratory: Laboratory, tmp_path: Path, schema: str
) -> None:
    with laboratory.database(18) as case:
        case.break_(ORPHANS)
        database = Database(case.server, case.name)
        file = script(database, tmp_path, "fixer.defects._databases:library")
        ask(case, LIKES.format(schema=schema, act="CASCADE"))
        ended = psql(database, file)

        assert "came about since the plan was made" in ended.stderr
        assert ended.returncode == 3
        assert ask(case, f"SELECT id, book FROM {schema}.likes") == [(1, 5), (2, 6)]


# ---- foreign keys that empty some of their columns


def tenants() -> MetaData:
    metadata = MetaData()
    keys = (Column(name, Integer, primary_key=True, autoincrement=False) for name in ("tenant", "id"))
    Table("users", metadata, *keys)
    columns = [Column("id", Integer, primary_key=True), Column("tenant", Integer, nullable=False)]
    key = ForeignKeyConstraint(["tenant", "owner"], ["users.tenant", "users.id"], ondelete="SET NULL (owner)")
    Table("files", metadata, *columns, Column("owner", Integer), key)
    return metadata


AGAIN = """
ALTER TABLE files DROP CONSTRAINT files_tenant_owner_fkey;
ALTER TABLE files ADD CONSTRAINT files_tenant_owner_fkey FOREIGN KEY (tenant, owner) REFERENCES users ON DELETE
"""


@pytest.mark.parametrize("version", [16, 18])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wrong", ["CASCADE", "SET NULL", "SET NULL (tenant)", "SET DEFAULT (owner)"])
def test_the_columns_that_a_delete_empties_are_compared_and_made_good(
    laboratory: Laboratory, mode: str, version: int, wrong: str
) -> None:
    files = Specimen("tenants", "", contract=tenants)
    with laboratory.database(version, files) as case:
        definition = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname ~ '^files.*fkey$'"
        right = ask(case, definition)
        case.break_(f"{AGAIN} {wrong}")
        apply(case, mode=mode)

        assert ask(case, definition) == right


# ---- indexes that are finished when the fixer is gone


class GoneError(Exception):
    """Raised where the fixer is killed."""


BUILT = {
    "of a key": ("ALTER TABLE reviews DROP CONSTRAINT reviews_pkey", "build the index of reviews_pkey"),
    "of its own": ("DROP INDEX ix_books_editor_id", "create the index ix_books"),
}


@pytest.mark.parametrize("version", [16, 18])
@pytest.mark.parametrize("kind", BUILT)
def test_an_index_that_was_finished_when_the_fixer_was_gone_is_taken_back(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, kind: str, version: int
) -> None:
    breaks, title = BUILT[kind]
    enter = journal.enter_step

    def gone(
        cursor: Cursor, run: int, step: PlannedStep, rows: int, left: Definitions | None = None, **more: Any
    ) -> None:
        if title in step.title and left is not None:
            raise GoneError
        enter(cursor, run, step, rows, left, **more)

    monkeypatch.setattr(journal, "enter_step", gone)
    with laboratory.database(version) as case:
        case.break_(breaks)
        before = everything(case.server, case.name)
        with pytest.raises(GoneError):
            case.apply(mode="online", allow_hazards="all")
        standing = everything(case.server, case.name)
        undo(case.connection, 1)

        assert standing != before
        assert everything(case.server, case.name) == before


# ---- views that keep a legacy name alive


ROLE = "pgmend_reader_of_writers"
WRITERS = f"""
DO $$ BEGIN CREATE ROLE {ROLE}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
ALTER TABLE authors RENAME TO writers;
GRANT SELECT, UPDATE (name) ON writers TO {ROLE};
"""
HIDDEN = f"ALTER TABLE writers ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON writers TO {ROLE} USING (id = 1);"
AMPLE = "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO {}"


def may(case: Case, statement: str) -> Any:
    """Tell what comes of a statement of the role that uses the old name, or that it is refused."""
    try:
        return ask(case, f"SET ROLE {ROLE}; {statement}")
    except pg.InsufficientPrivilege:
        return "refused"
    finally:
        ask(case, "RESET ROLE")


@pytest.mark.parametrize("ample", [False, True])
@pytest.mark.parametrize("version", [16, 18])
@pytest.mark.parametrize("mode", MODES)
def test_the_old_name_of_a_table_shows_and_takes_what_the_table_does(
    laboratory: Laboratory, mode: str, version: int, ample: bool
) -> None:
    deeds = ("SELECT count(*) FROM {}", "UPDATE {} SET name = name RETURNING id", "DELETE FROM {}")
    with laboratory.database(version) as case:
        case.break_(WRITERS + HIDDEN)
        if ample:
            ask(case, AMPLE.format(ROLE))
        before = [may(case, deed.format("writers")) for deed in deeds]
        apply(case, mode=mode)
        now = [[may(case, deed.format(name)) for deed in deeds] for name in ("writers", "authors")]

        assert (before, now) == ([[(1,)], [(1,)], "refused"], [before, before])


@pytest.mark.parametrize(("breaks", "refused"), [(WRITERS, False), (WRITERS + HIDDEN, True)])
def test_before_15_a_view_would_pass_row_level_security_by(breaks: str, refused: bool, laboratory: Laboratory) -> None:
    with laboratory.database(16) as case:
        case.break_(breaks)
        finding = next(f for f in case.check().findings if f.slug == "legacy-table")
        actual = case.check().comparison.actual
        assert actual.session
        older = replace(actual, session=replace(actual.session, version=14))
        repair = legacy_table.repair(finding, older, case.sound.contract)

        assert (bool(repair.refusal), bool(repair.steps)) == (refused, not refused)


# ---- keys over a NOT NULL that is NOT VALID


UNPROVED = "ALTER TABLE reviews ADD CONSTRAINT nn NOT NULL id NOT VALID;"
KEYS = {
    "there is none": "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey, ALTER COLUMN id DROP NOT NULL;",
    "it is on another column": "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey, ALTER COLUMN id DROP NOT NULL;"
    "ALTER TABLE reviews ADD COLUMN code text; UPDATE reviews SET code = 'R' || id;"
    "ALTER TABLE reviews ADD PRIMARY KEY (code);",
    "a row has none": "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey, ALTER COLUMN id DROP NOT NULL;"
    "UPDATE reviews SET id = NULL WHERE id = 3;",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KEYS)
def test_a_key_is_added_over_columns_whose_not_null_was_not_proved(
    laboratory: Laboratory, kind: str, mode: str
) -> None:
    with laboratory.database(18) as case:
        case.break_(KEYS[kind] + UNPROVED)
        apply(case, mode=mode)
        query = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'reviews'::regclass"

        assert ask(case, f"{query} AND contype = 'p'") == [("PRIMARY KEY (id)",)]
        assert ask(case, f"{query} AND NOT convalidated") == []


# ---- parents that share a text


IMPOSTOR = "INSERT INTO authors (name, code) VALUES ('impostor', 'A-2'); UPDATE authors SET name = name WHERE id = 2"


@pytest.mark.parametrize("mode", MODES)
def test_texts_are_not_mapped_where_another_parent_with_the_same_came_in_since_the_plan(
    laboratory: Laboratory, mode: str
) -> None:
    with laboratory.database(18) as case:
        case.break_(text_reference.TEXTS)
        plan = case.plan(mode=mode)
        ask(case, IMPOSTOR)
        with pytest.raises(ApplyFailed) as refused:
            case.apply(plan=plan, mode=mode, allow_hazards="all")

        assert re.search("several rows share 'A-2'|more than one row", str(refused.value))
        assert ask(case, "SELECT count(*) FROM books WHERE author_id = 'A-2'") == [(2,)]


WATCHED = """
CREATE TABLE seen (setting text, deed text);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.seen VALUES (current_setting('synchronous_commit'), TG_ARGV[0]); RETURN NULL; END $$;
CREATE TRIGGER see AFTER UPDATE OF finished_at ON fixer_journal.run EXECUTE FUNCTION see('end');
CREATE TRIGGER see AFTER INSERT ON fixer_journal.step EXECUTE FUNCTION see('step');
"""


def test_steps_do_not_wait_for_the_disk_and_the_end_of_the_run_does(laboratory: Laboratory) -> None:
    with laboratory.database(18) as case:
        ask(case, f"ALTER DATABASE {case.name} SET synchronous_commit = on")
        case.break_("ALTER TABLE reviews DROP CONSTRAINT reviews_pkey")
        apply(case)
        case.break_(f"ALTER TABLE reviews DROP CONSTRAINT reviews_pkey; {WATCHED}")
        apply(case)

        assert ask(case, "SELECT DISTINCT deed, setting FROM seen ORDER BY 1") == [("end", "on"), ("step", "off")]


HELD = (
    "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
    " WHERE l.locktype = 'advisory' AND d.datname = current_database()"
)


class Guard(Connection):
    """Tells whether the end of its transaction was waited for."""

    ended = False

    def rollback(self) -> None:
        super().rollback()
        self.ended = True


def test_the_end_of_the_floor_is_waited_for(laboratory: Laboratory) -> None:
    """A connection that is only closed keeps its locks until its backend has noticed."""
    with laboratory.database(18) as case:
        guard = psycopg2.connect(case.server.database_dsn(case.name), connection_factory=Guard)
        with closing(psycopg2.connect(case.server.database_dsn(case.name))) as worker, floor(lambda: guard, worker):
            before = ask(case, HELD)
            guard.ended = False

        assert guard.ended
        assert guard.closed
        assert before == [(1,)]
