"""A trigger is defined otherwise than in the contract, or is enabled otherwise.

One that sleeps although the contract wants it awake is disabled-trigger's.

Costs: it acts at other times, on other rows or by other code than its authors meant, and no error says so.
Cure: drop it and create it again, with permission; its comment stays. So rows of a repair never meet it.
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
from fixer.model.step import Repair
from fixer.sql.compose import SQL, Composable

SLUG = "different-trigger"
POINT = 4
STAGE = Stage.CODE
_FIRES = {"O": "fire", "A": "fire ALWAYS", "R": "fire for a REPLICA", "D": "be disabled", "S": "fire"}


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundCode]]:
    """Yield the triggers whose definition differs from the contract's, or that fire otherwise."""
    for about in code.different(actual, contract, Kind.TRIGGER):
        yield Finding(SLUG, POINT, about, f"the trigger {about.object} {code.difference(about)}")
    for about in code.enabled_otherwise(actual, contract):
        if not code.is_asleep(about):
            wanted, found = _FIRES[about.wanted.enabled], _FIRES[about.found.enabled]
            message = f"the trigger {about.object} should {wanted}, is to {found}"
            yield Finding(SLUG, POINT, about, message, aspect="fires")


def repair(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Repair:
    """Replace the trigger."""
    code.see_that_it_is_replaceable(finding.about, actual)
    return Repair.of([code.replacing(finding.about, code.trigger_phase(finding.about, actual))])


def foresee(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the contract's trigger."""
    return code.found(finding, actual)


SPECIMENS = (
    Specimen(
        "at another time",
        "DROP TRIGGER stamp ON desk.tickets;"
        "CREATE TRIGGER stamp AFTER DELETE ON desk.tickets FOR EACH ROW EXECUTE FUNCTION desk.stamp();"
        "COMMENT ON TRIGGER stamp ON desk.tickets IS 'it''s odd'",
        hazards=frozenset({"replaces-code"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "awake where it should sleep",
        'ALTER TABLE desk.tickets ENABLE TRIGGER "Sleeps %"',
        hazards=frozenset({"replaces-code"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen("with a comment", "COMMENT ON TRIGGER stamp ON desk.tickets IS 'x'", contract=desk, setup=DESK_ROWS),
)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: give the trigger another condition."""
    if each.key.kind == Kind.TRIGGER and " WHEN " not in each.definition:
        yield SQL(f"{each.drop}; {each.definition.replace(' EXECUTE ', ' WHEN (true) EXECUTE ', 1)}")
