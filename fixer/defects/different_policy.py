"""A row security policy says something else than in the contract: other rows, deeds or roles.

Costs: rows are open that should be hidden, or hidden that should be open; no error says so.
Cure: drop it and create it again, with permission; its comment stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _code as code
from fixer.defects._desk import DESK_ROWS, desk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Code, FoundCode, Kind
from fixer.model.step import Phase, Repair
from fixer.sql.compose import SQL, Composable

SLUG = "different-policy"
POINT = 4
STAGE = Stage.CODE


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundCode]]:
    """Yield the policies whose definition differs from the contract's."""
    for about in code.different(actual, contract, Kind.POLICY):
        yield Finding(SLUG, POINT, about, f"the policy {about.object} {code.difference(about)}")


def repair(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Repair:
    """Replace the policy; refuse if a role that it names is missing."""
    code.see_that_it_is_replaceable(finding.about, actual)
    code.see_that_roles_exist(finding.about.wanted, actual)
    return Repair.of([code.replacing(finding.about, Phase.POLICIES)])


def foresee(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the contract's policy."""
    return code.found(finding, actual)


SPECIMENS = (
    Specimen(
        "other rows",
        "ALTER POLICY own ON desk.notes USING (true); COMMENT ON POLICY own ON desk.notes IS 'x'",
        hazards=frozenset({"replaces-code"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "other deeds",
        'DROP POLICY "Fine %" ON desk.notes; CREATE POLICY "Fine %" ON desk.notes FOR SELECT USING (true)',
        hazards=frozenset({"replaces-code"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen("with a comment", "COMMENT ON POLICY own ON desk.notes IS 'x'", contract=desk, setup=DESK_ROWS),
)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: let the policy show no row."""
    if each.key.kind == Kind.POLICY and " USING " in each.definition:
        yield SQL(f"ALTER POLICY {each.spelt} USING (false)")
