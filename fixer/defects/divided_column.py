"""A column stands twice, under its name and under a legacy name, and the legacy one knows more.

Costs: half the code reads one, half the other.
Cure: copy what only the legacy column holds. Where both hold something and disagree, a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from fixer import sqltext as q
from fixer.contract import Contract
from fixer.findings import Finding, Specimen, Stage, rows_where
from fixer.schema import Schema
from fixer.sqltext import SQL
from fixer.steps import Phase, Repair, refuse
from fixer.writes import identity, rewrite

SLUG = "divided-column"
POINT = 4
STAGE = Stage.COLUMNS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield, for each column that stands twice, the rows to copy and the rows that disagree."""
    for name, wanted in contract.tables.items():
        table = actual.tables.get(name)
        for column, hints in contract.hints[name].columns.items():
            legacy = [n for n in hints.legacy_names if table and n in table.columns and n not in wanted.columns]
            if table is None or column not in table.columns or not legacy:
                continue
            differs = SQL("{}::text IS DISTINCT FROM {}::text").format(q.column(legacy[0]), q.column(column))
            for clash, message in (
                (False, f"{name.name}.{column} should hold what its legacy column {legacy[0]} holds"),
                (
                    True,
                    f"{name.name}.{column} and its legacy column {legacy[0]} should agree, hold different values",
                ),
            ):
                where = SQL("{} IS NOT NULL AND {} AND {} IS {}NULL").format(
                    q.column(legacy[0]), differs, q.column(column), SQL("NOT " if clash else "")
                )
                yield Finding(
                    SLUG,
                    POINT,
                    f"{name}.{column}",
                    message,
                    name,
                    column,
                    part=clash,
                    found=legacy[0],
                    asks=partial(rows_where, actual, name, where),
                    only_with_rows=True,
                )


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Copy the values that only the legacy column holds."""
    column, legacy = str(finding.column), finding.found
    if finding.part:
        return refuse(f"nobody but a person can tell whether {column} or {legacy} is right")
    value = SQL("{}::{}").format(q.column(legacy), SQL(contract.tables[finding.table].columns[column].type))
    where = SQL("{} AND {} IS NOT NULL").format(q.is_null(column), q.column(legacy))
    title = f"copy {legacy} to {column} where only {legacy} holds a value"
    table = actual.tables[finding.table]
    known_by = identity(table, contract.tables[finding.table], Phase.KEYS)
    return Repair((rewrite(Phase.KEYS, table, title, {column: value}, where, rows=finding.rows, known_by=known_by),))


def foresee(finding: Finding, actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the values copied."""
    table, column = actual.tables[finding.table], actual.tables[finding.table].columns[str(finding.column)]
    legacy = table.columns[finding.found]
    copied = SQL("coalesce({}, {}::{})").format(q.today(column), q.today(legacy), SQL(column.type))
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
)
NEAR_MISSES = (
    Specimen("both agree", "ALTER TABLE books ADD COLUMN heading varchar(40); UPDATE books SET heading = title"),
    Specimen("the legacy column is empty", "ALTER TABLE books ADD COLUMN heading varchar(40)"),
)
