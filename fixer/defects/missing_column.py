"""A column of the contract is missing.

Costs: every statement that names it fails with 42703 undefined_column.
Cure: add it; existing rows get its backfill, if it is NOT NULL, else its default. If that value may differ for each
row, as with gen_random_uuid(), the table is rewritten; online, its rows are filled in batches. A person decides if rows
need a value and the contract has none, or if a column holds values whose name differs only in capitals, blanks, hyphens
or underscores.
Hint: `backfill` on the column is the value for the rows that are there; `legacy_names` is an earlier name of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import groupby

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._counters import BOXES, boxed
from fixer.defects._databases import SHELF_ROWS, TENANCY_ROWS, TICKET_ROWS, shelves, tenancy, tickets
from fixer.defects.code_behind import invoices
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Added, Hazard, Lock, Part, Phase, RefusalError, Repair, Step, refuse
from fixer.model.subject import WantedColumn
from fixer.model.table import Column, QName, Table
from fixer.model.values import dataclass
from fixer.repair.columns import (
    as_it_stands,
    is_read,
    is_to_come,
    lost_default,
    needs_value,
    to_come,
    unmade,
    unread,
    untyped,
)
from fixer.repair.counting.coming import as_counted, coming
from fixer.repair.defaults.own_values import (
    added,
    as_shown,
    as_wanted,
    filled,
    foreseen,
    given,
    in_order,
    may_differ,
    read_by,
    refused,
    unfit,
    untold,
)
from fixer.repair.numbers import giver
from fixer.repair.probe import ordered
from fixer.repair.rekeying.held import by_old_keys
from fixer.repair.rows import counted
from fixer.repair.shadow import cleared, holds_offenders
from fixer.repair.twins import column_twin, hint, taken_for
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier

SLUG = "missing-column"
POINT = 4
STAGE = Stage.COLUMNS


@dataclass(frozen=True)
class MissingColumn(WantedColumn):
    """A missing column; `twin` is an existing column whose name is only spelt otherwise, if there is one."""

    twin: str | None


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[MissingColumn]]:
    """Yield the missing columns, with the probe for rows that lack a needed value, or hold one in the twin."""
    for missing in _by_table(actual, contract):
        table = missing[0][1]
        for wanted, _, column in missing:
            stands = as_it_stands(column, actual)
            value = given(table.name, column, stands, contract)
            twin = column_twin(table, wanted, column.name, contract.hints[table.name].of(column.name))
            converted = as_wanted(value, table, contract, actual.version)
            after = foreseen(column, value, converted, wanted, actual.code)
            seen = as_wanted(value, as_shown(table), contract, actual.version)
            condition = _lacking(wanted, stands, value, twin) or unfit(after, value, seen, wanted, stands)
            shown = tuple(ordered(table, each) for each in list(table.columns)[:1])
            readable = None if untyped(column, actual) else condition
            if is_to_come(column, actual):  # no value of it can be read yet, and no row may get one
                readable = SQL("true") if is_read(column, wanted) else None
            asks = partial(Probe, q.rows_of(table), readable, shown) if readable else None
            message = f"{table.name.name}.{column.name} should be {column.type}, is missing"
            message += f', but "{twin}" is there' if twin else ""
            yield Finding(SLUG, POINT, MissingColumn(table.name, column, twin), message, asks=asks)
            table = unread(table.with_column(after), after, actual)


def _by_table(actual: Schema, contract: Contract) -> Iterator[list[tuple[Table, Table, Column]]]:
    """Yield the missing columns of each table, those that others are computed from first."""
    for _, group in groupby(walk.missing_columns(actual, contract), key=lambda each: each[1].name):
        missing = {column.name: (wanted, table, column) for wanted, table, column in group}
        values = [(column, contract.value_for(table.name, column)) for _, table, column in missing.values()]
        yield [missing[column.name] for column in in_order(values)]


def _lacking(wanted: Table, column: Column, value: Composable | None, twin: str | None) -> Composable | None:
    """Return the condition for rows that lack a value they need, or hold one in the twin; None without such rows."""
    if value is None and (needs_value(column) or (column.generates and giver(column.name, wanted))):
        return SQL("true")
    return q.not_null([twin]) if twin else None


def repair(finding: Finding[MissingColumn], actual: Schema, contract: Contract) -> Repair:
    """Add the column; refuse if rows need a value that the contract lacks, or hold one in the twin."""
    column, twin = finding.about.wanted, finding.about.twin
    if why := untyped(column, actual) or unmade(finding.table, column, actual, contract):
        return refuse(why)
    if finding.rows and is_read(column, contract.tables[finding.table]) and (why := to_come(column, actual, contract)):
        return refuse(why)
    if finding.rows and twin:
        return refuse(taken_for(finding.table, column.name, twin, finding.rows, contract))
    stands = as_it_stands(column, actual)
    if finding.rows and (why := refused(finding.table, column, stands, contract, counted(finding.rows))):
        return refuse(why)
    if finding.rows and given(finding.table, column, stands, contract) is not None:
        return refuse(untold(finding.table, column, counted(finding.rows)))
    if finding.rows:
        way = hint(finding.table, column.name, "backfill", "…", contract)
        told = f"{counted(finding.rows)} of {finding.table.name} would need a value: {lost_default(column, actual)}"
        return refuse(f"{told} or {way} for {column.name}")
    return Repair.of(_steps(finding, actual, contract))


def _steps(finding: Finding[MissingColumn], actual: Schema, contract: Contract) -> Iterator[Part]:
    name, table, column = finding.table, actual.tables[finding.table], finding.about.wanted
    if column.enum:
        yield Step(Phase.TABLES, name, f"create the type {column.enum}", ddl.create_type(column), Lock.NONE)
    yield from cleared(table, column.name)
    value, wanted = contract.value_for(name, column), contract.tables[name]
    if value is not None and read_by(value, wanted.columns) and not column.generated:
        _refuse_chain(column, wanted, table, contract)
        bare = replace(column, default=None, not_null=False)
        yield from filled(table, wanted, column, value, ddl.column_definition(bare, default=None))
        return
    sequences = contract.schema.sequences
    counted = coming(name, column, table.owner, actual, contract)
    definition = ddl.column_definition(counted.column, default=None if column.generated else value, sequences=sequences)
    anew = _is_written_anew(column, name, contract, as_it_stands(column, actual))
    add = alter(
        Phase.EXCHANGE_PROOFS if column.generated else Phase.CONVERT,  # by then its source columns exist
        name,
        f"add {column.name} to {name.name}",
        SQL("ADD COLUMN {}").format(definition),
        hazard=Hazard.REWRITES_TABLE if anew else None,
        rows=table.estimated_rows if anew else 0,
        merge=True,
        added=(Added(column.name, counts=column.generates or bool(column.generated)),),
    )
    lightly = None
    tied = column.generated or column.generates or table.inherits or holds_offenders(table)
    if anew and value is not None and not tied:
        lightly = tuple(added(table, column, value, add))
    yield from counted.before
    yield add.online_as(lightly)
    yield from counted.attached()
    if value is not None and not column.generated and value != SQL(column.default or ""):
        default = SQL("SET DEFAULT {}").format(SQL(column.default)) if column.default else SQL("DROP DEFAULT")
        title = f"set the default of {name.name}.{column.name} to {column.default or 'nothing'}"
        action = SQL("ALTER COLUMN {} {}").format(Identifier(column.name), default)
        yield alter(Phase.DEFAULTS, name, title, action).online_as(() if lightly else None)


def _refuse_chain(column: Column, wanted: Table, table: Table, contract: Contract) -> None:
    """Refuse a backfill that reads a missing column which is filled from others itself: neither comes first."""
    for each in read_by(contract.value_for(table.name, column), wanted.columns):
        value = contract.value_for(table.name, wanted.columns[each])
        if each not in table.columns and read_by(value, wanted.columns):
            raise RefusalError(
                f"the backfill of {column.name} reads {each}, which is missing and computed from other columns itself:"
                f" declare a backfill of {column.name} that reads those"
            )


def _is_written_anew(column: Column, table: QName, contract: Contract, stands: Column) -> bool:
    """Return whether adding a column rewrites its table: PostgreSQL only avoids that if all rows get one value."""
    if column.generated or column.generates:
        return column.generated != "v"
    return may_differ(column, table, contract, stands)


def foresee(finding: Finding[MissingColumn], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column, which tables that INHERIT get as well."""
    table = actual.tables[finding.table]
    column = as_counted(finding.table, finding.about.wanted, actual, contract)
    value = given(finding.table, column, as_it_stands(column, actual), contract)
    converted = as_wanted(value, table, contract, actual.version)
    after = as_it_stands(foreseen(column, value, converted, contract.tables[finding.table], actual.code), actual)
    after = by_old_keys(finding.table, after, actual, contract)
    below, schema = [table], actual
    for each in below:
        schema = schema.with_table(unread(each.with_column(after), after, actual))
        below += (heir for heir in schema.heirs(each.name) if column.name not in heir.columns)
    return schema


_ANEW, _KEY = frozenset({"rewrites-table"}), frozenset({"missing-foreign-key"})
SPECIMENS = (
    Specimen("nullable", "ALTER TABLE books DROP COLUMN pages"),
    Specimen("with a default and a backfill", "ALTER TABLE authors DROP COLUMN active"),
    Specimen("with keys and checks over it", "ALTER TABLE books DROP COLUMN reviewer_id", also=_KEY),
    Specimen(
        "needed by rows that have no value for it",
        "ALTER TABLE books DROP COLUMN title",
        rows=24,
        manual=True,
        also=frozenset({"missing-unique"}),
    ),
    Specimen("needed by no row yet", "TRUNCATE reviews; ALTER TABLE reviews DROP book_id", also=_KEY),
    Specimen("it stands in other letters", 'ALTER TABLE books RENAME pages TO "Pages"', rows=24, manual=True),
    Specimen("with a hyphen in it", 'ALTER TABLE books RENAME pages TO "Pa-ges"', rows=24, manual=True),
    Specimen("in other letters, with a default", 'ALTER TABLE authors RENAME active TO "Active"', rows=12, manual=True),
    Specimen("another in other letters is empty", 'ALTER TABLE books DROP pages, ADD "Pages" integer'),
    Specimen(
        "a part of a key, for which there is no value",
        "ALTER TABLE members DROP COLUMN tenant_id CASCADE",
        rows=6,
        manual=True,
        also=frozenset({"missing-primary-key", "missing-foreign-key"}),
        contract=tenancy,
        setup=TENANCY_ROWS,
    ),
    Specimen(
        "that count within bounds", "ALTER TABLE boxes DROP shelf, DROP place", _ANEW, contract=boxed, setup=BOXES
    ),
    Specimen(
        "with a value of its own in each row",
        "ALTER TABLE tickets DROP COLUMN token",
        hazards=_ANEW,
        also=frozenset({"missing-unique"}),
        contract=tickets,
        setup=TICKET_ROWS,
    ),
    Specimen(
        "that its default makes of a sequence",
        "ALTER TABLE invoices DROP COLUMN code",
        hazards=_ANEW,
        also=frozenset({"missing-unique"}),
        contract=invoices,
        setup="INSERT INTO invoices (id) SELECT nextval('invoices_id_seq') FROM generate_series(1, 3)",
    ),
    Specimen(
        "and one that is generated from it",
        "ALTER TABLE tickets DROP COLUMN seats CASCADE",
        hazards=_ANEW,
        contract=tickets,
        setup=TICKET_ROWS,
    ),
    Specimen(
        "and one that is generated from it, under a check",
        "ALTER TABLE shelves DROP COLUMN width CASCADE",
        hazards=_ANEW,
        also=frozenset({"missing-check"}),
        contract=shelves,
        setup=SHELF_ROWS,
    ),
    Specimen(
        "with a backfill over other columns",
        "ALTER TABLE shelves DROP COLUMN label",
        hazards=_ANEW,
        also=frozenset({"missing-unique"}),
        contract=shelves,
        setup=SHELF_ROWS,
    ),
    Specimen(
        "a generated one that would be NULL where it may not be",
        "ALTER TABLE shelves DROP COLUMN area; UPDATE shelves SET depth = NULL WHERE id = 2",
        rows=1,
        also=frozenset({"missing-check"}),
        manual=True,
        contract=shelves,
        setup=SHELF_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen("another in other letters has values", 'ALTER TABLE books ADD COLUMN "Pages" integer DEFAULT 3'),
    Specimen("an extra column is gone", "ALTER TABLE books ADD COLUMN x integer; ALTER TABLE books DROP COLUMN x"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a column with all that depends on it."""
    key = table.primary_key.columns if table.primary_key else ()
    for column in table.columns.values():
        if column.name not in key:
            yield plant.altered(table.name, "DROP COLUMN {} CASCADE", column.name)
