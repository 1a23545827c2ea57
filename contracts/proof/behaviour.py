"""Behaviour: rows are written into a place as an application writes them, and always rolled back.

One transaction for each item, taken back to one savepoint after each example. Rows that were there are never touched.
"""

from __future__ import annotations

import functools
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from threading import Barrier, BrokenBarrierError
from time import monotonic, sleep
from typing import Any

import psycopg2
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from sqlalchemy import Integer, String, Uuid

from contracts import rows
from contracts.proof.advice import Advice, advice_for, advice_of
from contracts.proof.cases import Case, table_of
from contracts.proof.databases import Place
from contracts.proof.paths import ITS_PATH, NOTED, OUR_PATH, asking, is_row, write
from contracts.proof.reading import assert_kept, literal, misread, types_of
from contracts.proof.refusals import excuse, excuse_family, is_right
from contracts.proof.trials import Broken, NotApplicable, for_all
from contracts.rows import Bad, Insertion, Row, Swallowed
from fixer.connect.settings import setting
from fixer.connect.target import Target
from fixer.errors import TargetError
from fixer.model.table import QName
from fixer.repair.quarantine import identity_of
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal

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
    cursor.execute(NOTED + OUR_PATH + setting(target.settings))


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
    with rolled_back(place) as cursor:

        def prove(chosen: tuple[Sequence[Insertion], Row]) -> None:
            family, change = chosen
            with example(cursor):
                returned = _insert_good(cursor, family, place)
                assert_kept(cursor, table, case.table, family, returned)
                key = _key(place, case.table, returned[-1])
                if key is not None:
                    _change(cursor, place, table, case.table, key, change, returned[-1])
                    _remove(cursor, case.table, key)

        for_all(_lives(table, advice_for(place, table)), place.examples[0], prove, table.name)


@functools.cache
def _lives(table: Any, advice: Advice | None) -> SearchStrategy[tuple[Sequence[Insertion], Row]]:
    """Give good rows, and a good change of the last of them."""
    return _family_and_change(table, advice)


@st.composite
def _family_and_change(draw: DrawFn, table: Any, advice: Advice | None) -> tuple[Sequence[Insertion], Row]:
    return draw(rows.example_for(table, advice=advice)), draw(rows.changes(table, advice))


def _insert_good(cursor: Cursor, family: Sequence[Insertion], place: Place) -> list[Row]:
    returned: list[Row] = []
    try:
        return _inserted(cursor, family, place, returned)
    except Swallowed as error:
        raise Broken(f"{error}: {_shown(family)}") from None
    except psycopg2.Error as error:
        excuse_family(cursor, error, advice_of(place), family, returned)
        raise Broken(f"a good row is refused: {_said(error)}: {_shown(family)}") from None


def _inserted(
    cursor: Cursor, family: Sequence[Insertion], place: Place, returned: list[Row] | None = None
) -> list[Row]:
    """Insert rows as the application does."""
    found = rows.insert(cursor, family, place.schema, returned, home=OUR_PATH, path=ITS_PATH)
    asking(cursor)
    return found


def _key(place: Place, name: QName, record: Row) -> Composable | None:
    """Return the condition that finds a row by its key, where the contract has one."""
    wanted = place.contract_and_cases[0].tables[name]
    keys = sorted(wanted.plain_keys, key=lambda key: not key.primary)
    for key in keys:
        if all(record.get(column) is not None for column in key.columns):
            return is_row(wanted, [(column, literal(record[column])) for column in key.columns])
    return None


def _change(cursor: Cursor, place: Place, table: Any, name: QName, key: Composable, change: Row, row: Row) -> None:
    if not change:
        return
    cells = SQL(", ").join(SQL("{} = {}").format(Identifier(c), literal(v)) for c, v in change.items())
    cursor.execute("SAVEPOINT pgmend_row")
    try:
        update = SQL("UPDATE {} SET {} WHERE {} RETURNING *").format(q.name(name), cells, key)
        found = rows.spelt(cursor, ITS_PATH + update)
        asking(cursor)
    except psycopg2.Error as error:
        excuse(cursor, error, advice_of(place), table, row | change)
        raise Broken(f"a good change of {name.name} is refused: {_said(error)}: {change!r}") from None
    if len(found) != 1:
        raise Broken(f"a row of {name.name} could not be changed: the UPDATE found {len(found)} rows: {change!r}")
    wrong = misread(cursor, types_of(cursor, name), change, found[0])
    if wrong:
        raise Broken(f"{name.name}.{wrong[0]} is not changed as told: {change!r}, found {wrong[1]!r}")


def _remove(cursor: Cursor, name: QName, key: Composable) -> None:
    try:
        write(cursor, SQL("DELETE FROM {} WHERE {}").format(q.name(name), key))
        gone = cursor.rowcount
        asking(cursor)
        cursor.execute(SQL("SELECT count(*) FROM {} WHERE {}").format(q.name(name), key))
    except psycopg2.Error as error:
        if isinstance(error, psycopg2.OperationalError) and cursor.connection.closed:
            raise
        raise Broken(f"a row of {name.name} cannot be deleted: {_said(error)}") from None
    left = (cursor.fetchone() or (0,))[0]
    if (gone, left) != (1, 0):
        raise Broken(f"a row of {name.name} could not be deleted: the DELETE found {gone} rows and left {left}")


# --- bad rows ---------------------------------------------------------------------------------------


def bad_row_is_refused(place: Place, case: Case) -> None:
    """Let generated rows that are bad in one way be refused with the SQLSTATE of that way."""
    bad = rows.bad_ways(table_of(place.contract_and_cases[0], case.table))[case.number]

    def prove(cursor: Cursor, family: Sequence[Insertion]) -> None:
        returned: list[Row] = []
        error = _refusal(cursor, family, place, bad, returned)
        if error is None:
            raise Broken(f"{_what(bad)} was let in, which should be refused ({bad.sqlstate}): {_shown(family)}")
        advice, last = advice_of(place), len(returned) == len(family) - 1
        if last:
            cursor.execute("ROLLBACK TO SAVEPOINT pgmend_row")
        if last and is_right(error, bad, advice, rows.resolved(family[-1].row, returned)):
            return
        excuse_family(cursor, error, advice, family, returned)
        raise Broken(f"{_what(bad)} should be refused with {bad.sqlstate}, but: {_said(error)}: {_shown(family)}")

    _try_bad(place, bad.table, lambda advice: rows.bad_example(bad, advice), prove)


def oversized_is_refused_or_kept(place: Place, case: Case) -> None:
    """Let values that overstep their type be refused, or be kept whole where the column is wider."""
    bad = rows.edges(table_of(place.contract_and_cases[0], case.table))[case.number]

    def prove(cursor: Cursor, family: Sequence[Insertion]) -> None:
        returned: list[Row] = []
        try:
            _inserted(cursor, family, place, returned)
        except Swallowed as error:
            raise Broken(f"{error}: {_shown(family)}") from None
        except psycopg2.Error as error:
            fits = error.pgcode == bad.sqlstate or (error.pgcode or "").startswith(_INTEGRITY)
            if fits and len(returned) == len(family) - 1 and not isinstance(error, pg.NotNullViolation):
                return
            excuse_family(cursor, error, advice_of(place), family, returned)
            if fits:
                raise Broken(f"a row is refused for another reason: {_said(error)}: {_shown(family)}") from None
            raise Broken(
                f"{_what(bad)} should be refused with {bad.sqlstate}, but: {_said(error)}: {_shown(family)}"
            ) from None
        assert_kept(cursor, bad.table, case.table, family, returned)

    _try_bad(place, bad.table, lambda advice: _oversized(bad, advice), prove)


@functools.cache
def _oversized(bad: Bad, advice: Advice | None) -> SearchStrategy[tuple[Insertion, ...]]:
    """Give families whose last row oversteps a type, by a real symbol where that is enough."""
    strategy = rows.bad_example(bad, advice)
    length = getattr(bad.table.c[bad.columns[0]].type, "length", None)
    if bad.kind == "too-long" and length is not None and length < len(WORD):
        return strategy | strategy.map(lambda family: _with(family, bad.columns[0], WORD))
    return strategy


def nul_is_refused(place: Place, case: Case) -> None:
    """Let a text with a NUL be refused, and the connection go on."""
    table = table_of(place.contract_and_cases[0], case.table)

    def prove(cursor: Cursor, family: Sequence[Insertion]) -> None:
        _insert_good(cursor, family, place)
        cursor.execute("ROLLBACK TO SAVEPOINT pgmend_example")
        try:
            _inserted(cursor, _with(family, case.columns[0], rows.NUL_TEXT), place)
        except ValueError:  # psycopg2 itself refuses; the server is never asked
            cursor.execute("SELECT 1")
            return
        raise Broken(f"{case.table.name}.{case.columns[0]} took a text with a NUL")

    _try_bad(place, table, lambda advice: rows.example_for(table, size=1, advice=advice), prove)


def _try_bad(
    place: Place,
    table: Any,
    strategy: Callable[[Advice | None], SearchStrategy[tuple[Insertion, ...]]],
    prove: Callable[[Cursor, Sequence[Insertion]], None],
) -> None:
    with rolled_back(place) as cursor:

        def one(family: Sequence[Insertion]) -> None:
            with example(cursor):
                prove(cursor, family)

        for_all(strategy(advice_for(place, table)), place.examples[1], one, table.name)


def _with(family: Sequence[Insertion], column: str, value: Any) -> tuple[Insertion, ...]:
    """Return a family whose last row has another value in one column."""
    last = family[-1]
    return (*family[:-1], Insertion(last.table, {**last.row, column: value}))


def _refusal(
    cursor: Cursor, family: Sequence[Insertion], place: Place, bad: Bad, returned: list[Row]
) -> psycopg2.Error | None:
    try:
        _inserted(cursor, family, place, returned)
    except Swallowed as error:
        raise Broken(f"{_what(bad)} should be refused, but {error}") from None
    except psycopg2.Error as error:
        return error
    return None


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
    insert = SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING RETURNING 1").format(
        q.name(case.table), q.names(row), SQL(", ").join(row.values())
    )
    statement = ITS_PATH + insert if all(isinstance(value, Literal) for value in row.values()) else insert
    target = place.target()
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(each)) for each in _connections(target)]
        attempts = _at_once(connections, target, statement)
    _judge(attempts, case)
    with rolled_back(place) as cursor:
        match = is_row(place.contract_and_cases[0].tables[case.table], [(c, row[c]) for c in identity])
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
        holds = cursor.fetchone() is not None
        asking(cursor)
        return _Attempt(holds)
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
