"""Reads rows back, and finds cells that differ from what was written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import Table

from contracts.proof.databases.place import Place
from contracts.proof.trials import Broken, Shut
from contracts.proof.writing.paths import OUR_PATH, is_row
from contracts.rows import Array, Insertion, Row, counted, resolved
from contracts.rows.cells import Cell
from contracts.rows.tables import columns_of
from fixer.model.schema.code import Kind
from fixer.model.table import QName
from fixer.report.findings import is_itself
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal

# Types without an equality, and the types as whose texts their values are compared.
_SPELT = {"json": "jsonb", "json[]": "jsonb[]", "xml": "xml", "jsonpath": "jsonpath"}
_SPELT |= {name: name for name in ("point", "line", "polygon")}

_MOMENTS = ("timestamp without time zone", "timestamp with time zone", "date")
_BEFORE_ROWS = re.compile(r" BEFORE .* FOR EACH ROW ", re.DOTALL)
_A_DAY = 26 * 60 * 60  # seconds, at most: a moment may be of another time zone, and a date is the day's first
_NOW = """
SELECT CASE WHEN isfinite(m.at) THEN abs(extract(epoch FROM m.at - clock_timestamp())) < {1} ELSE false END
  FROM (SELECT CAST({0} AS timestamptz) AS at) m
"""


def types_of(cursor: Cursor, name: QName) -> dict[str, str]:
    """Return the types of the columns in the target, without lengths, so that a cast to them cuts nothing."""
    cursor.execute(
        "SELECT attname, format_type(atttypid, -1) FROM pg_catalog.pg_attribute"
        " WHERE attrelid = to_regclass(format('%%I.%%I', %s, %s)) AND attnum > 0 AND NOT attisdropped",
        (name.schema, name.name),
    )
    return dict(cursor.fetchall())


def key_of(place: Place, name: QName, record: Row) -> Composable | None:
    """Return the condition that finds a row by a key; None where the row has no key without NULL."""
    wanted = place.contract.tables[name]
    keys = sorted(wanted.plain_keys, key=lambda key: not key.primary)
    for key in keys:
        if all(record.get(column) is not None for column in key.columns):
            return is_row(wanted, [(column, literal(record[column])) for column in key.columns])
    return None


def found_by(cursor: Cursor, name: QName, key: Composable) -> int:
    """Return how many rows a condition finds."""
    cursor.execute(OUR_PATH + SQL("SELECT count(*) FROM {} WHERE {}").format(q.name(name), key))
    return int((cursor.fetchone() or (0,))[0])


def is_written(cursor: Cursor, name: QName) -> bool:
    """Return whether a table shows a row that this transaction, or a later one, wrote; yes if nobody may look."""
    try:
        query = "SAVEPOINT pgmend_written; SELECT EXISTS (SELECT FROM {} WHERE age(xmin) <= 0)"
        cursor.execute(OUR_PATH + SQL(query).format(q.name(name)))
        return cursor.fetchone() == (True,)
    except pg.InsufficientPrivilege:
        cursor.execute("ROLLBACK TO SAVEPOINT pgmend_written")
        return True


def meant_to_change(place: Place, name: QName) -> str:
    """Return why rows of a table may differ from what is written: a trigger of the contract; empty if there is none.

    What acts in a database that is its own contract is meant to, and so is a trigger that the models' listeners make.
    """
    verdicts = (verdict for case, verdict in place.verdicts.items() if case.table == name)
    there_acting = next((verdict.acting for verdict in verdicts if verdict.acting), ())
    if is_itself(place.spec) and there_acting:
        return f"{there_acting[0]}, which the database itself declares, may change its rows"
    said = place.prepared.said_by_listeners if there_acting else ""
    if made := next((each for each in there_acting if _makes(said, each, name)), ""):
        return f"{made}, which the models' listeners make, may change its rows"
    code = place.contract.schema.code
    there = (each for each in (code.at(name) if code else ()) if each.key.kind == Kind.TRIGGER)
    triggers = (each for each in there if each.enabled != "D")
    acting = next((each for each in triggers if _BEFORE_ROWS.search(each.definition)), None)
    return f"{acting.told}, which the contract has, changes rows of {name.name}" if acting else ""


def _makes(said: str, acting: str, table: QName) -> bool:
    """Return whether statements create what acts on a table: the trigger act of a, for example."""
    trigger = acting.removeprefix("the trigger ").removesuffix(f" of {table.name}")
    return re.search(rf'\bTRIGGER\s+"?{re.escape(trigger)}"?\s', said, re.IGNORECASE) is not None


def assert_kept(
    cursor: Cursor,
    table: Table,
    types: Mapping[str, str],
    family: Sequence[Insertion],
    returned: Sequence[Row],
    meant: str,
) -> None:
    """Raise Broken where a row of the table is not read back as it was written; `types` are those of its columns.

    Numbers that a sequence would give are free: a trigger may always take them from there. Raises Shut where the
    contract has a trigger for that, as `meant` says.
    """
    for insertion, record in zip(family, returned, strict=True):
        if insertion.table is not table:
            continue
        written = resolved(insertion.row, returned)
        written = {name: cell for name, cell in written.items() if not counted(columns_of(table)[name])}
        changed = misread(cursor, types, written, record)
        if changed:
            column, found = changed
            if meant:
                raise Shut(meant)
            raise Broken(
                f"{table.name}.{column} is not read back as it was written: wrote {written[column]!r},"
                f" found {found!r}; does a trigger or a rule change it?"
            )


def misread(cursor: Cursor, types: Mapping[str, str], written: Row, record: Row) -> tuple[str, Cell] | None:
    """Return a column whose cell differs from what was written, and that cell; None where all are equal.

    Triggers may fill a cell that was left empty, and keep up moments of writing and search vectors.
    """
    if not written:
        return None
    answers = _compared(cursor, types, written, record)
    wrong = [column for column, same in zip(written, answers, strict=True) if not same and written[column] is not None]
    return next(((c, record[c]) for c in wrong if not _is_kept_up(cursor, types[c], record[c])), None)


def _is_kept_up(cursor: Cursor, kind: str, found: Cell) -> bool:
    """Return whether a trigger that is useful to applications would write such a value, whatever they write."""
    if kind not in _MOMENTS or found is None:
        return kind == "tsvector"
    cursor.execute(OUR_PATH + SQL(_NOW).format(literal(found), Literal(_A_DAY)))
    return cursor.fetchone() == (True,)


def _compared(cursor: Cursor, types: Mapping[str, str], written: Row, record: Row) -> Sequence[bool]:
    """Return for each column whether the cell equals what was written."""
    for as_texts in (False, True):
        pairs = [(literal(record[c]), literal(value), types[c]) for c, value in written.items()]
        tests = SQL(", ").join(_same(*pair, as_text=as_texts) for pair in pairs)
        try:
            cursor.execute(OUR_PATH + SQL("SAVEPOINT pgmend_compared; SELECT {}").format(tests))
            return cursor.fetchone() or ()
        except pg.UndefinedFunction:  # a type without an equality
            cursor.execute("ROLLBACK TO SAVEPOINT pgmend_compared")
            if as_texts:
                raise
    raise psycopg2.InternalError


def _same(found: Composable, written: Composable, kind: str, *, as_text: bool) -> Composable:
    """Return the test that two values of a type are equal; types without an equality are compared as texts."""
    form = "CAST({} AS {})::text IS NOT DISTINCT FROM CAST({} AS {})::text"
    if kind not in _SPELT and not as_text:
        form = "CAST({} AS {}) IS NOT DISTINCT FROM CAST({} AS {})"
    used = SQL(_SPELT.get(kind) or kind)
    return SQL(form).format(found, used, written, used)


def literal(value: Cell) -> Composable:
    """Return a value of a row as a literal."""
    return Literal(Array(value) if isinstance(value, list) else value)
