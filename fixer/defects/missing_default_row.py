"""A default row of the contract is missing.

Costs: code that needs it fails, for example with "Could not create default user".
Cure: insert it once, even if others try to insert it at the same time.
Hint: `default_rows` on the table lists the rows that must exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _walk as walk
from fixer.model.contract import Contract, TableHints
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Effect, Lock, Part, Phase, Repair, Shape, Step, refuse
from fixer.model.subject import OfDefaultRow
from fixer.model.table import TABLES, Column, ForeignKey, QName, Table
from fixer.repair.counting.new_numbers import generator_then
from fixer.repair.default_rows import absent, clashing, described
from fixer.repair.numbers import advance, anchor, held
from fixer.repair.quarantine import identity_of
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.row_statements import insert_statement
from fixer.sql.types import family

SLUG = "missing-default-row"
POINT = 3
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfDefaultRow]]:
    """Yield the default rows, with the probe that finds whether each is absent and no other row holds its values."""
    for name, row in walk.default_rows(actual, contract):
        clash = clashing(name, row, actual, contract, missing=True)
        free = SQL(" AND NOT {}").format(clash) if clash else SQL("")
        condition = absent(name, row, actual, contract) + free
        message = f"{name.name} should have the default row {described(name, row, contract)}, has none"
        asks = partial(Probe, SQL("(VALUES (1)) AS t (one)"), condition, shared=False)
        about, aspect = OfDefaultRow(name, row), described(name, row, contract)
        yield Finding(SLUG, POINT, about, message, only_with_rows=True, asks=asks, aspect=aspect)


def repair(finding: Finding[OfDefaultRow], actual: Schema, contract: Contract) -> Repair:
    """Insert the row."""
    row, name = finding.about.row, finding.table
    empty = [
        column.name
        for column in contract.tables[name].columns.values()
        if column.not_null and not _fills(column) and not _fills(actual.tables[name].columns.get(column.name))
    ]
    if lacking := [column for column in empty if column not in row]:
        return refuse(f"the contract gives it no value for {lacking[0]}, which may not be NULL")
    # Not by ON CONFLICT, which no deferrable unique supports; atomic mode locks writers out, online mode plans anew.
    match = q.all_of(q.is_value(contract.tables[name], c, row[c]) for c in identity_of(contract, name, row))
    reason = f"the default row {described(name, row, contract)}"
    insert = insert_statement(name, row, match, reason, dict(_referencing(name, actual, contract)))
    numbered = [c.name for c in contract.tables[name].columns.values() if c.generates and c.name not in row]
    step = Step(
        phase=Phase.DEFAULT_ROWS,
        table=finding.table,
        title=f"insert the default row {described(finding.table, row, contract)} into {finding.table.name}",
        sql=insert,
        lock=Lock.ROW_EXCLUSIVE,
        effect=Effect(rows=1, inserts=True),
        shape=Shape(known_by=identity_of(contract, name, row)),
    )
    brought = [c.name for c in contract.tables[name].columns.values() if c.generates and c.name in row]
    counted = (advance(name, column, None) for column in brought)
    ahead = (replace(part.atomic, phase=Phase.ORPHANS).online_as(part.online) for part in counted)
    room = (_room(name, column, actual, contract) for column in numbered)
    return Repair.of((*room, step, *ahead))


def _referencing(name: QName, actual: Schema, contract: Contract) -> Iterator[tuple[ForeignKey, bool]]:
    """Yield the foreign keys of the contract that point at a table, of columns that hold something today.

    Each comes with whether all columns of both ends are integers when the row comes.
    """
    for key in contract.foreign_keys():
        child = actual.tables.get(key.table) if key.target == name else None
        if child and child.kind in TABLES and not child.created and set(key.columns) <= set(child.columns):
            integers = _are_integers(child, key.columns) and _are_integers(actual.tables[name], key.target_columns)
            yield key, integers


def _are_integers(table: Table, columns: Iterable[str]) -> bool:
    """Return whether a table has these columns, as integers."""
    return all(c in table.columns and family(table.columns[c].type) == "integer" for c in columns)


def _room(name: QName, column: str, actual: Schema, contract: Contract) -> Part:
    """Return the step that finds a number for the row; online, after a column that the plan numbers got its name."""
    taken = held(name, column, actual, contract.schema)
    asked = generator_then(name, column, actual, contract) if taken else None  # else the default counts by itself
    generator = asked or q.generator_of(name, column)
    room = anchor(name, column, generator, taken, rows=1)
    found = actual.tables[name].columns.get(column)
    if not (found and found.numbered):
        return room
    return room.atomic.online_as(replace(each, phase=Phase.VALUES) for each in room.online)


def _fills(column: Column | None) -> bool:
    """Return whether the database gives a column its value."""
    return bool(column and (column.default is not None or column.generates or column.generated))


SPECIMENS = (
    Specimen("deleted", "UPDATE authors SET name = 'somebody' WHERE name = 'Anonymous'", rows=1),
    Specimen(
        "its number stands in an orphan",
        "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey; UPDATE books SET author_id = 13 WHERE id < 3;"
        "UPDATE authors SET name = 'somebody' WHERE name = 'Anonymous'",
        hazards=frozenset({"moves-rows"}),
        rows=1,
        quarantined=6,
        also=frozenset({"missing-foreign-key", "orphan-rows"}),
    ),
    Specimen("no rows at all", "TRUNCATE authors CASCADE", rows=1),
)
NEAR_MISSES = (Specimen("changed by its users", "UPDATE authors SET country = 'IN' WHERE name = 'Anonymous'"),)


def mutate_hinted(table: Table, hints: TableHints) -> Iterator[Composable]:
    """Yield statements that plant it in a table: delete a default row."""
    for row in hints.default_rows:
        same = SQL(" AND ").join(SQL("{} = ({})").format(Identifier(name), value) for name, value in row.items())
        yield SQL("DELETE FROM {} WHERE {}").format(q.name(table.name), same)
