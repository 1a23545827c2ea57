"""Rehearses a repair on a copy of the target: check, plan, apply, check again, the suite, undo.

The target is only read.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import field, replace

from fixer.contract.scratch import Scratch
from fixer.errors import NeedsPermission, PgmendError, PlanRefused, ServerError, UndoRefused, option
from fixer.model.choice import EVERYTHING, Choice, MaxMoved
from fixer.model.plan import ATOMIC, Plan
from fixer.model.report import Report
from fixer.model.run import Run, ledger_to_json
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.runner.limits import Bounds
from fixer.runner.preflight import permit
from fixer.runner.session import Session
from fixer.snapshots import copying, digests, suite
from fixer.snapshots.choosing import Choice as RowChoice
from fixer.snapshots.copying import Copy, Original
from fixer.snapshots.digests import State
from fixer.snapshots.moving import EVERY, Chosen, FromTarget
from fixer.snapshots.proof import ALL, SAMPLE, Covered, Proof, facts_of
from fixer.snapshots.throwaway import at, differing, link_to, target_of

Titles = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """How a repair is rehearsed."""

    mode: str = ATOMIC
    allowed: tuple[str, ...] = ()
    deep: bool = False
    choice: Choice = EVERYTHING
    max_moved: MaxMoved = None
    sample: int | None = None
    suite: bool = True


def prove(
    session: Session, schema: str, wish: Wish, scratch: Scratch, given: Plan | None = None, say: Titles = lambda _: None
) -> Proof:
    """Rehearse a plan, a fresh one if none is given, on a copy of the target.

    Raises NeedsPermission where the plan needs what is not allowed, or a person; ServerError or TargetError where no
    copy can be made; PlanRefused where the plan is of another schema; ApplyFailed where the repair of the copy failed.
    """
    begun = time.monotonic()
    say("checking the target")
    report, plan = _planned(session, wish, given)
    permit(plan, wish.allowed)
    session.bounds(wish.max_moved).permit(plan)
    with (
        suite.waiting(wanted=wish.suite and not plan.left) as waiting,
        copying.read(session.link) as original,
    ):
        say("choosing rows of the target" if wish.sample else "copying the target")
        chosen = _chosen(original, session, report, wish)
        with scratch.lend(original.version, 0 if wish.sample else original.room) as opened:
            _see_that_it_is_of_one_version(original.version, opened.admin.server_version // 10000)
            made = copying.copy(original, opened.admin, FromTarget(original.reader, chosen, swiftly=True))
            link = link_to(opened)
            with closing(link.connection), at(link, session) as there:
                done = _Rehearsal(session, there, plan, wish, waiting, say).run(report, schema)
    ran = done.proof(report, plan, wish, made, _kinds(original, chosen))
    return replace(ran, seconds=time.monotonic() - begun)


def _planned(session: Session, wish: Wish, given: Plan | None) -> tuple[Report, Plan]:
    if given is None:
        return session.made(deep=wish.deep, mode=wish.mode, choice=wish.choice)
    report = session.check(deep=wish.deep, choice=given.choice)
    if report.comparison.actual.fingerprint != given.fingerprint:
        raise PlanRefused("The database has changed since the plan was made: plan again.")
    return report, session.published(given)


def _chosen(original: Original, session: Session, report: Report, wish: Wish) -> Chosen:
    """Return the rows to copy: of tables with more than a sample, some."""
    if not wish.sample:
        return EVERY
    with original.reader.cursor() as cursor:
        return RowChoice(cursor, original.tables, session.contract).chosen(wish.sample, report.comparison.every)


def _kinds(original: Original, chosen: Chosen) -> Mapping[QName, str]:
    return {each.name: SAMPLE if each.oid in chosen.places else ALL for each in original.tables}


def _see_that_it_is_of_one_version(wanted: int, found: int) -> None:
    if wanted != found:
        way = option("scratch", "docker:postgres:" + str(wanted))
        raise ServerError(
            f"A rehearsal needs a server of PostgreSQL {wanted}, as the target is, and this is {found}: name the"
            f" directory of its programs in PGMEND_BINDIRS, or a server by {way}."
        )


@dataclass(frozen=True)
class Undone:
    """What undo came to: why the copy is not as it was, in words, and the sequences that stand further on."""

    why: str = ""
    sequences: Mapping[QName, tuple[int, int]] = field(default_factory=dict)


@dataclasses.dataclass
class _Done:
    """What a rehearsal showed."""

    differing: tuple[str, ...]
    left: tuple[str, ...]
    suite: suite.Outcome
    undo: Undone
    run: Run
    before: State
    after: Mapping[QName, tuple[int, object]]  # of the tables that the plan does not touch

    def proof(self, report: Report, plan: Plan, wish: Wish, made: Copy, kinds: Mapping[QName, str]) -> Proof:
        """Return it as a proof of the plan."""
        return Proof(
            plan,
            tuple(sorted(facts_of(report.findings))),
            wish.deep,
            {name: self._covered(name, rows, kinds[name], plan) for name, rows in made.rows.items()},
            self.differing,
            self.left,
            self.suite.said,
            self.suite.failed,
            self.undo.why,
            tuple(ledger_to_json(self.run.ledger)),
            tuple(made.lacking),
            self.undo.sequences,
        )

    def _covered(self, name: QName, rows: int, kind: str, plan: Plan) -> Covered:
        same = name in self.after and self.before.rows.get(name) == self.after[name]
        counted = any(entry.table in (name, plan.renamed.get(name)) for entry in self.run.ledger)
        repaired = "all rows are as they were" if same else "by count: the ledger adds up" if counted else "not at all"
        return Covered(rows, kind, repaired, "all rows" if not self.undo.why else "not at all")


@dataclasses.dataclass
class _Rehearsal:
    """A repair on a copy."""

    target: Session
    there: Session
    plan: Plan
    wish: Wish
    waiting: suite.Waiting | None
    say: Titles

    def run(self, report: Report, schema: str) -> _Done:
        """Run all of it; what fails on the copy is said to be of the copy."""
        with _on_the_copy():
            with ThreadPoolExecutor(1) as beside:
                found = beside.submit(self._state)
                shown = self.there.check(deep=self.wish.deep, choice=self.plan.choice)
                before = found.result()
            lost, new = differing(report.findings, shown.findings)
            apart = (*(f"only the target has {each}" for each in lost), *(f"only the copy has {each}" for each in new))
            self.say("applying the plan to the copy")
            run = self._applied(shown)
            self.say("checking the copy" + " and running the contract suite at it" * bool(self.waiting))
            with ThreadPoolExecutor(1) as beside:  # what the suite writes, it rolls back: nobody else sees it
                suite_of_it = beside.submit(self._suite, schema)
                held = self.there.check(deep=True, choice=self.plan.choice)
                left = tuple(f"{f.slug} of {f.object}" for f in held.comparison.unsettled(self.plan.left))
                after = digests.rows_of(self.there.link.connection, self.plan.tables)
                proved = suite_of_it.result()
            strayed = sorted(name for name, rows in after.items() if before.rows.get(name) != rows)
            left += tuple(f"other rows in {name}, which the plan does not name" for name in strayed)
            self.say("undoing it")
            undo = self._undone(run, before)
        return _Done(apart, left, proved, undo, run, before, after)

    def _state(self) -> State:
        """Return what the copy holds, by a session of its own, beside what else is asked."""
        with closing(self.there.link.another()) as connection:
            return digests.of(connection)

    def _applied(self, shown: Report) -> Run:
        """Apply the plan of the target, statement by statement, to the copy."""
        plan = replace(self.plan, fingerprint=shown.comparison.actual.fingerprint)
        bounds = self.there.bounds(self.wish.max_moved)
        if self.wish.sample:  # a share of a sample is not a share of the table
            bounds = Bounds(
                tuple(each for each in bounds.limits if each.share is None), bounds.connection, bounds.settings
            )
        return self.there.apply(plan, None if plan.steps else shown, allowed=self.wish.allowed, bounds=bounds)

    def _suite(self, schema: str) -> suite.Outcome:
        if not self.wish.suite:
            return suite.Outcome("not run: it was not wanted", ran=False)
        if self.plan.left:
            return suite.Outcome("not run: the contract does not hold on the copy", ran=False)
        if self.waiting is None:
            return suite.Outcome(f"not run: {suite.missing()} is not installed", ran=False)
        return self.waiting.run(target_of(self.there.link.connection), self.target.contract.name, schema)

    def _undone(self, run: Run, before: State) -> Undone:
        """Undo the run, and compare the copy with what it was."""
        from fixer.runner import undo as undoing

        if not run.run:
            return Undone()
        link = self.there.link
        try:
            undone = undoing.undo(
                link.connection, run.run, target=link.target, settings=link.settings, progress=lambda _: None
            )
        except UndoRefused as error:
            return Undone(str(error))
        after = digests.of(link.connection)
        apart = before.differing(after, undone.stays)
        return Undone(f"undo left these otherwise: {'; '.join(apart)}" if apart else "", before.moved(after))


@contextmanager
def _on_the_copy() -> Iterator[None]:
    """Say of an error that it is of the copy; the target is as it was."""
    try:
        yield
    except NeedsPermission:
        raise
    except PgmendError as error:
        raise type(error)(f"On the copy: {error} The target is as it was.", sqlstate=error.sqlstate) from error
