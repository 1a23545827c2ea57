"""What the failure of a step means: others were faster, and the next plan copes with that; or it cannot work."""

from __future__ import annotations

import logging

import psycopg2
from psycopg2 import errors as pg

from fixer.connect.failures import told
from fixer.errors import ApplyFailed
from fixer.model.plan import PlannedStep

# Caused by what others wrote or changed meanwhile: the next plan copes with that.
_OVERTAKEN = (
    psycopg2.IntegrityError,
    psycopg2.DataError,
    pg.UndefinedObject,
    pg.UndefinedColumn,
    pg.UndefinedTable,
    pg.DuplicateObject,
    pg.DuplicateTable,
    pg.DuplicateColumn,
    pg.InvalidForeignKey,
    pg.ObjectNotInPrerequisiteState,
)

log = logging.getLogger("pgmend.apply")


class OvertakenError(Exception):
    """Raised if a step fails because others wrote or changed something that the plan does not know.

    A failure that `passes` may end by itself; so it is no reason to give up if it recurs while nothing has changed.
    """

    def __init__(self, reason: str, *, passes: bool = False) -> None:
        super().__init__(reason)
        self.passes = passes


def failed(step: PlannedStep, error: psycopg2.Error, stands: str, *, is_aside: bool = False) -> Exception:
    """Return the exception for a failed step; `stands` ends its message, `is_aside` if it uses reserved numbers."""
    if isinstance(error, _OVERTAKEN):
        taken = isinstance(error, pg.UniqueViolation) and is_aside
        return OvertakenError(told(error), passes=taken)  # others took one: the next plan reserves further on
    log.error("step %s failed: %s: %s", step.number, step.title, told(error))
    return ApplyFailed(f"Step {step.number} ({step.title}) failed: {told(error)}. {stands}")
