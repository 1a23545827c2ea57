"""What models say in ``info`` beside their schema: read from tables and columns, as SQL where it is a value."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any  # what is in an info may be anything, until it is read here

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extras import Json
from sqlalchemy import Column as SAColumn
from sqlalchemy import DefaultClause, FetchedValue
from sqlalchemy import Sequence as SASequence
from sqlalchemy import Table as SATable
from sqlalchemy.sql.elements import ClauseElement, TextClause

from fixer.contract.models.statements import sql_of
from fixer.contract.respelt import Spelt
from fixer.errors import ContractError
from fixer.model.contract import ORPHAN_POLICIES, ColumnHints, TableHints
from fixer.model.expression.patterns import pattern
from fixer.model.schema import Schema
from fixer.model.table import QName
from fixer.sql.types import tells_age

NO_AGE = "which is {}: it should be a date, a timestamp or a number"


def expressions(table: SATable, name: str) -> tuple[str, ...]:
    """Return what the hints of a table say in SQL."""
    with _readable(table, name):
        values = [value for row in table.info.get("default_rows", ()) for value in row.values()]
        values += [_info(column)["backfill"] for column in table.columns if "backfill" in _info(column)]
        return tuple(dict.fromkeys(sql_of(value) for value in values if isinstance(value, ClauseElement)))


def hints_of(table: SATable, name: str, connection: Connection, spelt: Mapping[str, Spelt], schema: str) -> TableHints:
    """Return the hints of a table, all of which the connection can send; `spelt` has its expressions in full.

    `schema` is that of sequences without one.
    """
    with _readable(table, name):
        hints = _hints(table, spelt, schema)
        fills = (column.backfill for column in hints.columns.values() if column.backfill)
        for value in chain(fills, *(row.values() for row in hints.default_rows)):
            value.as_string(connection)
        return hints


@contextlib.contextmanager
def _readable(table: SATable, name: str) -> Iterator[None]:
    """Report hints that cannot be read as a fault of the contract."""
    try:
        yield
    except (TypeError, ValueError, AttributeError, LookupError, psycopg2.ProgrammingError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise ContractError(f"The contract {name} has hints for {table.name} that cannot be read: {said}.") from None


def _hints(table: SATable, spelt: Mapping[str, Spelt], schema: str) -> TableHints:
    rows = tuple(
        {column: _value(value, f"{table.name}.{column}", spelt) for column, value in row.items()}
        for row in table.info.get("default_rows", ())
    )
    for row in rows:
        unknown = sorted(set(row) - {column.name for column in table.columns})
        if unknown:
            raise ContractError(f"The default row of {table.name} names {unknown[0]}, which is no column of it.")
    columns = {
        column.name: _column_hints(column, spelt, schema)
        for column in table.columns
        if _info(column) or _client(column, schema) or _filled(column) or _counter(column)
    }
    names, oldest = tuple(table.info.get("legacy_names", ())), _oldest_by(table)
    return TableHints(names, rows, columns, _alone(table.info), oldest)


def _oldest_by(table: SATable) -> str:
    """Return the column by which the oldest of rows that repeat each other is told; empty if none is declared."""
    if "oldest_by" not in table.info:
        return ""
    named = table.info["oldest_by"]
    if not isinstance(named, str) or named not in table.columns:
        raise ContractError(f"The hint oldest_by of {table.name} should name a column of it, not {named!r}.")
    return table.columns[named].name


def see_that_ages_are_told(hints: Mapping[QName, TableHints], made: Schema) -> None:
    """Raise ContractError if a hint `oldest_by` names a column whose values have no age."""
    for name, each in hints.items():
        column = made.tables[name].columns.get(each.oldest_by) if each.oldest_by and name in made.tables else None
        if column and not tells_age(column.base or column.type):
            raise ContractError(f"The hint oldest_by of {name.name} names {column.name}, {NO_AGE.format(column.type)}.")


def _column_hints(column: SAColumn[Any], spelt: Mapping[str, Spelt], schema: str) -> ColumnHints:
    info = _info(column)
    orphans = info.get("orphans", "")
    if "orphans" in info and orphans not in ORPHAN_POLICIES:
        raise ContractError(
            f"{column} declares orphans={orphans!r}, which should be one of {', '.join(ORPHAN_POLICIES)}."
        )
    return ColumnHints(
        legacy_names=tuple(info.get("legacy_names", ())),
        legacy_keys=tuple(info.get("legacy_keys", ())),
        backfill=_value(info["backfill"], str(column), spelt) if "backfill" in info else None,
        orphans=orphans,
        timezone=info.get("timezone"),
        counter=_counter(column),
        client=_client(column, schema),
        filled=_filled(column),
        volatile=_volatile(info.get("backfill"), spelt),
        alone=_alone(info),
    )


def _filled(column: SAColumn[Any]) -> bool:
    """Return whether the models say that the database fills a column, and not how; all other defaults say how."""
    return type(column.server_default) is FetchedValue


def _counter(column: SAColumn[Any]) -> str:
    """Return the sequence that a server_default names, which SQLAlchemy leaves out where it says SERIAL."""
    if not isinstance(column.server_default, DefaultClause):
        return ""
    default = column.server_default.arg
    if isinstance(default, TextClause) and "nextval" not in default.text:
        return ""  # to compile every default takes longer than all else here
    found = _NEXTVAL.match(default if isinstance(default, str) else sql_of(default))
    return found[1].replace("''", "'") if found else ""


def _client(column: SAColumn[Any], schema: str) -> QName | None:
    """Return the sequence from which SQLAlchemy takes a number before it inserts, whatever the default."""
    taken = column.default
    if not isinstance(taken, SASequence) or taken.optional:
        return None
    return QName(taken.schema or schema, taken.name)


_NEXTVAL = pattern(r"nextval\('((?:[^']|'')+)'")


def _alone(info: Mapping[str, Any]) -> bool:
    """Return whether hints declare that there are no legacy names; to leave these out declares nothing."""
    return "legacy_names" in info and not info["legacy_names"]


def _info(column: SAColumn[Any]) -> dict[str, Any]:
    """Return the hints of a column and of its foreign keys together."""
    found: dict[str, Any] = {}
    for key in column.foreign_keys:
        found |= key.info or {}
    return {**found, **column.info}


def _volatile(backfill: object, spelt: Mapping[str, Spelt]) -> bool | None:
    """Return whether a backfill may give each row another value; None if PostgreSQL did not understand it."""
    said = sql_of(backfill) if isinstance(backfill, ClauseElement) else ""
    return spelt[said][1] if said in spelt else None


def _value(value: object, where: str, spelt: Mapping[str, Spelt]) -> sql.Composable:
    """Return a hint's value as SQL: an expression as it is, or as it is spelt in full; all else as a literal."""
    if isinstance(value, ClauseElement):
        said = sql_of(value)
        return sql.SQL(spelt[said][0] if said in spelt else said)
    if callable(value):
        raise ContractError(f"The hint of {where} should be a value or a SQL expression, not a function.")
    return sql.Literal(Json(value) if isinstance(value, dict) else value)
