"""A check has the name of one in the contract, but another condition, or does not bind tables that INHERIT.

Costs: the right check seems to exist, so migrations that look for its name skip it.
Cure: replace it, after the rows that break the right condition have been moved (see broken-check).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects.missing_inheritance import EVENT_ROWS, events
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Phase, Repair
from fixer.model.subject import FoundCheck
from fixer.model.table import Table
from fixer.repair.constraints import online
from fixer.repair.constraints.checks import binds, names_match, spelt
from fixer.sql import ddl
from fixer.sql.alter import alter, drop_constraint
from fixer.sql.compose import SQL, Composable

SLUG = "different-check"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundCheck]]:
    """Yield the wanted checks that do not exist while another check has their name."""
    for table, check in walk.own_checks(actual, contract):
        found = names_match(check, table)
        if found and not binds(check, table):
            said = f"{spelt(found)}{' NO INHERIT' if found.no_inherit else ''}"
            message = f"{table.name.name} should have CHECK {spelt(check)}, {check.name} says {said}"
            yield Finding(SLUG, POINT, FoundCheck(table.name, check, found), message)


def repair(finding: Finding[FoundCheck], actual: Schema, contract: Contract) -> Repair:
    """Replace the check."""
    name, check = finding.table, finding.about.wanted
    drop = drop_constraint(
        name,
        check.name,
        f"drop the check {check.name}, which says something else",
        hazard=Hazard.REPLACES_CONSTRAINT,
    )
    action = SQL("ADD {}").format(ddl.check_clause(check.name, check))
    title = f"add CHECK {spelt(check)} to {name.name}"
    add = alter(Phase.RULES, name, title, action, merge=True)
    first, *then = online.check(name, check.name, check, title, instead_of=check.name)
    exchange = replace(first, title=f"{drop.title}; {first.title}", hazard=Hazard.REPLACES_CONSTRAINT)
    return Repair.of((drop.online_as(()), add.online_as((exchange, *then))))


BREAK = (
    "ALTER TABLE books DROP CONSTRAINT books_price_check; ALTER TABLE books ADD CONSTRAINT books_price_check CHECK {}"
)
SPECIMENS = (
    Specimen("weaker", BREAK.format("(price > -1000)"), hazards=frozenset({"replaces-constraint"})),
    Specimen("on another column", BREAK.format("(pages > 0)"), hazards=frozenset({"replaces-constraint"})),
    Specimen(
        "for the table alone",
        """ALTER TABLE "eve.nts" DROP CONSTRAINT "told%";"""
        """ALTER TABLE "eve.nts" ADD CONSTRAINT "told%" CHECK (what <> '') NO INHERIT""",
        hazards=frozenset({"replaces-constraint"}),
        contract=events,
        setup=EVENT_ROWS,
    ),
    Specimen(
        "for the table alone, and rows of heirs break it",
        """ALTER TABLE "eve.nts" DROP CONSTRAINT "told%"; UPDATE late SET what = '' WHERE id = 2;"""
        """ALTER TABLE "eve.nts" ADD CONSTRAINT "told%" CHECK (what <> '') NO INHERIT""",
        also=frozenset({"broken-check"}),
        manual=True,
        contract=events,
        setup=EVENT_ROWS,
    ),
    Specimen(
        "of heirs too",
        """ALTER TABLE "eve.nts" DROP CONSTRAINT "told%"; ALTER TABLE "eve.nts" ADD CONSTRAINT "told%" CHECK (true)""",
        hazards=frozenset({"replaces-constraint"}),
        contract=events,
        setup=EVENT_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "for the table alone, as in the contract",
        "ALTER TABLE lone RENAME CONSTRAINT lone_n TO odd",
        contract=lambda: (
            "CREATE TABLE lone (id integer PRIMARY KEY, n integer CONSTRAINT lone_n CHECK (n > 0) NO INHERIT);"
        ),
        setup="",
    ),
    Specimen("spelt otherwise", BREAK.format("((price > 0::numeric(4,2)))")),
    Specimen("turned round", BREAK.format("(0 < price)")),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a check say nothing."""
    for check in table.checks:
        again = plant.altered(table.name, "ADD CONSTRAINT {} CHECK (true)", check.name)
        yield plant.block(plant.without(table.name, check.name), again)
