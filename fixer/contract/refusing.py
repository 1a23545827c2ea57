"""Makes what PostgreSQL takes of a statement that it refuses, and notes the rest: one part of one table each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import psycopg2
from psycopg2 import errors as pg

from fixer.connect.failures import told
from fixer.contract.pieces import (
    Apart,
    Piece,
    names_of,
    references_a_key,
    taken_apart,
    without_comments,
    without_schema,
)
from fixer.errors import ContractError
from fixer.model.contract import Hints, Refused, TableHints
from fixer.model.schema import Schema
from fixer.model.table import QName

Attempt = Callable[[str], psycopg2.Error | None]  # runs a statement alone, and returns why it failed
# What is no fault of a statement: connection, rollback, resources, operator, system; a transaction's state, rights.
_NO_FAULT_OF_ITS = ("08", "25", "40", "42501", "53", "55", "57", "58")
_MISSING = (pg.UndefinedTable, pg.UndefinedColumn, pg.UndefinedObject, pg.UndefinedFunction, pg.InvalidSchemaName)
_THERE = (pg.DuplicateTable, pg.DuplicateObject)
Said = tuple[Refused, str]  # what was refused, and its statement in full
_PROBE = "pg_temp.pgmend_probe"
_LONGEST = 400  # characters of a statement that a message shows


class Refusal(NamedTuple):
    """A part of a table that PostgreSQL refuses, and why; its name is empty for the table itself."""

    apart: Apart
    what: str
    name: str
    error: psycopg2.Error
    statement: str


def is_ours(error: psycopg2.Error) -> bool:
    """Return whether an error says that something in the contract cannot be made."""
    return bool(error.pgcode) and not str(error.pgcode).startswith(_NO_FAULT_OF_ITS)


def make(text: str, attempt: Attempt) -> list[Refusal]:
    """Run a statement, or else as much of it as PostgreSQL takes; return what it refuses.

    Raises the error where it is none of a part of a table.
    """
    error = attempt(text)
    return taken(text, error, attempt) if error else []


def taken(text: str, error: psycopg2.Error, attempt: Attempt) -> list[Refusal]:
    """Make as much as PostgreSQL takes of a statement that it refused with an error, and return what it refuses.

    Raises the error where it is none of a part of a table.
    """
    try:
        text = without_comments(text)
        apart = taken_apart(text)
    except ContractError:
        apart = None
    if apart is None or not is_ours(error):
        raise error
    if apart.name or not apart.pieces or isinstance(error, _THERE):
        return [Refusal(apart, apart.what, apart.name, error, text)]
    if apart.head:
        return [*_table(apart, text, error, attempt)]
    return [each for piece in apart.pieces for each in _added(apart, piece, attempt)]


def _table(apart: Apart, text: str, error: psycopg2.Error, attempt: Attempt) -> Iterator[Refusal]:
    """Create a table of the columns that PostgreSQL takes, then add the constraints one by one."""
    columns = [piece for piece in apart.pieces if not piece.text.startswith("ADD ")]
    rest = [piece for piece in apart.pieces if piece.text.startswith("ADD ")]
    if attempt(apart.made_of([each.text or each.what for each in columns])):
        bad = dict(_bad(columns, attempt))
        columns, refused = [each for each in columns if each not in bad], bad
        failed = None if columns else error
        if failed := failed or attempt(apart.made_of([each.bare or each.text or each.what for each in columns])):
            yield Refusal(apart, apart.what, "", _first(bad.values(), failed), text)
            return
        yield from (Refusal(apart, each.what, each.name, why, each.text) for each, why in refused.items())
        rest = [*(after for each in columns for after in each.after), *rest]
    alter = f"ALTER TABLE {apart.table} "
    for piece in rest:
        if why := attempt(alter + piece.text):
            yield Refusal(apart, piece.what, piece.name, why, alter + piece.text)


def _first(errors: Iterable[psycopg2.Error], otherwise: psycopg2.Error) -> psycopg2.Error:
    return next(iter(errors), otherwise)


def _bad(columns: Sequence[Piece], attempt: Attempt) -> Iterator[tuple[Piece, psycopg2.Error]]:
    """Yield the columns that PostgreSQL refuses even without their clauses; those that are computed come last."""
    good = list[str]()
    for each in sorted(columns, key=lambda piece: "GENERATED" in piece.text.upper()):
        bare = each.bare or each.text or each.what
        why = attempt(f"CREATE TABLE {_PROBE} ({', '.join([*good, bare])})")
        if why:
            yield each, why
            continue
        attempt(f"DROP TABLE {_PROBE}")
        good.append(bare)


def _added(apart: Apart, piece: Piece, attempt: Attempt) -> Iterator[Refusal]:
    """Run one action of ALTER TABLE, or else what PostgreSQL takes of a column."""
    alter = f"ALTER TABLE {apart.table} "
    why = attempt(alter + piece.text)
    if why and piece.after and not attempt(alter + piece.bare):
        for each in piece.after:
            if error := attempt(alter + each.text):
                yield Refusal(apart, each.what, each.name, error, alter + each.text)
    elif why:
        yield Refusal(apart, piece.what, piece.name, why, alter + piece.text)


def refused(refusal: Refusal, table: QName, place: str = "") -> Refused:
    """Return a refusal as the contract keeps it."""
    statement = without_schema(" ".join(refusal.statement.split()))
    said = without_schema(told(refusal.error))
    shown = statement if len(statement) <= _LONGEST else f"{statement[:_LONGEST]}…"
    return Refused(table, without_schema(refusal.what), without_schema(refusal.name), said, shown, place)


def is_consequence(error: psycopg2.Error, known: Sequence[Refused]) -> bool:
    """Return whether an error may come of what was refused before: it misses something."""
    return bool(known) and isinstance(error, _MISSING)


def settled(found: Iterable[Said], schema: Schema) -> tuple[Refused, ...]:
    """Return what was refused, once for each part, with the columns that it names, and those of other tables.

    What belongs to a table that cannot be made at all is part of that.
    """
    said = [*found]
    unmade = {each.table for each, _ in said if not each.name and each.table not in schema.tables}
    beside: dict[QName, set[tuple[QName, str]]] = {}
    kept: dict[tuple[QName, str, str], Refused] = {}
    for each, text in said:
        others = set(_beside(each.table, text, schema))
        beside.setdefault(each.table, set()).update(others)
        if not (each.table in unmade and each.name):
            known = replace(each, columns=_columns(each, text, schema), beside=tuple(sorted(others)))
            kept.setdefault((each.table, each.name, each.what), known)
    wholly = {name: tuple(sorted(beside[name])) for name in unmade}
    return tuple(replace(each, beside=wholly.get(each.table, each.beside)) for each in kept.values())


def _columns(refused: Refused, text: str, schema: Schema) -> tuple[str, ...]:
    """Return the columns of its table that a part names; if it is a column, itself."""
    there = [*schema.tables[refused.table].columns] if refused.table in schema.tables else []
    itself = refused.what == f"the column {refused.name}" and refused.name not in there
    names = names_of(text)
    return tuple(name for name in [*there, *([refused.name] if itself else [])] if name in names)


def _beside(table: QName, text: str, schema: Schema) -> Iterator[tuple[QName, str]]:
    """Yield the columns of other tables that a statement names; for a reference without columns, those of the key."""
    names, bare = names_of(text), references_a_key(text)
    for name, other in schema.tables.items():
        if name.name in names and name != table:
            key = other.primary_key.columns if bare and other.primary_key else ()
            columns = [column for column in other.columns if column in names or column in key]
            yield from ((name, column) for column in columns or [""])


def hints_of_made(hints: Mapping[QName, TableHints], schema: Schema) -> Hints:
    """Return the hints for what could be made: a default row that needs another column is left out."""
    made = Hints()
    for name, each in hints.items():
        there = schema.tables[name].columns.keys() if name in schema.tables else set[str]()
        if name in schema.tables:
            rows = tuple(row for row in each.default_rows if row.keys() <= there)
            columns = {column: hint for column, hint in each.columns.items() if column in there}
            made[name] = replace(each, default_rows=rows, columns=columns)
    return made
