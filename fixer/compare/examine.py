"""introspect → compare, in one read-only transaction that sees one moment of the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.compare.compare import compare
from fixer.compare.keys import Proofs
from fixer.compare.probes import counter, how_many
from fixer.compare.reading import Doubts
from fixer.compare.sessions import Session
from fixer.compare.standing import stood
from fixer.connect.failures import told
from fixer.connect.link import rolled_back
from fixer.connect.memory import undisturbed
from fixer.connect.settings import EXACTLY, PLAINLY, READING, is_modest, setting, unhurried
from fixer.errors import TargetError, option
from fixer.introspect.bodies import with_bodies
from fixer.introspect.coded import with_code
from fixer.introspect.declared import read_types
from fixer.introspect.named import standing_types
from fixer.model.choice import EVERYTHING, Choice
from fixer.model.contract import Contract
from fixer.model.expression import as_needed
from fixer.model.report import Comparison
from fixer.model.schema import COUNTED, QName, Schema, Table
from fixer.model.table import Column
from fixer.repair.columns import in_full
from fixer.repair.defaults.mattering import mattering
from fixer.repair.twins import bare, by_table

RENAMED = 20  # at most so many tables are looked for under other names: if more are missing, they were never made
TELLING = 3  # columns that tell a table from others
TWINS = 100  # at most so many twins have their rows counted: all, unless one schema exists hundreds of times


def examine(
    connection: Connection,
    contract: Contract,
    *,
    deep: bool = False,
    doubts: Doubts = frozenset(),
    choice: Choice = EVERYTHING,
    settings: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare the database behind a connection with a contract; nothing is written.

    Raises TargetError if the database cannot be read, or lacks the schema of tables that name none.
    """
    with snapshot(connection) as cursor:
        begin = beginning(connection, settings)
        helped = not is_modest(settings or {})
        return look(cursor, contract, deep=deep, doubts=doubts, choice=choice, begin=begin, helped=helped)


def look(
    cursor: Cursor,
    contract: Contract,
    *,
    deep: bool = False,
    doubts: Doubts = frozenset(),
    choice: Choice = EVERYTHING,
    begin: str = "",
    helped: bool = False,
) -> Comparison:
    """Compare what the cursor's transaction sees with a contract.

    `begin` is SQL that opens the transaction first; `helped` whether a second session may take long questions.
    """
    known = contract.schema.spellings
    actual = introspect.read(cursor, contract.schemas, begin, known, seen=contract.seen, rights=False)
    there = actual.session.schemas if actual.session else frozenset()
    lost = [name for name in contract.tables if name.schema not in there]
    if lost and (chosen := bare(lost, contract)):
        way = option("schema")
        create = f"run CREATE SCHEMA {as_needed(chosen[0].schema)};"
        raise TargetError(f"The target has no schema {chosen[0].schema}: {create} or name another with {way}.")
    actual = with_code(cursor, actual, contract)
    actual = _with_calls(cursor, _with_types(cursor, look_elsewhere(cursor, actual, contract), contract), contract)
    actual = with_bodies(cursor, actual, contract)
    with undisturbed():
        sizes = partial(introspect.sizes, cursor)
        session = Session(cursor, helped=helped)
        count = counter(session)
        prove = Proofs(session, contract, sizes, count)
        count = prove.beside(actual) if deep else count
        stands = partial(stood, cursor, contract.schemas)
        rights = partial(introspect.with_rights, cursor)
        asked = partial(compare, deep=deep, doubts=doubts, choice=choice, prove=prove, stood=stands, rights=rights)
        return _foreseen(cursor, asked(actual, contract, count, sizes))


def _foreseen(cursor: Cursor, found: Comparison) -> Comparison:
    """Return the comparison with what its repairs come upon: types that do not go, and rows that they write."""
    if not found.every:  # as mostly; what looks ahead takes a while to import
        return found
    from fixer.compare.headroom import with_headroom
    from fixer.compare.moved import counted
    from fixer.compare.trying import tried

    return counted(cursor, with_headroom(cursor, tried(cursor, found)))


def look_elsewhere(cursor: Cursor, actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the twins of missing tables and their row counts; ask nothing if no table is missing."""
    missing = sorted(contract.tables.keys() - actual.tables.keys())
    if not missing:
        return actual
    called = ((name, each) for name in missing for each in (name.name, *contract.hints[name].legacy_names))
    short = missing if len(missing) <= RENAMED else []
    telling = {name: contract.tables[name].columns for name in short if len(contract.tables[name].columns) >= TELLING}
    twins, user_tables = introspect.elsewhere(cursor, called, telling)
    chosen = [t.name for t in twins if t.readable and t.kind in "rpm" and t.name not in contract.tables]
    rows = how_many(cursor, list(dict.fromkeys(chosen))[:TWINS], COUNTED + 1)
    counted = (replace(twin, rows=rows.get(twin.name)) for twin in twins)
    return replace(actual, twins=by_table(counted, contract), user_tables=user_tables)


def _with_types(cursor: Cursor, actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the types of the application that columns to come need; ask nothing if there are none.

    An enum may stand although its table or column is missing, and is used as it is, by its labels. The plan creates
    enums that lack along with the columns, and other types by themselves.
    """
    if contract.schema.types:
        actual = replace(actual, types=read_types(cursor))
    coming = dict[str, Column]()  # by type
    for name, table in contract.tables.items():
        there = actual.tables[name].columns if name in actual.tables else {}
        for column in table.columns.values():
            own = column.enum or column.home or "." in column.type
            if own and (column.name not in there or there[column.name].full_type != column.full_type):
                coming[column.full_type] = column
    types = contract.schema.types
    if not (coming or types.keys() - actual.types.keys()):
        return actual
    found = introspect.labels(cursor, {*map(in_full, types), *coming})
    made = {type_ for type_, column in coming.items() if column.enum}  # by the plan, where they are not there
    lacking = frozenset(type_ for type_, labels in found.items() if labels is None and type_ not in made)
    called = {each for name, (_, *calls) in types.items() if in_full(name) in lacking for each in calls}
    lacking |= introspect.absent(cursor, called) if called else frozenset()
    labels = {type_: labels for type_, labels in found.items() if labels is not None}
    return replace(actual, labels=labels, lacking=lacking, standing=_standing(cursor, coming, found))


def _standing(cursor: Cursor, coming: Mapping[str, Column], found: Mapping[str, object]) -> dict[str, Column]:
    """Return columns to come of types that stand and are domains, or should be or should be enums, as they will be."""
    own = [type_ for type_, each in coming.items() if each.base or (each.enum and type_ not in found)]
    return {
        type_: replace(coming[type_], base=each.base, guards=each.guards, supplied=each.supplied,
                       labels=each.labels, items=each.items)
        for type_, each in (standing_types(cursor, own) if own else {}).items()
    }  # fmt: skip


def _with_calls(cursor: Cursor, actual: Schema, contract: Contract) -> Schema:
    """Return the schema with what the expressions of tables call; ask nothing where none of them matters.

    They do in columns that the contract does not know, in keys that no sequence numbers, and in indexes of others.
    """
    asked = [*mattering(_named_alike(actual, contract))]
    return replace(actual, calls=introspect.calls(cursor, asked)) if asked else actual


def _named_alike(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Table]]:
    """Yield each table, as wanted and as found; those that are missing as they stand under their legacy names."""
    tables = actual.tables
    for name, wanted in contract.tables.items():
        if name in tables:
            yield wanted, tables[name]
        else:
            called = (QName(name.schema, each) for each in contract.hints[name].legacy_names)
            yield from ((wanted, tables[each]) for each in called if each in tables)


def beginning(connection: Connection, settings: Mapping[str, str] | None) -> str:
    """Return the SQL that opens the read-only transaction, in which row security fails instead of hiding rows."""
    chosen = {**PLAINLY, **EXACTLY, **unhurried(connection), **(settings or {})}
    return f"{READING}{setting(chosen).as_string(connection)};\n"


@contextmanager
def snapshot(connection: Connection) -> Iterator[Cursor]:
    """Lend a cursor for one transaction that the caller opens; raise TargetError if the database cannot be read."""
    try:
        with rolled_back(connection) as cursor:
            yield cursor
    except psycopg2.OperationalError as error:
        busy = isinstance(error, pg.LockNotAvailable)
        raise TargetError(f"The target could not be read: {told(error)}.", busy=busy) from None
