"""Inserts the rows of an example as the application would."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from contracts import rows
from contracts.proof.advice.facts import facts_of
from contracts.proof.databases.place import Place
from contracts.proof.trials import Broken, Shut
from contracts.proof.writing.evidence import said, shown
from contracts.proof.writing.forbidden import why_swallowed
from contracts.proof.writing.paths import AFRESH, ITS_PATH, OUR_PATH, asking
from contracts.proof.writing.reading import is_written
from contracts.proof.writing.refusals import excuse_family
from contracts.rows import Insertion, Row, Swallowed
from fixer.model.table import QName
from fixer.sql.compose import SQL

INTEGRITY = "23"  # the class of the SQLSTATEs of constraints (PostgreSQL manual, appendix A)


def insert(
    cursor: Cursor,
    family: Sequence[Insertion],
    place: Place,
    returned: list[Row] | None = None,
    *,
    together: bool = False,
) -> list[Row]:
    """Insert the rows under the path of the application, and return them as the server spells them.

    `returned` holds at any time the rows that were inserted; those that may go `together` are tried so first. Errors of
    psycopg2 are raised as they are.
    """
    first, place.stale = AFRESH if place.stale else SQL(""), False
    way = rows.Way(first, OUR_PATH, ITS_PATH, together=together)
    try:
        found = rows.insert(cursor, family, place.schema, returned, way)
    except Swallowed as error:
        asking(cursor)
        if is_written(cursor, facts_of(place).name(error.table)):
            reason = f"{error.table.name} takes a row and returns none: a trigger diverts it"
            raise Shut(reason) from None
        if kept_out := why_swallowed(place, facts_of(place).name(error.table)):
            raise Shut(kept_out) from None
        raise
    asking(cursor)
    return found


def insert_good(cursor: Cursor, family: Sequence[Insertion], place: Place) -> list[Row]:
    """Insert good rows, and return them as the server spells them; raise Broken where one is refused."""
    returned: list[Row] = []
    try:
        return insert(cursor, family, place, returned, together=True)
    except Swallowed as error:
        raise Broken(f"{error}: {shown(family)}") from None
    except psycopg2.Error as error:
        _excuse_partition(error, place)
        excuse_family(cursor, error, facts_of(place), family, returned)
        raise Broken(f"a good row is refused: {said(error)}: {shown(family)}") from None


def _excuse_partition(error: psycopg2.Error, place: Place) -> None:
    """Raise Shut where a partition refuses a row by what it has alone in the contract: rows are made for the root."""
    part = QName(error.diag.schema_name or "", error.diag.table_name or "")
    if part in place.contract.schema.alone and (error.pgcode or "").startswith(INTEGRITY):
        raise Shut(f"{part.name} refuses a row by a rule that the contract gives to this partition alone") from None
