"""Limits of how many rows move to quarantine: those that a person sets, and what the plan announced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.compare.examine import beginning, snapshot
from fixer.errors import NeedsPermission, PlanRefused, option
from fixer.model.choice import Limit, MaxMoved, limits_of
from fixer.model.contract import Contract
from fixer.model.plan import ATOMIC, Plan
from fixer.model.report import Report
from fixer.model.run import Entry
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.runner.journal import ledger

Replan = Callable[[Report], Plan]
Rows = Mapping[QName, int]  # of tables, by their names after the plan
UNTOUCHED, STANDS = "Nothing was changed.", "What was committed stands."


@dataclass(frozen=True)
class Bounds:
    """The limits that a person set, and the connection by which rows are counted where a limit is a share of them."""

    limits: tuple[Limit, ...]
    connection: Connection
    settings: Mapping[str, str]

    @classmethod
    def of(cls, most: MaxMoved, contract: Contract, connection: Connection, settings: Mapping[str, str]) -> Bounds:
        """Return the limits as they were said; raise UsageError if one is none, or names no table of the contract."""
        return cls(tuple(limit.on(contract.tables) for limit in limits_of(most)), connection, settings)

    def bound(self, plan: Plan) -> Rows:
        """Raise NeedsPermission if a plan moves more rows than may; return the rows of their tables, if counted."""
        there = self._there(plan)
        bound(plan.moves, self.limits, there)
        return there

    def permit(self, plan: Plan) -> Rows:
        """Do the same, and raise NeedsPermission also if a plan moves unknown many rows, and no limit is set."""
        there = self.bound(plan)
        _see_that_it_is_counted(plan, self.limits, UNTOUCHED)
        return there

    def again(self, plan: Plan, there: Rows, replan: Replan) -> Replan:
        """Return what plans again after a plan; all plans together may not move more rows than may go.

        `there` is what `permit` returned for the first plan.
        """
        moves, known = plan.moves, dict(there)

        def planned(report: Report) -> Plan:
            nonlocal moves
            further = replan(report)
            moves += further.moves
            if further.moves:
                known.update({table: rows for table, rows in self._there(further).items() if table not in known})
                bound(moves, self.limits, known, so_far=STANDS)
                _see_that_it_is_counted(further, self.limits, STANDS)
            return further

        return planned

    def _there(self, plan: Plan) -> Rows:
        """Count the rows of the tables that lose some, if a limit is a share of them."""
        if not plan.moves or all(limit.share is None for limit in self.limits):
            return {}
        today = {new: old for old, new in plan.renamed.items()}
        with snapshot(self.connection) as cursor:
            cursor.execute(beginning(self.connection, self.settings))
            rows = ledger.count(cursor, [today.get(table, table) for table in plan.moves])
        return {table: rows[today.get(table, table)] for table in plan.moves}


def bound(moves: Counter[QName], limits: Iterable[Limit], there: Rows, *, so_far: str = UNTOUCHED) -> None:
    """Raise NeedsPermission if more rows would go to quarantine than the limits allow; `so_far` ends the message.

    `there` are the rows of the tables that lose some, needed where a limit is a share of them.
    """
    for limit in limits:
        if limit.of_all and not limit.allows(moves.total()):
            raise NeedsPermission(_too_many(_rows(moves.total()), limit, so_far))
        for table in filter(limit.bounds, sorted(moves)):
            if not limit.allows(moves[table], there.get(table, 0)):
                whole = "" if limit.share is None else f"{moves[table]} of "
                rows = _rows(there.get(table, 0) if whole else moves[table])
                raise NeedsPermission(_too_many(f"{whole}{rows} of {table}", limit, so_far))


def see_that_it_was_announced(plan: Plan, entries: Iterable[Entry]) -> None:
    """Raise PlanRefused if more rows of a table went to quarantine than the plan announced."""
    announced = plan.moves
    for entry in () if plan.uncounted else entries:
        if entry.quarantined > announced[entry.table]:
            raise PlanRefused(
                f"{_rows(entry.quarantined)} of {entry.table} would go to quarantine, the plan announced"
                f" {announced[entry.table]}: plan again. {UNTOUCHED}"
            )


def _see_that_it_is_counted(plan: Plan, limits: Iterable[Limit], so_far: str) -> None:
    if not plan.uncounted or not plan.moves:
        return
    why = f"The plan cannot tell how many rows it moves ({plan.uncounted})"
    if plan.mode != ATOMIC:
        raise NeedsPermission(f"{why}: this takes {option('mode', ATOMIC)} and {option('max_moved')}. {so_far}")
    if not any(limit.of_all for limit in limits):
        raise NeedsPermission(f"{why}: say by {option('max_moved')} how many may go at most. {so_far}")


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"


def _too_many(rows: str, limit: Limit, so_far: str) -> str:
    return f"The plan moves {rows} to quarantine, {option('max_moved')} allows {limit.said}. {so_far}"
