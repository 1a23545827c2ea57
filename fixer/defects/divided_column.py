"""A column stands twice, under its name and under a legacy name, and the legacy one knows more.

Costs: half the code reads one, half the other.
Cure: copy what only the legacy column holds. Where a value would not be the same in the other column, a person
decides; where both hold something and disagree, that is told: they may, once who writes knows but one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from fixer.contract.build import ColumnHints, Contract
from fixer.model.finding import Finding, Specimen, Stage, rows_where
from fixer.model.schema import Column, Schema
from fixer.model.step import Phase, Repair, refuse
from fixer.repair.rows import identity, rewrite
from fixer.sql import compose as q
from fixer.sql.compose import SQL
from fixer.sql.conversions import Conversion, conversion
from fixer.sql.types import family, fits

SLUG = "divided-column"
POINT = 4
STAGE = Stage.COPIES


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield, for each column that stands twice, the rows to copy, those that cannot be, and those that disagree."""
    for name, wanted in contract.tables.items():
        table = actual.tables.get(name)
        for column, hints in contract.hints[name].columns.items():
            legacy = [n for n in hints.legacy_names if table and n in table.columns and n not in wanted.columns]
            if table is None or column not in table.columns or not legacy:
                continue
            old, here = table.columns[legacy[0]], f"{name.name}.{column}"
            way = _way(old, wanted.columns[column], hints)
            known = SQL("false") if isinstance(way, str) else way.fits
            why = way if isinstance(way, str) else f"{column} would not hold them as they are"
            only = SQL("{} IS NOT NULL AND {} IS NULL").format(q.column(old.name), q.column(column))
            should = f"{here} should hold what its legacy column {old.name} holds"
            copies = Finding(
                SLUG, POINT, f"{name}.{column}", should, name, column, part=way, found=old, only_with_rows=True
            )  # fmt: skip
            for finding, where in (
                (copies, q.all_of([only, known])),
                (
                    replace(copies, message=f"{should}, cannot hold all of it", repair=refuse(why)),
                    SQL("{} AND ({}) IS NOT TRUE").format(only, known),
                ),
                (
                    replace(
                        copies,
                        message=f"{here} and its legacy column {old.name} should agree, hold different values",
                        severity="warning",  # who writes to one of them alone, lets them differ from then on
                        repair=refuse(f"nobody but a person can tell whether {column} or {old.name} is right"),
                    ),
                    SQL("{}::text <> {}::text").format(q.column(old.name), q.column(column)),
                ),
            ):
                yield replace(finding, asks=partial(rows_where, actual, name, where))


def _way(legacy: Column, wanted: Column, hints: ColumnHints) -> Conversion | str:
    """Return how a value gets from the legacy column into the other, or why it cannot."""
    if fits(wanted.type, legacy.type):
        copied = SQL("{}::{}").format(q.column(legacy.name), SQL(wanted.full_type))
        return Conversion(wanted.type, SQL("true"), copied, home=wanted.home)
    if family(wanted.type) == family(legacy.type):  # a narrower type of its kind takes what it takes as text
        legacy = replace(legacy, type="text")
    return conversion(legacy, wanted, hints)


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Copy the values that only the legacy column holds."""
    name, column = finding.table, str(finding.column)
    way, legacy = finding.part, finding.found
    where = SQL("{} AND {} IS NOT NULL AND {}").format(q.is_null(column), q.column(legacy.name), way.fits)
    title = f"copy {legacy.name} to {column} where only {legacy.name} holds a value"
    table = actual.tables[name]
    known_by = identity(table, contract.tables[name], Phase.KEYS)
    cells = {column: way.value}
    return Repair((rewrite(Phase.KEYS, table, title, cells, where, rows=finding.rows, known_by=known_by),))


def foresee(finding: Finding, actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the values copied."""
    if finding.repair.refusal:
        return actual
    way, legacy = finding.part, finding.found
    table, column = actual.tables[finding.table], actual.tables[finding.table].columns[str(finding.column)]
    fitting, value = (q.over(each, legacy.name, q.today(legacy)) for each in (way.fits, way.value))
    copied = SQL("coalesce({}, CASE WHEN {} THEN {} END)").format(q.today(column), fitting, value)
    return actual.with_table(table.with_column(replace(column, now=copied)))


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
)
NEAR_MISSES = (
    Specimen("both agree", "ALTER TABLE books ADD COLUMN heading varchar(40); UPDATE books SET heading = title"),
    Specimen("the legacy column is empty", "ALTER TABLE books ADD COLUMN heading varchar(40)"),
)
