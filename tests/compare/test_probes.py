"""Questions about rows: how often a table is read for them, and that they are answered rightly together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint

import fixer
from fixer.compare import probes as rows
from fixer.compare.examine import examine, look
from fixer.compare.reading import CHEAP_PROBES
from fixer.compare.sessions import Session
from fixer.defects import (
    detected,
    duplicate_key,
    duplicate_row,
    duplicate_values,
    null_rows,
    orphan_rows,
    sequence_behind,
    text_reference,
)
from fixer.model.defect import Specimen
from fixer.model.finding import Count, Probe
from fixer.model.report import Comparison
from fixer.sql import compose as sqltext
from fixer.sql.compose import SQL
from lab.database import lent
from lab.examples.models import contract, key
from lab.laboratory import Case, Laboratory

READ = "SELECT seq_scan, seq_tup_read, coalesce(idx_scan, 0) FROM pg_stat_xact_user_tables WHERE relname = %s"
BOOKS = sqltext.SQL("public.books AS t")
REVIEWS = sqltext.SQL("public.reviews AS t")


def ask(cursor: Cursor, *probes: Probe) -> Sequence[Count]:
    return rows.counter(Session(cursor))(probes)


def about(condition: str, *show: str, source: SQL = BOOKS, **words: Any) -> Probe:
    return Probe(source, SQL(condition), tuple(map(SQL, show or ("t.id",))), **words)


def begun(case: Case) -> Cursor:
    cursor = case.connection.cursor()
    cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL enable_indexonlyscan = off")
    return cursor


def scans(cursor: Cursor, table: str) -> int:
    """Tell how often the transaction has read a table from its beginning."""
    cursor.execute(READ, (table,))
    return int(cursor.fetchone()[0])


def passes(cursor: Cursor, table: str) -> float:
    """Tell how many times its rows the transaction has read of a table."""
    cursor.execute(READ, (table,))
    read = cursor.fetchone()[1]
    cursor.execute(f"SELECT count(*) FROM {table}")
    return float(read / cursor.fetchone()[0])


# ---- how often a table is read


def test_one_scan_answers_all_questions_about_a_sound_table(library: Case) -> None:
    cursor = begun(library)
    ask(cursor, about("t.title IS NULL"), about("t.price <= 0"), about("t.author_id < 0", "t.title"))

    assert scans(cursor, "books") == 1


def test_one_more_scan_takes_the_samples_of_all(library: Case) -> None:
    cursor = begun(library)
    ask(cursor, about("t.id < 3"), about("t.id IN (2, 9)", "t.title"), about("t.id > 7"), about("t.price <= 0"))

    assert scans(cursor, "books") == 2


def test_a_scan_for_samples_of_many_rows_ends_with_the_first(library: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_ORDERED", 6)
    library.break_("INSERT INTO reviews (book_id) SELECT 1 FROM generate_series(1, 2000)")
    cursor = begun(library)
    ask(cursor, about("t.id > 0", source=REVIEWS), about("t.body IS NULL", source=REVIEWS))

    assert 1 < passes(cursor, "reviews") < 1.1


def test_what_is_costly_to_find_is_found_once(library: Case) -> None:
    library.break_(orphan_rows.SPECIMENS[0].breaks)
    cursor = begun(library)
    missing = "NOT EXISTS (SELECT FROM authors AS p WHERE p.id = t.author_id)"
    ask(cursor, about(missing, shared=False, costly=True))

    assert scans(cursor, "books") == 1


def asked(case: Case, defects: tuple[Any, ...], table: str) -> Cursor:
    """Ask what defect classes ask about the rows of a table, and give the transaction that was asked."""
    actual = examine(case.observer, case.sound.contract).actual
    found = [f for defect in defects for f in detected(defect, actual, case.sound.contract) if f.table.name == table]
    cursor = begun(case)
    ask(cursor, *(finding.probe for finding in found if finding.probe and not finding.vouched))
    return cursor


KEYLESS = "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey"
NAMELESS = "ALTER TABLE authors DROP CONSTRAINT authors_name_key;"
COPIED = f"{KEYLESS}; INSERT INTO reviews SELECT * FROM reviews WHERE id < 4"


def test_the_keys_of_a_sound_table_are_read_once_for_both_kinds_of_duplicates(library: Case) -> None:
    library.break_(KEYLESS)
    cursor = asked(library, (duplicate_row, duplicate_key), "reviews")

    assert passes(cursor, "reviews") == pytest.approx(1, abs=0.05)


def test_the_rows_of_keys_that_repeat_are_looked_up_once_for_both_kinds_of_duplicates(library: Case) -> None:
    library.break_(COPIED, "INSERT INTO reviews SELECT id, book_id, 'another' FROM reviews WHERE id = 9")
    cursor = asked(library, (duplicate_row, duplicate_key), "reviews")

    assert passes(cursor, "reviews") == 2


def test_values_that_do_not_repeat_are_read_once(library: Case) -> None:
    library.break_(NAMELESS)
    cursor = asked(library, (duplicate_values,), "authors")

    assert passes(cursor, "authors") == pytest.approx(1, abs=0.1)


def test_the_rows_of_values_that_repeat_are_looked_up_once(library: Case) -> None:
    library.break_(f"{NAMELESS} UPDATE authors SET name = 'author 4' WHERE id = 12")
    cursor = asked(library, (duplicate_values,), "authors")

    assert passes(cursor, "authors") == 2


def test_what_references_rows_of_values_that_repeat_is_read_once(library: Case) -> None:
    library.break_(
        "ALTER TABLE books DROP CONSTRAINT books_author_id_title_key; UPDATE books SET author_id = 1, title = 'same'"
    )
    cursor = asked(library, (duplicate_values,), "books")

    assert passes(cursor, "reviews") == 1


def test_texts_that_map_to_nothing_are_found_once(library: Case) -> None:
    library.break_(text_reference.SPECIMENS[2].breaks)
    cursor = asked(library, (text_reference,), "books")

    assert scans(cursor, "books") == 1


BARE = "DROP INDEX ix_books_editor_id; ALTER TABLE books DROP CONSTRAINT books_author_id_title_key"


def test_an_orphan_under_each_key_takes_one_scan_each(library: Case) -> None:
    library.break_(BARE, *(specimen.breaks for specimen in orphan_rows.SPECIMENS[:3]))
    cursor = asked(library, (orphan_rows,), "books")

    assert scans(cursor, "books") == 3


def test_a_sequence_is_judged_in_the_scan_of_other_questions_where_no_index_helps(library: Case) -> None:
    library.break_(f"{KEYLESS}; ALTER TABLE reviews ALTER book_id DROP NOT NULL")
    cursor = asked(library, (sequence_behind, null_rows), "reviews")

    assert scans(cursor, "reviews") == 1


def test_a_sequence_is_judged_by_the_index_where_nothing_else_is_asked(library: Case) -> None:
    library.break_("INSERT INTO reviews (book_id) SELECT 1 FROM generate_series(1, 5000); ANALYZE reviews")
    cursor = asked(library, (sequence_behind, null_rows), "reviews")

    assert scans(cursor, "reviews") == 0


def test_where_a_sequence_stands_is_computed_once_and_not_for_each_row(library: Case) -> None:
    actual = examine(library.connection, library.sound.contract).actual
    found = next(f for f in sequence_behind.detect(actual, library.sound.contract) if f.table.name == "reviews")
    assert found.probe
    count = SQL("EXPLAIN (VERBOSE) SELECT count(*) FILTER (WHERE {}) FROM {}")

    with library.connection.cursor() as cursor:
        cursor.execute(count.format(found.probe.condition, found.probe.source))
        (of_rows,) = (line for (line,) in cursor.fetchall() if "FILTER" in line)

    assert "least" not in of_rows.lower()


def test_orphans_are_only_counted_at_first_where_an_index_can_do_it(library: Case) -> None:
    actual = examine(library.connection, library.sound.contract).actual
    found = {f.column: f.probe for f in detected(orphan_rows, actual, library.sound.contract)}

    assert [column for column, probe in found.items() if probe and probe.costly] == ["reviewer_id", "book_id"]


@pytest.mark.parametrize(
    ("broken", "defect", "table"),
    [
        ("ALTER TABLE books ADD UNIQUE (title), DROP CONSTRAINT books_author_id_title_key", duplicate_values, "books"),
        ("ALTER TABLE books ALTER title DROP NOT NULL, ADD CHECK (title IS NOT NULL)", null_rows, "books"),
        ("ALTER TABLE reviews ADD UNIQUE (id), DROP CONSTRAINT reviews_pkey", duplicate_key, "reviews"),
    ],
)
def test_what_the_catalogue_proves_is_not_read(library: Case, broken: str, defect: Any, table: str) -> None:
    library.break_(f"UPDATE books SET title = 'title ' || id; {broken}")
    cursor = asked(library, (defect,), table)

    assert scans(cursor, table) == 0


def test_a_check_that_was_not_validated_proves_nothing(library: Case) -> None:
    library.break_("ALTER TABLE books ALTER title DROP NOT NULL, ADD CHECK (title IS NOT NULL) NOT VALID")
    cursor = asked(library, (null_rows,), "books")

    assert scans(cursor, "books") == 1


# ---- what is answered


def test_questions_asked_together_are_answered_as_if_alone(library: Case) -> None:
    probes = [
        about("t.id < 3", "t.id", "t.title"),
        about("t.id IN (9, 2)", "t.title"),
        about("t.pages IS NULL", "t.author_id", "t.id"),
        about("t.price <= 0"),
        about("t.id > 7", "t.id", shared=False),
        about("t.id > 7", "t.author_id", shared=False, costly=True),
        about("t.id < 4", source=REVIEWS),
        about("t.id = 5", costly=True, source=sqltext.SQL("(SELECT * FROM reviews) AS t")),
        about("t.id > 6", "t.body", costly=True, source=sqltext.SQL("(SELECT * FROM reviews) AS t")),
        about("t.id < 3", *()),
    ]
    library.break_("UPDATE books SET pages = NULL WHERE id = 4")
    cursor = begun(library)
    alone = [naive(cursor, probe) for probe in probes]

    assert ask(cursor, *probes) == alone


def test_more_questions_than_a_target_list_has_room_for_are_answered(library: Case) -> None:
    """One scan would give two columns to each of them, and PostgreSQL takes 1,664 (manual, PostgreSQL Limits)."""
    answers = ask(begun(library), *(about(f"t.id <> -{n}", "t.id") for n in range(1, 1_701)))

    assert len({(answer.rows, len(answer.sample)) for answer in answers}) == 1


def naive(cursor: Cursor, probe: Probe) -> Count:
    cells = SQL(", ").join(SQL("{}::text").format(cell) for cell in probe.show)
    found = SQL("SELECT {} FROM {} WHERE {} ORDER BY {}")
    order = SQL(", ").join(probe.show)
    cursor.execute(found.format(cells, probe.source, probe.condition, order))
    answer = cursor.fetchall()
    return Count(len(answer), tuple(answer[:5]))


@pytest.mark.parametrize("costly", [False, True])
def test_a_question_that_fails_hides_no_other(library: Case, costly: bool) -> None:
    cursor = begun(library)
    first, broken, last = ask(
        cursor,
        about("t.id < 3"),
        about("t.title::integer > 0", shared=not costly, costly=costly),
        about("t.id > 2 AND t.id < 4", "t.id", source=REVIEWS),
    )

    assert (first.rows, last) == (2, Count(1, (("3",),)))
    assert "invalid input syntax" in str(broken.error)


def test_a_value_that_cannot_be_shown_hides_no_other_answer(library: Case) -> None:
    answers = ask(begun(library), about("t.id < 3", "t.title::integer"), about("t.id < 3"))

    assert [(answer.rows, bool(answer.error)) for answer in answers] == [(0, True), (2, False)]


@pytest.mark.parametrize("costly", [False, True])
def test_of_many_rows_some_are_shown(library: Case, monkeypatch: pytest.MonkeyPatch, costly: bool) -> None:
    monkeypatch.setattr(rows, "_ORDERED", 6)
    [count] = ask(begun(library), about("t.id > 10", source=REVIEWS, shared=not costly, costly=costly))

    assert count.rows == 38
    assert len(count.sample) == rows.SAMPLE
    assert all(int(str(number)) > 10 for (number,) in count.sample)


def items() -> MetaData:
    metadata = MetaData()
    Table(
        "items",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("code", String(5), unique=True),
        Column("a", Integer),
        Column("b", Integer),
        UniqueConstraint("a", "b", name="once", postgresql_nulls_not_distinct=True),
    )
    Table(
        "lines",
        metadata,
        Column("item", Integer, primary_key=True, autoincrement=False),
        Column("number", Integer, primary_key=True, autoincrement=False),
    )
    return metadata


LOOSE = Specimen(
    "",
    "ALTER TABLE items DROP CONSTRAINT items_pkey, DROP CONSTRAINT items_code_key, DROP CONSTRAINT once;"
    "ALTER TABLE items ALTER id DROP NOT NULL;"
    "ALTER TABLE lines ADD UNIQUE (item), DROP CONSTRAINT lines_pkey",
    contract=items,
    setup="INSERT INTO items VALUES (1, 'x', 1, 1); INSERT INTO lines VALUES (1, 1)",
)
FEW = st.none() | st.integers(1, 3)
ITEMS = st.lists(st.tuples(FEW, st.none() | st.sampled_from("xy"), FEW, FEW), max_size=12)


@pytest.fixture(scope="module")
def loose(laboratory: Laboratory) -> Iterator[Case]:
    """A table whose rows may repeat in every way."""
    with laboratory.database(18, LOOSE) as case:
        case.break_(LOOSE.breaks)
        yield case


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(items=ITEMS)
def test_duplicates_are_counted_as_they_are(loose: Case, items: list[tuple[Any, ...]]) -> None:
    cursor = loose.connection.cursor()
    cursor.execute("TRUNCATE items")
    for item in items:
        cursor.execute("INSERT INTO items VALUES (%s, %s, %s, %s)", item)
    found = look(cursor, loose.sound.contract)
    loose.connection.rollback()

    assert duplicates(found) == expected(items)


def test_a_key_on_fewer_columns_proves_the_key_on_more(loose: Case) -> None:
    cursor = asked(loose, (duplicate_row, duplicate_key), "lines")

    assert scans(cursor, "lines") == 0


def test_a_unique_that_lets_nulls_repeat_proves_nothing_where_they_may_not(laboratory: Laboratory) -> None:
    with laboratory.database(18, LOOSE) as case:
        case.break_(f"{LOOSE.breaks}; ALTER TABLE items ADD UNIQUE (a)")
        case.break_("INSERT INTO items VALUES (7, 'y', NULL, 1), (8, 'z', NULL, 1)")
        found = examine(case.connection, case.sound.contract)

        assert duplicates(found) == {"duplicate-values a": 1}


def duplicates(found: Comparison) -> dict[str, int]:
    slugs = (duplicate_row.SLUG, duplicate_key.SLUG, duplicate_values.SLUG)
    return {f"{f.slug} {f.column or 'id'}": f.rows for f in found.findings if f.slug in slugs}


def expected(items: list[tuple[Any, ...]]) -> dict[str, int]:
    """Count without a database: identical rows count once among those that share a value."""
    distinct = dict.fromkeys(items)
    keyed = [item for item in items if item[0] is not None]
    counts = {
        "duplicate-row id": len(keyed) - len(set(keyed)),
        "duplicate-key id": surplus([item[0] for item in set(keyed)]),
        "duplicate-values code": surplus([item[1] for item in distinct if item[1] is not None]),
        "duplicate-values a": surplus([item[2:] for item in distinct]),
    }
    return {name: count for name, count in counts.items() if count}


def surplus(values: Sequence[object]) -> int:
    return len(values) - len(set(values))


def test_what_cannot_be_asked_of_a_column_that_keeps_its_type_is_no_finding(laboratory: Laboratory) -> None:
    with laboratory.database(18) as case:
        case.break_(
            "ALTER TABLE books DROP CONSTRAINT books_price_check; ALTER TABLE books ALTER price TYPE bytea USING ''"
        )
        found = {(finding.slug, finding.repair.label) for finding in case.check().findings}

        assert found == {("wrong-type", "manual"), ("missing-check", "automatic")}


def test_nor_is_it_of_an_expression_that_names_such_a_column(laboratory: Laboratory) -> None:
    parts = Index("u", text("(n * 2)"), unique=True), ExcludeConstraint((text("int4range(n, n + 1)"), "&&"))
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run("CREATE TABLE t (id serial PRIMARY KEY, n bytea); INSERT INTO t (n) VALUES ('x')")
        found = fixer.check(connection, contract(t=(key(), Column("n", Integer), *parts))).findings

        assert {finding.slug for finding in found} == {"wrong-type", "missing-unique", "missing-exclusion"}


def test_among_many_tables_without_rows_the_one_that_has_some_is_read(laboratory: Laboratory) -> None:
    names = [f"t{number}" for number in range(CHEAP_PROBES + 2)]
    made = ";".join(f"CREATE TABLE {name}(id serial PRIMARY KEY)" for name in names)
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(f"{made}; INSERT INTO t5 VALUES (1)")
        found = fixer.check(connection, contract(**{name: (key(),) for name in names})).findings

        assert [(finding.slug, finding.table.name, finding.rows) for finding in found] == [("sequence-behind", "t5", 1)]


def test_rows_that_break_one_valid_key_have_those_of_all_small_tables_read(laboratory: Laboratory) -> None:
    names = [f"t{number:03}" for number in range(2 * CHEAP_PROBES)]
    tables = {name: (key(), Column("p", ForeignKey("p.id"))) for name in names}
    made = ";".join(f"CREATE TABLE {name}(id serial PRIMARY KEY, p int REFERENCES p)" for name in names)
    wounded = "; ".join(f"INSERT INTO {name} (p) VALUES (9)" for name in names)
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(
            f"CREATE TABLE p (id serial PRIMARY KEY); {made}; SET session_replication_role = replica; {wounded}"
        )
        found = fixer.check(connection, contract(p=(key(),), **tables)).findings

        assert [finding.table.name for finding in found if finding.slug == "orphan-rows"] == names
