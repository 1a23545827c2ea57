"""A check of the contract is missing.

Costs: the table accepts values that the code takes for impossible.
Cure: add it, after the rows that break it have been moved (see broken-check).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair
from fixer.model.subject import OfCheck
from fixer.model.table import Table
from fixer.repair.constraints import online
from fixer.repair.constraints.checks import binds, names_match, spelt
from fixer.sql import ddl
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "missing-check"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfCheck]]:
    """Yield the wanted checks that exist under no name, and whose own name no other check has."""
    for table, check in walk.own_checks(actual, contract):
        if not binds(check, table) and not names_match(check, table):
            message = f"{table.name.name} should have CHECK {spelt(check)}, has none"
            yield Finding(SLUG, POINT, OfCheck(table.name, check), message)


def repair(finding: Finding[OfCheck], actual: Schema, contract: Contract) -> Repair:
    """Add the check."""
    name, check = finding.table, finding.about.wanted
    free = ddl.free_constraint_name(actual.tables[name], actual, name, check.name, index=False)
    action = SQL("ADD {}").format(ddl.check_clause(free, check))
    title = f"add CHECK {spelt(check)} to {name.name}"
    step = alter(Phase.RULES, name, title, action, merge=True)
    return Repair.of([step.online_as(online.check(name, free, check, title))])


def agreed() -> sa.MetaData:
    """Return a contract with a check that is a column alone, which PostgreSQL spells without parentheses."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    whole = sa.CheckConstraint("agreed", name="all_agree")
    sa.Table("terms", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("agreed", sa.Boolean), whole)
    return metadata


SPECIMENS = (
    Specimen("dropped", "ALTER TABLE books DROP CONSTRAINT books_price_check"),
    Specimen("of one column alone", "ALTER TABLE terms DROP CONSTRAINT all_agree", contract=agreed),
)
NEAR_MISSES = (
    Specimen("it has another name", "ALTER TABLE books RENAME CONSTRAINT books_price_check TO odd"),
    Specimen("an extra check", "ALTER TABLE books ADD COLUMN n integer CHECK (n > 0)"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a check."""
    for check in table.checks:
        yield plant.without(table.name, check.name)
