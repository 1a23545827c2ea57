"""--skip and --only: what is left out holds up only what depends on it, and never counts as repaired."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Computed, ForeignKey, Index, Text, Uuid, text

from fixer import apply, plan, undo
from fixer.connect.target import resolve
from fixer.model.defect import Specimen
from fixer.model.plan import MODES
from lab.commands import APPLY
from lab.database import Database, all_of, differences, lent, written
from lab.examples.library import LIBRARY, library
from lab.examples.models import contract, integer, key, once_called
from lab.laboratory import VERSIONS, Laboratory
from lab.process import fixer

# A person decides about the first; the others have nothing to do with it, but for the check over the same column.
BREAKS = """
ALTER TABLE books ALTER COLUMN pages TYPE text, ADD UNIQUE (pages);
UPDATE books SET pages = '7' WHERE id = 7; UPDATE books SET pages = '07' WHERE id = 8;
ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey;
INSERT INTO reviews (book_id) VALUES (999);
DROP INDEX ix_books_editor_id;
"""
HELD = "wrong-type:public.books.pages"
ORPHANS = "orphan-rows:public.reviews.book_id"


@pytest.fixture
def broken(laboratory: Laboratory) -> Iterator[Database]:
    with library(laboratory, 18, BREAKS) as database:
        yield database


def answer(*words: object, **options: Any) -> Any:
    return json.loads(fixer(*words, "--format", "json", *LIBRARY, **options).stdout)


def breaking(database: Database) -> set[str]:
    found = answer("check", "--deep", "--dsn", database.dsn)["findings"]
    return {f"{each['slug']}:{each['object']}" for each in found if each["severity"] == "error"}


@pytest.mark.parametrize("mode", MODES)
def test_what_a_person_decides_later_holds_up_nothing_else(broken: Database, mode: str) -> None:
    before, words = all_of(broken), (*APPLY, "--mode", mode, *LIBRARY, "--dsn", broken.dsn)
    refused = fixer(*words, "-q")
    ended = fixer(*words, "--skip", HELD)

    assert f"To repair the rest, add --skip {HELD}." in refused.stderr
    assert (1, 1, {HELD}) == (refused.returncode, ended.returncode, breaking(broken))
    assert f"left out: {HELD}, it is left out by choice" in ended.stdout
    assert "the contract holds" not in ended.stdout + ended.stderr
    fixer("undo", 1, "--yes", "-q", "--dsn", broken.dsn)
    assert differences(before, broken) == []


@pytest.mark.parametrize("mode", MODES)
def test_what_depends_on_it_is_left_out_too(broken: Database, mode: str) -> None:
    rows = broken.run("SELECT * FROM reviews ORDER BY id")
    plan = answer("plan", "--mode", mode, "--skip", HELD, "--skip", ORPHANS, "--dsn", broken.dsn)
    ended = fixer(*APPLY, "--mode", mode, *LIBRARY, "--skip", HELD, "--skip", ORPHANS, "--dsn", broken.dsn)
    key, why = "missing-foreign-key:public.reviews.book_id", f"it depends on {ORPHANS}"

    assert (key, why) in [(f"{left['slug']}:{left['object']}", left["why"]) for left in plan["left"]]
    assert (1, {HELD, ORPHANS, key}) == (ended.returncode, breaking(broken))
    assert broken.run("SELECT * FROM reviews ORDER BY id") == rows


def test_only_what_is_named_is_repaired(broken: Database) -> None:
    ended = fixer(*APPLY, *LIBRARY, "--only", "missing-index", "--dsn", broken.dsn)

    assert ended.returncode == 1
    assert "missing-index:public.books.ix_books_editor_id" not in breaking(broken)
    assert {HELD, ORPHANS} < breaking(broken)


@pytest.mark.parametrize("mode", MODES)
def test_a_kept_plan_leaves_out_what_it_left_out_when_it_was_made(broken: Database, tmp_path: Path, mode: str) -> None:
    file = tmp_path / "plan.json"
    fixer("plan", "--mode", mode, "-q", "--skip", HELD, "-o", file, *LIBRARY, "--dsn", broken.dsn)
    ended = fixer("apply", file, "--yes", "--allow-hazards", "all", *LIBRARY, "--dsn", broken.dsn)

    assert (1, {HELD}) == (ended.returncode, breaking(broken))


def test_where_all_is_left_out_nothing_is_done(broken: Database) -> None:
    before = written(broken)
    ended = fixer(
        *APPLY, *LIBRARY, "--skip", HELD, "--skip", "orphan-rows", "--skip", "missing-index", "--dsn", broken.dsn
    )

    assert ended.returncode == 1, ended.stderr
    assert "Nothing to do: all that breaks the contract is left out." in ended.stdout
    assert written(broken) == before


@pytest.mark.parametrize("option", ["--skip", "--only"])
def test_a_name_that_fits_nothing_is_said(broken: Database, option: str) -> None:
    ended = fixer(*APPLY, *LIBRARY, option, "orphan-rows:public.nowhere", "--dsn", broken.dsn)

    assert ended.returncode == 2
    assert f"{option} orphan-rows:public.nowhere names no finding" in ended.stderr


def test_what_came_since_is_not_left_out_although_it_depends_on_what_is(broken: Database) -> None:
    broken.run(
        "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " ALTER TABLE public.reviews ALTER book_id DROP NOT NULL; END $$;"
        "CREATE EVENT TRIGGER t ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION f()"
    )
    before = written(broken)
    ended = fixer(*APPLY, *LIBRARY, "--skip", HELD, "--skip", ORPHANS, "-q", "--dsn", broken.dsn)

    assert (2, before) == (ended.returncode, written(broken)), ended.stderr
    assert "The contract did not hold after the steps" in ended.stderr


PARENT = "CREATE TABLE p (id serial, n integer); INSERT INTO p VALUES (1), (1); SELECT nextval('p_id_seq');"
CHILDREN = {"a table": "", "a column": "CREATE TABLE k (id serial PRIMARY KEY)"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("missing", CHILDREN)
def test_what_is_made_does_without_a_foreign_key_whose_target_is_left_out(
    laboratory: Laboratory, missing: str, mode: str
) -> None:
    wanted = contract(p=(key(),), k=(key(), integer("p_id", ForeignKey("p.id"))))
    with lent(laboratory.server(18), None) as database:
        database.run(PARENT + CHILDREN[missing])
        run = apply(resolve(database.dsn), wanted, mode=mode, skip=["duplicate-row"], allow_hazards="all")

        assert {"duplicate-row", "missing-foreign-key"} <= {left.slug for left in run.plan.left}
        assert database.ask("SELECT count(p_id) FROM k") == 0


@pytest.mark.parametrize("mode", MODES)
def test_what_is_left_out_may_go_with_the_rows_it_is_about(laboratory: Laboratory, mode: str) -> None:
    wanted = contract(p=(key(),), k=(key(), integer("p_id", ForeignKey("p.id")), integer("n", unique=True)))
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE p (id serial PRIMARY KEY); CREATE TABLE k (id serial PRIMARY KEY, p_id integer, n integer);"
            "INSERT INTO k (p_id, n) VALUES (5, 1), (5, 1), (5, 2)"
        )
        run = apply(resolve(database.dsn), wanted, mode=mode, skip=["duplicate-values"], allow_hazards="all")

        assert {left.slug for left in run.plan.left} <= {"duplicate-values", "missing-unique"}
        assert database.ask("SELECT count(*) FROM k") == 0


@pytest.mark.parametrize("mode", MODES)
def test_rows_that_went_before_their_column_was_converted_come_back(laboratory: Laboratory, mode: str) -> None:
    """Once no row holds back the text key, the next plan of the same run converts it."""
    columns = (key(), integer("ref", ForeignKey("c.id")), integer("p_id", ForeignKey("p.id")))
    wanted = contract(p=(key(), integer("n")), c=columns)
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE p (id serial PRIMARY KEY, n integer); INSERT INTO p VALUES (1);"
            "CREATE TABLE c (id varchar(20) PRIMARY KEY, ref integer, p_id integer); SELECT nextval('p_id_seq');"
            "INSERT INTO c VALUES ('K-1', NULL, 7), ('K-2', 1, 7)"
        )
        before = all_of(database)
        run = apply(resolve(database.dsn), wanted, mode=mode, skip=["text-key:c.ref"], allow_hazards="all").run
        undo(resolve(database.dsn), run or 0)

        assert differences(before, database) == []


@pytest.mark.parametrize("mode", MODES)
def test_identical_rows_hold_up_each_unique_of_their_table_and_nothing_else(laboratory: Laboratory, mode: str) -> None:
    wanted = contract(k=(key(), integer("n", unique=True), integer("m", index=True)))
    with lent(laboratory.server(18), None) as database:
        database.run("CREATE TABLE k (id serial, n integer, m integer); INSERT INTO k VALUES (1, 1, 1), (1, 1, 1)")
        database.run("SELECT nextval('k_id_seq')")
        run = apply(resolve(database.dsn), wanted, mode=mode, skip=["duplicate-row"], allow_hazards="all")

        assert {left.slug for left in run.plan.left} == {"duplicate-row", "missing-primary-key", "missing-unique"}
        assert database.ask("SELECT indexdef FROM pg_indexes WHERE tablename = 'k'").endswith("(m)")


@pytest.mark.parametrize("mode", MODES)
def test_what_shows_only_under_the_final_name_of_a_table_is_left_out_with_what_holds_it(
    laboratory: Laboratory, mode: str
) -> None:
    wanted = once_called(contract(k=(key(), integer("k_id", ForeignKey("k.id")))), "k", "old")
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE old (id serial PRIMARY KEY, k_id integer REFERENCES old);"
            "ALTER TABLE old DISABLE TRIGGER ALL; CREATE RULE swallow AS ON DELETE TO old DO INSTEAD NOTHING"
        )
        run = apply(resolve(database.dsn), wanted, mode=mode, skip=["rogue-rule"], allow_hazards="all")

        assert {left.slug for left in run.plan.left} == {"rogue-rule", "disabled-foreign-key"}
        assert database.ask("SELECT count(id) FROM k") == 0


@pytest.mark.parametrize("type_", ["text", "varchar(9)", "uuid"])
def test_references_are_not_looked_for_while_their_type_is_left_out(
    laboratory: Laboratory, type_: str, caplog: pytest.LogCaptureFixture
) -> None:
    at_home = Column("id", Uuid if type_ != "uuid" else Text, primary_key=True)
    wanted = contract(p=(at_home,), k=(key(), Column("p_id", at_home.type, ForeignKey("p.id"))))
    with lent(laboratory.server(18), None) as database, caplog.at_level("INFO", "pgmend.rows"):
        database.run(f"CREATE TABLE p (id {'text' if type_ == 'uuid' else 'uuid'} PRIMARY KEY)")
        database.run(f"CREATE TABLE k (id serial PRIMARY KEY, p_id {type_}); INSERT INTO k (p_id) VALUES (NULL)")
        run = apply(resolve(database.dsn), wanted, skip=["incompatible-foreign-key-type"])

        assert {left.slug for left in run.plan.left} == {"incompatible-foreign-key-type", "missing-foreign-key"}
        assert [record.getMessage() for record in caplog.records] == []


OLD_KEYS = {
    "a key on a column that the contract lacks": (
        "CREATE TABLE k (id serial, code text PRIMARY KEY, m integer); INSERT INTO k (code) VALUES ('a'), ('b')",
        "wrong-primary-key",
    ),
    "a key over more columns": (
        "CREATE TABLE k (id serial, n integer, m integer, PRIMARY KEY (n, id)); INSERT INTO k (n) VALUES (1), (2)",
        "wrong-primary-key",
    ),
    "a key whose successor is missing": (
        "CREATE TABLE k (code text PRIMARY KEY, m integer); INSERT INTO k (code) VALUES ('a'), ('b')",
        "missing-key-column",
    ),
    "a key whose successor cannot be unique": (
        "CREATE TABLE k (id serial, code text PRIMARY KEY, m integer); SELECT nextval('k_id_seq');"
        "INSERT INTO k (id, code) VALUES (1, 'a'), (1, 'b')",
        "duplicate-key",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("old", OLD_KEYS)
def test_columns_of_a_key_that_stays_stay_not_null(laboratory: Laboratory, old: str, mode: str) -> None:
    breaks, skipped = OLD_KEYS[old]
    wanted = contract(k=(key(), integer("n"), integer("m", index=True)))
    with lent(laboratory.server(18), None) as database:
        database.run(breaks)
        before = database.ask("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p'")
        run = apply(resolve(database.dsn), wanted, mode=mode, skip=[skipped], allow_hazards="all")

        assert {skipped, "rogue-not-null"} <= {left.slug for left in run.plan.left}
        assert before == database.ask("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p'")
        assert database.ask("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_k_m'").endswith("(m)")


@pytest.mark.parametrize("mode", MODES)
def test_a_key_is_replaced_although_its_columns_stay_not_null(laboratory: Laboratory, mode: str) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run("CREATE TABLE k (id serial, code text PRIMARY KEY); INSERT INTO k (code) VALUES ('a')")
        run = apply(
            resolve(database.dsn), contract(k=(key(),)), mode=mode, skip=["rogue-not-null"], allow_hazards="all"
        )

        assert {"rogue-not-null"} == {left.slug for left in run.plan.left}


@pytest.mark.parametrize("mode", MODES)
def test_a_foreign_key_that_stays_keeps_the_key_it_references(laboratory: Laboratory, mode: str) -> None:
    wanted = contract(p=(key(),), o=(key(),), k=(key(), integer("p_id", ForeignKey("p.id"))))
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE p (id serial PRIMARY KEY); CREATE TABLE o (id serial, n integer PRIMARY KEY);"
            "CREATE TABLE k (id serial PRIMARY KEY, p_id integer REFERENCES o (n))"
        )
        run = apply(resolve(database.dsn), wanted, mode=mode, skip=["wrong-foreign-key-target"], allow_hazards="all")

        assert "wrong-foreign-key-target" in {left.slug for left in run.plan.left}
        assert database.ask("SELECT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'") == "o"


NAMED = {
    "a generated column": (
        contract(p=(key(), integer("n"), integer("g", Computed("n * 2")))),
        "CREATE TABLE p (id serial PRIMARY KEY)",
        "missing-column:public.p.n",
        "missing-column",
    ),
    "a partial index": (
        contract(p=(key(), integer("a", index=True), integer("b"), integer("gone"))),
        "CREATE TABLE p (id serial PRIMARY KEY, a integer, b integer)",
        "missing-column",
        "missing-index",
    ),
    "a reference to a key": (
        contract(p=(key(),), k=(key(), integer("p_id", ForeignKey("p.id")))),
        "CREATE TABLE p (id text PRIMARY KEY); INSERT INTO p VALUES ('a');"
        "CREATE TABLE k (id serial PRIMARY KEY, p_id text REFERENCES p); INSERT INTO k (p_id) VALUES ('a')",
        "text-key",
        "incompatible-foreign-key-type",
    ),
}  # fmt: skip
KEYS = "SELECT conname, conkey FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conkey IS NOT NULL"
KEYS += " AND contype IN ('f', 'p') ORDER BY conname"
_P = NAMED["a partial index"][0].tables["p"]
Index("part", _P.c.b, postgresql_where=_P.c.gone.is_(None))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", NAMED)
def test_what_names_or_references_a_column_that_is_left_out_waits_for_it(
    laboratory: Laboratory, what: str, mode: str
) -> None:
    wanted, breaks, skipped, waits = NAMED[what]
    with lent(laboratory.server(18), None) as database:
        database.run(breaks)
        before = database.run(KEYS)
        run = apply(resolve(database.dsn), wanted, mode=mode, skip=[skipped], allow_hazards="all")

        assert waits in {left.slug for left in run.plan.left if left.why.startswith("it depends")}
        assert before == database.run(KEYS)


@pytest.mark.parametrize("mode", MODES)
def test_a_table_is_made_although_the_text_key_that_it_references_is_left_out(
    laboratory: Laboratory, mode: str
) -> None:
    wanted = contract(p=(key(),), k=(key(), integer("p_id", ForeignKey("p.id"))))
    with lent(laboratory.server(18), None) as database:
        database.run("CREATE TABLE p (id text PRIMARY KEY); INSERT INTO p VALUES ('a')")
        run = apply(resolve(database.dsn), wanted, mode=mode, skip=["text-key"], allow_hazards="all")

        assert {"text-key", "missing-foreign-key"} <= {left.slug for left in run.plan.left}
        assert database.ask("SELECT count(*) FROM k") == 0


def test_what_another_choice_hides_is_no_misspelling(laboratory: Laboratory) -> None:
    wanted = contract(p=(key(), Column("v", Text, unique=True), integer("ref", ForeignKey("p.id"))))
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE p (id varchar(20), v text, ref integer);INSERT INTO p VALUES ('K-1', 'v', 1), ('K-1', 'v', 1)"
        )
        skipped = ["text-key:public.p.id", "text-key:public.p.ref", "duplicate-values:public.p.p_v_key"]
        every = {f"{f.slug}:{f.object}" for f in plan(resolve(database.dsn), wanted).findings}
        rest = {f"{f.slug}:{f.object}" for f in plan(resolve(database.dsn), wanted, skip=skipped).findings}

        assert {*skipped} - every == set()
        assert skipped[-1] not in rest


def test_what_cannot_be_compared_while_a_type_is_left_out_is_not_asked(
    laboratory: Laboratory, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = contract(p=(key(), integer("ref", ForeignKey("p.id"))))
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE SEQUENCE p_id_seq; CREATE TABLE p (id varchar(20) PRIMARY KEY, ref integer);"
            "CREATE TABLE h () INHERITS (p); INSERT INTO p VALUES ('K-1', 1); INSERT INTO h VALUES ('K-2', 2)"
        )
        plan(resolve(database.dsn), wanted, skip=["text-key:p.ref"])

    assert [each.getMessage() for each in caplog.records if "cannot be read" in each.getMessage()] == []


@pytest.mark.parametrize("mode", MODES)
def test_rows_of_a_table_whose_key_is_left_out_are_repaired_all_the_same(laboratory: Laboratory, mode: str) -> None:
    emptied = integer("q_id", ForeignKey("q.id"), info={"orphans": "null"})
    wanted = contract(q=(key(), integer("n")), t=(key(), integer("ref", ForeignKey("t.id")), emptied))
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE q (id serial PRIMARY KEY, n integer); CREATE TABLE t (ref integer, q_id integer);"
            "INSERT INTO t VALUES (1, 99), (NULL, 98)"
        )
        before = all_of(database)
        run = apply(
            resolve(database.dsn), wanted, mode=mode, skip=["missing-key-column:t.ref"], allow_hazards="all"
        ).run

        assert database.ask("SELECT count(q_id) FROM t") == 0
        undo(resolve(database.dsn), run or 0)
        assert differences(before, database) == []


@pytest.mark.parametrize("mode", MODES)
def test_rows_of_a_table_whose_key_is_left_out_come_back(laboratory: Laboratory, mode: str) -> None:
    made = Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()"))
    above = [Column(f"up{n}", Uuid, ForeignKey("p.id"), info={"orphans": "null"}) for n in (1, 2)]
    one, other = ("00000000-0000-0000-0000-00000000000" + end for end in "12")
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE p (id uuid, n integer, up1 uuid, up2 uuid);"
            f"INSERT INTO p VALUES ('{one}', NULL, NULL, NULL), ('{other}', 2, '{one}', '{one}'),"
            f"(NULL, 3, NULL, NULL), (NULL, 4, '{one}', '{one}')"
        )
        before = database.run("SELECT * FROM p ORDER BY p::text")
        wanted = contract(p=(made, integer("n", nullable=False), *above))
        run = apply(resolve(database.dsn), wanted, mode=mode, skip=["null-key"], allow_hazards="all")
        left = database.run("SELECT n, up1, up2 FROM p ORDER BY n")
        undo(resolve(database.dsn), run.run)

        assert {each.slug for each in run.plan.left} >= {"null-key", "missing-primary-key"}
        assert left == [(2, None, None), (3, None, None), (4, None, None)]
        assert database.run("SELECT * FROM p ORDER BY p::text") == before


def granted() -> str:
    return """
    CREATE TABLE t (id integer PRIMARY KEY, "n %" integer NOT NULL, m serial);
    CREATE TABLE u (id integer PRIMARY KEY);
    GRANT UPDATE ("n %") ON t TO pg_monitor;
    GRANT USAGE ON SEQUENCE t_m_seq TO pg_signal_backend;
    GRANT SELECT ON u TO pg_monitor;
    """


COLUMNS = ("missing-column:public.t.n %", "missing-column:public.t.m")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("skip", [COLUMNS[:1], COLUMNS])
def test_rights_on_a_column_that_is_left_out_are_left_out(
    laboratory: Laboratory, skip: tuple[str, ...], mode: str
) -> None:
    specimen = Specimen("", "", contract=granted, setup="INSERT INTO t VALUES (1, 1)")
    with laboratory.database(max(VERSIONS), specimen) as case:
        case.break_('ALTER TABLE t DROP COLUMN "n %", DROP COLUMN m; REVOKE ALL ON u FROM pg_monitor')
        case.apply(mode=mode, allow_hazards="all", skip=skip)

        left = {f"{f.slug} {f.object}" for f in case.check().findings if f.severity == "error"}
        counted = {"missing-column public.t.m", "missing-grant public.t_m_seq"} if skip == COLUMNS else set()
        assert left == {"missing-column public.t.n %", "missing-grant public.t"} | counted


def secured() -> str:
    return """
    CREATE TABLE t (id integer PRIMARY KEY, n integer UNIQUE);
    CREATE TABLE u (id integer PRIMARY KEY, n integer NOT NULL);
    ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE u ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON t USING (id > 0); CREATE POLICY p ON u USING (n > 0);
    """


LOST = """
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET pgmend.role = pg_monitor', current_database()); END$$;
ALTER TABLE t RENAME TO t_of_old; ALTER TABLE u DISABLE ROW LEVEL SECURITY; ALTER TABLE u DROP COLUMN n CASCADE
"""


@pytest.mark.parametrize("mode", MODES)
def test_lost_rights_hold_up_nothing_and_policies_hold_up_what_would_close_a_table(
    laboratory: Laboratory, mode: str
) -> None:
    specimen = Specimen("", "", contract=secured, setup="INSERT INTO u VALUES (1, 1)")
    with laboratory.database(max(VERSIONS), specimen) as case:
        case.break_(LOST)
        skip = ("lost-grants:public.t", "lost-grants:public.u", "missing-column:public.u.n")
        case.apply(mode=mode, allow_hazards="all", skip=skip)

        left = {f"{f.slug} {f.object}" for f in case.check().findings if f.severity == "error"}
        assert left == {
            *("lost-grants public.t", "lost-grants public.u", "missing-column public.u.n", "missing-policy public.u.p"),
            "missing-row-security public.u.ENABLE ROW LEVEL SECURITY",
        }


def applied_but_for(skip: str, wanted: str, place: Path, database: Database, mode: str) -> tuple[Any, Any]:
    """Apply a contract of SQL, but for what is skipped, then plan again; return how both ended."""
    (place / "c.sql").write_text(wanted)
    words = ("--mode", mode, "--contract", "c.sql", "--skip", skip, "--dsn", database.dsn)
    return fixer(*APPLY, *words, cwd=place), fixer("plan", *words, cwd=place)


HIDDEN = """
CREATE DOMAIN pages AS integer;
CREATE TABLE t (id serial PRIMARY KEY, a pages NOT NULL, twice numeric GENERATED ALWAYS AS (a * 2) STORED);
"""


@pytest.mark.parametrize("mode", MODES)
def test_what_could_not_be_read_before_its_type_came_is_left_out_with_what_holds_it(
    laboratory: Laboratory, mode: str, tmp_path: Path
) -> None:
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(f"{HIDDEN} INSERT INTO t (a) VALUES (1), (2); DROP DOMAIN pages CASCADE")
        ended, plan = applied_but_for("missing-column:public.t.a", HIDDEN, tmp_path, database, mode)

    assert ended.returncode == 1, ended.stderr
    assert "1 step done; what is left out breaks the contract" in ended.stdout
    assert "left out: missing-column:public.t.twice, it depends on missing-column:public.t.a" in plan.stdout


LEFT_OF_A_BUILD = """
ALTER TABLE books DROP CONSTRAINT books_pkey CASCADE; ALTER TABLE books ALTER COLUMN pages TYPE text;
UPDATE books SET pages = 'many' WHERE id = 7; CREATE INDEX odd ON books (editor_id);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'odd'::regclass;
"""


def test_the_rest_of_a_failed_build_goes_where_another_column_is_left_out(laboratory: Laboratory) -> None:
    with library(laboratory, 18, LEFT_OF_A_BUILD) as database:
        ended = fixer(*APPLY, *LIBRARY, "--skip", HELD, "--dsn", database.dsn)

        assert (1, {HELD}) == (ended.returncode, breaking(database)), ended.stdout + ended.stderr


COUNTED = """
CREATE TABLE p (id serial PRIMARY KEY, n integer);
CREATE TABLE {} INSERT INTO p (n) VALUES (1); INSERT INTO below (n) VALUES (2);
"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("broken", ["", "INSERT INTO below VALUES (NULL, 5);"], ids=["none", "a row without a number"])
@pytest.mark.parametrize(
    "below",
    ["below () INHERITS (p);", "below (id integer NOT NULL DEFAULT nextval('p_id_seq'), n integer);"],
    ids=["an heir", "another table"],
)
def test_what_counts_by_a_sequence_to_come_waits_for_it(
    laboratory: Laboratory, below: str, broken: str, mode: str, tmp_path: Path
) -> None:
    made = COUNTED.format(below)
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(f"{made} DROP SEQUENCE p_id_seq CASCADE;")
        if broken:
            database.run("ALTER TABLE p DROP CONSTRAINT p_pkey; ALTER TABLE p ALTER id DROP NOT NULL")
            database.run(f"ALTER TABLE below ALTER id DROP NOT NULL; {broken}")
        ended, plan = applied_but_for("missing-generator:public.p.id", made, tmp_path, database, mode)

    assert ended.returncode == 1, ended.stderr
    assert "left out: missing-generator:public.below.id, it depends on missing-generator:public.p.id" in plan.stdout


@pytest.mark.parametrize("mode", MODES)
def test_what_counts_by_the_sequence_of_a_table_to_come_waits_for_nothing(
    laboratory: Laboratory, mode: str, tmp_path: Path
) -> None:
    made = COUNTED.format("below () INHERITS (p);") + "CREATE TABLE k (id int PRIMARY KEY REFERENCES p);"
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(f"{made} INSERT INTO k SELECT id FROM ONLY p; DROP TABLE p CASCADE")
        ended, plan = applied_but_for("orphan-rows:public.k.id", made, tmp_path, database, mode)

    assert "make below INHERIT from p" in ended.stdout, ended.stderr
    assert "missing-generator" not in ended.stdout + plan.stdout
