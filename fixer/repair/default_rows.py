"""Conditions about the rows that a contract declares, for the defect classes that need them."""

from __future__ import annotations

from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.subject import DefaultRow
from fixer.model.table import Column, QName, Table
from fixer.repair.constraints.conflicts import barring
from fixer.repair.quarantine import identity_of
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Literal
from fixer.sql.types import can_compare
from fixer.sql.uniques import by_equality


def described(table: QName, row: DefaultRow, contract: Contract) -> str:
    """Return the row by its identity, for people: ``username 'PAPER_TRADER_001'``; one without may be any row."""
    identity = identity_of(contract, table, row)
    return ", ".join(f"{column} {_spelt(row[column])}" for column in identity) or "of defaults alone"


def _spelt(value: Composable) -> str:
    return repr(value.wrapped) if isinstance(value, Literal) else "…"


def absent(table: QName, row: DefaultRow, actual: Schema, contract: Contract) -> Composed:
    """Return the condition that no row of the table is the default row."""
    return SQL("NOT ") + _exists(contract.tables[table], row, identity_of(contract, table, row), actual)


def clashing(
    table: QName, row: DefaultRow, actual: Schema, contract: Contract, *, missing: bool = False
) -> Composed | None:
    """Return the condition that another row holds a unique value of the default row, or excludes it; None if none can.

    If a generated number identifies the default row, that is a row with another number. Otherwise there is no clash
    once the default row exists, because its other values may have changed since. `missing` says that it is known not
    to exist, so that the condition need not ask.
    """
    found = _repeating(table, row, actual, contract, missing=missing)
    barred = _barred(table, row, actual, contract, missing=missing)
    if found is None or barred is None:
        return found or barred
    return SQL("({} OR {})").format(found, barred)


def _barred(table: QName, row: DefaultRow, actual: Schema, contract: Contract, *, missing: bool) -> Composed | None:
    """Return the condition that the default row is missing, and a row conflicts with it.

    Under an exclusion, or a unique that is deferrable, partial, over expressions or over columns with defaults.
    """
    wanted, there = contract.tables[table], actual.tables[table]
    values = {c.name: contract.value_for(table, c) for c in wanted.columns.values() if not c.generated}
    cells = {name: value for name, value in (values | dict(row)).items() if value is not None}
    constant = {name: value for name, value in cells.items() if name in row or not wanted.columns[name].volatile}
    bars = [bar for key in wanted.indexes if key.exclusion for bar in barring(key, there, cells, wanted.columns)]
    others = (key for key in wanted.indexes if key.unique and not (key.is_plain_key and set(key.columns) <= set(row)))
    bars += [
        bar
        for key in others
        if not key.overlaps_not
        for bar in barring(by_equality(key), there, constant, wanted.columns)
    ]
    if not bars:
        return None
    lacking = SQL("true") + SQL("") if missing else absent(table, row, actual, contract)
    return SQL("({} AND ({}))").format(lacking, q.any_of(bars))


def _repeating(table: QName, row: DefaultRow, actual: Schema, contract: Contract, *, missing: bool) -> Composed | None:
    identity = identity_of(contract, table, row)
    others = [
        key.columns
        for key in contract.tables[table].plain_keys
        if set(key.columns) <= set(row) and key.columns != identity
    ]
    if not others:
        return None
    # A generated number says little about a row: another row may have got it.
    counted = all(contract.tables[table].columns[column].generates for column in identity)
    but = identity if counted and set(identity) <= set(actual.tables[table].columns) else ()
    clash = SQL("({})").format(q.any_of(_exists(contract.tables[table], row, each, actual, but) for each in others))
    return clash if but or missing else SQL("({} AND {})").format(absent(table, row, actual, contract), clash)


def _exists(
    wanted: Table, row: DefaultRow, columns: tuple[str, ...], actual: Schema, but: tuple[str, ...] = ()
) -> Composed:
    """Return the condition that a row has these values of the default row, and does not have its values of `but`."""
    there = actual.tables[wanted.name]
    if not set(columns) <= set(there.columns):
        return SQL("false") + SQL("")
    match = [_matched(there, wanted, row, columns)]
    if but:
        match.append(SQL("({}) IS NOT TRUE").format(_matched(there, wanted, row, but)))
    return SQL("EXISTS (SELECT FROM {} WHERE {})").format(q.rows_of(there, own=True), q.all_of(match))


def _matched(table: Table, wanted: Table, row: DefaultRow, columns: tuple[str, ...]) -> Composed:
    return q.all_of(_holds(table, wanted.columns[column], row[column]) for column in columns)


def _holds(table: Table, wanted: Column, value: Composable) -> Composed:
    """Return the condition that a column holds a value; as a text, if its type keeps no such values."""
    found = table.columns[wanted.name]
    if can_compare(found.base or found.type, wanted.base or wanted.type):
        return q.is_value(table, wanted.name, value)
    return SQL("{}::text = ({})::{}::text").format(q.column(wanted.name), value, SQL(wanted.full_type))
