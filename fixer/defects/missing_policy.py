"""A row security policy that the contract declares is missing.

Costs: rows that it opens are hidden from the application, or rows that it hides are open; no error says so.
Cure: create it, once all rows are where they belong. A person creates the role that it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _code as code
from fixer.defects._desk import DESK_ROWS, desk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Code, Kind, OfCode
from fixer.model.step import Phase, Repair
from fixer.sql.compose import SQL, Composable

SLUG = "missing-policy"
POINT = 4
STAGE = Stage.CODE


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfCode]]:
    """Yield the policies of the contract that do not exist."""
    for about in code.missing(actual, contract, Kind.POLICY):
        message = f"{about.table} should have the policy {about.wanted.key.part}, lacks it"
        yield Finding(SLUG, POINT, about, message)


def repair(finding: Finding[OfCode], actual: Schema, contract: Contract) -> Repair:
    """Create the policy; refuse if a role that it names is missing."""
    code.see_that_it_fits(finding.about.wanted, actual, contract)
    return Repair.of([code.acting(finding.about.wanted, Phase.POLICIES)])


def foresee(finding: Finding[OfCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the policy."""
    return code.found(finding, actual)


SPECIMENS = (
    Specimen("one of two", "DROP POLICY own ON desk.notes", contract=desk, setup=DESK_ROWS),
    Specimen("that calls a function", 'DROP POLICY "Fine %" ON desk.notes', contract=desk, setup=DESK_ROWS),
)
NEAR_MISSES = (Specimen("one more", "CREATE POLICY more ON desk.notes USING (id > 0)", contract=desk, setup=DESK_ROWS),)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: drop the policy."""
    if each.key.kind == Kind.POLICY:
        yield SQL(each.drop)
