"""Row level security is off for a table, or does not bind its owner, although the contract turns it on.

Costs: every role that may read the table sees all of its rows, whatever its policies say.
Cure: turn it on, once all rows are where they belong. Only a superuser may let pgmend bind the owner, because an owner
that is bound could not read all rows any more, as every check must.
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
from fixer.model.step import Lock, Phase, RefusalError, Repair
from fixer.sql.compose import SQL, Composable

SLUG = "missing-row-security"
POINT = 4
STAGE = Stage.CODE


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfCode]]:
    """Yield the tables whose rows should be under row level security."""
    for about in code.missing(actual, contract, Kind.SECURITY):
        message = f"{about.table} should {about.wanted.key.part}, does not"
        yield Finding(SLUG, POINT, about, message)


def repair(finding: Finding[OfCode], actual: Schema, contract: Contract) -> Repair:
    """Turn it on; refuse where the session would be bound by it."""
    wanted = finding.about.wanted
    if wanted.key.part.startswith("FORCE") and not (actual.session and actual.session.superuser):
        raise RefusalError(f"it would hide rows from this role; let a superuser run: {wanted.create[0]}")
    return Repair.of([code.acting(wanted, Phase.POLICIES, Lock.ACCESS_EXCLUSIVE)])


def foresee(finding: Finding[OfCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with row level security on."""
    return code.found(finding, actual)


SPECIMENS = (
    Specimen("it is off", "ALTER TABLE desk.notes DISABLE ROW LEVEL SECURITY", contract=desk, setup=DESK_ROWS),
)
NEAR_MISSES = (
    Specimen(
        "another table has it on",
        "ALTER TABLE desk.visits ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON desk.visits USING (true)",
        contract=desk,
        setup=DESK_ROWS,
    ),
)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: switch it off."""
    if each.key.kind == Kind.SECURITY:
        yield SQL(each.drop)
