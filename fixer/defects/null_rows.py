"""Rows hold NULL in a column that the contract wants NOT NULL.

Costs: NOT NULL cannot be set.
Cure: fill them with the contract's value: its backfill, else its default; where a sequence numbers the column, with its
next numbers. If the contract has none, move them to quarantine. A person decides if a unique, a check or a foreign key
would refuse the value, or if the column is NOT NULL already: only a deep check of a catalogue by itself finds that.
Hint: `backfill` on the column is the value that they get.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import tickets
from fixer.defects.code_behind import invoices
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import canonical, quoted
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Finding, Guaranteed, Probe
from fixer.model.schema import Schema
from fixer.model.step import Part, Phase, Repair, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Column, QName, Table
from fixer.repair.constraints.rewriting import Refused, Rewriting, new_cell
from fixer.repair.counting.new_numbers import new_numbers
from fixer.repair.defaults.own_values import may_differ, read_by, too_long
from fixer.repair.numbers import numbers_itself
from fixer.repair.probe import rows_apart, rows_where
from fixer.repair.quarantine import Mover
from fixer.repair.rows import counted, identity, rewrite, untaken
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "null-rows"
POINT = 4
STAGE = Stage.PARTS
_FRESH = pattern(r"\W*(gen_random_uuid|uuidv4|uuidv7|clock_timestamp)\(\)(::[\w ]+)?\W*")


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn] | Guaranteed]:
    """Yield the nullable columns that should be NOT NULL, with the probe for NULLs; a valid check may rule them out."""
    for table, column in walk.open_columns(actual, contract):
        if not table.columns[column.name].not_null and column.name in _key(contract.tables[table.name]):
            continue  # null-key numbers these rows
        demanded = partial(contract.demands, column.name)
        yield Finding(
            SLUG,
            POINT,
            OfColumn(table.name, column.name),
            f"{table.name.name}.{column.name} should hold a value, is NULL",
            asks=partial(rows_apart, actual, table.name, _empty(table, column.name), demanded),
            only_with_rows=True,
            further=partial(_refused, table, column, actual, contract),
            vouched=_is_checked(table, column.name),
        )
    if contract.itself:
        yield from _against_the_catalogue(actual, contract)


def _against_the_catalogue(actual: Schema, contract: Contract) -> Iterator[Guaranteed]:
    """Yield the columns that are NOT NULL by the catalogue."""
    for _, table in walk.tables(actual, contract, alike=True):
        for column in table.columns.values():
            if column.not_null and column.name not in table.unproved_below:
                found = partial(_filled_by_the_catalogue, actual, table.name, column.name)
                yield Guaranteed(SLUG, table.name, found, refused=True)


def _filled_by_the_catalogue(actual: Schema, table: QName, column: str) -> Finding[OfColumn]:
    """Return the finding about a column that is NOT NULL by the catalogue, with the probe for its NULLs.

    Newer PostgreSQL takes IS NULL for false there, so that the rows are asked otherwise.
    """
    name = quoted(column)
    write = f"UPDATE {q.quoted(table)} SET {name} = … WHERE num_nulls({name}) > 0"
    return Finding(
        SLUG,
        POINT,
        OfColumn(table, column),
        f"{table.name}.{column} is NOT NULL by the catalogue, and is NULL",
        asks=partial(_in_spite, actual, table, column),
        only_with_rows=True,
        vouched=True,
        repair=refuse(f"write values, as by {write}"),
    )


def _in_spite(actual: Schema, table: QName, column: str) -> Probe:
    """Return the probe for the rows that hold NULL in a column, whatever the catalogue says."""
    return rows_where(actual, table, SQL("pg_catalog.num_nulls({}) > 0").format(q.column(column)))


def _refused(table: Table, column: Column, actual: Schema, contract: Contract) -> Iterator[Finding[OfColumn]]:
    """Yield a finding for each constraint that may refuse the value, with the probe for the rows that it would."""
    if _is_checked(table, column.name):
        return
    cells, fresh = _filled(table, contract), _filled(table, contract, fresh=True)
    rewriting = Rewriting(table, cells, q.is_null(column.name), fills=True, about=column.name)
    refused = rewriting.refused(actual, contract) if column.name in cells else ()
    if column.name in fresh:  # what no row has yet, no foreign key takes
        refused = replace(rewriting, cells=cells | fresh).orphaned(actual, contract)
    here, name = f"{table.name.name}.{column.name}", quoted(column.name)
    write = f"UPDATE {q.quoted(table.name)} SET {name} = … WHERE {name} IS NULL"
    for what, asks in (*_unfit(table, column, actual, contract), *refused):
        message = f"{here} should hold a value, is NULL; {what} would refuse the contract's value"
        why = refuse(f"write other values, as by {write}, or declare another backfill for {column.name}")
        about = OfColumn(table.name, column.name)
        yield Finding(SLUG, POINT, about, message, asks=asks, only_with_rows=True, repair=why, aspect=what)


def _unfit(table: Table, column: Column, actual: Schema, contract: Contract) -> Iterator[Refused]:
    """Yield the type of a column, if it may refuse the contract's value, with the probe for the rows that it would."""
    found, value = table.columns[column.name], contract.value_for(table.name, column)
    read = read_by(value, contract.tables[table.name].columns)
    if value is None or not all(each in table.columns for each in read):
        return
    long = too_long(value, found)
    null = SQL("({})::{} IS NULL").format(value, SQL(found.full_type)) if read and not found.enum else None
    unfit = [each for each in (long, null) if each is not None]
    if unfit:
        condition = q.all_of([q.is_null(column.name), q.any_of(unfit)])
        yield f"{found.type} NOT NULL", partial(rows_where, actual, table.name, condition)


def _filled(table: Table, contract: Contract, *, fresh: bool = False) -> dict[str, Composable]:
    """Return the cells, once they are filled, of the columns of a table that get a value which can be foreseen.

    Or of those that get one which is `fresh`: no row has it yet.
    """
    wanted, cells = contract.tables[table.name], dict[str, Composable]()
    for column in wanted.columns.values():
        found, value = table.columns.get(column.name), contract.value_for(table.name, column)
        if (
            found
            and column.not_null
            and not found.not_null
            and value is not None
            and (_is_fresh(value) if fresh else not may_differ(column, table.name, contract))
        ):
            cells[column.name] = new_cell(found, value, where_null=True)
    return cells


def _is_fresh(value: Composable) -> bool:
    """Return whether PostgreSQL itself makes a value that no row has."""
    return isinstance(value, SQL) and bool(_FRESH.fullmatch(value.string))


def _key(wanted: Table) -> tuple[str, ...]:
    """Return the columns of the primary key."""
    return wanted.primary_key.columns if wanted.primary_key else ()


def _empty(table: Table, column: str) -> Composable:
    """Return the condition that a column is NULL.

    PostgreSQL 18 leaves out IS NULL where the NOT NULL of the whole is valid, even if that of a partition is not.
    """
    if column in table.unproved_below:
        return SQL("pg_catalog.num_nulls({}) > 0").format(q.column(column))
    return q.is_null(column)


def _is_checked(table: Table, column: str) -> bool:
    """Return whether a validated check already forbids NULL, as one does in online mode before SET NOT NULL."""
    wanted = canonical(f"({quoted(column)} IS NOT NULL)")
    return any(c.validated and c.columns == (column,) and canonical(c.expression) == wanted for c in table.checks)


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Fill the rows, or quarantine them."""
    name, column = finding.table, finding.about.column
    value = contract.value_for(name, contract.tables[name].columns[column])
    empty = _empty(actual.tables[name], column)
    mover = Mover(actual, contract)
    if value is None and numbers_itself(contract.tables[name], column):
        return Repair.of(_numbered(finding, empty, actual, contract))
    if value is None:
        reason = f"its {column} is NULL, and the contract declares no value for it"
        return Repair.of(mover.quarantine(Phase.VALUES, name, empty, reason, rows=finding.rows))
    title = f"fill {column} of {counted(finding.rows)} of {name.name} with the contract's value"
    table, wanted = actual.tables[name], contract.tables[name]
    adopted = any(column in k.columns and contract.hints[k.target].default_rows for k in wanted.foreign_keys)
    phase = Phase.ORPHANS if adopted else Phase.VALUES  # the row that it references may not exist before
    known_by = identity(table, wanted, phase)
    if _may_be_taken(value, wanted.columns[column], table, contract):
        value = untaken(value, name, table.columns[column])
    step = rewrite(phase, table, title, {column: value}, empty, rows=finding.rows, known_by=known_by)
    return Repair.of([step])


def _numbered(finding: Finding[OfColumn], empty: Composable, actual: Schema, contract: Contract) -> Iterator[Part]:
    """Yield the steps that give the rows the next numbers of their sequence, as new rows get them."""
    name, column = finding.table, finding.about.column
    table, wanted = actual.tables[name], contract.tables[name]
    keys = (
        index
        for index in (*wanted.indexes, *table.indexes)
        if index.unique and not index.partial and index.columns == (column,)
    )
    numbers = new_numbers(name, column, key := next(keys, None), actual, contract)
    known_by = (column,) if key else identity(table, wanted, Phase.KEYS)
    title = f"number {counted(finding.rows)} of {name.name} whose {column} is NULL"
    filled, beside = (
        rewrite(Phase.KEYS, table, title, {column: value}, empty, rows=finding.rows, known_by=known_by)
        for value in (numbers.value, numbers.beside)
    )
    yield numbers.room(finding.rows)
    yield filled.online_as((beside,))


def _may_be_taken(value: Composable, column: Column, table: Table, contract: Contract) -> bool:
    """Return whether a row may have the value that a default gives another one, although it gives each its own."""
    indexes = (*table.indexes, *contract.tables[table.name].indexes)
    unique = any(column.name in index.columns for index in indexes if index.unique)
    return unique and may_differ(column, table.name, contract) and not read_by(value, table.columns)


OPEN = "ALTER TABLE {0} ALTER COLUMN {1} DROP NOT NULL; UPDATE {0} SET {1} = NULL WHERE id IN (3, 4)"
ALSO = frozenset({"missing-not-null"})


def _queue() -> sa.MetaData:
    """Return a contract with numbers that are no keys, of a sequence that no column owns, and of one of their own."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Sequence("places", metadata=metadata)
    place = sa.Column("place", sa.Integer, server_default=sa.text("nextval('places')"), nullable=False)
    turn = sa.Column("turn", sa.BigInteger, sa.Identity(), nullable=False, unique=True)
    sa.Table("queue", metadata, sa.Column("name", sa.Text, primary_key=True), place, turn)
    return metadata


SPECIMENS = (
    Specimen(
        "filled with the backfill",
        OPEN.format("authors", "active"),
        hazards=frozenset({"rewrites-values"}),
        rows=2,
        also=ALSO,
    ),
    Specimen(
        "quarantined with what hangs on them",
        OPEN.format("books", "title"),
        hazards=frozenset({"moves-rows"}),
        rows=2,
        quarantined=6,
        also=ALSO,
    ),
    Specimen(
        "filled by a default that makes values which other rows have",
        "ALTER TABLE invoices ALTER COLUMN code DROP NOT NULL; UPDATE invoices SET code = NULL WHERE id > 2;"
        "SELECT setval('invoice_numbers', 1, false)",
        hazards=frozenset({"rewrites-values"}),
        rows=2,
        also=ALSO | {"code-behind"},
        contract=invoices,
        setup="INSERT INTO invoices (id) SELECT nextval('invoices_id_seq') FROM generate_series(1, 4)",
    ),
    Specimen(
        "numbered by their sequences, one of which is gone",
        "ALTER TABLE queue ALTER place DROP NOT NULL, ALTER turn DROP IDENTITY, ALTER turn DROP NOT NULL;"
        "UPDATE queue SET place = NULL, turn = NULL WHERE name > 'b'",
        hazards=frozenset({"rewrites-values"}),
        rows=4,
        also=ALSO | {"missing-generator"},
        contract=_queue,
        setup="INSERT INTO queue (name) VALUES ('a'), ('b'), ('c'), ('d')",
    ),
    Specimen(
        "new UUIDs under a foreign key that the contract does not know",
        "ALTER TABLE tickets ALTER token DROP NOT NULL; CREATE TABLE tokens (token uuid PRIMARY KEY);"
        "INSERT INTO tokens SELECT token FROM tickets; ALTER TABLE tickets ADD FOREIGN KEY (token) REFERENCES tokens;"
        "UPDATE tickets SET token = NULL WHERE id < 3",
        manual=True,
        also=ALSO | {"rogue-foreign-key"},
        contract=tickets,
        setup="INSERT INTO tickets (seats) VALUES (1), (2), (3)",
    ),
)
NEAR_MISSES = (Specimen("NULL where it may be", "UPDATE books SET pages = NULL"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: allow NULL, and set it in two rows."""
    key = table.primary_key.columns if table.primary_key else ()
    for column in plant.writable(table):
        if column.not_null and column.name not in key:
            allow = plant.altered(table.name, "ALTER COLUMN {} DROP NOT NULL", column.name)
            yield plant.block(allow, plant.set_first(table.name, column.name, SQL("NULL"), 2))
