"""A column accepts NULL, but the contract wants it NOT NULL.

Costs: NULLs creep in, and code that trusts the contract fails on them much later. Where only the NOT NULL of a
partition is NOT VALID (PostgreSQL 18), queries of the whole do not see its NULLs, and a dump cannot be restored.
Cure: SET NOT NULL, after the rows with NULL have been repaired (see null-rows); in partitions, VALIDATE CONSTRAINT.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed, literal
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Table
from fixer.repair.constraints.online import FOR_COLUMNS, left_proof, not_null, proved_below, see_that_heirs_inherit
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier

SLUG = "missing-not-null"
POINT = 4
STAGE = Stage.PARTS
_NAMED = 18  # from here on each NOT NULL is a constraint


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the nullable columns that should be NOT NULL; key columns become so with their primary key."""
    for table, column in walk.open_columns(actual, contract):
        message = f"{table.name.name}.{column.name} should be NOT NULL, may be NULL"
        below = [part for part, constraint in table.unproved_below.get(column.name, ()) if constraint]
        if table.columns[column.name].not_null and not below:
            continue  # heirs may do without: only their NULLs matter (see null-rows)
        if below:
            names = sorted({".".join(map(as_needed, part)) for part in below})
            message += f" in {', '.join(names[:3])}, where its NOT NULL is NOT VALID"
        yield Finding(SLUG, POINT, OfColumn(table.name, column.name), message)


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Forbid NULL; refuse where the heirs cannot have it, too."""
    table, column = actual.tables[finding.table], finding.about.column
    key = table.primary_key
    lost = key and column in key.columns and not table.columns[column].not_null
    if lost and actual.version >= _NAMED:  # its constraint stands, and is not added again
        where = f"attrelid = {literal(q.quoted(table.name))}::regclass AND attname = {literal(column)}"
        mark = f"UPDATE pg_catalog.pg_attribute SET attnotnull = true WHERE {where}"
        return refuse(f"its primary key forbids that, and the catalogue lacks the mark: a superuser may run {mark};")
    see_that_heirs_inherit(table, [column], actual)
    action = SQL("ALTER COLUMN {} SET NOT NULL").format(Identifier(column))
    if column in table.unproved and column in table.uninherited:  # PostgreSQL would also give it to heirs
        action = SQL("VALIDATE CONSTRAINT {}").format(Identifier(table.unproved[column]))
    title = f"forbid NULL in {finding.table.name}.{column}"
    step = alter(Phase.RULES, finding.table, title, action, rows=table.estimated_rows, merge=True)
    whole = () if table.columns[column].not_null else (*not_null(table, column, actual, FOR_COLUMNS),)
    own = [step.online_as(whole)] if whole else []
    return Repair.of([*own, *left_proof(table, column, actual), *proved_below(table, column)])


SPECIMENS = (
    Specimen("dropped", "ALTER TABLE books ALTER COLUMN title DROP NOT NULL"),
    Specimen(
        "an interrupted run left the check that proves it",
        "ALTER TABLE books ALTER title DROP NOT NULL;"
        "ALTER TABLE books ADD CONSTRAINT pgmend_new_title_not_null CHECK (title IS NOT NULL) NOT VALID",
    ),
    Specimen("dropped on a reference", "ALTER TABLE books ALTER COLUMN author_id DROP NOT NULL"),
)
NEAR_MISSES = (
    Specimen("a column that the contract does not know may be NULL", "ALTER TABLE books ADD COLUMN note text"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: allow NULL."""
    key = table.primary_key.columns if table.primary_key else ()
    for column in plant.writable(table):
        if column.not_null and column.name not in key:
            yield plant.altered(table.name, "ALTER COLUMN {} DROP NOT NULL", column.name)
