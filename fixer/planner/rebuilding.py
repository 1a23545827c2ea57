"""Refuses to rewrite a table where rows break a constraint that this builds again, and the plan leaves them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.model.finding import Finding
from fixer.model.plan import ONLINE
from fixer.model.report import Comparison
from fixer.model.step import Hazard, Step
from fixer.model.table import Index, QName


def rebuilding(steps: Iterable[Step], comparison: Comparison, mode: str) -> Iterator[str]:
    """Yield why steps cannot run: to rewrite a table builds all its indexes again.

    Where a trigger is disabled, rows may break its constraint, whose index could not be built.
    """
    dropped = {(step.table, step.drops) for step in steps if step.drops}
    for finding in comparison.every:
        repair, name = finding.repair, finding.table
        planned = () if finding.left_out else repair.online if mode == ONLINE else repair.steps
        if not any(step.table == name and _rewrites(step) for step in planned):
            continue
        for key in _asleep(name, comparison):
            left = next((f for f in comparison.every if f.left_out and _breaks(f, name, key)), None)
            if left and (name, key.name) not in dropped:
                yield (
                    f"{left.message}, {left.slug}:{left.object} is left out: {finding.message}, but to rewrite"
                    f" {name.name} builds {key.name} again, which these rows break: leave out"
                    f" {finding.slug}:{finding.object} as well"
                )


def _asleep(name: QName, comparison: Comparison) -> list[Index]:
    table = comparison.future.tables.get(name)
    return [key for key in table.indexes if key.disabled_triggers] if table else []


def _rewrites(step: Step) -> bool:
    """Return whether PostgreSQL rewrites the table for a step; it does not where rows are filled in batches."""
    retypes = step.shape.reverts and step.hazard is Hazard.REWRITES_VALUES
    return bool((retypes or step.hazard is Hazard.REWRITES_TABLE) and step.batches.batch is None)


def _breaks(finding: Finding, name: QName, key: Index) -> bool:
    """Return whether a finding is of rows that break a constraint; copies repeat all that they hold."""
    of_key = isinstance(finding.part, Index) and {*finding.part.columns} == {*key.columns}
    return finding.table == name and finding.rows > 0 and (of_key or finding.slug == "duplicate-row")
