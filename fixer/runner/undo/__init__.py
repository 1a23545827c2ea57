"""Undoes a run, in one transaction: rows, cells, then every definition as it was; or refuses with the reason.

It drops what the run added or constrained, so that rows can come back; undoes later steps on rows; restores types and
drops added columns; undoes earlier steps on rows; then restores names, and everything else that was there before. At
the end the definitions are read again, and must equal those before the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.errors import ApplyFailed, UndoRefused, UsageError
from fixer.model.plan import PlannedStep
from fixer.model.run import Entry, Undone, ledger_to_json
from fixer.model.step import Lock, Phase
from fixer.model.table import QName
from fixer.runner.journal import definitions, ledger, reading, tables, writing
from fixer.runner.journal.reading import Account, DoneStep
from fixer.runner.locking.locks import lock
from fixer.runner.locking.transaction import all_or_nothing
from fixer.runner.undo.below import bring_below_back, detach, name_not_nulls, switch_below
from fixer.runner.undo.coming_back import bring_back, drop_bases, prove
from fixer.runner.undo.created.code import bring_code_back, drop_code
from fixer.runner.undo.past import Past, Undoable, look_back
from fixer.runner.undo.publications import close, identify_as_before, identify_by_all
from fixer.runner.undo.reasons import (
    breaches,
    look_at_views,
    look_for_breaches,
    look_for_losses,
    look_for_rights,
    look_for_sleepers,
    look_for_strays,
)
from fixer.runner.undo.references import look_for_orphans, look_for_parentless, orphans_by_key
from fixer.runner.undo.rows import Returned, parentless, take_back
from fixer.runner.undo.session import Session
from fixer.runner.undo.shapes import (
    bring_up_to_date,
    hand_back,
    let_go,
    put_to_sleep,
    retype,
    set_up_again,
    take_down,
)


def undo(
    connection: Connection,
    number: int,
    *,
    target: str = "",
    settings: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda title: None,
) -> Undone:
    """Undo the run with this number; `progress` is called with the title of each part of the work.

    Raises UsageError if there is no such run, UndoRefused with the reason if it cannot be undone (later writes or
    changes, data that was pruned), ApplyFailed if the database fails. Nothing is changed then, unless the connection
    broke during COMMIT: the outcome is unknown then, and the message says so.
    """

    def work(cursor: Cursor) -> Undone:
        account = _account(cursor, number)
        ran = _undoable(cursor, account)
        with definitions.prepared(cursor):
            entries, run = _undone(Session(cursor, number, progress), account, ran)
        return Undone(target, number, run, entries, tuple(_without(ran)), tuple(_staying(ran)))

    return all_or_nothing(connection, work, settings=settings)


def _without(ran: Undoable) -> Iterator[str]:
    """Yield the invalid indexes that the run dropped, each with its table: no definitions list them."""
    for done in ran.steps:
        if done.step.slug == "invalid-index" and done.step.sql.startswith("DROP INDEX"):
            yield f"{done.step.title.removeprefix('drop ')} of {done.step.table}"


def _staying(ran: Undoable) -> list[str]:
    """Return what the run made for good, such as labels of enums."""
    return [*dict.fromkeys(done.step.shape.stays for done in ran.steps if done.step.shape.stays)]


def _account(cursor: Cursor, number: int) -> Account:
    """Return the account of a run; raise UsageError if there is none, UndoRefused if it is an undo or was undone."""
    look_for_rights(cursor, number)
    account = reading.account(cursor, number)
    if account is None:
        raise UsageError(f"There is no run {number}: see `fixer history`.")
    if account.mode == "undo":
        raise UndoRefused(f"Run {number} is the undo of another run: apply the plan again instead.")
    if account.undone_by:
        raise UndoRefused(f"Run {number} was undone already, by run {account.undone_by}.")
    return account


def _undoable(cursor: Cursor, account: Account) -> Undoable:
    """Return the run; raise UndoRefused if what undo needs is missing, or if a later run touched the same tables."""
    number, before, left = account.run, account.before, account.after
    if before is None or left is None:
        why = "it ran as a script, which keeps no account of it" if account.mode == "script" else "it was pruned"
        raise UndoRefused(f"What undo needs of run {number} is not there: {why}.")
    for later, found in reading.later_runs(cursor, number):
        if shared := found.relations & (before.relations | left.relations):
            names = ", ".join(sorted(str(found.table(oid)) for oid in shared))
            raise UndoRefused(f"Run {later} came after and changed {names}: undo that one first.")
    below = before.below, left.below if account.finished else None
    return Undoable(number, account.steps, before.above, left.above, below)


def _undone(session: Session, account: Account, ran: Undoable) -> tuple[tuple[Entry, ...], int]:
    """Undo the run; return the ledger and the number under which the undo is entered."""
    cursor = session.cursor
    for setting, value in account.settings.items():
        cursor.execute("SELECT set_config(%s, %s, true)", (setting, value))
    with session.refusing("lock its tables"):
        lock(cursor, {ran.left.table(oid): Lock.ACCESS_EXCLUSIVE for oid in ran.left.relations})
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    past = look_back(session, ran)
    look_for_sleepers(session, past)
    look_for_parentless(session, past)
    before = ledger.count(cursor, [past.after.table(oid) for oid in past.before.relations])
    broken, stood = breaches(session, past), orphans_by_key(session, past)
    number = writing.open_undo(cursor, account)
    look_for_strays(session, past)
    past = drop_code(session, past)
    look_at_views(session, past)
    if why := tables.identify_rows(cursor):
        raise UndoRefused(f"{why}.")
    returned = _returned(session, past)
    look_for_breaches(session, past, broken)
    look_for_orphans(session, past, stood, returned.emptied, returned.parentless)
    entries = _ledger(session, past, before, returned)
    writing.close_undo(cursor, number, account, ledger_to_json(entries))
    return entries, number


def _returned(session: Session, past: Past) -> Returned:
    """Restore rows and definitions; return how many rows came back and how many left."""
    late, early = _by_conversion(past)
    close(session, past)
    stood = take_down(session, past)
    detach(session, past)
    wholes = let_go(session, past)
    awake = put_to_sleep(session, past)
    identities = identify_by_all(session, past)
    returned = Returned(parentless=parentless(past)) + take_back(session, past, late)
    bring_up_to_date(session, past)
    hand_back(session, past)
    look_for_losses(session, past)
    retype(session, past)
    identities = {**identify_by_all(session, past), **identities}
    returned += take_back(session, past, early)
    retype(session, past, shorten=True)
    name_not_nulls(session, past)
    anew = bring_back(session, past, awake, returned, wholes)
    bring_below_back(session, past)
    set_up_again(session, past, stood)
    bring_code_back(session, past)
    switch_below(session, past)
    drop_bases(session, past)
    identify_as_before(session, identities)
    prove(session, past, anew | stood.keys())
    return returned


def _by_conversion(past: Past) -> tuple[list[DoneStep], list[DoneStep]]:
    """Return the steps that are undone before types come back, and those after: a run may have had several plans."""
    late, early, first = list[DoneStep](), list[DoneStep](), dict[int | None, PlannedStep]()
    for done in past.steps:
        if done.step.shape.reverts or done.step.shape.renames:
            first.setdefault(past.oid(done.step), done.step)
    for done in past.steps:
        step, converting = done.step, first.get(past.oid(done.step), done.step)
        of_later_plan = converting.number > step.number and converting.phase < step.phase
        (early if step.phase <= Phase.CONVERT or of_later_plan else late).append(done)
    return late, early


def _ledger(session: Session, past: Past, before: Mapping[QName, int], returned: Returned) -> tuple[Entry, ...]:
    """Return the ledger, with the names of tables before the run; raise ApplyFailed if it does not add up."""
    entered = ledger.entered(session.cursor, past.before.relations, {*returned.back, *returned.gone})
    named = {past.before.table(oid): oid for oid in entered}
    after = ledger.count(session.cursor, named)
    entries = tuple(
        Entry(table, before[past.after.table(oid)], after[table], returned.back[oid], returned.gone[oid])
        for table, oid in sorted(named.items())
    )
    for entry in entries:
        if not entry.adds_up:
            raise ApplyFailed(f"The rows of {entry.table} do not add up: {entry}. Everything was rolled back.")
    return entries
