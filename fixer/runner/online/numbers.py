"""Numbers that are reserved for existing rows of a table, so that no new row takes one of them."""

from __future__ import annotations

from dataclasses import asdict, fields

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.plan import PlannedStep
from fixer.model.step import Phase
from fixer.model.values import dataclass
from fixer.runner.online.overtaken import OvertakenError


@dataclass(frozen=True)
class Aside:
    """Reserved numbers: from the one before `number` back to `bottom`, in steps of `pace`, given in this order."""

    number: str
    pace: str
    bottom: str

    @property
    def settings(self) -> dict[str, str]:
        """The settings from which the SQL of steps reads them."""
        return {f"pgmend.{name}": value for name, value in asdict(self).items()}

    @property
    def is_overdrawn(self) -> bool:
        """Whether more numbers were taken than were reserved."""
        way = 1 if int(self.pace) > 0 else -1
        return way * int(self.number) < way * int(self.bottom)


def left_aside(cursor: Cursor, step: PlannedStep) -> Aside | None:
    """Return the numbers that a step reserved, or left of those it used; None if it does neither.

    Raises OvertakenError if the step took more numbers than were reserved.
    """
    if step.phase not in (Phase.ANCHOR, Phase.KEYS):
        return None
    names = [f"pgmend.{each.name}" for each in fields(Aside)]
    cursor.execute("SELECT " + ", ".join(["current_setting(%s, true)"] * len(names)), names)
    parts = cursor.fetchone() or ("",)
    if not all(parts):
        return None
    left = Aside(*parts)
    if left.is_overdrawn:
        raise OvertakenError("more rows came in than numbers were set aside for", passes=True)
    return left
