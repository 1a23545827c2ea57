"""Rows of a table that INHERITS from another break a key or a reference of that one, whose rows they show as.

Costs: keys and foreign keys bind only rows of the table itself (PostgreSQL manual, 5.11.1), so a query may find two
rows under one key, or rows whose parent does not exist.
Cure: a person decides what such rows mean. Nothing is changed, and the contract counts as kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfForeignKey, OfIndex, OfPrimaryKey
from fixer.model.table import ForeignKey, Index, QName, Table
from fixer.repair.constraints.foreign_keys import is_comparable
from fixer.repair.probe import parents, shown
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.following import orphaned

SLUG = "unbound-heirs"
POINT = 4
STAGE = Stage.PARTS
OfPart = OfPrimaryKey | OfIndex | OfForeignKey


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfPart]]:
    """Yield the keys and foreign keys of tables from which others INHERIT, with the probes for rows of these."""
    for wanted, table in walk.tables(actual, contract, alike=True):
        if table.heirs:
            yield from _keys(wanted, table)
            yield from _references(wanted, table, actual)


def _keys(wanted: Table, table: Table) -> Iterator[Finding[OfPart]]:
    for key in wanted.indexes:
        if not key.unique or key.partial or not set(key.columns) <= set(table.columns):
            continue
        about = OfPrimaryKey(table.name, key) if key.primary else OfIndex(table.name, key)
        columns = ", ".join(key.columns)
        message = f"{table.name.name} should have each ({columns}) once, rows of tables that INHERIT from it repeat it"
        way = f"{key.name} binds rows of {table.name} alone: give those rows other keys, or ask for ONLY its rows"
        yield _finding(about, message, way, partial(_repeating, table, key))


def _references(wanted: Table, table: Table, actual: Schema) -> Iterator[Finding[OfPart]]:
    for key in wanted.foreign_keys:
        parent = actual.tables.get(key.target)
        if parent and is_comparable(key, actual):
            here = f"{key.table.name}.{', '.join(key.columns)}"
            message = f"{here} points at no row of {key.target.name} in rows of tables that INHERIT from it"
            way = f"{key.name} binds rows of {table.name} alone: give those tables foreign keys of their own"
            yield _finding(OfForeignKey(key), message, way, partial(_orphans, table, key, parent))


def _finding(about: OfPart, message: str, way: str, asks: partial[Probe]) -> Finding[OfPart]:
    """Return a warning; `vouched`, because to read all heirs of a large table takes long."""
    return Finding(
        SLUG,
        POINT,
        about,
        message,
        severity="warning",
        asks=asks,
        only_with_rows=True,
        vouched=True,
        repair=refuse(way),
    )


def _repeating(table: Table, key: Index) -> Probe:
    rows = q.repeating(q.rows_of(table), key.columns, q.equalities(table, key.columns))
    return Probe(rows, _inherits(table, "pgmend_part"), _shown(table, "pgmend_part"), costly=True)


def _orphans(table: Table, key: ForeignKey, parent: Table) -> Probe:
    condition = SQL("{} AND {}").format(_inherits(table, "tableoid"), orphaned(key, parents(parent, own=False)))
    return Probe(q.rows_of(table), condition, _shown(table, "tableoid"), shared=False, costly=True)


def _inherits(table: Table, part: str) -> Composable:
    """Return the condition that the row is one of another table than that whose name the statement says."""
    own = Literal(q.quoted(table.stored_as or table.name))
    return SQL("t.{} <> {}::text::regclass").format(SQL(part), own)


def _shown(table: Table, part: str) -> tuple[Composable, ...]:
    return (*shown(table), SQL("t.{}::regclass::text").format(SQL(part)))


def repair(finding: Finding[OfPart], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


HEIR = "CREATE TABLE old_reviews (shelf text) INHERITS (reviews);"
LATE = "SELECT setval('reviews_id_seq', 1000)"  # heirs count by the sequence of their parent
SPECIMENS = (
    Specimen(
        "a row repeats a key",
        f"{HEIR} INSERT INTO old_reviews (id, book_id) VALUES (1, 1), (900, 1); {LATE}",
        rows=1,
        manual=True,
    ),
    Specimen(
        "rows of two heirs share a key",
        f"{HEIR} CREATE TABLE older_reviews () INHERITS (old_reviews); INSERT INTO old_reviews (id, book_id)"
        f" VALUES (900, 1); INSERT INTO older_reviews (id, book_id) VALUES (900, 2); {LATE}",
        rows=2,
        manual=True,
    ),
    Specimen(
        "a row points at nothing",
        f"{HEIR} INSERT INTO old_reviews (id, book_id) VALUES (900, 77); {LATE}",
        rows=1,
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen(
        "heirs that hold the rows of one month each",
        "CREATE TABLE m1 (CHECK (id < 100000), PRIMARY KEY (id)) INHERITS (reviews);"
        "CREATE TABLE m2 (CHECK (id >= 100000), PRIMARY KEY (id)) INHERITS (reviews);"
        "INSERT INTO m1 (id, book_id) SELECT 90000 + id, book_id FROM ONLY reviews;"
        "INSERT INTO m2 (id, book_id) SELECT 100000 + id, book_id FROM ONLY reviews;"
        "SELECT setval('reviews_id_seq', 200000)",
    ),
    Specimen(
        "a row that points at one of an heir",
        f"CREATE TABLE old_books () INHERITS (books); {HEIR}"
        "INSERT INTO old_books (id, author_id, editor_id, title, price) VALUES (900, 1, 1, 'old', 1);"
        f"INSERT INTO old_reviews (id, book_id) VALUES (901, 900); {LATE}; SELECT setval('books_id_seq', 1000)",
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let another inherit from it, and repeat its first row."""
    if table.kind == "p" or not any(index.unique and not index.partial for index in table.indexes):
        return
    heir, cells = (
        q.name(QName(table.name.schema, f"heir {table.name.name}")),
        q.names(c.name for c in plant.writable(table)),
    )
    made = SQL("CREATE TABLE {} () INHERITS ({})").format(heir, q.name(table.name))
    row = SQL("SELECT {} FROM ONLY {} ORDER BY ctid LIMIT 1").format(cells, q.name(table.name))
    yield plant.block(made, SQL("INSERT INTO {} ({}) {}").format(heir, cells, row))
