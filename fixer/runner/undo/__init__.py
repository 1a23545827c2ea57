"""Takes a run back, in one transaction: rows, cells, then every definition as it was; or refuses with the reason.

Backwards through what the run wrote down: what it added and constrained goes first, so that rows may come back;
then rows and cells, the last step first; then types, added columns, names; at last all that was there before.
Nothing is assumed: at the end the definitions are read again, and have to equal those of before the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.errors import ApplyFailed, UndoRefused, UsageError
from fixer.model.run import Entry, Undone, ledger_to_json
from fixer.model.step import Lock, Phase
from fixer.runner.journal import ledger, reading, tables, writing
from fixer.runner.journal.reading import Account
from fixer.runner.locking.locks import lock
from fixer.runner.locking.transaction import all_or_nothing
from fixer.runner.undo.reasons import Reasons
from fixer.runner.undo.rows import Rows
from fixer.runner.undo.shapes import Shapes


def undo(
    connection: Connection,
    number: int,
    *,
    target: str = "",
    settings: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda title: None,
) -> Undone:
    """Take a run back.

    Raises UsageError where there is no such run, UndoRefused with the reason where it cannot be taken back
    (later writes or changes, data that was pruned), ApplyFailed when the database failed. Nothing is changed
    then.
    """

    def work(cursor: Cursor) -> Undone:
        done = _account(cursor, number)
        entries, run = _Undo(cursor, done, progress).carry_out()
        return Undone(target, number, run, entries)

    return all_or_nothing(connection, work, settings=settings)


def _account(cursor: Cursor, number: int) -> Account:
    """Return what the run wrote down, if it can be taken back at all."""
    done = reading.account(cursor, number)
    if done is None:
        raise UsageError(f"There is no run {number}: see `fixer history`.")
    if done.mode == "undo":
        raise UndoRefused(f"Run {number} took another run back: apply the plan again instead.")
    if done.undone_by:
        raise UndoRefused(f"Run {number} was taken back already, by run {done.undone_by}.")
    if done.before is None or done.after is None:
        why = "it ran as a script, which keeps no account of it" if done.mode == "script" else "it was pruned"
        raise UndoRefused(f"What undo needs of run {number} is not there: {why}.")
    for later, before in reading.later_runs(cursor, number):
        shared = before.relations & done.before.relations
        if shared:
            names = ", ".join(sorted(str(before.table(oid)) for oid in shared))
            raise UndoRefused(f"Run {later} came after and changed {names}: take that one back first.")
    return done


class _Undo(Reasons, Shapes, Rows):
    """One run on its way back."""

    def carry_out(self) -> tuple[tuple[Entry, ...], int]:
        """Take the run back; return the ledger and the number of the run that did so."""
        for setting, value in self.done.settings.items():
            self.cursor.execute("SELECT set_config(%s, %s, true)", (setting, value))
        self._lock()
        self._look_for_changes()
        stays = self.before.relations
        named = self.after
        before = ledger.count(self.cursor, [named.table(oid) for oid in stays])
        broken = [(key, self._breaches(key)) for key in self._unproved()]
        stood = {key.key: self._orphans(self.after, key) for key in self._asked(self.after)}
        number = writing.open_undo(self.cursor, self.done)
        self._look_for_strays()
        self._look_at_views()
        if why := tables.tell_apart(self.cursor):
            raise UndoRefused(f"{why}.")
        self._let_go()
        self._let_tell()
        self._rows([step for step in self.done.steps if step.step.phase > Phase.CONVERT])
        self._bring_up_to_date()
        self._hand_back()
        self._look_for_losses()
        self._shapes()
        self._let_tell()
        self._rows([step for step in self.done.steps if step.step.phase <= Phase.CONVERT])
        self._bring_back()
        self._tell_as_before()
        self._prove()
        self._look_for_breaches(broken)
        self._look_for_orphans(stood)
        after = ledger.count(self.cursor, [self.before.table(oid) for oid in stays])
        entries = tuple(
            Entry(
                self.before.table(oid),
                before[named.table(oid)],
                after[self.before.table(oid)],
                self.back[oid],
                self.gone[oid],
            )
            for oid in sorted(stays, key=lambda oid: self.before.table(oid))
        )
        for entry in entries:
            if not entry.adds_up:
                raise ApplyFailed(f"The rows of {entry.table} do not add up: {entry}. Everything was rolled back.")
        writing.close_undo(self.cursor, number, self.done, ledger_to_json(entries))
        return entries, number

    def _lock(self) -> None:
        with self._refusing("lock its tables"):
            lock(self.cursor, {self.left.table(oid): Lock.ACCESS_EXCLUSIVE for oid in self.left.relations})
        self.cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
