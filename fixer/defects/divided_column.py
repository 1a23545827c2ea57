"""A column exists twice, under its own name and under a legacy name, and the legacy one holds other values.

Costs: some code reads one, some the other.
Cure: copy the values that only the legacy column holds. If the other column cannot hold a value unchanged, a person
decides. If both hold different values, a warning reports it: they may differ once code writes only one of them.
Hint: `legacy_names` on the column; without the old name there, the two columns have nothing to do with each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import ColumnHints, Contract, TableHints
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, refuse
from fixer.model.subject import FoundColumn
from fixer.model.table import Column, Table
from fixer.model.values import dataclass
from fixer.repair.constraints.rewriting import Rewriting, new_cell
from fixer.repair.probe import rows_where
from fixer.repair.rows import identity, rewrite
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.conversions import conversion
from fixer.sql.conversions.further import Conversion
from fixer.sql.types import family, fits

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "divided-column"
POINT = 4
STAGE = Stage.COPIES


@dataclass(frozen=True)
class DividedColumn(FoundColumn):
    """A column that exists twice: how to convert values of the legacy one for the other, or why that is impossible."""

    way: Conversion | str


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[DividedColumn]]:
    """Yield, for each column that exists twice, rows to copy, rows that cannot be copied, rows that disagree."""
    for wanted, table in walk.tables(actual, contract, alike=True):
        for column, hints in contract.hints[table.name].columns.items():
            legacy = [n for n in hints.legacy_names if n in table.columns and n not in wanted.columns]
            if column in table.columns and legacy:
                old = table.columns[legacy[0]]
                about = DividedColumn(table.name, column, old, _way(old, table, wanted.columns[column], hints))
                for finding, where in _divided(about):
                    yield replace(finding, asks=partial(rows_where, actual, table.name, where))
                yield from _refused(about, table, actual, contract)


def _divided(about: DividedColumn) -> Iterator[tuple[Finding[DividedColumn], Composable]]:
    """Yield what may be wrong with a column that exists twice, each with the condition on its rows."""
    old, column, way, here = about.found.name, about.column, about.way, f"{about.table.name}.{about.column}"
    only = SQL("{} IS NOT NULL AND {} IS NULL").format(q.column(old), q.column(column))
    known = SQL("false") if isinstance(way, str) else way.fits
    why = way if isinstance(way, str) else f"{column} would not hold them as they are"
    should = f"{here} should hold what its legacy column {old} holds"
    copies = Finding(SLUG, POINT, about, should, only_with_rows=True)
    yield copies, q.all_of([only, known])
    left = replace(copies, message=f"{should}, cannot hold all of it", repair=refuse(why), aspect="misfits")
    yield left, SQL("{} AND ({}) IS NOT TRUE").format(only, known)
    differing = replace(
        copies,
        message=f"{here} and its legacy column {old} should agree, hold different values",
        severity="warning",  # they may differ once code writes to one of them alone
        aspect="values",
        repair=refuse(f"only a person can tell whether {column} or {old} is right"),
    )
    yield differing, SQL("{}::text <> {}::text").format(q.column(old), q.column(column))


def _refused(
    about: DividedColumn, table: Table, actual: Schema, contract: Contract
) -> Iterator[Finding[DividedColumn]]:
    """Yield a finding for each constraint of the table that may refuse a copied value; those to come find it later."""
    old, column, way = about.found.name, about.column, about.way
    if isinstance(way, str):
        return
    where = SQL("{} IS NOT NULL AND {} IS NULL AND {}").format(q.column(old), q.column(column), way.fits)
    cells = {column: new_cell(table.columns[column], way.value, where_null=False)}
    as_it_stands = replace(contract, schema=contract.schema.with_table(table))
    write = f"UPDATE {q.quoted(table.name)} SET {as_needed(column)} = … WHERE {as_needed(column)} IS NULL"
    for what, asks in Rewriting(table, cells, where, fills=True).refused(actual, as_it_stands):
        message = f"{table.name.name}.{column} should hold what its legacy column {old} holds; {what} would refuse it"
        why = refuse(f"write other values, as by {write}, or drop what refuses them")
        yield Finding(SLUG, POINT, about, message, asks=asks, only_with_rows=True, repair=why, aspect=what)


def _way(legacy: Column, table: Table, wanted: Column, hints: ColumnHints) -> Conversion | str:
    """Return how to convert a value of the legacy column for the other, or why that is impossible."""
    found = table.columns[wanted.name]  # as the plan so far leaves it
    if family(found.base or found.type) != family(wanted.type):
        return f"{wanted.name} is {found.type}: let it become {wanted.type} first"
    if fits(wanted.type, legacy.type):
        copied = SQL("{}::{}").format(q.column(legacy.name), SQL(wanted.full_type))
        return Conversion(wanted.type, SQL("true"), copied, home=wanted.home)
    if family(wanted.type) == family(legacy.type):  # to a narrower type, convert through text
        legacy = replace(legacy, type="text")
    return conversion(legacy, wanted, hints)


def repair(finding: Finding[DividedColumn], actual: Schema, contract: Contract) -> Repair:
    """Copy the values that only the legacy column holds."""
    name, column = finding.table, finding.about.column
    way, legacy = finding.about.way, finding.about.found
    if isinstance(way, str):
        return refuse(way)
    where = SQL("{} AND {} IS NOT NULL AND {}").format(q.is_null(column), q.column(legacy.name), way.fits)
    title = f"copy {legacy.name} to {column} where only {legacy.name} holds a value"
    table = actual.tables[name]
    known_by = identity(table, contract.tables[name], Phase.LEGACY)
    cells = {column: way.value}
    return Repair.of([rewrite(Phase.LEGACY, table, title, cells, where, rows=finding.rows, known_by=known_by)])


def foresee(finding: Finding[DividedColumn], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the values copied."""
    way, legacy, table = finding.about.way, finding.about.found, actual.tables[finding.table]
    if isinstance(way, str):
        return actual
    column = table.columns[finding.about.column]
    fitting, value = (q.over(each, legacy.name, q.today(legacy)) for each in (way.fits, way.value))
    copied = SQL("coalesce({}, CASE WHEN {} THEN {} END)").format(q.today(column), fitting, value)
    return actual.with_table(table.with_column(replace(column, now=copied)))


def films() -> sa.MetaData:
    """Return a contract of lengths that no text can be converted to safely."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    length = sa.Column("length", sa.Interval, info={"legacy_names": ["span"]})
    sa.Table("films", metadata, sa.Column("id", sa.Integer, primary_key=True), length)
    return metadata


SPECIMENS = (
    Specimen(
        "only the legacy column holds a value",
        "ALTER TABLE books ADD COLUMN heading varchar(40);"
        "ALTER TABLE books ALTER COLUMN title DROP NOT NULL;"
        "UPDATE books SET heading = title, title = NULL WHERE id IN (3, 4)",
        hazards=frozenset({"rewrites-values"}),
        rows=2,
        also=frozenset({"missing-not-null"}),
    ),
    Specimen(
        "both hold something else",
        "ALTER TABLE books ADD COLUMN heading varchar(40); UPDATE books SET heading = 'other' WHERE id = 3",
        rows=1,
        manual=True,
    ),
    Specimen(
        "the legacy column holds what the other cannot",
        "ALTER TABLE books ADD COLUMN heading text; ALTER TABLE books ALTER COLUMN title DROP NOT NULL;"
        "UPDATE books SET heading = repeat('long ', 9) || id, title = NULL WHERE id IN (3, 4)",
        rows=2,
        manual=True,
        also=frozenset({"missing-not-null", "null-rows"}),
    ),
    Specimen(
        "a legacy column of another type",
        "ALTER TABLE books ADD COLUMN heading bigint; ALTER TABLE books ALTER COLUMN title DROP NOT NULL;"
        "UPDATE books SET heading = 700 + id, title = NULL WHERE id IN (3, 4)",
        hazards=frozenset({"rewrites-values"}),
        rows=2,
        also=frozenset({"missing-not-null"}),
    ),
    Specimen(
        "the other has a type that only a person can convert",
        "ALTER TABLE films ADD COLUMN span interval; UPDATE films SET span = length, length = NULL WHERE id = 2;"
        "ALTER TABLE films ALTER length TYPE text",
        rows=1,
        manual=True,
        also=frozenset({"wrong-type"}),
        contract=films,
        setup="INSERT INTO films (length) VALUES ('1 h'), ('2 h')",
    ),
)
NEAR_MISSES = (
    Specimen("both agree", "ALTER TABLE books ADD COLUMN heading varchar(40); UPDATE books SET heading = title"),
    Specimen("the legacy column is empty", "ALTER TABLE books ADD COLUMN heading varchar(40)"),
)


def mutate_hinted(table: Table, hints: TableHints) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let only a legacy column hold the values of two rows."""
    for column in plant.bare(table):
        for legacy in hints.of(column.name).legacy_names:
            # A domain may have a default, which no row gets that was there before.
            add = SQL("ADD COLUMN {} {} DEFAULT NULL, ALTER COLUMN {} DROP NOT NULL")
            names = Identifier(legacy), SQL(column.full_type), Identifier(column.name)
            yield plant.block(
                ddl.altered(table.name, add.format(*names)), plant.moved_first(table.name, column.name, legacy, 2)
            )
