"""A column is computed by the database where the contract has a plain one, or the reverse, or by another expression.

Costs: every insert that brings a value fails with 428C9, or nobody computes what the code leaves to the database.
Cure: if the table has no rows, let PostgreSQL (17 and later) compute it by the other expression, or rename the column
to another name and add it anew. A person decides if there are rows, because a column that becomes generated gets other
values, and one that becomes plain is from then on only filled by code; or if something else is made of the column. The
message gives the statements, which keep the old values in a column beside. A row that came in since the plan was made
stops the repair before it changes the column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import TICKET_ROWS, tickets
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import canonical, names_column, quoted
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Added, Phase, Repair, Step, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Column, QName, Table
from fixer.repair.probe import rows_where
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier, Literal
from fixer.sql.types import fits

SLUG = "different-generation"
POINT = 4
STAGE = Stage.COLUMNS
_TAKES_EXPRESSIONS = 17  # from here on, ALTER COLUMN … SET EXPRESSION


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the columns that are generated where the contract's are not, or not as they are."""
    for table, wanted, found in walk.columns(actual, contract):
        if table.created or found.added or not (wanted.generated or found.generated) or _is_alike(found, wanted):
            continue
        message = f"{table.name.name}.{wanted.name} should be {_told(wanted)}, is {_told(found)}"
        asks = partial(rows_where, actual, table.name, SQL("true"))
        yield Finding(SLUG, POINT, OfColumn(table.name, wanted.name), message, asks=asks)


def _is_alike(found: Column, wanted: Column) -> bool:
    """Return whether two columns are computed alike: stored or not, by one expression, in a type that takes it."""
    if bool(found.generated) != bool(wanted.generated):
        return False
    return canonical(found.default or "") == canonical(wanted.default or "") and fits(found.type, wanted.type)


def _told(column: Column) -> str:
    if column.generated:
        return f"{column.type} generated as {column.default}"
    return f"a plain {column.type}" + (" that is numbered" if column.generates else "")


def _by_a_person(table: QName, wanted: Column, found: Column) -> Repair:
    """Return the refusal, with the statements that show what would be lost, and that change the column."""
    here, column = q.quoted(table), quoted(wanted.name)
    if not wanted.generated and found.generated == "s":
        drop = f"ALTER TABLE {here} ALTER COLUMN {column} DROP EXPRESSION"
        return refuse(f"only a person knows whether code writes it from now on: {drop} keeps its values")
    kept = f"{wanted.name}_before"
    aside = f"ALTER TABLE {here} RENAME COLUMN {column} TO {quoted(kept)}"
    kind = "STORED" if wanted.generated == "s" else "VIRTUAL"
    clause = f" GENERATED ALWAYS AS ({wanted.default}) {kind}" if wanted.generated else ""
    add = f"ALTER TABLE {here} ADD COLUMN {column} {wanted.full_type}{clause}"
    fill = "" if wanted.generated else f"; UPDATE {here} SET {column} = {quoted(kept)}"
    return refuse(
        f"its values are replaced: {aside}; {add}{fill}; compare the two, and drop {kept} with what depends on it"
    )


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Compute it otherwise, or put another column in its place; refuse where rows hold values, or others need it."""
    table, name = actual.tables[finding.table], finding.about.column
    wanted, found = contract.tables[table.name].columns[name], table.columns[name]
    if finding.rows or table.parted_by or table.part_of or table.inherits or _has_heirs(table, actual):
        return _by_a_person(table.name, wanted, found)
    if _takes_expression(wanted, found, actual):
        action = SQL("ALTER COLUMN {} SET EXPRESSION AS ({})").format(Identifier(name), SQL(wanted.default or ""))
        title = f"let {table.name.name}.{name} be computed as {wanted.default}"
        return Repair.of([_while_empty(alter(Phase.CONVERT, table.name, title, action), name)])
    if _is_needed(name, table, actual) or found.generates or wanted.generates:
        return _by_a_person(table.name, wanted, found)
    return Repair.of(_anew(wanted, found, table))


def _takes_expression(wanted: Column, found: Column, actual: Schema) -> bool:
    """Return whether PostgreSQL can put one expression in the place of another, with all that is made of it."""
    stored = wanted.generated == found.generated == "s"
    return stored and wanted.full_type == found.full_type and actual.version >= _TAKES_EXPRESSIONS


def _has_heirs(table: Table, actual: Schema) -> bool:
    return next(actual.heirs(table.name), None) is not None


def _is_needed(column: str, table: Table, actual: Schema) -> bool:
    """Return whether anything is made of a column that another one would not take along."""
    said = [index.tail for index in table.indexes] + [check.expression for check in table.checks]
    said += [each.default or "" for each in table.columns.values() if each.generated and each.name != column]
    keys = (*table.foreign_keys, *actual.incoming(table.name))
    named = any(column in (key.columns if key.table == table.name else key.target_columns) for key in keys)
    return named or bool(table.obstacles) or any(names_column(each, column) for each in said)


def _aside(column: str, table: Table) -> str:
    return q.free_name(f"{column}_before", table.columns)


def _while_empty(step: Step, column: str) -> Step:
    """Return a step that locks its table and fails if a row has come in since the plan was made."""
    table, told = q.name(step.table), (Literal(str(each).replace("%", "%%")) for each in (step.table, column))
    none = q.block("rows/none_came", rows=table, table=next(told), column=next(told))
    return replace(step, sql=SQL(";\n").join([step.sql, none]), action=None)


def _anew(wanted: Column, found: Column, table: Table) -> Iterator[Step]:
    """Yield the steps that rename a column and add it anew; undo drops the new one."""
    name, column, aside = table.name, Identifier(wanted.name), _aside(wanted.name, table)
    where = f"{name.name}.{wanted.name}"
    action = SQL("RENAME COLUMN {} TO {}").format(column, Identifier(aside))
    rename = alter(Phase.ASIDE, name, f"rename {where}, which no row has a value in, to {aside}", action)
    rename = _while_empty(rename, wanted.name)
    yield replace(rename, shape=replace(rename.shape, renames=((wanted.name, aside),)))
    if found.not_null:
        action = SQL("ALTER COLUMN {} DROP NOT NULL").format(Identifier(aside))
        yield alter(Phase.ASIDE, name, f"drop NOT NULL of {name.name}.{aside}", action)
    value = None if wanted.generated or wanted.default is None else SQL(wanted.default)
    action = SQL("ADD COLUMN {}").format(ddl.column_definition(wanted, default=value))
    phase = Phase.EXCHANGE_PROOFS if wanted.generated else Phase.CONVERT  # by then, its source columns exist
    added = Added[Composable](wanted.name, counts=bool(wanted.generated))
    yield alter(phase, name, f"add {wanted.name} to {name.name}", action, added=(added,))


def foresee(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column of the contract, and with the old one under its new name."""
    table, name = actual.tables[finding.table], finding.about.column
    wanted, found = contract.tables[table.name].columns[name], table.columns[name]
    if _takes_expression(wanted, found, actual):
        return actual.with_table(table.with_column(replace(found, default=wanted.default)))
    old = replace(found, name=(aside := _aside(name, table)), not_null=False, stored_as=found.stored_as or name)
    rest = {each: column for each, column in table.columns.items() if each != name}
    columns = {**rest, aside: old, name: replace(wanted, added=True)}
    return actual.with_table(replace(table, columns=columns))


_NONE = "TRUNCATE tickets;"
SPECIMENS = (
    Specimen(
        "plain",
        "ALTER TABLE tickets ALTER COLUMN price DROP EXPRESSION; INSERT INTO tickets (seats) VALUES (7)",
        manual=True,
        contract=tickets,
        setup=TICKET_ROWS,
    ),
    Specimen(
        "by another expression",
        "ALTER TABLE tickets DROP COLUMN price, ADD COLUMN price integer GENERATED ALWAYS AS (seats * 12) STORED",
        manual=True,
        contract=tickets,
        setup=TICKET_ROWS,
    ),
    Specimen(
        "in a smaller type",
        "ALTER TABLE tickets DROP COLUMN price, ADD COLUMN price smallint GENERATED ALWAYS AS (seats * 10) STORED",
        manual=True,
        contract=tickets,
        setup=TICKET_ROWS,
    ),
    Specimen(
        "in a type of another kind",
        "ALTER TABLE tickets DROP COLUMN price, ADD COLUMN price text GENERATED ALWAYS AS (seats * 10) STORED",
        manual=True,
        contract=tickets,
        setup=TICKET_ROWS,
    ),
    Specimen(
        "numbered",
        "ALTER TABLE tickets DROP COLUMN price, ADD COLUMN price integer GENERATED ALWAYS AS IDENTITY",
        manual=True,
        contract=tickets,
        setup=TICKET_ROWS,
    ),
    Specimen(
        "generated where the contract has a default",
        "ALTER TABLE authors DROP COLUMN country;"
        "ALTER TABLE authors ADD COLUMN country varchar(20) NOT NULL GENERATED ALWAYS AS (upper(name)) STORED",
        manual=True,
    ),
    Specimen(
        "computed when it is read",
        "ALTER TABLE books DROP COLUMN pages, ADD COLUMN pages integer GENERATED ALWAYS AS (id * 2) VIRTUAL",
        manual=True,
        minimum_version=18,
    ),
    Specimen(
        "plain, in a table without rows",
        f"{_NONE} ALTER TABLE tickets ALTER COLUMN price DROP EXPRESSION",
        contract=tickets,
        setup=TICKET_ROWS,
    ),
    Specimen(
        "by another expression, in a table without rows",
        f"{_NONE} ALTER TABLE tickets DROP price, ADD price integer GENERATED ALWAYS AS (seats * 12) STORED;",
        contract=tickets,
        setup=TICKET_ROWS,
    ),
    Specimen(
        "in a type of another kind, with an index, in a table without rows",
        f"{_NONE} ALTER TABLE tickets DROP price, ADD price text GENERATED ALWAYS AS (seats * 10) STORED;"
        "CREATE INDEX ON tickets (price)",
        manual=True,
        contract=tickets,
        setup=TICKET_ROWS,
    ),
    Specimen(
        "computed, in a table without rows",
        "TRUNCATE authors, books, reviews; ALTER TABLE authors DROP COLUMN country;"
        "ALTER TABLE authors ADD COLUMN country varchar(20) NOT NULL GENERATED ALWAYS AS (upper(name)) STORED",
        also=frozenset({"missing-default-row"}),
    ),
)
NEAR_MISSES = (
    Specimen(
        "in a wider type, its expression spelt otherwise",
        "ALTER TABLE tickets DROP COLUMN price, ADD COLUMN price bigint GENERATED ALWAYS AS (((seats) * (10))) STORED",
        contract=tickets,
        setup=TICKET_ROWS,
    ),
    Specimen(
        "computed when it is read instead of stored",
        "ALTER TABLE tickets DROP COLUMN price, ADD COLUMN price integer GENERATED ALWAYS AS (seats * 10) VIRTUAL",
        contract=tickets,
        setup=TICKET_ROWS,
        minimum_version=18,
    ),
    Specimen("an extra one", "ALTER TABLE books ADD COLUMN half integer GENERATED ALWAYS AS (pages / 2) STORED"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a computed column be a plain one."""
    for column in table.columns.values():
        if column.generated == "s":
            yield plant.altered(table.name, "ALTER COLUMN {} DROP EXPRESSION", column.name)
