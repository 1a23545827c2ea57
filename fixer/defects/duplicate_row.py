"""Identical rows share one primary key, as after a restore that ran twice.

Costs: the primary key cannot be added, and sums count these rows twice.
Cure: keep one row, and move its copies to quarantine. References to the key stay valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair
from fixer.model.subject import OfPrimaryKey
from fixer.model.table import Table
from fixer.repair.probe import rivals_where, shown
from fixer.repair.quarantine.copies import move_copies
from fixer.repair.quarantine.keepers import age
from fixer.repair.rows import settled
from fixer.sql.compose import SQL, Composable

SLUG = "duplicate-row"
POINT = 1
STAGE = Stage.PARTS

_COPY = SQL("t.pgmend_copy > 1")


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfPrimaryKey]]:
    """Yield the primary keys that no index proves unique, with the probe for identical rows."""
    for wanted, table, key in walk.unproved_keys(actual, contract):
        asks = partial(rivals_where, table, key.columns, age(table, contract).order, _COPY, shown(wanted))
        message = f"{table.name.name} should have each ({', '.join(key.columns)}) once, has identical rows"
        yield Finding(SLUG, POINT, OfPrimaryKey(table.name, key), message, asks=asks, only_with_rows=True)


def repair(finding: Finding[OfPrimaryKey], actual: Schema, contract: Contract) -> Repair:
    """Move the copies to quarantine; their children keep the remaining row as their parent."""
    table = actual.tables[finding.table]
    guards = actual.incoming(finding.table)  # those to another key, which is NULL in identical rows
    key, first = finding.about.wanted.columns, age(table, contract).order
    at_once, beside = (
        move_copies(each, key, finding.rows, guards, finding.places, first) for each in (table, table.before_mapping())
    )
    if settled(table, key) is not Phase.KEYS:
        return Repair.of([at_once])
    return Repair.of([at_once.atomic.online_as(step.before_mapping() for step in beside.online)])


SPECIMENS = (
    Specimen(
        "three rows restored twice",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey; INSERT INTO reviews SELECT * FROM reviews WHERE id < 4",
        hazards=frozenset({"moves-rows"}),
        rows=3,
        quarantined=3,
        also=frozenset({"missing-primary-key"}),
    ),
    Specimen(
        "one row restored three times, with children",
        "ALTER TABLE books DROP CONSTRAINT books_pkey CASCADE, DROP CONSTRAINT books_author_id_title_key;"
        "INSERT INTO books SELECT b.* FROM books b, generate_series(1, 2) WHERE id = 3",
        hazards=frozenset({"moves-rows"}),
        rows=2,
        quarantined=2,
        also=frozenset({"missing-primary-key", "missing-foreign-key", "missing-unique"}),
    ),
)
NEAR_MISSES = (
    Specimen("equal but for the key", "INSERT INTO reviews (book_id, body) SELECT book_id, body FROM reviews"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop the keys, and insert a row once more."""
    if table.primary_key:
        uniques = (plant.without_index(table.name, index) for index in table.indexes if index.unique)
        yield plant.block(*uniques, plant.copied(table))
