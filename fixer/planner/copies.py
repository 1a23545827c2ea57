"""Refuses to give identical rows that the plan leaves out different values, by which none would know them as copies."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.finding import Finding
from fixer.model.report import Comparison
from fixer.model.schema import Schema
from fixer.model.subject import WantedColumn
from fixer.model.table import Column
from fixer.repair.defaults.own_values import may_differ


def estranging(comparison: Comparison) -> Iterator[str]:
    """Yield why steps cannot run: they add a column in which each of the rows that are left out gets its own value."""
    left = [f for f in comparison.every if f.left_out and f.slug == "duplicate-row"]
    for copies in left:
        near = {copies.table} | comparison.future.above(copies.table)
        for finding in comparison.every:
            column = _coming(finding, comparison.future)
            if column is None or finding.table not in near:
                continue
            if column.generates or may_differ(column, finding.table, comparison.contract):
                yield (
                    f"{copies.message}, {copies.slug}:{copies.object} is left out: {finding.message}, and each row"
                    f" would get a value of its own in it, so that none are identical: leave out"
                    f" {finding.slug}:{finding.object} as well"
                )


def _coming(finding: Finding, future: Schema) -> Column | None:
    """Return the column that a finding adds to a table that stands, if it adds one."""
    if finding.left_out or finding.repair.refusal or not isinstance(finding.about, WantedColumn):
        return None
    table, column = future.tables.get(finding.table), finding.about.wanted
    found = table.columns.get(column.name) if table and not table.created else None
    return column if found and found.added else None
