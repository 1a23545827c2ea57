"""Rows conflict under an exclusion constraint of the contract.

Costs: the constraint cannot be added, and a room is let twice for the same hour.
Cure: a person decides, because only a person can tell which of two rows is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._rooms import ASLEEP, ROOM_ROWS, STAYING, rooms, stays
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfIndex
from fixer.model.table import Index, Table
from fixer.repair.constraints import conflicts, exclusions
from fixer.repair.constraints.rewriting import new_cell
from fixer.sql import compose as q
from fixer.sql.compose import Composable
from fixer.sql.uniques import by_overlap, stands_without_overlaps, told

SLUG = "conflicting-rows"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfIndex]]:
    """Yield the wanted exclusions, with the probe for rows that conflict; an enforced one vouches for its rows."""
    for wanted, table, key in walk.exclusions(actual, contract, alike=True):
        if table.created or not _has_all(key, wanted, table):
            continue
        found, filled = exclusions.stands(key, table), _filled(key, table, contract)
        if not (found or conflicts.can_compare(key, table)):
            continue
        vouched = bool(found and not found.disabled_triggers) and filled is table
        when = "rows conflict" if filled is table else "rows conflict, some once NULL has the contract's value"
        yield Finding(
            SLUG,
            POINT,
            OfIndex(table.name, key),
            f"{table.name.name} should satisfy {key.exclusion}, {when} (each is shown with another)",
            only_with_rows=True,
            vouched=vouched,
            asks=partial(conflicts.conflicts, key, filled, costly=not vouched),
        )
    for _, table, key in walk.periods(actual, contract):
        yield from _of_periods(key, table)


def _of_periods(key: Index, table: Table) -> Iterator[Finding[OfIndex]]:
    """Yield what a key WITHOUT OVERLAPS may find: rows whose periods overlap, or are empty."""
    if table.created or not set(key.columns) <= set(table.columns):
        return
    vouched = stands_without_overlaps(key, table)
    if vouched or conflicts.can_compare(by_overlap(key), table):
        yield Finding(
            SLUG,
            POINT,
            OfIndex(table.name, key),
            f"{table.name.name} should satisfy {told(key)}, rows conflict (each is shown with another),"
            f" or have an empty {key.columns[-1]} (they are shown twice)",
            only_with_rows=True,
            vouched=vouched,
            asks=partial(conflicts.of_periods, key, table, costly=not vouched),
        )


def _filled(key: Index, table: Table, contract: Contract) -> Table:
    """Return the table with the contract's value for NULL, in the columns of an exclusion that get it (null-rows)."""
    wanted = contract.tables[table.name]
    for column in wanted.columns.values():
        found, value = table.columns.get(column.name), contract.value_for(table.name, column)
        if (
            found
            and column.not_null
            and not found.not_null
            and value is not None
            and exclusions.names(key, column.name)
        ):
            now = q.over(new_cell(found, value, where_null=True), column.name, q.today(found))
            table = table.with_column(replace(found, now=now))
    return table


def _has_all(key: Index, wanted: Table, table: Table) -> bool:
    """Return whether the table has all columns that an exclusion names, with values that can be asked for."""
    named = [table.columns.get(column) for column in wanted.columns if exclusions.names(key, column)]
    return all(column and not column.mapped for column in named)


def repair(finding: Finding[OfIndex], actual: Schema, contract: Contract) -> Repair:
    """Refuse, and name some of the pairs."""
    pairs = ", ".join(map(_pair, finding.sample)) + (", …" if finding.rows > len(finding.sample) else "")
    return refuse(f"only a person can tell which row of a pair is wrong ({pairs}): change or remove it, and plan again")


def _pair(cells: tuple[str | None, ...]) -> str:
    """Return the keys of two rows, which a sample shows side by side."""
    texts = [cell or "NULL" for cell in cells]
    half = len(texts) // 2
    return f"{'/'.join(texts[:half])} and {'/'.join(texts[half:])}"


TWICE = "INSERT INTO rooms (hours, days, opens, shuts, place) VALUES {}"
GONE = "ALTER TABLE rooms DROP CONSTRAINT {};"
LACKS = frozenset({"missing-exclusion"})
SPECIMENS = (
    Specimen(
        "ranges overlap",
        GONE.format("rooms_free") + TWICE.format("('[4,9)', NULL, 90, 95, 9)"),
        rows=1,
        also=LACKS,
        contract=rooms,
        setup=ROOM_ROWS,
        manual=True,
    ),
    Specimen(
        "ranges of an expression overlap, some with several",
        GONE.format("rooms_open") + TWICE.format("('[7,8)', NULL, 12, 38, 9), ('[8,9)', NULL, 90, 95, 10)"),
        rows=3,
        also=LACKS,
        contract=rooms,
        setup=ROOM_ROWS,
        manual=True,
    ),
    Specimen(
        "two ranges overlap at once",
        GONE.format("rooms_days")
        + GONE.format("rooms_open")
        + TWICE.format("('[7,8)', '[2,9)', 11, 12, 9), ('[8,9)', '[0,1)', 13, 14, 10)"),
        rows=3,
        also=LACKS,
        contract=rooms,
        setup=ROOM_ROWS,
        manual=True,
    ),
    Specimen(
        "numbers are equal, under a trigger that sleeps",
        ASLEEP + TWICE.format("('[7,8)', NULL, 90, 95, 2), ('[8,9)', NULL, 95, 96, 2)"),
        rows=2,
        also=frozenset({"disabled-unique"}),
        contract=rooms,
        setup=ROOM_ROWS,
        superuser=True,
        manual=True,
    ),
    Specimen(
        "numbers are equal, under a trigger that slept",
        ASLEEP + TWICE.format("('[7,8)', NULL, 90, 95, 2)") + "; ALTER TABLE rooms ENABLE TRIGGER ALL",
        rows=1,
        contract=rooms,
        setup=ROOM_ROWS,
        superuser=True,
        manual=True,
    ),
    Specimen(
        "periods overlap, or are empty",
        "ALTER TABLE stays DROP CONSTRAINT stays_pkey;"
        "INSERT INTO stays VALUES ('[1,2)', '[2026-01-01,2026-01-04)', 'x'), ('[7,8)', 'empty', 'y')",
        rows=2,
        also=frozenset({"missing-primary-key"}),
        contract=stays,
        setup=STAYING,
        minimum_version=18,
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen(
        "periods overlap, of other rooms",
        "INSERT INTO stays VALUES ('[7,8)', '[2026-01-01,2027-01-01)', 'x')",
        contract=stays,
        setup=STAYING,
        minimum_version=18,
    ),
    Specimen(
        "what overlaps is outside of its condition, empty, or NULL",
        "UPDATE rooms SET closed = true WHERE id = 2;"
        + TWICE.format("('[2,3)', NULL, NULL, 1, 9), ('empty', 'empty', 77, 77, 10)"),
        contract=rooms,
        setup=ROOM_ROWS,
    ),
    Specimen(
        "ranges touch",
        TWICE.format("('[7,9)', '[100,101)', 70, 80, 9), ('[9,10)', '[101,102)', 80, 90, 10)"),
        contract=rooms,
        setup=ROOM_ROWS,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop an exclusion, and give one row the values of another."""
    for index in table.indexes:
        if index.exclusion and all(index.columns):
            yield plant.block(plant.without(table.name, index.name), plant.repeated(table.name, index.columns))
