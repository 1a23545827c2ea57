"""Behaviour: rows are written into a place as an application writes them, and always rolled back.

One transaction for each item, taken back to one savepoint after each example. Rows that were there are never touched.
"""

from __future__ import annotations

import functools
import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from threading import Barrier, BrokenBarrierError
from time import monotonic, sleep
from typing import Any

import psycopg2
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.strategies import DrawFn, SearchStrategy
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import Json
from sqlalchemy import Integer, String, Uuid

from contracts import rows
from contracts.cases import Case, table_of
from contracts.places import Place
from contracts.rows import Array, Bad, Insertion, Ref, Row, Swallowed
from contracts.trials import Broken, NotApplicable, for_all
from fixer import sqltext as q
from fixer.errors import TargetError
from fixer.mover import identity_of
from fixer.schema import QName
from fixer.sqltext import SQL, Composable, Identifier, Literal
from fixer.target import Target

PROCESSES = 8  # that create the default row at the same time
PATIENCE = 0.4  # seconds that each of them waits for the others at most: so long one of them holds the row
WORD = "BANKNIFTY26JAN59100PE"  # a real option symbol, a character longer than many a column

_INTEGRITY = "23"  # the SQLSTATE class of a row that a constraint refuses


# --- transactions -----------------------------------------------------------------------------------


@contextmanager
def rolled_back(place: Place) -> Iterator[Cursor]:
    """Lend a cursor in a transaction that behaves as the application's role and is never committed."""
    connection = place.connection
    connection.rollback()
    try:
        with connection.cursor() as cursor:
            _begin(cursor, place.target())
            cursor.execute("SAVEPOINT pgmend_example")
            yield cursor
    finally:
        if connection.closed:
            vars(place).pop("connection")
        else:
            connection.rollback()


def _begin(cursor: Cursor, target: Target) -> None:
    """Say what this transaction may wait for, and as whom it writes."""
    calls = [SQL("set_config({}, {}, true)").format(Literal(k), Literal(v)) for k, v in target.settings.items()]
    cursor.execute(SQL("SELECT {}").format(SQL(", ").join(calls)))


@contextmanager
def example(cursor: Cursor) -> Iterator[None]:
    """Let one example be written, and take it back; its savepoint stays for the next."""
    try:
        yield
    finally:
        if not cursor.connection.closed:
            cursor.execute("ROLLBACK TO SAVEPOINT pgmend_example")


# --- good rows --------------------------------------------------------------------------------------


def good_rows_live(place: Place, case: Case) -> None:
    """Let generated good rows go in, be read back, change, and go out."""
    table = table_of(place.contract_and_cases[0], case.table)
    excused = frozenset(rows.underived_checks(table))
    with rolled_back(place) as cursor:
        types = _types(cursor, case.table)

        def prove(chosen: tuple[Sequence[Insertion], Row]) -> None:
            family, change = chosen
            with example(cursor):
                returned = _insert_good(cursor, family, place, excused)
                _compare(cursor, table, case.table, types, family, returned)
                key = _key(place, case.table, returned[-1])
                if key is not None:
                    _change(cursor, case.table, types, key, change, excused)
                    _remove(cursor, case.table, key)

        for_all(_lives(table), place.examples[0], prove)


@functools.cache
def _lives(table: Any) -> SearchStrategy[tuple[Sequence[Insertion], Row]]:
    """Give good rows, and a good change of the last of them."""
    return _family_and_change(table)


@st.composite
def _family_and_change(draw: DrawFn, table: Any) -> tuple[Sequence[Insertion], Row]:
    return draw(rows.example_for(table)), draw(rows.changes(table))


def _insert_good(cursor: Cursor, family: Sequence[Insertion], place: Place, excused: frozenset[str]) -> list[Row]:
    try:
        return rows.insert(cursor, family, place.schema)
    except Swallowed as error:
        raise Broken(f"{error}: {_shown(family)}") from None
    except psycopg2.Error as error:
        _excuse(error, excused)
        raise Broken(f"a good row is refused: {_said(error)}: {_shown(family)}") from None


def _excuse(error: psycopg2.Error, excused: frozenset[str]) -> None:
    """Give up an example that a check refused which only the database understands."""
    if isinstance(error, pg.CheckViolation) and excused:
        raise UnsatisfiedAssumption
    if isinstance(error, psycopg2.OperationalError) and not isinstance(error, pg.QueryCanceled | pg.LockNotAvailable):
        raise error


def _compare(
    cursor: Cursor,
    table: Any,
    name: QName,
    types: Mapping[str, str],
    family: Sequence[Insertion],
    returned: Sequence[Row],
) -> None:
    """Raise Broken where a row of the table is not read back as it was written."""
    for insertion, record in zip(family, returned, strict=True):
        if insertion.table is not table:
            continue
        written = {column: _resolved(value, returned) for column, value in insertion.row.items()}
        changed = _misread(cursor, name, types, written, record)
        if changed:
            column, found = changed
            raise Broken(
                f"{name.name}.{column} is not read back as it was written: wrote {written[column]!r},"
                f" found {found!r}; does a trigger or a rule change it?"
            )


def _resolved(value: Any, returned: Sequence[Row]) -> Any:
    return returned[value.index][value.column] if isinstance(value, Ref) else value


def _misread(
    cursor: Cursor, name: QName, types: Mapping[str, str], written: Row, record: Row
) -> tuple[str, Any] | None:
    """Return a column whose cell the database gives back otherwise than it was written."""
    if not written:
        return None
    tests = [_same(_literal(record[c]), _literal(value), types[c]) for c, value in written.items()]
    cursor.execute(SQL("SELECT {}").format(SQL(", ").join(tests)))
    answers = cursor.fetchone() or ()
    wrong = [column for column, same in zip(written, answers, strict=True) if not same]
    return (wrong[0], record[wrong[0]]) if wrong else None


def _same(found: Composable, written: Composable, kind: str) -> Composable:
    """Return whether two values of a type are equal; as texts, where the type knows no equality."""
    form = "CAST({} AS {})::text IS NOT DISTINCT FROM CAST({} AS {})::text"
    if kind not in _SPELT:
        form = "CAST({} AS {}) IS NOT DISTINCT FROM CAST({} AS {})"
    used = SQL(_SPELT.get(kind) or kind)
    return SQL(form).format(found, used, written, used)


_SPELT = {"json": "jsonb", "xml": "xml", "point": "point", "line": "line", "polygon": "polygon", "jsonpath": "jsonpath"}


def _literal(value: Any) -> Composable:
    if isinstance(value, dict):
        return Literal(Json(value))
    return Literal(Array(value) if isinstance(value, list) else value)


def _types(cursor: Cursor, name: QName) -> dict[str, str]:
    """Return the types of the columns as they are today, without their widths: a cast to them cuts nothing."""
    cursor.execute(
        "SELECT attname, format_type(atttypid, -1) FROM pg_attribute"
        " WHERE attrelid = to_regclass(format('%%I.%%I', %s, %s)) AND attnum > 0 AND NOT attisdropped",
        (name.schema, name.name),
    )
    return dict(cursor.fetchall())


def _key(place: Place, name: QName, record: Row) -> Composable | None:
    """Return the condition that finds a row by its key, where the contract has one."""
    wanted = place.contract_and_cases[0].tables[name]
    keys = sorted(wanted.plain_keys, key=lambda key: not key.primary)
    for key in keys:
        if all(record.get(column) is not None for column in key.columns):
            return q.all_of(SQL("{} = {}").format(Identifier(c), _literal(record[c])) for c in key.columns)
    return None


def _change(
    cursor: Cursor, name: QName, types: Mapping[str, str], key: Composable, change: Row, excused: frozenset[str]
) -> None:
    if not change:
        return
    cells = SQL(", ").join(SQL("{} = {}").format(Identifier(c), _literal(v)) for c, v in change.items())
    try:
        cursor.execute(SQL("UPDATE {} SET {} WHERE {} RETURNING *").format(q.name(name), cells, key))
    except psycopg2.Error as error:
        _excuse(error, excused)
        raise Broken(f"a good change of {name.name} is refused: {_said(error)}: {change!r}") from None
    found = cursor.fetchall()
    if len(found) != 1:
        raise Broken(f"a row of {name.name} could not be changed: the UPDATE found {len(found)} rows: {change!r}")
    record = dict(zip([each.name for each in cursor.description or ()], found[0], strict=True))
    misread = _misread(cursor, name, types, change, record)
    if misread:
        raise Broken(f"{name.name}.{misread[0]} is not changed as told: {change!r}, found {misread[1]!r}")


def _remove(cursor: Cursor, name: QName, key: Composable) -> None:
    try:
        cursor.execute(SQL("DELETE FROM {} WHERE {}").format(q.name(name), key))
        gone = cursor.rowcount
        cursor.execute(SQL("SELECT count(*) FROM {} WHERE {}").format(q.name(name), key))
    except psycopg2.Error as error:
        _excuse(error, frozenset())
        raise Broken(f"a row of {name.name} cannot be deleted: {_said(error)}") from None
    left = (cursor.fetchone() or (0,))[0]
    if (gone, left) != (1, 0):
        raise Broken(f"a row of {name.name} could not be deleted: the DELETE found {gone} rows and left {left}")


# --- bad rows ---------------------------------------------------------------------------------------


def bad_row_is_refused(place: Place, case: Case) -> None:
    """Let generated rows that are bad in one way be refused with the SQLSTATE of that way."""
    bad = rows.bad_ways(table_of(place.contract_and_cases[0], case.table))[case.number]

    def prove(cursor: Cursor, family: Sequence[Insertion]) -> None:
        error = _refusal(cursor, family, place, bad)
        if error is None:
            raise Broken(f"{_what(bad)} was let in, which should be refused ({bad.sqlstate}): {_shown(family)}")
        _excuse(error, frozenset(rows.underived_checks(bad.table)) if bad.kind != "check" else frozenset())
        if not _is_right(error, bad):
            raise Broken(f"{_what(bad)} should be refused with {bad.sqlstate}, but: {_said(error)}: {_shown(family)}")

    _try_bad(place, rows.bad_example(bad), prove)


def oversized_is_refused_or_kept(place: Place, case: Case) -> None:
    """Let values that overstep their type be refused, or be kept whole where the column is wider."""
    bad = rows.edges(table_of(place.contract_and_cases[0], case.table))[case.number]

    def prove(cursor: Cursor, family: Sequence[Insertion]) -> None:
        try:
            returned = rows.insert(cursor, family, place.schema)
        except Swallowed as error:
            raise Broken(f"{error}: {_shown(family)}") from None
        except psycopg2.Error as error:
            _excuse(error, frozenset())
            if error.pgcode != bad.sqlstate and not (error.pgcode or "").startswith(_INTEGRITY):
                raise Broken(
                    f"{_what(bad)} should be refused with {bad.sqlstate}, but: {_said(error)}: {_shown(family)}"
                ) from None
            if isinstance(error, pg.NotNullViolation):
                raise Broken(f"a row is refused for another reason: {_said(error)}: {_shown(family)}") from None
            return
        _compare(cursor, bad.table, case.table, _types(cursor, case.table), family, returned)

    _try_bad(place, _oversized(bad), prove)


@functools.cache
def _oversized(bad: Bad) -> SearchStrategy[tuple[Insertion, ...]]:
    """Give families whose last row oversteps a type, by a real symbol where that is enough."""
    strategy = rows.bad_example(bad)
    length = getattr(bad.table.c[bad.columns[0]].type, "length", None)
    if bad.kind == "too-long" and length is not None and length < len(WORD):
        return strategy | strategy.map(lambda family: _with(family, bad.columns[0], WORD))
    return strategy


def nul_is_refused(place: Place, case: Case) -> None:
    """Let a text with a NUL be refused, and the connection go on."""
    table = table_of(place.contract_and_cases[0], case.table)

    def prove(cursor: Cursor, family: Sequence[Insertion]) -> None:
        _insert_good(cursor, family, place, frozenset(rows.underived_checks(table)))
        cursor.execute("ROLLBACK TO SAVEPOINT pgmend_example")
        try:
            rows.insert(cursor, _with(family, case.columns[0], rows.NUL_TEXT), place.schema)
        except ValueError:  # psycopg2 itself refuses; the server is never asked
            cursor.execute("SELECT 1")
            return
        raise Broken(f"{case.table.name}.{case.columns[0]} took a text with a NUL")

    _try_bad(place, rows.example_for(table, size=1), prove)


def _try_bad(
    place: Place,
    strategy: SearchStrategy[tuple[Insertion, ...]],
    prove: Callable[[Cursor, Sequence[Insertion]], None],
) -> None:
    with rolled_back(place) as cursor:

        def one(family: Sequence[Insertion]) -> None:
            with example(cursor):
                prove(cursor, family)

        for_all(strategy, place.examples[1], one)


def _with(family: Sequence[Insertion], column: str, value: Any) -> tuple[Insertion, ...]:
    """Return a family whose last row has another value in one column."""
    last = family[-1]
    return (*family[:-1], Insertion(last.table, {**last.row, column: value}))


def _refusal(cursor: Cursor, family: Sequence[Insertion], place: Place, bad: Bad) -> psycopg2.Error | None:
    try:
        rows.insert(cursor, family, place.schema)
    except Swallowed as error:
        raise Broken(f"{_what(bad)} should be refused, but {error}") from None
    except psycopg2.Error as error:
        return error
    return None


def _is_right(error: psycopg2.Error, bad: Bad) -> bool:
    """Tell whether an error says what is bad about the row; the names of constraints are free."""
    if error.pgcode != bad.sqlstate:
        return False
    if error.diag.table_name not in (None, bad.table.name):
        return False
    return bad.kind != "null" or error.diag.column_name in (None, *bad.columns)


def _what(bad: Bad) -> str:
    columns = f"{bad.table.name}.{', '.join(bad.columns)}"
    kinds = {
        "null": f"NULL in {columns}",
        "orphan": f"a row whose {columns} points at nothing",
        "duplicate": f"a second row with the same {columns}",
        "check": f"a row that breaks the check on {columns}",
        "too-long": f"a text that is too long for {columns}",
        "overflow": f"a number that is too large for {columns}",
    }
    return kinds.get(bad.kind, f"a row that is bad by {bad}")


def _said(error: psycopg2.Error) -> str:
    message = error.diag.message_primary or str(error).strip().partition("\n")[0]
    return f"{message} ({error.pgcode})"


def _shown(family: Sequence[Insertion], limit: int = 400) -> str:
    text = "; ".join(f"INSERT INTO {each.table.name} {each.row!r}" for each in family)
    return text if len(text) <= limit else f"{text[:limit]}…"


# --- the default row --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Attempt:
    holds: bool = False
    error: psycopg2.Error | None = None


def default_row_is_created_once(place: Place, case: Case) -> None:
    """Let many processes create a row like the default row at the same time: one of them holds it."""
    row, identity = _variant(place, case)
    statement = SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING RETURNING 1").format(
        q.name(case.table), q.names(row), SQL(", ").join(row.values())
    )
    target = place.target()
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(each)) for each in _connections(target)]
        attempts = _at_once(connections, target, statement)
    _judge(attempts, case)
    with rolled_back(place) as cursor:
        match = q.all_of(SQL("{} = {}").format(Identifier(c), row[c]) for c in identity)
        cursor.execute(SQL("SELECT count(*) FROM {} WHERE {}").format(q.name(case.table), match))
        assert cursor.fetchone() == (0,)  # all was rolled back


def _judge(attempts: Sequence[_Attempt], case: Case) -> None:
    name, many = case.table.name, len(attempts)
    holders = sum(attempt.holds for attempt in attempts)
    for attempt in attempts:
        if attempt.error and not isinstance(attempt.error, pg.LockNotAvailable | pg.QueryCanceled):
            raise Broken(f"the default row of {name} cannot be created: {_said(attempt.error)}")
    if holders == 0:
        raise Broken(f"none of {many} processes could create the default row of {name}: does a trigger swallow it?")
    if holders > 1:
        raise Broken(f"{holders} of {many} processes created the default row of {name} at the same time, each its own")


def _variant(place: Place, case: Case) -> tuple[dict[str, Composable], tuple[str, ...]]:
    """Return the default row with other values in its keys, so that it meets no row that is there."""
    contract = place.contract_and_cases[0]
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
            row[column] = _other(table.c[column], token)
    return row, identity_of(contract, case.table, row)


def _other(column: Any, token: str) -> Composable:
    if isinstance(column.type, String):
        return Literal(f"pgmend-{token}"[-(column.type.length or 99) :])
    if isinstance(column.type, Integer):
        return Literal(-1 - secrets.randbelow(2**15 - 1))
    if isinstance(column.type, Uuid):
        return Literal(str(uuid.uuid4()))
    raise NotApplicable(f"no other value can be made for {column.name}, a {column.type}")


def _connections(target: Target) -> list[Connection]:
    """Return as many connections as the server grants, up to what is wanted."""
    granted: list[Connection] = []
    reason = ""
    while len(granted) < PROCESSES:
        try:
            granted.append(target.connect())
        except TargetError as error:
            reason = str(error)
            break
    if len(granted) < 2:
        for each in granted:
            each.close()
        raise NotApplicable(f"two connections are needed at least: {reason}")
    return granted


def _at_once(connections: Sequence[Connection], target: Target, statement: Composable) -> list[_Attempt]:
    """Run a statement on all connections at the same moment; none lets go before all have an answer."""
    together = Barrier(len(connections))
    waiting = set[int]()  # the backends that have no answer yet

    def attempt(connection: Connection) -> _Attempt:
        try:
            with connection.cursor() as cursor:
                _begin(cursor, target)
                patience = f"{PATIENCE * 1000:.0f}ms"
                cursor.execute("SELECT pg_backend_pid(), set_config('lock_timeout', %s, true)", (patience,))
                backend, _ = cursor.fetchone() or (0, "")
                waiting.add(backend)
                together.wait(60)
                answer = _answer(cursor, statement)
                waiting.discard(backend)
                if answer.holds:
                    _turn_away(cursor, waiting)
                together.wait(60)
                return answer
        except psycopg2.Error as error:
            together.abort()
            return _Attempt(error=error)
        except BrokenBarrierError:
            return _Attempt()
        finally:
            if not connection.closed:
                connection.rollback()

    with ThreadPoolExecutor(len(connections)) as pool:
        return list(pool.map(attempt, connections))


def _answer(cursor: Cursor, statement: Composable) -> _Attempt:
    try:
        cursor.execute(statement)
        return _Attempt(holds=cursor.fetchone() is not None)
    except psycopg2.Error as error:
        return _Attempt(error=error)


def _turn_away(cursor: Cursor, waiting: set[int]) -> None:
    """Cancel each one that waits for this transaction, which holds the row: it has its answer.

    Where that is not allowed, they wait until their patience ends.
    """
    end = monotonic() + PATIENCE
    with suppress(psycopg2.Error):
        cursor.execute("SAVEPOINT pgmend_holder")  # an error must not let the row go
        cursor.execute("SELECT set_config('role', 'none', true)")  # they are of the role that logged in
        while waiting and monotonic() < end:
            cursor.execute(
                "SELECT pg_cancel_backend(pid) FROM unnest(%s) AS pid"
                " WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))",
                (list(waiting),),
            )
            sleep(0.005)
