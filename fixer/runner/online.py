"""Online mode: many short transactions, none of which keeps anybody waiting for long.

Strong locks are asked for with a short timeout, again and again, since who waits for one makes all others wait
behind; rows are written in batches; indexes are built concurrently. What others write meanwhile is met by
planning again from the catalogue, as after a crash: to resume is to plan again. The journal keeps one run for
all of it, unfinished until the contract holds.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.compare.examine import Report, examine
from fixer.connect.failures import told
from fixer.connect.target import SAFE_PATH, unhurried
from fixer.contract.build import Contract
from fixer.errors import ApplyFailed, TargetError
from fixer.model.run import Run, ledger_to_json
from fixer.model.schema import QName
from fixer.model.step import Lock, Phase
from fixer.planner.build import ONLINE, Plan, PlannedStep
from fixer.runner import marks
from fixer.runner.journal import definitions, ledger, notes, parentless, reading, tables, writing
from fixer.runner.journal.definitions import Definitions
from fixer.runner.locking.sole_fixer import Floor, floor
from fixer.runner.locking.transaction import TRANSIENT, configure
from fixer.runner.preflight import check_schema, permit, watched_tables
from fixer.runner.progress import SILENT, Progress
from fixer.runner.row_places import Place, point, point_at_pages, search
from fixer.runner.settings import MODESTLY, SWIFTLY, generously, planned_for
from fixer.runner.undo.restore import is_unproved
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier, Literal

ROUNDS = 12  # plans, at the most: each meets what came in while the last one was carried out
LOCK_TIMEOUT = 0.04  # seconds for which others may have to wait behind a strong lock that is waited for
ROW_TIMEOUT = 0.1  # seconds; below deadlock_timeout, so that it is never the application that gives way
MOMENTS = 16  # steps under one strong lock, each of them a fraction of a millisecond
PASSES = 10_000  # searches for the rows of one step
LOOK_AGAIN = 0.5  # seconds between two looks at replicas and at what others do
PATIENCE = 600.0  # seconds for which a lock is tried for
TARGET = 0.02  # seconds that a batch should take: so long may others wait for its rows
SMALLEST, FIRST, LARGEST = 20, 200, 20_000  # rows of a batch
_WEAK = (Lock.NONE, Lock.ROW_EXCLUSIVE, Lock.SHARE_UPDATE_EXCLUSIVE)
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

_BORROWED = ("maintenance_work_mem", "work_mem", "max_parallel_maintenance_workers")
log = logging.getLogger("pgmend.apply")


@dataclass(frozen=True)
class Pace:
    """When to hold back: `max_lag` of a replica in seconds, `throttle` at so many busy sessions of others."""

    max_lag: float | None = None
    throttle: int | None = None


@dataclass(frozen=True)
class _Aside:
    """Numbers that are set aside for rows of a table: from the one before `number` back to `bottom`, by `pace`."""

    number: str
    pace: str
    bottom: str

    @property
    def settings(self) -> dict[str, str]:
        """What steps know them by."""
        return {f"pgmend.{name}": value for name, value in asdict(self).items()}

    @property
    def is_overdrawn(self) -> bool:
        """Whether more were taken than are there."""
        way = 1 if int(self.pace) > 0 else -1
        return way * int(self.number) < way * int(self.bottom)


class _OvertakenError(Exception):
    """Raised where others wrote or changed something meanwhile that the plan does not know.

    The reason is the failure of a step; where it `passes` by itself, nobody need have written or changed anything.
    """

    def __init__(self, reason: str, *, passes: bool = False) -> None:
        super().__init__(reason)
        self.passes = passes


def run(
    connection: Connection,
    contract: Contract,
    plan: Plan,
    *,
    another: Callable[[], Connection],
    replan: Callable[[Report], Plan] | None,
    allowed: Sequence[str],
    settings: Mapping[str, str] | None = None,
    progress: Progress = SILENT,
    pace: Pace | None = None,
    pooled: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Run:
    """Carry out a plan that was permitted, and those that `replan` makes of what came in meanwhile.

    `another` opens a second connection, which keeps other fixers out. Raises what atomic mode raises; what was
    done until then stands, and the next run goes on from there.
    """
    with floor(another) as held:
        work = _Online(connection, contract, plan, settings or {}, progress, pace or Pace(), pooled, sleep, held)
        before, connection.autocommit = connection.autocommit, False
        try:
            return work.carry_out(replan, allowed)
        except psycopg2.Error as error:
            raise ApplyFailed(f"The run broke off: {told(error)}. {work.stands()}") from None
        finally:
            with suppress(psycopg2.Error):
                if not connection.closed:
                    connection.rollback()
                    connection.autocommit = before


class _Online:
    """One run in online mode."""

    def __init__(
        self,
        connection: Connection,
        contract: Contract,
        plan: Plan,
        settings: Mapping[str, str],
        progress: Progress,
        pace: Pace,
        pooled: bool,
        sleep: Callable[[float], None],
        held: Floor,
    ) -> None:
        self.connection, self.contract, self.plan, self.pooled = connection, contract, plan, pooled
        self.settings, self.progress, self.pace, self.sleep = dict(settings), progress, pace, sleep
        self.held = held
        self.number = 0  # of the run
        self.offset = 0  # of its steps that were done before
        self.relations: frozenset[int] = frozenset()
        self.was = Definitions()  # what the run found
        self.doubts: frozenset[tuple[str, QName]] = frozenset()
        self.aside: dict[QName, _Aside] = {}
        self.failed = ""  # what overtook the plan, unless that passes by itself
        self.stirred = False  # whether rows were written by this plan, or held by others
        self.looked = 0.0  # when replicas and load were last looked at

    # --- the whole

    def carry_out(self, replan: Callable[[Report], Plan] | None, allowed: Sequence[str]) -> Run:
        """Carry out plan after plan until the contract holds."""
        self._begin()
        failed = ""
        for _ in range(ROUNDS):
            reason = self._round()
            self.doubts |= self.plan.doubts
            found = examine(self.connection, self.contract, doubts=self.doubts, settings=self.settings | MODESTLY)
            report = Report(self.plan.target, found)
            further = replan(report) if replan else None
            if report.ok and not (further and further.steps):
                self._prove_again()
                return self._finish(report)
            if further is None:
                raise ApplyFailed(f"{reason or _broken(report)}: rows came in meanwhile. Apply again: {self.stands()}")
            if self.failed == failed != "" and not self.stirred and self.plan.fingerprint == further.fingerprint:
                raise ApplyFailed(f"A step failed twice, and nothing had changed meanwhile: {failed}. {self.stands()}")
            failed, self.plan = self.failed, further
            self.progress.again(reason or _broken(report))
            permit(self.plan, allowed, so_far=self.stands())
            self._widen()
        raise ApplyFailed(f"After {ROUNDS} plans the contract does not hold: {_broken(report)}. {self.stands()}")

    def _keep_the_floor(self, *, ask: bool = True) -> None:
        """Stop where nothing keeps other fixers out any longer."""
        if reason := self.held.lost(ask=ask):
            lost = f"The connection that keeps other fixers out was lost ({reason})"
            raise ApplyFailed(f"{lost}, and nothing more is done without it. {self.stands()}")

    def stands(self) -> str:
        """Say what is true of the database as long as the run is not finished."""
        if not self.number:
            return "Nothing was changed."
        return f"What was done stands as run {self.number}: `fixer apply --mode online` goes on from there."

    def _round(self) -> str:
        """Carry out one plan; return what overtook it, if anything did."""
        count = len(self.plan.steps)
        self.failed, self.stirred = "", False
        for group in _side_by_side(self.plan.steps):
            for step in group:
                self.progress.step(step, count)
            self._keep_the_floor()
            self.breathe()
            started = time.monotonic()
            titles = "; ".join(step.title for step in group)
            try:
                rows = self._do([replace(step, number=self.offset + step.number) for step in group])
            except _OvertakenError as overtaken:
                log.info("step %s: %s: %s: planning again", group[0].number, titles, overtaken)
                self.offset += count
                reason = f"{titles}: {overtaken}"
                self.failed = "" if overtaken.passes else reason
                return reason
            log.info("step %s: %s: %s rows in %.3f s", group[0].number, titles, rows, time.monotonic() - started)
        self.offset += count
        return ""

    def _begin(self) -> None:
        """Open a run, or take up the one that was interrupted."""
        with self._transaction() as cursor:
            check_schema(cursor, self.contract, self.plan)
            self._look_ahead(cursor)
            tables.make(cursor, self.plan)
            unfinished = reading.unfinished(cursor)
            if unfinished is None:
                self.number = writing.open_run(cursor, self.plan, ONLINE, Definitions())
            else:
                self.number, self.offset = unfinished
                log.info("run %s was interrupted: going on", self.number)
        self.settings |= reading.spelling(self.connection, self.number)
        self._widen()

    def _look_ahead(self, cursor: Cursor) -> None:
        """Refuse a pace that this role could not keep, since it is shown neither replicas nor what others do.

        PostgreSQL manual, 27.2.
        """
        if self.pace == Pace():
            return
        cursor.execute("SELECT pg_has_role('pg_read_all_stats', 'USAGE'), quote_ident(current_user)")
        may, role = cursor.fetchone() or (False, "")
        if not may:
            words = "--max-lag" if self.pace.throttle is None else "--throttle"
            raise TargetError(
                f"{words} needs to see what others do: GRANT pg_read_all_stats TO {role}, or leave it out."
                " Nothing was changed."
            )

    def _widen(self) -> None:
        """Note what the run has not touched so far: how it is defined, for undo, and how many rows there are."""
        with self._transaction() as cursor:
            actual = introspect.read(cursor, self.contract.schemas)
            tables.make(cursor, self.plan)
            watched = watched_tables(self.plan, actual)
            own = reading.created_by(cursor, self.number)
            relations = definitions.oids(cursor, watched | self.plan.tables) - own.keys()
            was = self._defined(cursor, relations).without(own.keys())
            self.was = writing.widen(cursor, self.number, self.plan, was)
            known = self.was.relations
            writing.note_rows(cursor, self.number, ledger.count(cursor, watched - set(own.values())))
            self.relations |= relations | known | own.keys()

    def _prove_again(self) -> None:
        """Prove what was proved before the run and was left NOT VALID where it was interrupted, or planned again."""
        with self._transaction() as cursor:
            done = reading.account(cursor, self.number)
            now = self._defined(cursor, self.relations)
        assert done is not None
        for key in done.before.of_kind("constraint") if done.before else ():
            left = now.items.get(key.key)
            if left and is_unproved(left) and not is_unproved(key):
                self.offset += 1
                table = now.table(left.of)
                sql = SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(q.name(table), Identifier(left.name))
                step = PlannedStep(
                    self.offset,
                    f"prove {left.name} of {table.name} again",
                    table,
                    Phase.EXCHANGE_PROOFS,
                    str(sql.as_string(self.connection)),
                    Lock.SHARE_UPDATE_EXCLUSIVE,
                )
                try:
                    self._at_once([step])
                except _OvertakenError as broken:
                    raise ApplyFailed(f"{step.title}: {broken}. {self.stands()}") from None

    def _finish(self, report: Report) -> Run:
        """Let the ledger add up, and close the run."""
        with self._transaction() as cursor:
            done = reading.account(cursor, self.number)
            assert done is not None
            steps = tuple(each.step for each in done.steps)
            entries = writing.balance(cursor, self.number, steps)
            after = self._defined(cursor, self.relations)
            if marks.kept(cursor, self.was, after):
                after = self._defined(cursor, self.relations)
            writing.close_run(cursor, self.number, ledger_to_json(entries), after)
        plan = replace(self.plan, steps=steps)
        return Run(self.plan.target, self.plan.contract, plan, self.number, entries, report)

    def _enter(self, cursor: Cursor, step: PlannedStep, rows: int) -> None:
        """Enter a step that was done, with the definitions that it left."""
        touched = definitions.oids(cursor, [step.table, *step.touches])
        self.relations |= touched
        left = self._defined(cursor, touched)
        if step.lock not in _WEAK and marks.kept(cursor, self.was, left, exclusive=step.lock is Lock.ACCESS_EXCLUSIVE):
            left = self._defined(cursor, touched)
        orphans = parentless.count(cursor, parentless.compose(cursor, step, self.was))
        writing.enter_step(cursor, self.number, step, rows, left, orphans=orphans)

    # --- one step

    def _do(self, steps: Sequence[PlannedStep]) -> int:
        if steps[0].concurrent:
            return self._concurrently(steps[0])
        if steps[0].find:
            return self._in_batches(steps[0])
        return self._at_once(steps)

    def _at_once(self, steps: Sequence[PlannedStep]) -> int:
        """Do steps in one short transaction, trying for their lock until it is had."""
        step, strong = steps[0], steps[0].lock not in _WEAK
        begun = time.monotonic()
        for attempt in range(1_000_000):
            try:
                with self._transaction(step, LOCK_TIMEOUT if strong else None) as cursor:
                    for step in steps[:-1]:  # before the lock, since they are known to touch no rows
                        writing.enter_step(cursor, self.number, step, 0)
                    for step in steps:
                        rows, _ = self._execute(cursor, step)
                    self._enter(cursor, step, rows)
                    left = self.left_aside(cursor, step)
                self.aside |= left
                self.stirred |= step.writes_rows and rows > 0
                return rows
            except TRANSIENT as error:
                self.waits(step, error, since=begun)
                self.sleep(min(0.02 * 1.5**attempt, 1.0) * (0.5 + random.random()))
            except psycopg2.Error as error:
                raise self._failed(step, error) from None
        raise AssertionError("unreachable")

    def waits(self, step: PlannedStep, error: psycopg2.Error, *, since: float) -> None:
        """Say who is in the way of a step; give up where that lasts too long."""
        waited = time.monotonic() - since
        if waited > PATIENCE:
            raise ApplyFailed(f"Step {step.number} ({step.title}): {told(error)}. {self.stands()}") from None
        if waited > 1.0:
            self.progress.waits(self._blockers(step) or f"for a lock: {told(error)}")

    def _execute(self, cursor: Cursor, step: PlannedStep) -> tuple[int, list[str]]:
        """Do a step, or a batch of it; return how many rows it wrote, and where those it moved went."""
        places: list[str] = []
        for off, _ in step.asleep:
            cursor.execute(off)
        if step.known and not step.batch:
            cursor.execute(step.known)
        with planned_for(cursor, step):
            statement = step.batch or step.sql
            if step.composes:
                statement = self._composed(cursor, step)
            elif step.batch and step.moves:
                statement = f"{step.batch}\nRETURNING ctid"
            cursor.execute(statement)
            rows = max(cursor.rowcount, 0)
            if step.batch and step.moves:
                places = [place for (place,) in cursor.fetchall()]
        for _, on in step.asleep:
            cursor.execute(on)
        return rows, places

    def _composed(self, cursor: Cursor, step: PlannedStep) -> str:
        """Return the statement that a step composes of what it finds."""
        cursor.execute(step.sql)
        return str((cursor.fetchone() or ("",))[0])

    def left_aside(self, cursor: Cursor, step: PlannedStep) -> dict[QName, _Aside]:
        """Return the numbers of a table that a step set aside, or left of those."""
        if step.phase not in (Phase.ANCHOR, Phase.KEYS):
            return {}
        names = [f"pgmend.{each.name}" for each in fields(_Aside)]
        cursor.execute("SELECT " + ", ".join(["current_setting(%s, true)"] * len(names)), names)
        parts = cursor.fetchone() or ("",)
        if not all(parts):
            return {}
        left = _Aside(*parts)
        if left.is_overdrawn:
            raise _OvertakenError("more rows came in than numbers were set aside for", passes=True)
        return {step.table: left}

    def _failed(self, step: PlannedStep, error: psycopg2.Error) -> Exception:
        """Return what a failure means: somebody was faster, or it cannot work."""
        if isinstance(error, _OVERTAKEN):
            taken = isinstance(error, pg.UniqueViolation) and step.table in self.aside
            return _OvertakenError(told(error), passes=taken)  # others have come as far: numbers further on are free
        log.error("step %s failed: %s: %s", step.number, step.title, told(error))
        return ApplyFailed(f"Step {step.number} ({step.title}) failed: {told(error)}. {self.stands()}")

    def _concurrently(self, step: PlannedStep) -> int:
        """Do a step that cannot run in a transaction; it waits for others, and nobody waits for it.

        It is entered before, so that undo knows whose index it is where the fixer is gone when it stands.
        """
        with self._transaction(step) as cursor:
            if self.pooled:
                self._trust_the_path(cursor)
            writing.enter_step(cursor, self.number, step, 0)
            statement = self._composed(cursor, step) if step.composes else step.sql
        self.connection.rollback()
        self.connection.autocommit = True
        try:
            with self.connection.cursor() as cursor:
                if self.pooled:  # what is set for a session there is set for the next client
                    cursor.execute(statement)
                else:
                    self._with_settings(cursor, statement)
        except psycopg2.Error as error:
            # "tuple concurrently updated": the backend of a fixer that was killed builds the same index still.
            if isinstance(error, (*TRANSIENT, pg.InternalError_)):
                raise _OvertakenError(told(error), passes=True) from None
            raise self._failed(step, error) from None
        finally:
            if not self.connection.closed:
                self.connection.autocommit = False
        with self._transaction(step) as cursor:
            self._enter(cursor, step, 0)
        return 0

    def _trust_the_path(self, cursor: Cursor) -> None:
        """Stop where the session's own path, under which a pooler makes us work here, leads to code of others."""
        choose = "SELECT set_config('pgmend.schemas', current_setting('pgmend.own_path'), true);\n"
        cursor.execute(choose + introspect.query("shadows"))
        if shadow := cursor.fetchone():
            raise ApplyFailed(
                f"The {shadow[0]} {shadow[1]} of the role {shadow[2]} may take the place of PostgreSQL's own in"
                f" an index that is built through a pooler: name the server's direct port, or drop it. {self.stands()}"
            )

    def _with_settings(self, cursor: Cursor, statement: str) -> None:
        """Execute outside a transaction, where settings are the session's: they are restored at once."""
        bound = {name: value for name, value in self.settings.items() if name == "statement_timeout"}
        # What waits here holds nobody up.
        chosen = {**unhurried(self.connection), **bound, "lock_timeout": "0", "search_path": SAFE_PATH}
        names = [*chosen, *_BORROWED]
        cursor.execute("SELECT " + ", ".join(["pg_catalog.current_setting(%s)"] * len(names)), names)
        was = dict(zip(names, cursor.fetchone() or (), strict=True))
        _set(cursor, chosen)
        try:
            generously(cursor, local=False)
            _set(cursor, {"max_parallel_maintenance_workers": "0"})
            cursor.execute(statement)
        finally:
            if not self.connection.closed:
                _set(cursor, was)

    # --- batches

    def _in_batches(self, step: PlannedStep) -> int:
        """Write the rows of a step a batch at a time, until none is found any more."""
        batches = _Batches(self, step)
        if step.pages:
            batches.by_pages()
        for _ in range(PASSES):
            places = batches.found()
            written = batches.by_places(places) if places else 0
            if not written or written == len(places) < LARGEST:
                break  # clean; or others hold rows, or something speaks against: the next plan will see
        return batches.rows

    def breathe(self) -> None:
        """Hold back while a replica lags or others are busy; stop where the floor is lost."""
        self._keep_the_floor(ask=False)
        if self.pace == Pace() or time.monotonic() - self.looked < LOOK_AGAIN:
            return
        while reason := self._strained():
            self.progress.waits(reason)
            self.sleep(LOOK_AGAIN)
            self._keep_the_floor()
        self.looked = time.monotonic()

    def _strained(self) -> str:
        with self._transaction() as cursor:
            if self.pace.max_lag is not None:
                cursor.execute(
                    "SELECT extract(epoch FROM max(replay_lag)), (array_agg(application_name ORDER BY replay_lag DESC"
                    " NULLS LAST))[1] FROM pg_catalog.pg_stat_replication"
                )
                lag, replica = cursor.fetchone() or (None, "")
                if lag is not None and lag > self.pace.max_lag:
                    return f"for the replica {replica}, which lags by {lag:.1f} s"
            if self.pace.throttle is not None:
                cursor.execute(
                    "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE state = 'active'"
                    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
                )
                (busy,) = cursor.fetchone() or (0,)
                if busy > self.pace.throttle:
                    return f"while {busy} other sessions are busy"
        return ""

    def _blockers(self, step: PlannedStep) -> str:
        """Say who holds locks on the tables of a step."""
        tables = [f'"{n.schema}"."{n.name}"' for n in (step.table, *step.touches)]
        with self._transaction() as cursor:
            cursor.execute(
                "SELECT DISTINCT a.pid, a.usename, coalesce(a.state, ''), date_trunc('second', a.query_start)::text"
                "  FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
                " WHERE l.relation = ANY (SELECT to_regclass(n)::oid FROM unnest(%s) AS n) AND l.granted"
                "   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
                "   AND (l.mode NOT IN ('AccessShareLock', 'RowShareLock') OR %s) AND a.pid <> pg_backend_pid()"
                " ORDER BY 4 LIMIT 3",
                (tables, step.lock is Lock.ACCESS_EXCLUSIVE),  # which alone keeps readers out, and waits for them
            )
            found = cursor.fetchall()
        told_ = ", ".join(f"{pid} ({user}, {state}, since {since})" for pid, user, state, since in found)
        return f"for a lock on {step.table.name}, held by {told_}" if found else ""

    # --- transactions

    @contextmanager
    def _transaction(self, step: PlannedStep | None = None, lock_timeout: float | None = None) -> Iterator[Cursor]:
        """Lend a cursor for one short transaction, committed at the end."""
        self.connection.rollback()
        chosen = dict(self.settings)
        if lock_timeout is not None:
            chosen["lock_timeout"] = f"{int(lock_timeout * 1000)}ms"
        if self.number:
            chosen["pgmend.run"] = str(self.number)
        if step is not None:
            chosen |= {"pgmend.step": str(step.number), **SWIFTLY}
            chosen |= self.aside[step.table].settings if step.table in self.aside else {}
        with self.connection.cursor() as cursor:
            configure(cursor, {**chosen, **MODESTLY, "client_min_messages": "warning"})
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            if not (self.pooled or (step and step.find)):  # a batch reads no definitions
                definitions.prepare(cursor)
            yield cursor
        self.connection.commit()

    def _defined(self, cursor: Cursor, relations: Collection[int]) -> Definitions:
        return definitions.read(cursor, relations, self.contract.schemas, prepared=not self.pooled)


class _Batches:
    """The rows of one step, written a batch at a time whose size follows the time that one takes."""

    def __init__(self, work: _Online, step: PlannedStep) -> None:
        self.work, self.step = work, step
        self.size, self.rows = FIRST, 0
        self.question: parentless.Question | None = None
        self.imaged: Mapping[str, int] | None = None
        self.orphans = Counter[str]()  # those among the rows that were moved, by foreign key

    def found(self) -> list[Place]:
        """Return places of rows that are to be written, each with its keeper where it has one."""
        with self.work._transaction(self.step) as cursor:
            try:
                # Not along the indexes, as in atomic mode: that pays only where workers share the sort.
                cursor.execute(search(self.step, LARGEST))
                return cursor.fetchall()
            except psycopg2.Error as error:
                raise self.work._failed(self.step, error) from None

    def by_places(self, places: Sequence[Place]) -> int:
        """Write the rows at these places; return how many were written."""
        before, at = self.rows, 0
        while at < len(places):
            part = places[at : at + self.size]
            at += len(part)
            self._batch(part)
        return self.rows - before

    def by_pages(self) -> None:
        """Go through the whole table once, by ranges of pages."""
        with self.work._transaction() as cursor:
            cursor.execute(
                SQL("SELECT pg_relation_size({}::regclass) / current_setting('block_size')::bigint").format(
                    Literal(q.quoted(self.step.table))
                )
            )
            (pages,) = cursor.fetchone() or (0,)
        page, at_once = 0, 4
        while page < pages:
            until = min(page + at_once, pages)
            seconds = self._batch(pages=(page, until))
            page = until
            at_once = max(1, min(int(at_once * _faster(seconds)), 512))

    def _batch(self, places: Sequence[Place] = (), *, pages: tuple[int, int] | None = None) -> float:
        """Write one batch in a transaction of its own; return the seconds it took."""
        self.work.breathe()
        strong, begun = self.step.lock not in _WEAK, time.monotonic()
        for attempt in range(1_000_000 if strong else 20):
            started = time.monotonic()
            try:
                with self.work._transaction(self.step, LOCK_TIMEOUT if strong else ROW_TIMEOUT) as cursor:
                    if pages:
                        point_at_pages(cursor, *pages)
                    else:
                        point(cursor, places)
                    for first in filter(None, (self.step.known, self.step.hold)):
                        cursor.execute(first)
                    rows, places_ = self.work._execute(cursor, self.step)
                    question = self.question or parentless.compose(cursor, self.step, self.work.was)
                    orphans = Counter(parentless.count(cursor, question, places_))
                    imaged = notes.imaged(cursor, self.step) if self.imaged is None else self.imaged
                    writing.enter_step(
                        cursor, self.work.number, self.step, rows, orphans=self.orphans + orphans, imaged=imaged
                    )
                    left = self.work.left_aside(cursor, self.step)
                self.orphans, self.question, self.imaged = self.orphans + orphans, question, imaged
                self.work.aside |= left
                break
            except TRANSIENT as error:
                self.size = max(SMALLEST, self.size // 2)
                pause = 0.02 * (attempt + 1)
                if strong:  # others wait behind it: for a tenth of the time at the most
                    self.work.waits(self.step, error, since=begun)
                    pause = 10 * LOCK_TIMEOUT
                self.work.sleep(pause * (0.5 + random.random()))
            except psycopg2.Error as error:
                raise self.work._failed(self.step, error) from None
        else:
            self.work.stirred = True
            return TARGET  # somebody holds one of these rows: they will be found again
        seconds = time.monotonic() - started
        if pages is None:
            self.size = max(SMALLEST, min(int(self.size * _faster(seconds)), LARGEST))
        self.rows += rows
        self.work.stirred |= rows > 0
        self.work.progress.rows(self.step, self.rows)
        return seconds


def _set(cursor: Cursor, settings: Mapping[str, str]) -> None:
    """Set these for the session."""
    each = ", ".join(["pg_catalog.set_config(%s, %s, false)"] * len(settings))
    cursor.execute(f"SELECT {each}", [part for setting in settings.items() for part in setting])


def _side_by_side(steps: Iterable[PlannedStep]) -> Iterator[list[PlannedStep]]:
    """Yield steps that are done in one transaction: those that follow each other and change one table for a moment.

    So others wait once for its lock, and their sessions read once how it is defined now.
    """
    group: list[PlannedStep] = []
    for step in steps:
        if group and not (_is_brief(step) and _is_brief(group[0]) and step.table == group[0].table):
            yield group
            group = []
        group.append(step)
        if len(group) == MOMENTS:
            yield group
            group = []
    if group:
        yield group


def _is_brief(step: PlannedStep) -> bool:
    """Tell whether a step changes a definition, and reads no rows to do so, as a generator's does."""
    apart = step.concurrent or step.find or step.writes_rows or step.reads or step.writes or step.touches or step.added
    return step.lock is Lock.ACCESS_EXCLUSIVE and step.phase is not Phase.GENERATORS and not apart


def _faster(seconds: float) -> float:
    """Return by how much the next batch may be larger."""
    return max(0.5, min(TARGET / max(seconds, 0.001), 2.0))


def _broken(report: Report) -> str:
    return next((finding.message for finding in report.findings if finding.breaks), "steps are left")
