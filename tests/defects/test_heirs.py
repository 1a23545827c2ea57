"""Tables that INHERIT from others: their rows show in those, no key binds them, and no cell of theirs is lost."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

import fixer
from fixer.defects._counters import SEATED, seats
from fixer.defects.missing_inheritance import EVENT_ROWS, events
from fixer.errors import NeedsPermission
from fixer.model.defect import Specimen
from fixer.model.plan import ATOMIC, MODES
from lab.database import lent
from lab.evidence.copies import stamps
from lab.evidence.dumps import everything
from lab.examples.models import contract, integer, key, text
from lab.hook import ask
from lab.laboratory import VERSIONS, Case, Laboratory
from lab.mixing import mixed
from lab.outcomes import outcome

# Rows that no key of the table forbids: of a key that stands already, of no parent.
HEIRS = """
CREATE TABLE old_books (shelf text) INHERITS (books);
INSERT INTO old_books (id, author_id, editor_id, title, price, shelf)
VALUES (1, 1, 1, 'title 24', 1, 'a'), (700, 1, 1, 'old', 1, 'b'), (701, 88, 88, 'older', 1, 'c');
CREATE TABLE old_authors (born integer) INHERITS (authors);
INSERT INTO old_authors (id, name, born) VALUES (1, 'author 2', 1901), (99, 'nobody', 1902);
SELECT setval('books_id_seq', 701), setval('authors_id_seq', 99);
"""
BESIDE = {
    ("unbound-heirs", "warning", f"public.{name}")
    for name in (
        "authors",
        "authors.authors_name_key",
        "books",
        "books.author_id",
        "books.books_author_id_title_key",
        "books.editor_id",
    )
}
NO_KEY = "ALTER TABLE books DROP CONSTRAINT books_pkey CASCADE;"


def heirs(case: Case) -> list[object]:
    return ask(case, "SELECT b::text FROM old_books b UNION ALL SELECT a::text FROM old_authors a ORDER BY 1")


@pytest.mark.parametrize("mode", MODES)
def test_a_sound_database_stays_as_it_is(laboratory: Laboratory, mode: str) -> None:
    with laboratory.database(18) as case:
        case.break_(HEIRS)
        before = stamps(case.observer)

        found = case.check(deep=True).findings
        assert {(finding.slug, finding.severity, finding.object) for finding in found} == BESIDE
        assert case.apply(mode=mode, allow_hazards="all").report.ok
        assert stamps(case.observer) == before


MENDED = {
    "a key": NO_KEY,
    "a unique": "ALTER TABLE books DROP CONSTRAINT books_author_id_title_key",
    "a foreign key": "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey",
    "a check": "ALTER TABLE books DROP CONSTRAINT books_price_check",
    "a column": "ALTER TABLE books DROP COLUMN pages",
    "a column that is too narrow": "ALTER TABLE books ALTER pages TYPE smallint",
    "a sequence that is behind": "SELECT setval('books_id_seq', 5)",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", MENDED)
def test_what_moves_no_rows_is_mended_and_taken_back(laboratory: Laboratory, what: str, mode: str) -> None:
    with laboratory.database(18) as case:
        case.break_(HEIRS, MENDED[what])
        rows, before = heirs(case), everything(case.server, case.name)
        run = case.apply(mode=mode, allow_hazards="all")

        assert run.report.ok
        assert len(heirs(case)) == len(rows)
        fixer.undo(case.connection, 1)
        assert everything(case.server, case.name) == before


@pytest.mark.parametrize("mode", MODES)
def test_a_number_to_come_that_an_heir_has_is_found_where_both_count_alike(laboratory: Laboratory, mode: str) -> None:
    with laboratory.database(18) as case:
        case.break_(HEIRS, "SELECT setval('books_id_seq', 600)")
        alike = [(each.slug, each.rows) for each in case.check().findings if each.severity == "error"]
        case.apply(mode=mode)
        ((beyond,),) = ask(case, "SELECT last_value FROM books_id_seq")
        case.break_(
            "CREATE SEQUENCE ids",
            "ALTER TABLE old_books ALTER id SET DEFAULT nextval('ids'); SELECT setval('books_id_seq', 600)",
        )

        assert alike == [("sequence-behind", 2)]
        assert beyond >= 701
        assert [each.slug for each in case.check().findings if each.severity == "error"] == []


REFUSED = {
    "a key that rows share": f"{NO_KEY} INSERT INTO books SELECT 1, 2, 2, NULL, 'another', 1",
    "a row that stands twice": f"{NO_KEY} ALTER TABLE books DROP CONSTRAINT books_author_id_title_key;"
    "INSERT INTO books SELECT * FROM ONLY books WHERE id = 2",
    "a row without a parent": "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey;"
    "UPDATE ONLY books SET author_id = 77 WHERE id = 3",
    "a parent that is another table's": "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey;"
    "UPDATE ONLY books SET author_id = 99 WHERE id = 3",
    "a broken check": "ALTER TABLE books DROP CONSTRAINT books_price_check; UPDATE books SET price = -1 WHERE id = 700",
    "a NULL": "ALTER TABLE books ALTER title DROP NOT NULL; UPDATE books SET title = NULL WHERE id = 701",
    "a type": "ALTER TABLE books ALTER pages TYPE text USING pages || ' '",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", REFUSED)
def test_what_moves_rows_is_left_to_a_person(laboratory: Laboratory, what: str, mode: str) -> None:
    with laboratory.database(18) as case:
        case.break_(HEIRS, REFUSED[what])
        before = stamps(case.observer)

        with pytest.raises(NeedsPermission, match="INHERIT from"):
            case.apply(mode=mode, allow_hazards="all")
        assert stamps(case.observer) == before


def test_a_table_whose_heirs_are_gone_has_none(laboratory: Laboratory) -> None:
    with laboratory.database(18) as case:
        case.break_(HEIRS, "DROP TABLE old_books, old_authors", REFUSED["a row without a parent"])

        assert case.apply(allow_hazards="all").report.ok


@pytest.mark.skipif(min(VERSIONS) > 17, reason="PostgreSQL 18 lets no heir do without an inherited NOT NULL")
def test_a_null_of_an_heir_without_not_null_is_found(laboratory: Laboratory) -> None:
    wanted = contract(p=(key(), integer("n", nullable=False)))
    with lent(laboratory.server(min(VERSIONS)), None) as database:
        database.run(
            "CREATE TABLE p(id serial PRIMARY KEY, n integer NOT NULL); CREATE TABLE h() INHERITS (p);"
            "ALTER TABLE h ALTER n DROP NOT NULL; INSERT INTO h VALUES (1, 1); SELECT setval('p_id_seq', 9)"
        )
        with closing(psycopg2.connect(database.dsn)) as connection:
            sound = fixer.check(connection, wanted, deep=True).findings
            database.run("INSERT INTO h VALUES (2)")
            broken = fixer.check(connection, wanted, deep=True).findings

    assert sound == ()
    assert [(finding.slug, finding.rows, finding.repair.label) for finding in broken] == [("null-rows", 1, "manual")]


COUNTED = Specimen("", "", contract=seats, setup=SEATED)
UNNUMBERED = {
    "a key of texts": """ALTER TABLE "se%ats" ALTER id DROP DEFAULT;
    ALTER TABLE "se%ats" ALTER id TYPE text USING 'K-' || id""",
    "a lost key": 'ALTER TABLE "se%ats" DROP id CASCADE',
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", UNNUMBERED)
def test_rows_that_others_show_get_no_new_numbers(laboratory: Laboratory, what: str, mode: str) -> None:
    with laboratory.database(min(VERSIONS), COUNTED) as case:  # PostgreSQL 18 changes no type of a key that heirs have
        case.break_(UNNUMBERED[what])
        before = stamps(case.observer)
        why = [each.repair.refusal for each in case.plan(mode=mode).findings if "key" in each.slug]

        assert [each for each in why if each and "numbers the rows of all these" in each]
        with pytest.raises(NeedsPermission):
            case.apply(mode=mode, allow_hazards="all")
        assert stamps(case.observer) == before


BELOW = {
    "a column that demands a value": (
        events,
        EVENT_ROWS,
        'ALTER TABLE "eve.nts" ADD more integer NOT NULL DEFAULT 1; ALTER TABLE "eve.nts" ALTER more DROP DEFAULT',
    ),
    "tables that are gone": (seats, SEATED, 'DROP TABLE "se%ats" CASCADE'),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", BELOW)
def test_what_heirs_have_from_above_is_mended_and_taken_back(laboratory: Laboratory, what: str, mode: str) -> None:
    wanted, rows, breaks = BELOW[what]
    with laboratory.database(18, Specimen("", "", contract=wanted, setup=rows)) as case:
        case.break_(breaks)
        before = everything(case.server, case.name)

        assert case.apply(mode=mode, allow_hazards="all").report.ok
        fixer.undo(case.connection, 1)
        assert everything(case.server, case.name) == before


def test_a_column_of_an_heir_gets_its_new_name_with_that_of_its_table(laboratory: Laboratory) -> None:
    wanted = contract(p=(key(), integer("n", nullable=False, info={"legacy_names": ["m"]})))
    sa.Table("h", wanted, integer("id", primary_key=True, autoincrement=False), postgresql_inherits="p")
    with lent(laboratory.server(18), None) as database:
        database.run("CREATE TABLE p (id serial PRIMARY KEY, m integer NOT NULL); CREATE TABLE h () INHERITS (p)")
        with closing(psycopg2.connect(database.dsn)) as connection:
            found = fixer.check(connection, wanted).findings
            run = fixer.apply(connection, wanted)
            fixer.undo(connection, 1)

        assert [finding.slug for finding in found if finding.severity != "info"] == [
            "missing-primary-key",
            "legacy-column",
        ]
        assert run.report.ok
        assert database.run("SELECT m FROM h") == []


@pytest.mark.parametrize("mode", MODES)
def test_rows_of_an_heir_go_while_what_it_inherits_from_is_repaired(laboratory: Laboratory, mode: str) -> None:
    wanted = contract(p=(key(), integer("n")))
    own = integer("id", primary_key=True, autoincrement=False)
    sa.Table("h", wanted, own, integer("own", nullable=False), postgresql_inherits="p")
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE p (id serial PRIMARY KEY); CREATE TABLE h (own integer, PRIMARY KEY (id)) INHERITS (p);"
            "INSERT INTO p DEFAULT VALUES; INSERT INTO h (own) VALUES (1), (NULL)"
        )
        run = fixer.apply(database.dsn, wanted, mode=mode, allow_hazards="all")

        assert {(each.table.name, each.before, each.after, each.quarantined) for each in run.ledger} == {
            ("p", 1, 1, 0),
            ("h", 2, 1, 1),
        }
        fixer.undo(database.dsn, 1)
        assert database.run("SELECT id, own FROM h ORDER BY id") == [(2, 1), (3, None)]


RENAMED = ('ALTER TABLE p RENAME TO "old p";', 'ALTER TABLE h RENAME TO "old h";')


@pytest.mark.parametrize("renamed", [*RENAMED, "".join(RENAMED)])
@pytest.mark.parametrize(
    "broken", ["", "DROP n", "ALTER n TYPE integer", "ALTER n DROP NOT NULL, ADD NOT NULL n NOT VALID"]
)
def test_heirs_and_what_they_inherit_from_get_their_names_back(
    laboratory: Laboratory, renamed: str, broken: str
) -> None:
    wanted = contract(p=(key(), sa.Column("n", sa.BigInteger, nullable=False, server_default="5")))
    sa.Table("h", wanted, integer("id", primary_key=True, autoincrement=False), postgresql_inherits="p")
    for name in ("p", "h"):
        wanted.tables[name].info["legacy_names"] = [f"old {name}"]
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE p (id serial PRIMARY KEY, n bigint NOT NULL DEFAULT 5);"
            "CREATE TABLE h (PRIMARY KEY (id)) INHERITS (p); "
            "INSERT INTO p DEFAULT VALUES; INSERT INTO h DEFAULT VALUES"
        )
        database.run(f"{'ALTER TABLE p ' if broken else ''}{broken};{renamed}")
        run = fixer.apply(database.dsn, wanted, allow_hazards="all")

        assert run.report.ok
        assert database.run("SELECT tableoid::regclass::text, id, n FROM p ORDER BY id") == [("p", 1, 5), ("h", 2, 5)]


@pytest.mark.parametrize("mode", MODES)
def test_a_type_that_not_null_of_an_heir_holds_back_is_left_to_a_person(laboratory: Laboratory, mode: str) -> None:
    wanted = contract(q=(key(), sa.Column("v", sa.BigInteger, nullable=False)))
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE q (id serial PRIMARY KEY, v integer NOT NULL);"
            "CREATE TABLE w (id integer, v integer NOT NULL);"
            "ALTER TABLE w ALTER id SET NOT NULL, INHERIT q; INSERT INTO q (v) VALUES (1); INSERT INTO w VALUES (2, 2)"
        )
        with pytest.raises(NeedsPermission, match="NOT NULL q_v_not_null, which is w_v_not_null in w,"):
            fixer.apply(database.dsn, wanted, mode=mode, allow_hazards="all")
        database.run("ALTER TABLE q DROP CONSTRAINT q_v_not_null")

        assert fixer.apply(database.dsn, wanted, mode=mode, allow_hazards="all").ok
        assert database.run("SELECT v FROM q ORDER BY v") == [(1,), (2,)]


HELD_BACK = {
    "a NOT NULL further below": (
        "CREATE TABLE r () INHERITS (q); CREATE TABLE w (id integer NOT NULL, v integer CONSTRAINT own NOT NULL);"
        "ALTER TABLE w INHERIT r",
        "NOT NULL q_v_not_null, which is own in w,",
        "ALTER TABLE w NO INHERIT r",
    ),
    "a default further below": (
        "CREATE TABLE r () INHERITS (q); CREATE TABLE w (v integer DEFAULT 7) INHERITS (r)",
        "default of w",
        "ALTER TABLE w ALTER v DROP DEFAULT",
    ),
    "another table above": (
        "CREATE TABLE p (v integer NOT NULL); CREATE TABLE w () INHERITS (q); ALTER TABLE w INHERIT p",
        "inheritance of w from p",
        "ALTER TABLE w NO INHERIT p",
    ),
    "a generated column of it": (
        "CREATE TABLE w (twice integer GENERATED ALWAYS AS (v * 2) STORED) INHERITS (q)",
        "generated column twice of w",
        "ALTER TABLE w DROP twice",
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("held", HELD_BACK)
def test_what_holds_a_type_back_in_heirs_at_any_distance_is_left_to_a_person(
    laboratory: Laboratory, version: int, held: str
) -> None:
    below, said, way = HELD_BACK[held]
    if version < 18 and "NOT NULL" in said:
        return  # it has no name there, and holds nothing back
    wanted = contract(q=(key(), sa.Column("v", sa.BigInteger, nullable=False)))
    with lent(laboratory.server(version), None) as database:
        database.run(f"CREATE TABLE q (id serial PRIMARY KEY, v integer NOT NULL); {below}")
        with pytest.raises(NeedsPermission, match=said):
            fixer.apply(database.dsn, wanted, allow_hazards="all")
        database.run(way)

        assert fixer.apply(database.dsn, wanted, allow_hazards="all").ok


def test_a_column_that_comes_by_two_ways_from_one_table_holds_nothing_back(laboratory: Laboratory) -> None:
    wanted = contract(q=(key(), sa.Column("v", sa.BigInteger, nullable=False)))
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE q (id serial PRIMARY KEY, v integer NOT NULL); CREATE TABLE r () INHERITS (q);"
            "CREATE TABLE s () INHERITS (q); CREATE TABLE w () INHERITS (r, s); CREATE TABLE x () INHERITS (r, q)"
        )

        assert fixer.apply(database.dsn, wanted, allow_hazards="all").ok


@pytest.mark.parametrize(
    ("found", "end", "mode"),
    [
        ("text", "mended", ATOMIC),
        *(
            (found, f"p.n stays {found}, and none INHERITs it as integer: settle that first", mode)
            for found in ("bigint", "jsonb")
            for mode in MODES
        ),
    ],
)
def test_an_heir_to_come_is_created_only_where_it_can_inherit(
    laboratory: Laboratory, found: str, end: str, mode: str
) -> None:
    wanted = contract(p=(key(), integer("n")))
    sa.Table("h", wanted, integer("id", primary_key=True, autoincrement=False), postgresql_inherits="p")
    made = f"CREATE TABLE p (id serial PRIMARY KEY, n {found}); INSERT INTO p (n) VALUES ('7')"

    assert end in outcome(laboratory, wanted, made, mode)


KEPT = {
    "values of its own, to be computed": (
        "n integer",
        sa.Computed("id * 2"),
        "p.n stays integer, and none INHERITs it",
    ),
    "another collation": ('n text COLLATE "C"', sa.Text(), 'p.n stays text COLLATE "C", and none INHERITs it'),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("found", "wanted", "why"), KEPT.values(), ids=KEPT.keys())
def test_an_heir_to_come_is_created_only_where_the_table_above_is_like_it(
    laboratory: Laboratory, found: str, wanted: Any, why: str, mode: str
) -> None:
    column = sa.Column("n", wanted) if isinstance(wanted, sa.Text) else integer("n", wanted)
    meant = contract(p=(key(), column))
    sa.Table("h", meant, integer("id", primary_key=True, autoincrement=False), postgresql_inherits="p")
    made = f"CREATE TABLE p (id serial PRIMARY KEY, {found}); INSERT INTO p (n) VALUES ('7')"

    assert why in outcome(laboratory, meant, made, mode)


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_table_of_another_collation_is_no_heir_yet(laboratory: Laboratory, mode: str) -> None:
    meant = contract(p=(key(), text("n")))
    sa.Table("h", meant, integer("id", primary_key=True, autoincrement=False), text("n"), postgresql_inherits="p")
    made = 'CREATE TABLE p (id serial PRIMARY KEY, n text); CREATE TABLE h (id int PRIMARY KEY, n text COLLATE "C")'

    assert "it has to have the columns, NOT NULLs and checks of p first" in outcome(laboratory, meant, made, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("was", "type_"), [("integer", sa.BigInteger), ("text", sa.Integer)])
def test_a_column_from_a_table_that_the_contract_does_not_know_is_for_a_person(
    laboratory: Laboratory, was: str, type_: type[sa.types.TypeEngine[object]], mode: str
) -> None:
    made = f"CREATE TABLE above (n {was}); CREATE TABLE t (id serial PRIMARY KEY) INHERITS (above)"
    ended = outcome(laboratory, contract(t=(key(), sa.Column("n", type_))), made, mode)

    assert "it INHERITs n from public.above: run ALTER TABLE public.above ALTER COLUMN n TYPE …" in ended


def plain() -> str:
    return "CREATE TABLE p (id serial PRIMARY KEY, n int); CREATE TABLE h () INHERITS (p);"


COUNTING = {
    "one is to come, and nothing owns their sequence": (
        Specimen("heirs", "", contract=seats, setup=SEATED),
        "ALTER TABLE stalls RENAME TO old_stalls",
        'ALTER SEQUENCE "se%ats_id_seq" OWNED BY NONE',
    ),
    "their numbers are texts, which a person decides": (
        Specimen("heirs", "", contract=plain, setup="INSERT INTO p (n) VALUES (1); INSERT INTO h (n) VALUES (2)"),
        "ALTER TABLE p ALTER id DROP DEFAULT; ALTER TABLE h ALTER id DROP DEFAULT; ALTER TABLE p ALTER id TYPE text",
    ),
    "no number is in their texts": (
        Specimen("heirs", "", contract=plain, setup="INSERT INTO p (n) VALUES (1); INSERT INTO h (n) VALUES (2)"),
        "ALTER TABLE p ALTER id DROP DEFAULT; ALTER TABLE p ALTER id TYPE text USING 'K-' || id",
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", COUNTING.values(), ids=COUNTING.keys())
def test_heirs_count_like_the_table_above(laboratory: Laboratory, how: tuple[Any, ...], mode: str) -> None:
    specimen, *breaks = how
    with laboratory.database(18, specimen) as case:
        assert mixed(case, breaks, mode=mode) == []
