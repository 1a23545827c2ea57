"""What a failure of a step means: others were faster, so that the next plan meets it, or it cannot work."""

from __future__ import annotations

import logging

import psycopg2
from psycopg2 import errors as pg

from fixer.connect.failures import told
from fixer.errors import ApplyFailed
from fixer.model.plan import PlannedStep

# What others wrote or changed meanwhile: the next plan will meet it.
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
    """Raised where others wrote or changed something meanwhile that the plan does not know.

    The reason is the failure of a step; where it `passes` by itself, it may come back without any write or change.
    """

    def __init__(self, reason: str, *, passes: bool = False) -> None:
        super().__init__(reason)
        self.passes = passes


def failed(step: PlannedStep, error: psycopg2.Error, stands: str, *, is_aside: bool = False) -> Exception:
    """Return what a failure means, given what stands and whether numbers of its table are set aside."""
    if isinstance(error, _OVERTAKEN):
        taken = isinstance(error, pg.UniqueViolation) and is_aside
        return OvertakenError(told(error), passes=taken)  # others have come as far: numbers further on are free
    log.error("step %s failed: %s: %s", step.number, step.title, told(error))
    return ApplyFailed(f"Step {step.number} ({step.title}) failed: {told(error)}. {stands}")
