"""A column of the contract is missing, and a column that the contract does not know holds values of its type.

Costs: none by itself. But if the unknown one was meant, the application would find the added column empty.
Cure: a person declares the other name as a legacy name, or lets the column be added.
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
from fixer.model.step import Repair, refuse
from fixer.model.subject import WantedColumn
from fixer.model.table import Column, Table
from fixer.repair.probe import rows_where
from fixer.repair.twins import column_twin, renamed_from
from fixer.sql import compose as q
from fixer.sql.compose import Composable
from fixer.sql.types import family

SLUG = "renamed-column"
POINT = 4
STAGE = Stage.COLUMNS
_NAMED = 3  # columns that a message names at most


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[WantedColumn]]:
    """Yield each unknown column that may be a missing one, with the probe for values in it."""
    for wanted, table, column in walk.missing_columns(actual, contract):
        for name in _candidates(wanted, table, column, contract):
            asks = partial(rows_where, actual, table.name, q.not_null([name]))
            message = f"{table.name.name}.{column.name} is missing, but {name} holds values of its type"
            why = refuse(renamed_from(table.name, column.name, name, contract))
            about = WantedColumn(table.name, column)
            yield Finding(SLUG, POINT, about, message, "info", asks=asks, only_with_rows=True, repair=why, aspect=name)


def _candidates(wanted: Table, table: Table, column: Column, contract: Contract) -> list[str]:
    """Return the unknown columns that may be a missing one, those of a similar name first."""
    from difflib import SequenceMatcher

    hints = contract.hints[table.name]
    mine = hints.of(column.name)
    if column.generated or mine.alone or column_twin(table, wanted, column.name, mine):
        return []
    known = {*wanted.columns, *(name for each in hints.columns.values() for name in each.legacy_names)}
    alike = [each.name for each in table.columns.values() if each.name not in known and _may_be(each, column)]
    return sorted(alike, key=lambda name: -SequenceMatcher(None, name, column.name).ratio())[:_NAMED]


def _may_be(found: Column, wanted: Column) -> bool:
    """Return whether a column that is there today is of the wanted family, and nobody else's twin or number."""
    there = not (found.added or found.generated or found.generates)
    return there and family(found.type) == family(wanted.type) and found.enum == wanted.enum


def repair(finding: Finding[WantedColumn], actual: Schema, contract: Contract) -> Repair:
    """Refuse, because only a person knows."""
    return finding.repair


ADDED = frozenset({"missing-column"})
SPECIMENS = (
    Specimen("a nullable column under another name", "ALTER TABLE books RENAME pages TO sheets", also=ADDED),
    Specimen(
        "a needed column under another name",
        'ALTER TABLE books RENAME title TO "the title%"',
        also=ADDED | {"missing-unique", "rogue-not-null"},
        manual=True,
    ),
)
NEAR_MISSES = (Specimen("an unknown column beside all others", "ALTER TABLE books ADD other varchar(40) DEFAULT 'x'"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: rename a column that nothing else is made of."""
    for column in plant.bare(table):
        yield plant.altered(table.name, "RENAME COLUMN {} TO {}", column.name, f"{column.name[:50]} of old")
