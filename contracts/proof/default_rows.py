"""Proves that the default row is created once, although many processes create it at the same time."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from psycopg2 import errors as pg

from contracts import rows
from contracts.proof.cases import Case, table_of
from contracts.proof.databases.place import Place
from contracts.proof.trials import Broken, NotApplicable
from contracts.proof.writing.evidence import said
from contracts.proof.writing.forbidden import why_shut
from contracts.proof.writing.paths import ITS_PATH, is_row
from contracts.proof.writing.race import Attempt, at_once
from contracts.proof.writing.transactions import rolled_back
from contracts.rows.tables import columns_of
from fixer.repair.quarantine import identity_of
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal


def default_row_is_created_once(place: Place, case: Case) -> None:
    """Create a row like the default row on many connections at once; raise Broken unless exactly one has it."""
    row, identity = _variant(place, case)
    _judge(at_once(place.target(), lambda: _insert(place, case, row)), place, case)
    with rolled_back(place) as cursor:
        match = is_row(place.contract.tables[case.table], [(c, row[c]) for c in identity])
        cursor.execute(SQL("SELECT count(*) FROM {} WHERE {}").format(q.name(case.table), match))
        if cursor.fetchone() != (0,):
            raise Broken(f"a row like the default row of {case.table.name} is left, though it was rolled back")


def _insert(place: Place, case: Case, row: dict[str, Composable]) -> Composable:
    """Return the INSERT of a row, with numbers of its own where a sequence would give them and keep them."""
    table = table_of(place.contract, case.table)
    free = [column for column in table.columns if rows.counted(column) and column.name not in row]
    numbers = {column.name: Literal(rows.fresh_number(column, secrets.randbits(128))) for column in free}
    insert = SQL("INSERT INTO {} ({}) {} VALUES ({}) ON CONFLICT DO NOTHING RETURNING 1").format(
        q.name(case.table),
        q.names([*row, *numbers]),
        SQL("OVERRIDING SYSTEM VALUE" if any(map(rows.fixed, free)) else ""),
        SQL(", ").join([*row.values(), *numbers.values()]),
    )
    return ITS_PATH + insert if all(isinstance(value, Literal) for value in row.values()) else insert


def _judge(attempts: Sequence[Attempt], place: Place, case: Case) -> None:
    """Raise Broken unless exactly one attempt has the row and the others waited for it or gave up."""
    name, many = case.table.name, len(attempts)
    holders = sum(attempt.holds for attempt in attempts)
    for attempt in attempts:
        if attempt.error and not isinstance(attempt.error, pg.LockNotAvailable | pg.QueryCanceled):
            if shut := why_shut(place, case.table, attempt.error):
                raise NotApplicable(shut)
            raise Broken(f"the default row of {name} cannot be created: {said(attempt.error)}")
    if holders == 0:
        raise Broken(f"none of {many} processes could create the default row of {name}: does a trigger swallow it?")
    if holders > 1:
        raise Broken(f"{holders} of {many} processes created the default row of {name} at the same time, each its own")


def _variant(place: Place, case: Case) -> tuple[dict[str, Composable], tuple[str, ...]]:
    """Return the default row with other values in its keys, and the columns that identify it."""
    contract = place.contract
    row = dict(contract.hints[case.table].default_rows[case.number])
    keys = [key.columns for key in contract.tables[case.table].plain_keys if set(key.columns) <= set(row)]
    if not keys:
        raise NotApplicable("the contract has no key by which the default row is known")
    table, token = table_of(contract, case.table), secrets.token_hex(8)
    referring = {column for key in contract.tables[case.table].foreign_keys for column in key.columns}
    for columns in keys:
        free = [column for column in columns if column not in referring]
        if not free:
            raise NotApplicable(f"no other row like the default row can be made: {columns[0]} refers to a row")
        for column in free:
            row[column] = _other(table, column, token)
    return row, identity_of(contract, case.table, row)


def _other(table: sa.Table, name: str, token: str) -> Composable:
    """Return a value of a column that no row is likely to hold."""
    column = columns_of(table)[name]
    if isinstance(column.type, sa.String):
        return Literal(f"pgmend-{token}"[-(column.type.length or 99) :])
    if isinstance(column.type, sa.Integer):
        return Literal(-1 - secrets.randbelow(2**15 - 1))
    if isinstance(column.type, sa.Uuid):
        return Literal(str(uuid.uuid4()))
    raise NotApplicable(f"no other value can be made for {column.name}, a {column.type}")
