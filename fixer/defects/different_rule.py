"""A rule is defined otherwise than in the contract, or is enabled otherwise.

Costs: statements are rewritten into others than its authors meant, or are not rewritten at all, and no error says so.
Cure: drop it and create it again, with permission; its comment stays. So it rewrites no statement of a repair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _code as code
from fixer.defects._ledger import LEDGER_ROWS, ledger
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Code, FoundCode, Kind
from fixer.model.step import Repair
from fixer.sql.compose import SQL, Composable

SLUG = "different-rule"
POINT = 4
STAGE = Stage.CODE
_ACTS = {"O": "act", "A": "act ALWAYS", "R": "act for a REPLICA", "D": "be disabled"}


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundCode]]:
    """Yield the rules whose definition differs from the contract's, or that act otherwise."""
    for about in code.different(actual, contract, Kind.RULE):
        yield Finding(SLUG, POINT, about, f"the rule {about.object} {code.difference(about)}")
    for about in code.enabled_otherwise(actual, contract, Kind.RULE):
        wanted, found = _ACTS[about.wanted.enabled], _ACTS[about.found.enabled]
        yield Finding(SLUG, POINT, about, f"the rule {about.object} should {wanted}, is to {found}", aspect="acts")


def repair(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Repair:
    """Replace the rule."""
    code.see_that_it_is_replaceable(finding.about, actual)
    return Repair.of([code.replacing(finding.about, code.trigger_phase(finding.about, actual))])


def foresee(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the contract's rule."""
    return code.found(finding, actual)


_REPLACES = frozenset({"replaces-code"})
SPECIMENS = (
    Specimen(
        "it swallows more",
        'CREATE OR REPLACE RULE "Hold %" AS ON DELETE TO ledger DO INSTEAD NOTHING',
        hazards=_REPLACES,
        contract=ledger,
        setup=LEDGER_ROWS,
    ),
    Specimen(
        "of a view",
        "CREATE OR REPLACE RULE put AS ON INSERT TO doubled DO INSTEAD NOTHING",
        hazards=_REPLACES,
        contract=ledger,
        setup=LEDGER_ROWS,
    ),
    Specimen(
        "asleep, and awake where it should sleep",
        "ALTER TABLE ledger DISABLE RULE keep; ALTER TABLE ledger ENABLE RULE tell",
        hazards=_REPLACES,
        contract=ledger,
        setup=LEDGER_ROWS,
    ),
)
NEAR_MISSES = (Specimen("with a comment", "COMMENT ON RULE keep ON ledger IS 'x'", contract=ledger, setup=LEDGER_ROWS),)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: let the rule do nothing instead."""
    if each.key.kind == Kind.RULE and not each.definition.endswith("NOTHING"):
        head, instead, _ = each.definition.partition(" DO ")
        yield SQL(f"{head.replace('CREATE RULE', 'CREATE OR REPLACE RULE', 1)}{instead}INSTEAD NOTHING")
