"""Conditions about the rows that a contract declares, for the defect classes that need them."""

from __future__ import annotations

from collections.abc import Mapping

from fixer import sqltext as q
from fixer.contract import Contract
from fixer.mover import identity_of
from fixer.schema import QName, Schema
from fixer.sqltext import SQL, Composable, Composed, Literal

DefaultRow = Mapping[str, Composable]


def described(table: QName, row: DefaultRow, contract: Contract) -> str:
    """Return the row as a person knows it: ``username 'PAPER_TRADER_001'``."""
    identity = identity_of(contract, table, row)
    return ", ".join(f"{column} {_spelt(row[column])}" for column in identity)


def _spelt(value: Composable) -> str:
    return repr(value.wrapped) if isinstance(value, Literal) else "…"


def absent(table: QName, row: DefaultRow, actual: Schema, contract: Contract) -> Composed:
    """Return the condition that no row of the table is the default row."""
    return SQL("NOT ") + _exists(table, row, identity_of(contract, table, row), actual)


def clashing(table: QName, row: DefaultRow, actual: Schema, contract: Contract) -> Composed | None:
    """Return the condition that another row holds a value which the default row needs for itself."""
    identity = identity_of(contract, table, row)
    others = [
        key.columns
        for key in contract.tables[table].plain_keys
        if set(key.columns) <= set(row) and key.columns != identity
    ]
    if not others:
        return None
    return SQL("({})").format(q.any_of(_exists(table, row, columns, actual) for columns in others))


def _exists(table: QName, row: DefaultRow, columns: tuple[str, ...], actual: Schema) -> Composed:
    there = actual.tables[table]
    if not set(columns) <= set(there.columns):
        return SQL("false") + SQL("")
    match = q.all_of(SQL("{} = {}").format(q.column(column), row[column]) for column in columns)
    return SQL("EXISTS (SELECT FROM {} WHERE {})").format(q.rows_of(there, own=True), match)
