"""A trigger that the contract declares is missing.

Costs: what it fills, checks or writes elsewhere stays undone, and no error says so.
Cure: create it, once all rows are where they belong, so that it sees no row of a repair. It acts on later writes alone:
what it would have done for rows that are there is not done.
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
from fixer.model.step import Repair
from fixer.sql.compose import SQL, Composable

SLUG = "missing-trigger"
POINT = 4
STAGE = Stage.CODE


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfCode]]:
    """Yield the triggers of the contract that do not exist."""
    for about in code.missing(actual, contract, Kind.TRIGGER):
        message = f"{about.table} should have the trigger {about.wanted.key.part}, lacks it"
        yield Finding(SLUG, POINT, about, message)


def repair(finding: Finding[OfCode], actual: Schema, contract: Contract) -> Repair:
    """Create the trigger, enabled as the contract has it."""
    wanted = finding.about.wanted
    code.see_that_it_fits(wanted, actual, contract)
    return Repair.of([code.acting(wanted, code.trigger_phase(finding.about, actual))])


def foresee(finding: Finding[OfCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the trigger."""
    return code.found(finding, actual)


SPECIMENS = (
    Specimen(
        "with rows to move",
        "DROP TRIGGER stamp ON desk.tickets; ALTER TABLE desk.tickets DROP CONSTRAINT tickets_title_key;"
        "INSERT INTO desk.tickets (title) SELECT title FROM desk.tickets WHERE id < 3",
        hazards=frozenset({"moves-rows"}),
        quarantined=2,
        also=frozenset({"missing-unique", "duplicate-values"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "one that sleeps, a constraint, and their functions",
        'DROP TRIGGER "Sleeps %" ON desk.tickets; DROP TRIGGER late ON desk.tickets; DROP FUNCTION desk.late()',
        also=frozenset({"missing-function"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen("of a partitioned table", "DROP TRIGGER stamp ON desk.visits", contract=desk, setup=DESK_ROWS),
)
NEAR_MISSES = (
    Specimen(
        "one more",
        "CREATE TRIGGER more BEFORE UPDATE ON desk.tickets FOR EACH ROW EXECUTE FUNCTION desk.stamp()",
        contract=desk,
        setup=DESK_ROWS,
    ),
)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: drop the trigger."""
    if each.key.kind == Kind.TRIGGER:
        yield SQL(each.drop)
