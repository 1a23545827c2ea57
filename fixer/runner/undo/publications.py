"""Gives published tables another replica identity while undo drops their keys: without one they refuse changes.

One that an interrupted run gave them goes first."""

from __future__ import annotations

from collections.abc import Mapping

from fixer import introspect
from fixer.model.table import QName
from fixer.runner.journal.reading import left_open
from fixer.runner.undo.past import Past
from fixer.runner.undo.session import Session
from fixer.sql import compose as q
from fixer.sql.compose import SQL


def close(session: Session, past: Past) -> None:
    """End what steps of an interrupted run began: a replica identity for a while."""
    done = sorted((each.step for each in past.steps), key=lambda step: step.number)
    for step in left_open(done):
        session.do(SQL(step.shape.closing or ""), f"end what step {step.number} began")


def identify_by_all(session: Session, past: Past) -> dict[int, str]:
    """Set REPLICA IDENTITY FULL on published tables that lack an identity now; return the old identity of each."""
    before: dict[int, str] = {}
    for mute in introspect.mute(session.cursor, past.ran.relations):
        before[mute.oid] = mute.told_by
        session.do(SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(q.name(mute.table)), "")
    return before


def identify_as_before(session: Session, before: Mapping[int, str]) -> None:
    """Restore the replica identities that `identify_by_all` returned."""
    session.cursor.execute(
        "SELECT c.oid::bigint, n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = ANY (%s::oid[]) AND c.relreplident = 'f'",  # else a recreated index is the identity again
        (list(before),),
    )
    for oid, *table in session.cursor.fetchall():
        how = SQL("DEFAULT" if before[oid] == "d" else "NOTHING")
        session.do(SQL("ALTER TABLE {} REPLICA IDENTITY {}").format(q.name(QName(*table)), how), "")
