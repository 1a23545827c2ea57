"""findings → ordered steps, tied to the schema they were made for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Any

from fixer.errors import PlanRefused
from fixer.model.finding import Finding
from fixer.model.report import Comparison
from fixer.model.schema import Obstacle, QName, Schema
from fixer.model.step import Hazard, Lock, Phase, Step
from fixer.planner.estimate import cost
from fixer.repair.constraints_online import is_syncing
from fixer.repair.rows import filling
from fixer.repair.twins import question
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier

VERSION = 1
ATOMIC, ONLINE = MODES = ("atomic", "online")

Render = Callable[[Composable], str]
_Same = tuple[Phase, str, str]  # by which steps of several repairs are one


@dataclass(frozen=True)
class PlannedStep:
    """One step, its statement rendered for the server it was planned on."""

    number: int
    title: str
    table: QName
    phase: Phase
    sql: str
    lock: Lock
    hazard: Hazard | None = None
    rows: int = 0
    seconds: float = 0.0
    reads: int = 0  # bytes, as are those below
    writes: int = 0
    disk: int = 0  # that it needs room for, some of it for a while
    changes: tuple[str, ...] = ()
    renames: tuple[tuple[str, str], ...] = ()
    moves: bool = False
    inserts: bool = False
    touches: tuple[QName, ...] = ()
    slug: str = ""
    doubted: bool = False
    kind: str = ""
    restores: tuple[str, ...] = ()
    respells: tuple[str, ...] = ()
    known_by: tuple[str, ...] = ()
    orphans_by: tuple[str, ...] = ()
    added: tuple[AddedColumn, ...] = ()
    reverts: tuple[RevertedColumn, ...] = ()
    find: str | None = None
    batch: str | None = None
    hold: str | None = None
    known: str | None = None
    pages: bool = False
    concurrent: bool = False
    composes: bool = False
    asleep: tuple[tuple[str, str], ...] = ()

    @property
    def writes_rows(self) -> bool:
        """Whether it moves, inserts or rewrites rows."""
        return self.moves or self.inserts or bool(self.changes)


@dataclass(frozen=True)
class AddedColumn:
    """A column that a step adds: `kept` is the condition under which undo may drop it."""

    column: str
    kept: str | None = None
    counts: bool = False
    aside: str = ""  # the column whose place it took
    back: str | None = None  # and the value of that one over the new cell
    beside: str = ""  # its name until all rows have a value


@dataclass(frozen=True)
class RevertedColumn:
    """A column that a step converts: the old value over the new cell, and the new one over that again."""

    column: str
    back: str
    forth: str


@dataclass(frozen=True)
class Published:
    """What a plan makes or changes that publications publish: a subscriber stops until it has the same.

    `tables` are the statements that make those tables of ours which are not there yet, `steps` the numbers of the
    steps that change names, columns, types or keys of tables that they have.
    """

    publications: tuple[str, ...]
    heard: bool  # whether a subscriber of this database is known
    tables: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Ordered steps, and what they are tied to."""

    target: str
    contract: str
    schemas: tuple[str, ...]
    fingerprint: str
    steps: tuple[PlannedStep, ...]
    mode: str = ATOMIC
    findings: tuple[Finding, ...] = ()
    refusals: tuple[str, ...] = ()
    published: Published | None = None
    question: str = ""  # to be answered where it may be the wrong database

    @property
    def hazards(self) -> frozenset[Hazard]:
        """The hazards that must be allowed for it."""
        heard = {Hazard.STOPS_SUBSCRIBERS} if self.published and self.published.heard else set()
        return frozenset(step.hazard for step in self.steps if step.hazard) | heard

    @property
    def identity(self) -> str:
        """A name for exactly this plan."""
        steps = [*map(step_to_json, self.steps)]
        kept = [VERSION, self.fingerprint, self.contract, self.mode, self.schemas, self.refusals, steps]
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def tables(self) -> frozenset[QName]:
        """The tables that its steps touch."""
        return frozenset(name for step in self.steps for name in (step.table, *step.touches))

    @property
    def renamed(self) -> dict[QName, QName]:
        """The tables that it renames, old name to new."""
        return renamed_tables(self.steps)

    @property
    def created(self) -> frozenset[QName]:
        """The tables that it creates, or whose types it does."""
        return created_tables(self.steps)

    @property
    def doubts(self) -> frozenset[tuple[str, QName]]:
        """The defect classes and tables whose rows it settles: there the catalogue's word is not enough."""
        return frozenset((step.slug, step.table) for step in self.steps if step.doubted)

    def lacks(self, allowed: Iterable[str]) -> frozenset[Hazard]:
        """Return the hazards that it needs and that were not allowed; "all" speaks for this database alone."""
        named = frozenset(allowed)
        lacking = self.hazards - named
        return lacking & {Hazard.STOPS_SUBSCRIBERS} if "all" in named else lacking


def renamed_tables(steps: Iterable[PlannedStep]) -> dict[QName, QName]:
    """Return the tables that steps rename, old name to new."""
    return {step.table: step.touches[0] for step in steps if step.phase is Phase.TABLES and step.touches}


def created_tables(steps: Iterable[PlannedStep]) -> frozenset[QName]:
    """Return the tables that steps create, or whose types they do."""
    return frozenset(step.table for step in steps if step.phase is Phase.TABLES) - set(renamed_tables(steps))


def build(comparison: Comparison, target: str, render: Render, *, mode: str = ATOMIC) -> Plan:
    """Order the repairs of a comparison into a plan for a mode; nothing is executed."""
    actual = comparison.actual
    ordered = arrange(comparison, mode=mode)
    steps = tuple(_planned(number, step, actual, render, mode) for number, step in enumerate(ordered, start=1))
    broken = [f for f in comparison.findings if f.breaks]
    refusals = [f"{f.message}: {f.repair.refusal}" for f in broken if f.repair.refusal]
    if mode == ONLINE:
        refusals += [*_too_early(ordered, comparison), *_under_a_view(ordered)]
    creates = any(step.hazard is Hazard.CREATES_SCHEMA for step in steps)
    return Plan(
        target=target,
        contract=comparison.contract.name,
        schemas=comparison.contract.schemas,
        fingerprint=actual.fingerprint,
        steps=steps,
        mode=mode,
        findings=comparison.findings,
        refusals=tuple(refusals),
        question=question(actual, comparison.contract) if creates else "",
    )


def _too_early(steps: Iterable[Step], comparison: Comparison) -> Iterator[str]:
    """Yield why steps cannot be done online: rows go under foreign keys that are there until their texts are mapped."""
    going = {step.table for step in steps if step.moves and step.phase < Phase.KEYS}
    today = {table.stored_as or table.name: table for table in comparison.future.tables.values()}
    for key in comparison.actual.foreign_keys() if going else ():
        child, target = today.get(key.table), today.get(key.target)
        mapped = [child.columns[column.mapped] for column in child.columns.values() if column.mapped] if child else []
        texts = {column.stored_as or column.name for column in mapped}
        if target and target.name in going and texts & set(key.columns):
            yield (
                f"rows of {target.name} have to go while {key.table}.{', '.join(key.columns)} still holds texts that"
                " reference them: this takes --mode atomic"
            )


def _under_a_view(steps: Iterable[Step]) -> Iterator[str]:
    """Yield why steps cannot be done online: a table keeps its old name as a view, on which no type may change."""
    steps = list(steps)
    kept = {step.touches[0]: step.table for step in steps if step.phase is Phase.TABLES and step.touches}
    retyped = {step.table for step in steps if step.reverts or any(added.aside for added in step.added)}
    for name in sorted(kept.keys() & retyped):
        yield f"types of {name} change, which keeps its old name {kept[name]} as a view: this takes --mode atomic"


def arrange(comparison: Comparison, *, mode: str = ATOMIC) -> list[Step]:
    """Return the steps of all repairs: each once, in order, alterations of one table together."""
    rank = ranks(comparison)
    causes = (*comparison.findings, *comparison.consequences)
    findings = sorted(causes, key=lambda finding: rank.get(finding.table, len(rank)))
    # Stable: within a phase, the steps of one repair keep their order, children before the row they hang on.
    repairs: Iterable[Iterable[Step]] = (finding.repair.steps for finding in findings)
    if mode == ONLINE:
        repairs = ([each for step in steps for each in _lightly(step)] for steps in repairs)
    steps = list(_once(repairs))
    if mode == ONLINE:
        return [_while_asleep(step, comparison) for step in _merged(steps)]
    return list(_merged(_quietly(steps, comparison.future)))


def _lightly(step: Step) -> tuple[Step, ...]:
    """Return what stands for a step online; what new rows get and need not bring comes first."""
    inherit = partial(replace, slug=step.slug, doubted=step.doubted)
    steps = (step,) if step.online is None else tuple(inherit(each) for each in step.online)
    early = {Phase.DEFAULTS: Phase.BLEEDING}
    return tuple(replace(each, phase=early.get(each.phase, each.phase)) for each in steps)


def _while_asleep(step: Step, comparison: Comparison) -> Step:
    """Return the step with the triggers and rules of users asleep around each batch, for its own transaction alone."""
    wakeful = list(_wakeful(step.table, comparison.future)) if step.writes_rows else []
    if not wakeful:
        return step
    if _sleeps_without_lock(step, comparison):
        return replace(step, asleep=(_REPLICA,))
    switches = [
        (_switch(step.table, o.kind, o.name, "DISABLE", Phase.RELEASE).sql, _switch(*on, Phase.FINISH).sql)
        for o, on in wakeful
    ]
    rules = any(obstacle.kind == "rule" for obstacle, _ in wakeful)
    lock = Lock.ACCESS_EXCLUSIVE if rules else Lock.SHARE_ROW_EXCLUSIVE
    return replace(step, asleep=tuple(switches), lock=lock if step.lock is Lock.ROW_EXCLUSIVE else step.lock)


# By which triggers and rules sleep in one session, without any lock: our own fill columns all the same.
_REPLICA = (SQL("SET LOCAL session_replication_role = replica"), SQL("SET LOCAL session_replication_role TO DEFAULT"))


def _sleeps_without_lock(step: Step, comparison: Comparison) -> bool:
    """Tell whether all triggers may sleep in the session: those of keys sleep too, so that none may have work to do.

    Foreign keys have none where no row comes or goes and no column at either end changes, nor have keys that are
    proved late. Only a superuser may do so, and what is enabled ALWAYS or for a REPLICA would not sleep.
    """
    actual, future, contract = comparison.actual, comparison.future, comparison.contract.schema
    table, later = actual.tables.get(step.table), future.tables.get(step.table)
    if step.moves or step.inserts or not (table and later and actual.session and actual.session.superuser):
        return False
    keys = {key for schema in (actual, future, contract) for key in schema.foreign_keys()}
    ends = {(key.table, c) for key in keys for c in key.columns}
    ends |= {(key.target, c) for key in keys for c in key.target_columns}
    late = any(index.deferrable for index in (*table.indexes, *later.indexes))
    acts = (o for o in (*table.obstacles, *later.obstacles) if o.kind in ("trigger", "rule") and not is_syncing(o.name))
    changed = {(step.table, column) for column in step.changes}
    return not (late or ends & changed or any(obstacle.enabled in ("A", "R") for obstacle in acts))


def _wakeful(name: QName, future: Schema) -> Iterator[tuple[Obstacle, tuple[QName, str, str, str]]]:
    """Yield the triggers and rules of a table that act, with what lets each act again."""
    table = future.tables.get(name)
    for obstacle in table.obstacles if table else ():
        acts = obstacle.kind in ("trigger", "rule") and obstacle.enabled in ("O", "A")
        if acts and not is_syncing(obstacle.name):
            how = "ENABLE" if obstacle.enabled == "O" else "ENABLE ALWAYS"
            yield obstacle, (name, obstacle.kind, obstacle.name, how)


def _once(repairs: Iterable[Iterable[Step]]) -> Iterator[Step]:
    """Yield the steps by phase, each once, in the last of its places: rows set free meanwhile are settled with others.

    What a repair settles before a step is settled before it in any case, if need be earlier as well: rows that hang on
    others would go with them in silence.
    """
    seen: dict[_Same, Step] = {}
    leads: dict[_Same, dict[_Same, None]] = {}
    for steps in repairs:
        past: list[_Same] = []
        for step in steps:
            key = (step.phase, step.title if step.room else repr(step.sql), repr(step.batch))
            earlier = seen.pop(key, step)
            kept = step if step.rows >= earlier.rows else earlier
            if step.roomier and earlier is not step:
                room = step.room + earlier.room
                kept = replace(kept, room=room, sql=step.roomier(room))
            seen[key] = kept
            leads.setdefault(key, {}).update(
                dict.fromkeys(lead for lead in past if lead[0] is step.phase and lead != key)
            )
            past += [key] if step.writes_rows else []
    done = set[_Same]()
    for key, step in sorted(seen.items(), key=lambda item: item[1].phase):
        yield from (seen[lead] for lead in leads[key] if lead not in done and step.moves)
        yield step
        done.add(key)


def ranks(comparison: Comparison) -> dict[QName, int]:
    """Return the order of tables: parents before children, by name where references run in a circle."""
    graph: dict[QName, set[QName]] = {name: set() for name in sorted(comparison.contract.tables)}
    for key in comparison.contract.foreign_keys():
        if key.table != key.target:
            graph[key.table].add(key.target)
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError:
        order = sorted(graph)
    return {name: place for place, name in enumerate(order)}


def _merged(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the steps, neighbours that alter one table as one statement, so that it is rewritten once."""
    waiting: Step | None = None
    for step in steps:
        if waiting and _goes_with(waiting, step):
            waiting = _joined(waiting, step)
            continue
        if waiting and waiting.fills and step.fills and waiting.table == step.table:
            waiting = _filled_together(waiting, step)
            continue
        if waiting:
            yield waiting
        waiting = step
    if waiting:
        yield waiting


def _goes_with(one: Step, other: Step) -> bool:
    return bool(
        one.action
        and other.action
        and one.table == other.table
        and one.phase == other.phase
        and one.lock == other.lock
        and (one.hazard == other.hazard or one.phase is Phase.CONVERT)
    )


def _joined(one: Step, other: Step) -> Step:
    assert one.action is not None
    assert other.action is not None
    action = SQL("{},\n    {}").format(one.action, other.action)
    return replace(
        _both(one, other),
        sql=SQL("ALTER TABLE {}\n    {}").format(q.name(one.table), action),
        action=action,
        changes=one.changes + other.changes,
        added=one.added + other.added,
        reverts=one.reverts + other.reverts,
    )


def _filled_together(one: Step, other: Step) -> Step:
    return filling(_both(one, other), one.fills + other.fills)


def _both(one: Step, other: Step) -> Step:
    """Return a step under the titles of both, with the worse of their hazards."""
    worst = [
        hazard for hazard in (Hazard.REWRITES_VALUES, Hazard.REWRITES_TABLE) if hazard in (one.hazard, other.hazard)
    ]
    return replace(
        one,
        title=f"{one.title}; {other.title}",
        hazard=worst[0] if worst else one.hazard,
        rows=max(one.rows, other.rows),
        slug=one.slug if one.slug == other.slug else f"{one.slug},{other.slug}",
    )


def _quietly(steps: list[Step], future: Schema) -> list[Step]:
    """Return the steps, with the triggers and rules of users asleep in every table whose rows are written.

    They would change cells that nobody announced, or swallow the write altogether.
    """
    written = {step.table for step in steps if step.writes_rows}
    before, after = list[Step](), list[Step]()
    for name in sorted(written):
        for obstacle, on in _wakeful(name, future):
            before.append(_switch(name, obstacle.kind, obstacle.name, "DISABLE", Phase.RELEASE))
            after.append(_switch(*on, Phase.FINISH))
    return sorted([*before, *steps, *after], key=lambda step: step.phase)


_WHEN = {Phase.RELEASE: "meanwhile", Phase.FINISH: "again"}


def _switch(table: QName, kind: str, name: str, how: str, phase: Phase) -> Step:
    action = SQL("{} {} {}").format(SQL(how), SQL(kind.upper()), Identifier(name))
    return Step(
        phase=phase,
        table=table,
        title=f"{how.split()[0].lower()} the {kind} {name} of {table.name} {_WHEN[phase]}",
        sql=SQL("ALTER TABLE {} {}").format(q.name(table), action),
    )


def _planned(number: int, step: Step, actual: Schema, render: Render, mode: str) -> PlannedStep:
    batch = step.batch if mode == ONLINE else step.at_places
    expected = cost(step, actual, online=mode == ONLINE)
    return PlannedStep(
        number=number,
        title=step.title,
        table=step.table,
        phase=step.phase,
        sql=render(step.sql),
        lock=step.lock,
        hazard=step.hazard,
        rows=step.rows,
        seconds=expected.seconds,
        reads=expected.reads,
        writes=expected.writes,
        disk=expected.disk,
        changes=step.changes,
        renames=step.renames,
        moves=step.moves,
        inserts=step.inserts,
        touches=step.touches,
        slug=step.slug,
        doubted=step.doubted,
        kind=step.kind,
        restores=step.restores,
        respells=step.respells,
        known_by=step.known_by,
        orphans_by=step.orphans_by,
        added=tuple(
            AddedColumn(a.column, _rendered(a.kept, render), a.counts, a.aside, _rendered(a.back, render), a.beside)
            for a in step.added
        ),
        reverts=tuple(RevertedColumn(r.column, render(r.back), render(r.forth)) for r in step.reverts),
        find=_rendered(step.find, render),
        batch=_rendered(batch, render),
        hold=_rendered(step.hold, render),
        known=_rendered(step.known, render),
        pages=step.pages,
        concurrent=step.concurrent,
        composes=step.composes,
        asleep=tuple((render(off), render(on)) for off, on in step.asleep),
    )


def _rendered(part: Composable | None, render: Render) -> str | None:
    return None if part is None else render(part)


# --- a plan on disk ---------------------------------------------------------------------------------


def step_to_json(step: PlannedStep) -> dict[str, Any]:
    """Return a step as JSON keeps it."""
    return {
        "number": step.number, "title": step.title, "table": str(step.table), "phase": step.phase.name.lower(),
        "sql": step.sql, "lock": str(step.lock), "hazard": str(step.hazard) if step.hazard else None,
        "rows": step.rows, "seconds": step.seconds, "reads": step.reads, "writes": step.writes,
        "disk": step.disk, "changes": list(step.changes),
        "renames": [list(pair) for pair in step.renames], "moves": step.moves, "inserts": step.inserts,
        "touches": [str(name) for name in step.touches], "names": [list(n) for n in (step.table, *step.touches)],
        "slug": step.slug, "doubted": step.doubted, "kind": step.kind,
        "restores": list(step.restores), "respells": list(step.respells),
        "known_by": list(step.known_by), "orphans_by": list(step.orphans_by),
        "added": [asdict(column) for column in step.added], "reverts": [asdict(column) for column in step.reverts],
        "find": step.find, "batch": step.batch, "hold": step.hold, "known": step.known, "pages": step.pages,
        "concurrent": step.concurrent, "composes": step.composes, "asleep": [list(pair) for pair in step.asleep],
    }  # fmt: skip


def from_json(kept: Any) -> Plan:
    """Return the plan that `fixer plan -o` kept. Raises PlanRefused when it is none, or of another version."""
    try:
        if kept["version"] != VERSION:
            raise PlanRefused(f"The plan is of version {kept['version']}, this fixer reads {VERSION}: plan again.")
        plan = Plan(
            target=kept["target"],
            contract=kept["contract"],
            schemas=tuple(kept["schemas"]),
            fingerprint=kept["fingerprint"],
            steps=tuple(step_from_json(step) for step in kept["steps"]),
            mode=kept["mode"],
            refusals=tuple(kept["refusals"]),
            question=str(kept.get("question", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise PlanRefused("This file is no plan of this version of `fixer plan -o`: plan again.") from None
    if plan.identity != kept.get("identity"):
        raise PlanRefused("The plan was changed after it was made: plan again.")
    return plan


def step_from_json(kept: Any) -> PlannedStep:
    """Return the step that JSON kept."""
    table, *touches = (QName(*name) for name in kept["names"])
    return PlannedStep(
        number=kept["number"],
        title=kept["title"],
        table=table,
        phase=Phase[kept["phase"].upper()],
        sql=kept["sql"],
        lock=Lock(kept["lock"]),
        hazard=Hazard(kept["hazard"]) if kept["hazard"] else None,
        rows=kept["rows"],
        seconds=kept["seconds"],
        reads=kept["reads"],
        writes=kept["writes"],
        disk=kept["disk"],
        changes=tuple(kept["changes"]),
        renames=tuple((old, new) for old, new in kept["renames"]),
        moves=kept["moves"],
        inserts=kept["inserts"],
        touches=tuple(touches),
        slug=kept["slug"],
        doubted=kept["doubted"],
        kind=kept["kind"],
        restores=tuple(kept["restores"]),
        respells=tuple(kept["respells"]),
        known_by=tuple(kept["known_by"]),
        orphans_by=tuple(kept["orphans_by"]),
        added=tuple(AddedColumn(**column) for column in kept["added"]),
        reverts=tuple(RevertedColumn(**column) for column in kept["reverts"]),
        find=kept["find"],
        batch=kept["batch"],
        hold=kept["hold"],
        known=kept["known"],
        pages=kept["pages"],
        concurrent=kept["concurrent"],
        composes=kept.get("composes", False),
        asleep=tuple((off, on) for off, on in kept["asleep"]),
    )
