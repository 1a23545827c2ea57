"""A rule that the contract declares is missing.

Costs: a view takes no writes; or a table lets rows be changed and deleted that should stay, and no error says so.
Cure: create it, once all rows are where they belong, so that it rewrites no statement of a repair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _code as code
from fixer.defects._ledger import LEDGER_ROWS, ledger
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Code, Kind, OfCode
from fixer.model.step import Lock, Repair
from fixer.sql.compose import SQL, Composable

SLUG = "missing-rule"
POINT = 4
STAGE = Stage.CODE


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfCode]]:
    """Yield the rules of the contract that do not exist."""
    for about in code.missing(actual, contract, Kind.RULE):
        message = f"{about.table} should have the rule {about.wanted.key.part}, lacks it"
        yield Finding(SLUG, POINT, about, message)


def repair(finding: Finding[OfCode], actual: Schema, contract: Contract) -> Repair:
    """Create the rule, enabled as the contract has it."""
    wanted = finding.about.wanted
    code.see_that_it_fits(wanted, actual, contract)
    return Repair.of([code.acting(wanted, code.trigger_phase(finding.about, actual), Lock.ACCESS_EXCLUSIVE)])


def foresee(finding: Finding[OfCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the rule."""
    return code.found(finding, actual)


SPECIMENS = (
    Specimen("of a view", "DROP RULE put ON doubled", contract=ledger, setup=LEDGER_ROWS),
    Specimen(
        "with rows to move",
        'DROP RULE "Hold %" ON ledger; DROP RULE tell ON ledger; ALTER TABLE ledger DROP CONSTRAINT ledger_pkey;'
        "INSERT INTO ledger VALUES (3, 7), (3, 8)",
        hazards=frozenset({"moves-rows"}),
        quarantined=2,
        also=frozenset({"missing-primary-key", "duplicate-key"}),
        contract=ledger,
        setup=LEDGER_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "another name for the column that it writes",
        "ALTER TABLE told RENAME at TO moment; ALTER TABLE told RENAME moment TO at",
        contract=ledger,
        setup=LEDGER_ROWS,
    ),
)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: drop the rule."""
    if each.key.kind == Kind.RULE:
        yield SQL(each.drop)
