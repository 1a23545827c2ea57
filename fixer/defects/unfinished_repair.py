"""A helper of an online repair was left behind: the run was interrupted just before it dropped it.

Costs: every write is checked once more, by a check or a trigger that nobody needs any longer.
Cure: drop it.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixer import online
from fixer import sqltext as q
from fixer.contract import Contract
from fixer.findings import Finding, Specimen, Stage
from fixer.schema import Schema
from fixer.sqltext import SQL, Identifier
from fixer.steps import Phase, Repair, Step, drop_constraint

SLUG = "unfinished-repair"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the checks that prove a NOT NULL which stands by now, and the triggers that fill no column any more."""
    for name in contract.tables:
        table = actual.tables.get(name)
        if table is None:
            continue
        proofs = {online.helper(column.name) for column in table.columns.values() if column.not_null}
        filled = {online.syncing(name, column) for column in table.columns if column.startswith(online.BESIDE)}
        checks = (check.name for check in table.checks if check.name in proofs)
        triggers = (each.name for each in table.obstacles if online.is_syncing(each.name) and each.name not in filled)
        for kind, left in (*(("check", check) for check in checks), *(("trigger", trigger) for trigger in triggers)):
            message = f"{name.name} should not have the {kind} {left}, which an interrupted repair left behind"
            yield Finding(SLUG, POINT, f"{name}.{left}", message, name, severity="warning", part=kind, found=left)


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Drop it."""
    title = f"drop the {finding.part} {finding.found}"
    if finding.part == "check":
        return Repair((drop_constraint(finding.table, finding.found, title),))
    drop = SQL("DROP TRIGGER {} ON {}").format(Identifier(finding.found), q.name(finding.table))
    return Repair((Step(Phase.RELEASE, finding.table, title, drop),))


LEFT = "ALTER TABLE books ADD CONSTRAINT pgmend_title_not_null CHECK (title IS NOT NULL)"
SPECIMENS = (Specimen("the proof of a NOT NULL that stands", LEFT),)
NEAR_MISSES = (
    Specimen("a check of somebody else", "ALTER TABLE books ADD CONSTRAINT title_not_null CHECK (title IS NOT NULL)"),
)
