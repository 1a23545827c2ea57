"""The library: what the command line and applications call."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fixer.connect.failures import doing
from fixer.connect.link import Link, Source, opened
from fixer.contract import ContractSource
from fixer.contract import prepare as prepare  # the contract suite calls it here
from fixer.contract.scratch import Scratch
from fixer.errors import PgmendError, PlanRefused, UsageError, refuse_empty
from fixer.model.choice import ATOMIC, EVERYTHING, MODES, Choice, MaxMoved
from fixer.model.report import Report
from fixer.model.step import JOURNAL
from fixer.model.step.progress import SILENT, Progress
from fixer.runner.session import Session as Session
from fixer.runner.session import past_runs

if TYPE_CHECKING:  # what plans and runs is imported where it works: a check need not wait for it
    from fixer.model.plan import Plan
    from fixer.model.run import PastRun, Run, Undone
    from fixer.runner.limits import Bounds
    from fixer.runner.online.pace import Pace
    from fixer.snapshots.capture import Captured
    from fixer.snapshots.proof import Proof

PATIENCE = 60.0  # seconds for which `ensure` waits for another worker that repairs

log = logging.getLogger("pgmend")


def check(
    source: Source,
    contract: ContractSource = None,
    *,
    schema: str = "public",
    scratch: str | None = None,
    deep: bool = False,
    role: str | None = None,
) -> Report:
    """Compare a database with its contract and change nothing.

    `source` is an Engine or AsyncEngine of SQLAlchemy on any driver, a Connection or Session of it, a URL, a Target, or
    a psycopg2 connection. `contract` is a MetaData, a declarative base, a callable that returns one, or a text:
    ``"module:attribute"``, ``"schema.sql"``, a directory of such files, the URL of another database, or ``"self"``:
    what the catalogue of the target declares. None takes PGMEND_CONTRACT, else [tool.pgmend] contract of the nearest
    pyproject.toml, else ``"self"``. `schema` is that of tables that name none. `deep` also reads rows that a valid
    constraint guarantees. `role` is the application's, whose lacking rights are findings too.
    `scratch` is the server of throw-away databases, if not one of our own: a DSN, or ``"docker:IMAGE"``.

    Raises ContractError when no database can satisfy the contract, TargetError when the database cannot be read.
    """
    refuse_empty("The role", role)
    with session(source, contract, schema=schema, scratch=scratch) as work:
        return work.check(deep=deep, role=role)


def plan(
    source: Source,
    contract: ContractSource = None,
    *,
    schema: str = "public",
    scratch: str | None = None,
    deep: bool = False,
    mode: str = ATOMIC,
    skip: Iterable[str] | str = (),
    only: Iterable[str] | str = (),
    max_moved: MaxMoved = None,
) -> Plan:
    """Order the repairs that a database needs, and change nothing.

    Takes what `check` takes, and raises what it raises; `mode` is ``"atomic"`` or ``"online"``. `skip` names findings
    to leave out, with all that depends on them, each as ``"SLUG"`` or ``"SLUG:OBJECT"``; `only` names those to repair.
    Raises UsageError if a name fits no finding, NeedsPermission if more than `max_moved` rows would go to quarantine:
    so many in all, ``"5%"`` of each table, or ``{"users": 100}`` of one.
    """
    _known(mode)
    with session(source, contract, schema=schema, scratch=scratch) as work:
        bounds = work.bounds(max_moved)
        _, made = work.made(deep=deep, mode=mode, choice=Choice(_listed(skip), _listed(only)))
        bounds.bound(made)
    return made


def apply(
    source: Source,
    contract: ContractSource = None,
    *,
    schema: str = "public",
    scratch: str | None = None,
    plan: Plan | None = None,
    mode: str = ATOMIC,
    allow_hazards: Iterable[str] | str = (),
    deep: bool = False,
    skip: Iterable[str] | str = (),
    only: Iterable[str] | str = (),
    max_moved: MaxMoved = None,
    progress: Progress = SILENT,
    pace: Pace | None = None,
) -> Run:
    """Repair a database until the contract holds, but for what `skip` and `only` leave out, as in `plan`.

    ``"atomic"``, the default mode, repairs in one transaction, and commits only if the contract holds at the end.
    ``"online"`` works in many short transactions, at a `pace`, so that nobody waits for long. If interrupted,
    finished steps are kept, and the next call goes on from there.

    Runs `plan` in the mode it was made for, or a fresh plan if none is given. A given plan is refused if the schema
    has changed since. `allow_hazards` names the hazards that may be taken, or is ``"all"``.

    Raises NeedsPermission when the plan needs other hazards or a human decision, or would move more than `max_moved`
    rows to quarantine, as in `plan`; PlanRefused, TargetError or ApplyFailed when it could not work. In atomic mode
    nothing is changed then.
    """
    from fixer.runner.preflight import permit

    _known(mode)
    allowed, choice = _listed(allow_hazards), Choice(_listed(skip), _listed(only))
    if plan and choice != EVERYTHING:
        raise UsageError("What a plan leaves out is chosen when it is made: skip and only go without a plan.")
    with session(source, contract, schema=schema, scratch=scratch) as work:
        bounds = work.bounds(max_moved)
        report, chosen = (None, plan) if plan else work.made(deep=deep, mode=mode, choice=choice)
        permit(chosen, allowed)
        return work.apply(chosen, report, allowed=allowed, bounds=bounds, progress=progress, pace=pace)


def capture(
    source: Source,
    directory: str | Path,
    contract: ContractSource = None,
    *,
    schema: str = "public",
    scratch: str | None = None,
    sample: int | None = None,
    rows: bool = True,
    mask: bool = False,
    mask_as: Iterable[str] = (),
) -> Captured:
    """Write a snapshot of a database into a directory, which must be new or empty; the database is only read.

    `sample` takes so many rows of each table, with those behind findings and all that they reference; without `rows` it
    takes none. `mask` puts others in place of personal data; ``"TABLE.COLUMN=keep"``, ``=text`` or ``=personal`` in
    `mask_as` decide for a column, as ``info={"mask": …}`` of the models does. The snapshot is loaded into a throw-away
    server, where it must show the findings that the database shows: else SnapshotError says which not, and nothing is
    written. Raises UsageError for a directory that is not empty, ServerError where pg_dump lacks, and what `check`
    raises.
    """
    from fixer.snapshots.capture import Wanted
    from fixer.snapshots.capture import capture as captured

    wanted = Wanted(sample, rows, mask, tuple(mask_as))
    with session(source, contract, schema=schema, scratch=scratch) as work:
        return captured(work, work.contract.name, Path(directory), schema, wanted, Scratch.of(scratch))


def prove(
    source: Source,
    contract: ContractSource = None,
    *,
    schema: str = "public",
    scratch: str | None = None,
    plan: Plan | None = None,
    mode: str = ATOMIC,
    allow_hazards: Iterable[str] | str = (),
    deep: bool = False,
    skip: Iterable[str] | str = (),
    only: Iterable[str] | str = (),
    max_moved: MaxMoved = None,
    sample: int | None = None,
    suite: bool = True,
    progress: Callable[[str], None] = lambda title: None,
) -> Proof:
    """Rehearse a plan, or a fresh one, on a copy of a database in a throw-away server; the database is only read.

    Takes what `apply` takes. On the copy, the plan is applied, the contract checked with all rows, the contract suite
    run (unless `suite` is false) as a process, and the run undone; the Proof says what was compared, and `ok` whether
    all that went well. `sample` copies so many rows of each table, with those behind findings and what they reference.

    Raises NeedsPermission where the plan needs other hazards or a person; ServerError where no copy can be made, such
    as without a server of the same major version; and what `plan` and `apply` raise, said to be of the copy.
    """
    from fixer.snapshots.rehearsal import Wish
    from fixer.snapshots.rehearsal import prove as proved

    _known(mode)
    choice = Choice(_listed(skip), _listed(only))
    wish = Wish(mode, _listed(allow_hazards), deep, choice, max_moved, sample, suite)
    with session(source, contract, schema=schema, scratch=scratch) as work:
        return proved(work, schema, wish, Scratch.of(scratch), plan, progress)


def undo(source: Source, run: int, *, progress: Callable[[str], None] = lambda title: None) -> Undone:
    """Take a run back: rows, cells and definitions as they were before it, in one transaction.

    `progress` is called with the title of each step. Raises UsageError where there is no such run, UndoRefused with
    the reason where later writes or changes, or a prune, forbid it. Nothing is changed then.
    """
    from fixer.runner import undo as undoing

    with _at_journal(source, f"Run {run} could not be undone") as link:
        return undoing.undo(link.connection, run, target=link.target, settings=link.settings, progress=progress)


def history(source: Source) -> list[PastRun]:
    """Return the past runs on a database, the newest first."""
    with _at_journal(source, "The history could not be read") as link:
        return past_runs(link)


def prune(source: Source) -> int:
    """Forget what undo needs of all finished runs; return how many. The quarantine stays.

    Raises ApplyFailed with the reason where that would lose a value; nothing is forgotten then.
    """
    from fixer.runner import prune as forgetting

    with _at_journal(source, "What undo needs could not be forgotten") as link:
        return forgetting.prune(link.connection, settings=link.settings)


def ensure(
    source: Source,
    contract: ContractSource = None,
    *,
    schema: str = "public",
    scratch: str | None = None,
    allow_hazards: Iterable[str] | str = (),
    max_moved: MaxMoved = None,
) -> Run | Report:
    """Make the contract hold, at the start of an application; all its workers may call it at once.

    Returns the Report if the contract holds already, which takes milliseconds, or the Run that repaired it. One worker
    repairs, the others wait for it. Raises NeedsPermission if the repair needs a hazard that was not allowed, or would
    move more than `max_moved` rows, as in `plan`: nothing is changed then, and the application should not start.
    """
    allowed, deadline = _listed(allow_hazards), time.monotonic() + PATIENCE
    with session(source, contract, schema=schema, scratch=scratch) as work:
        bounds = work.bounds(max_moved)
        while True:
            try:
                return _ensured(work, allowed, bounds)
            except PgmendError as error:  # which passes if it comes of another worker that repairs
                if time.monotonic() > deadline or not (error.busy or isinstance(error, PlanRefused)):
                    raise
                log.info("another worker repairs the database: waiting")
                time.sleep(_apart())


def _apart() -> float:
    """Return some seconds to wait, others for each worker."""
    import random

    return 0.1 + random.random() / 5


def _ensured(work: Session, allowed: Iterable[str], bounds: Bounds) -> Run | Report:
    report = work.check()
    if report.ok:
        return report
    from fixer.runner.preflight import permit

    chosen = work.planned(report)
    permit(chosen, allowed)
    return work.apply(chosen, report, allowed=allowed, bounds=bounds)


def _known(mode: str) -> None:
    if mode not in MODES:
        raise UsageError(f"There is no mode {mode!r}: say {' or '.join(MODES)}.")


def _listed(names: Iterable[str] | str) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


@contextmanager
def _at_journal(source: Source, failed: str) -> Iterator[Link]:
    """Lend a link for work on the journal; `failed` begins the sentence of an error."""
    with opened(source) as link, doing(failed, schema=JOURNAL):
        yield link


# --- the way through check, plan and apply


@contextmanager
def session(
    source: Source, contract: ContractSource, *, schema: str = "public", scratch: str | None = None
) -> Iterator[Session]:
    """Lend a session: one connection on which one can check, plan and apply."""
    with opened(source) as link, doing("The target could not be read"):
        yield Session(link, prepare(contract, link.connection, schema, scratch))
