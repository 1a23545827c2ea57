"""A column is computed by the database where the contract has a plain one, or the reverse, or by another expression.

Costs: every insert that brings a value fails with 428C9, or nobody computes what the code leaves to the database.
Cure: a person decides, because a column that becomes generated gets other values, and one that becomes plain is from
then on only filled by code. The message gives the statements, which keep the old values in a column beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import TICKET_ROWS, tickets
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import canonical, quoted
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Column, QName, Table
from fixer.sql import compose as q
from fixer.sql.compose import Composable
from fixer.sql.types import fits

SLUG = "different-generation"
POINT = 4
STAGE = Stage.COLUMNS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the columns that are generated where the contract's are not, or not as they are."""
    for table, wanted, found in walk.columns(actual, contract):
        if table.created or found.added or not (wanted.generated or found.generated) or _is_alike(found, wanted):
            continue
        message = f"{table.name.name}.{wanted.name} should be {_told(wanted)}, is {_told(found)}"
        why = _by_a_person(table.name, wanted, found)
        yield Finding(SLUG, POINT, OfColumn(table.name, wanted.name), message, repair=why)


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
    """Return the refusal, which `detect` composes."""
    return finding.repair


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
