"""An application that counts by itself beside an online repair: no row of its own ever changes its parent."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import errors as pg
from sqlalchemy import Column, Integer, MetaData, Table, Text

from fixer import undo
from fixer.defects._databases import TENANCY_ROWS, tenancy
from fixer.model.defect import Specimen
from fixer.model.plan import MODES, PlannedStep
from fixer.model.step.progress import Progress
from lab.database import Database, lent
from lab.evidence.dumps import everything
from lab.examples.library import FREE, FURTHER, TWICE
from lab.hook import Hook, apply, ask
from lab.laboratory import Case, Laboratory
from lab.online import APPLY
from lab.process import fixer, wait_for

# ---- beside every step


class Application(Progress):
    """Inserts a book with a review at every step of a run, under numbers that it counts by itself."""

    def __init__(self, case: Case, counts: str) -> None:
        self.case, self.counts = case, counts
        self.written: list[str] = []
        self.refused: list[str] = []
        self.read = self.highest()

    def highest(self) -> int:
        return int(ask(self.case, "SELECT max(id) FROM books")[0][0])

    def step(self, step: PlannedStep, _: int) -> None:
        if self.counts == "max(id) + 1":
            self.read = self.highest()
        self.read += 1
        self.write(self.read, str(step.number))
        if self.counts == "read a step before":
            self.read = self.highest()

    def write(self, number: int, word: str) -> None:
        title = f"app {word} {number}"
        book = f"INSERT INTO books (id, author_id, editor_id, title, price) VALUES ({number}, 1, 1, '{title}', 1)"
        try:
            ask(self.case, f"{book}; INSERT INTO reviews (book_id, body) VALUES ({number}, '{title}')")
        except pg.UniqueViolation:
            self.refused.append(title)
        else:
            self.written.append(title)


REVIEWED = "SELECT r.body, b.title FROM reviews r LEFT JOIN books b ON b.id = r.book_id"
ALIENS = f"{REVIEWED} WHERE r.body LIKE 'app %' AND b.title IS DISTINCT FROM r.body OR b.title = 'another'"
COUNTS = ["max(id) + 1", "read a step before", "a counter"]
NOTHING = "DROP SEQUENCE books_id_seq CASCADE"
KEYS = {
    "nothing counts": NOTHING,
    "a sequence that is behind": "SELECT setval('books_id_seq', 7)",
    "a sequence that is ahead": "SELECT setval('books_id_seq', 5000)",
    "a sequence whose numbers are taken in advance": "ALTER SEQUENCE books_id_seq CACHE 20",
    "near the end of the integers": f"{NOTHING}; UPDATE books SET id = 2147480000 WHERE id = 24",
    "a wider column": f"{NOTHING}; ALTER TABLE books ALTER id TYPE bigint",
    "a narrow column": f"{NOTHING}; ALTER TABLE books ALTER id TYPE smallint",
}


def written(case: Case) -> list[str]:
    return [title for (title,) in ask(case, "SELECT title FROM books WHERE title LIKE 'app %'")]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("counts", COUNTS)
def test_reviews_stay_with_their_books(laboratory: Laboratory, counts: str, key: str) -> None:
    with laboratory.database(18) as case:
        case.break_(TWICE, KEYS[key])
        application = Application(case, counts)
        apply(case, application)

        assert (ask(case, ALIENS), sorted(written(case))) == ([], sorted(application.written))


@pytest.mark.parametrize("counts", COUNTS)
def test_where_nothing_counted_no_number_is_refused(laboratory: Laboratory, counts: str) -> None:
    with laboratory.database(18) as case:
        case.break_(TWICE, NOTHING)
        application = Application(case, counts)
        apply(case, application)

        assert application.refused == []


NONE = (
    f"{FREE} ALTER TABLE books DROP CONSTRAINT books_pkey; ALTER TABLE books ALTER id DROP NOT NULL;"
    "INSERT INTO books SELECT NULL, author_id, editor_id, NULL, 'another', price, pages FROM books WHERE id < 4;"
)


@pytest.mark.parametrize("counts", COUNTS)
def test_books_without_a_number_get_none_that_others_take(laboratory: Laboratory, counts: str) -> None:
    with laboratory.database(18) as case:
        case.break_(NONE, NOTHING)
        application = Application(case, counts)
        apply(case, application)

        assert (ask(case, ALIENS), application.refused) == ([], [])


class Shelving(Application):
    """Puts a number on a shelf, of which no contract knows, at the step after."""

    def step(self, step: PlannedStep, _: int) -> None:
        ask(
            self.case, "INSERT INTO shelf SELECT id, title FROM books WHERE title LIKE 'app %' ORDER BY id DESC LIMIT 1"
        )
        super().step(step, _)


def test_a_table_that_nobody_named_keeps_its_references(laboratory: Laboratory) -> None:
    shelf = "SELECT s.title, b.title FROM shelf s JOIN books b ON b.id = s.book WHERE s.title <> b.title"
    with laboratory.database(18) as case:
        case.break_(TWICE, NOTHING, "CREATE TABLE shelf (book integer, title text)")
        apply(case, Shelving(case, "max(id) + 1"))

        assert ask(case, shelf) == []


def test_each_tenant_may_count_for_itself(laboratory: Laboratory) -> None:
    specimen = Specimen("", "", contract=tenancy, setup=TENANCY_ROWS)
    insert = """
    WITH m AS (INSERT INTO members SELECT {0}, max(id) + 1, 'app ' || max(id) FROM members WHERE tenant_id = {0}
               RETURNING *)
    INSERT INTO tasks (tenant_id, member_id, title) SELECT tenant_id, id, name FROM m
    """

    class Tenants(Progress):
        def step(self, step: PlannedStep, _: int) -> None:
            for tenant in (1, 2):
                ask(case, insert.format(tenant))

    with laboratory.database(18, specimen) as case:
        case.break_(
            "ALTER TABLE members DROP CONSTRAINT members_pkey CASCADE; DROP SEQUENCE members_id_seq CASCADE;"
            "INSERT INTO members SELECT tenant_id, id, 'another' FROM members"
        )
        apply(case, Tenants())
        aliens = ask(
            case,
            "SELECT t.title, m.name FROM tasks t LEFT JOIN members m ON m.tenant_id = t.tenant_id"
            " AND m.id = t.member_id WHERE t.title LIKE 'app %' AND m.name IS DISTINCT FROM t.title"
            " OR m.name = 'another'",
        )

        assert aliens == []


def parted() -> MetaData:
    metadata = MetaData()
    region = Column("region", Integer, primary_key=True, autoincrement=False)
    number = Column("id", Integer, primary_key=True, autoincrement=True)
    Table("p", metadata, region, number, Column("name", Text), postgresql_partition_by="LIST (region)")
    return metadata


PARTED = """
DROP TABLE p; CREATE TABLE p (region integer NOT NULL, id integer NOT NULL, name text) PARTITION BY LIST (region);
CREATE TABLE p0 PARTITION OF p FOR VALUES IN (0); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
INSERT INTO p SELECT n % 2, n, 'one' FROM generate_series(1, 9) AS n;
INSERT INTO p SELECT n % 2, n, 'another' FROM generate_series(7, 9) AS n
"""


def test_partitions_get_no_numbers_that_others_take(laboratory: Laboratory) -> None:
    insert = "INSERT INTO p SELECT 0, max(id) + 1, 'app ' || max(id) + 1 FROM p"

    class Numbering(Progress):
        def step(self, step: PlannedStep, _: int) -> None:
            ask(case, insert)

    with laboratory.database(18, Specimen("", "", contract=parted, setup="SELECT")) as case:
        case.break_(PARTED)
        apply(case, Numbering())
        own = "name = 'app ' || id OR name = 'one' AND id < 10 OR name = 'another' AND id > 10"

        assert ask(case, f"SELECT * FROM p WHERE ({own}) IS NOT TRUE") == []
        assert ask(case, "SELECT count(*) = count(DISTINCT id) FROM p") == [(True,)]


# ---- at one moment


def test_a_number_that_was_read_before_and_comes_in_late_stays_with_its_row(laboratory: Laboratory) -> None:
    """The numbers that old rows got until now begin where it takes its own."""
    with laboratory.database(18) as case:
        case.break_(TWICE, NOTHING)
        application = Application(case, "max(id) + 1")
        late = [partial(application.write, 25 + n, "late") for n in range(3)]
        apply(case, Hook("build the index of books_pkey", lambda: [write() for write in late]))

        assert (ask(case, ALIENS), len(written(case))) == ([], 3)


class Overtaking(Application):
    """Comes as far as the numbers that are set aside, just before rows get them, three times over."""

    times = 0

    def step(self, step: PlannedStep, _: int) -> None:
        if "new numbers" in step.title and step.title.startswith("give") and self.times < 3:
            self.times += 1
            (last,) = ask(self.case, "SELECT last_value FROM books_id_seq")[0]
            for number in range(last - FURTHER - 110, last - FURTHER + 2):
                self.write(number, "fast")


def test_who_is_faster_has_the_number_and_the_old_row_gets_another(laboratory: Laboratory) -> None:
    with laboratory.database(18) as case:
        case.break_(TWICE, NOTHING)
        application = Overtaking(case, "a counter")
        apply(case, application)

        assert (ask(case, ALIENS), application.refused, application.times) == ([], [], 3)


def test_once_numbers_are_given_nobody_else_takes_them(laboratory: Laboratory) -> None:
    given = "SELECT id FROM books WHERE title = 'another' ORDER BY id"
    with laboratory.database(18) as case:
        case.break_(TWICE, NOTHING)
        application = Application(case, "a counter")
        taken: list[int] = []

        def follow() -> None:
            taken.extend(number for (number,) in ask(case, given))
            for number in taken:
                application.write(number, "slow")

        apply(case, Hook("build the index of books_pkey", follow))

        assert (len(application.refused), [number for (number,) in ask(case, given)]) == (3, taken)


def test_in_one_transaction_a_number_that_was_read_before_is_refused_after_it(laboratory: Laboratory) -> None:
    with laboratory.database(18) as case:
        case.break_(TWICE, NOTHING)
        application = Application(case, "read a step before")
        apply(case, mode="atomic")
        application.write(application.read + 1, "late")

        assert (ask(case, ALIENS), len(application.refused)) == ([], 1)


class Stop(Exception):
    """Raised in the middle of a run."""


def stop() -> None:
    raise Stop


GUARD = "SELECT indexdef FROM pg_indexes WHERE indexname = 'pgmend_new_books_numbers'"


def test_numbers_stay_apart_while_a_run_is_interrupted(laboratory: Laboratory) -> None:
    with laboratory.database(18) as case:
        case.break_(TWICE, NOTHING)
        application = Application(case, "a counter")
        with pytest.raises(Stop):
            apply(case, Hook("build the index of books_pkey", stop))
        numbers = [number for (number,) in ask(case, "SELECT id FROM books WHERE title = 'another'")]
        for number in (25, *numbers):
            application.write(number, "meanwhile")
        guarded = ask(case, GUARD)
        apply(case)

        assert (len(guarded), ask(case, GUARD)) == (1, [])
        assert (ask(case, ALIENS), len(application.refused), len(written(case))) == ([], 3, 1)


@pytest.mark.parametrize("mode", MODES)
def test_what_kept_numbers_apart_and_was_left_behind_is_found_and_dropped(laboratory: Laboratory, mode: str) -> None:
    with laboratory.database(18) as case:
        case.break_("CREATE UNIQUE INDEX pgmend_new_books_numbers ON books (id) WHERE id > 90")
        found = [(finding.slug, finding.severity) for finding in case.check().findings]
        apply(case, mode=mode)

        assert (found, ask(case, GUARD)) == ([("unfinished-repair", "warning")], [])


def test_an_interrupted_run_that_numbered_rows_can_be_taken_back(laboratory: Laboratory) -> None:
    with laboratory.database(18) as case:
        case.break_(TWICE, NOTHING)
        before = everything(case.server, case.name)
        with pytest.raises(Stop):
            apply(case, Hook("build the index of books_pkey", stop))
        undo(case.connection, 1)

        assert everything(case.server, case.name) == before


def test_more_rows_than_numbers_were_set_aside_for_take_another_plan(laboratory: Laboratory) -> None:
    more = (
        "INSERT INTO books SELECT id, author_id, editor_id, NULL, 'more ' || n, price, pages"
        " FROM books, generate_series(1, 300) AS n WHERE title = 'title 5'"
    )
    with laboratory.database(18) as case:
        case.break_(TWICE)
        apply(case, Hook("give 3 rows of books new numbers", lambda: ask(case, more)))

        assert ask(case, "SELECT count(*) = count(DISTINCT id), count(*) FROM books") == [(True, 327)]
        assert ask(case, "SELECT min((mark ->> 'id')::integer) > 24 FROM fixer_journal.before_image") == [(True,)]


MISSING = "ALTER TABLE books DROP COLUMN id CASCADE; DELETE FROM reviews"


def test_a_key_that_is_missing_is_not_seen_before_all_rows_have_a_number(laboratory: Laboratory) -> None:
    """Who takes max(id) + 1 has no column to look at before, and is clear of all old rows then."""
    book = """
    WITH b AS (INSERT INTO books (id, author_id, editor_id, title, price)
               SELECT coalesce(max(id), 0) + 1, 1, 1, 'app ' || clock_timestamp(), 1 FROM books RETURNING *)
    INSERT INTO reviews (book_id, body) SELECT id, title FROM b
    """

    class Waiting(Progress):
        def step(self, step: PlannedStep, _: int) -> None:
            try:
                ask(case, book)
            except pg.UndefinedColumn:
                assert not seen
            else:
                seen.append(step.number)

    seen: list[int] = []
    with laboratory.database(18) as case:
        case.break_(MISSING)
        apply(case, Waiting())

        assert seen
        assert (ask(case, ALIENS), len(written(case))) == ([], len(seen))


# ---- all the while


SHOP = """
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table
metadata = MetaData()
Table("users", metadata, Column("id", Integer, primary_key=True),
      Column("email", String(100), nullable=False, unique=True))
Table("orders", metadata, Column("id", Integer, primary_key=True), Column("symbol", String(100), nullable=False),
      Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True))
"""
REPEATED = """
CREATE TABLE users (id integer, email varchar(100) NOT NULL UNIQUE);
CREATE TABLE orders (id serial PRIMARY KEY, user_id integer NOT NULL, symbol varchar(100) NOT NULL);
CREATE INDEX ON orders (user_id); CREATE INDEX ON users (id);
INSERT INTO users SELECT g, 'u' || g FROM generate_series(1, 3000) AS g;
INSERT INTO users SELECT g, 'another ' || g FROM generate_series(2990, 3000) AS g
"""
OTHERS = "SELECT symbol, email FROM orders LEFT JOIN users u ON u.id = user_id WHERE symbol IS DISTINCT FROM email"


class Shop(threading.Thread):
    """Takes users with max(id) + 1, and an order of each, until it closes; some of both in one transaction."""

    def __init__(self, database: Database, *, together: bool) -> None:
        super().__init__(daemon=True)
        self.database, self.together, self.closes = database, together, threading.Event()
        self.taken = 0

    def run(self) -> None:
        user = "INSERT INTO users (id, email) SELECT max(id) + 1, %s FROM users RETURNING id"
        with closing(psycopg2.connect(self.database.dsn)) as connection, connection.cursor() as cursor:
            connection.autocommit = not self.together
            while not self.closes.wait(0.002):
                email = f"app {self.taken}"
                cursor.execute(user, (email,))
                (number,) = cursor.fetchone() or (0,)
                cursor.execute("INSERT INTO orders (user_id, symbol) VALUES (%s, %s)", (number, email))
                connection.commit()
                self.taken += 1

    def __enter__(self) -> Shop:
        self.start()
        wait_for(lambda: self.taken)
        return self

    def __exit__(self, *_: object) -> None:
        self.closes.set()
        self.join()


@pytest.mark.parametrize(("version", "together"), [(18, False), (16, False), (18, True)])
def test_orders_stay_with_their_users_all_the_while(
    laboratory: Laboratory, tmp_path: Path, version: int, together: bool
) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    with lent(laboratory.server(version), None) as database:
        database.run(REPEATED)
        about = ("--contract", "shop:metadata", "--dsn", database.dsn)
        with Shop(database, together=together) as shop:
            ended = fixer(*APPLY, "--format", "json", *about, cwd=tmp_path)
        left, taken = database.run(OTHERS), database.ask("SELECT count(*) FROM orders")
        undone = fixer("undo", "1", "--yes", "-q", *about[2:])
        repeated = database.ask("SELECT count(*) FROM users WHERE email LIKE 'another%' AND id BETWEEN 2990 AND 3000")

        assert (ended.returncode, left, taken) == (0, [], shop.taken)
        assert all(e["before"] + e["inserted"] == e["after"] for e in json.loads(ended.stdout)["ledger"])
        assert (undone.returncode, repeated, database.run(OTHERS)) == (0, 11, [])
