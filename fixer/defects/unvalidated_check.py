"""A check was added NOT VALID and never validated, or is NOT ENFORCED.

Costs: old rows may break it; every later update of such a row fails.
Cure: drop it, move the rows that break it (see broken-check), and add it again, validated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects.missing_inheritance import EVENT_ROWS, events
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair
from fixer.model.subject import FoundCheck
from fixer.model.table import Table
from fixer.repair.constraints import online
from fixer.repair.constraints.checks import spelt, stands
from fixer.sql import ddl
from fixer.sql.alter import alter, drop_constraint
from fixer.sql.compose import SQL, Composable

SLUG = "unvalidated-check"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundCheck]]:
    """Yield the wanted checks that exist but are NOT VALID or NOT ENFORCED."""
    for table, check in walk.own_checks(actual, contract):
        found = stands(check, table)
        if found and not found.validated and not (found.enforced and not check.validated):
            state = "NOT VALID" if found.enforced else "NOT ENFORCED"
            message = f"{table.name.name} should satisfy CHECK {spelt(check)} in every row, {found.name} is {state}"
            yield Finding(SLUG, POINT, FoundCheck(table.name, check, found), message)


def repair(finding: Finding[FoundCheck], actual: Schema, contract: Contract) -> Repair:
    """Drop it and add it again, because while it exists no other repair can update a row that breaks it."""
    name, check, found = finding.table, finding.about.wanted, finding.about.found.name
    drop = drop_constraint(name, found, f"drop the check {found}, to be added again with its proof")
    action = SQL("ADD {}").format(ddl.check_clause(found, check))
    title = f"add CHECK {spelt(check)} to {name.name}"
    add = alter(Phase.RULES, name, title, action, merge=True)
    return Repair.of((drop, add.online_as(online.check(name, found, check, title))))


BREAK = (
    "ALTER TABLE books DROP CONSTRAINT books_price_check; {}"
    " ALTER TABLE books ADD CONSTRAINT books_price_check CHECK (price > 0) NOT VALID"
)
SPECIMENS = (
    Specimen("rows are clean", BREAK.format("")),
    Specimen(
        "rows are not",
        BREAK.format("UPDATE books SET price = -1 WHERE id < 3;"),
        hazards=frozenset({"moves-rows"}),
        quarantined=6,
        also=frozenset({"broken-check"}),
    ),
    Specimen(
        "of heirs too",
        """ALTER TABLE "eve.nts" DROP CONSTRAINT "told%";
        ALTER TABLE "eve.nts" ADD CONSTRAINT "told%" CHECK (what <> '') NOT VALID""",
        contract=events,
        setup=EVENT_ROWS,
    ),
)
NEAR_MISSES = (Specimen("an extra check without proof", "ALTER TABLE books ADD CHECK (price > -1) NOT VALID"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: add a check again, NOT VALID."""
    for check in table.checks:
        again = SQL("ADD {} NOT VALID").format(ddl.check_clause(check.name, check))
        yield plant.block(plant.without(table.name, check.name), ddl.altered(table.name, again))
