"""A plan: ordered steps, rendered for a server and tied to its schema; and the plan as JSON."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, field
from typing import Any  # JSON

from fixer.errors import PlanRefused
from fixer.model import codec
from fixer.model.choice import ATOMIC as ATOMIC
from fixer.model.choice import EVERYTHING, Choice, Left, skipping
from fixer.model.choice import MODES as MODES
from fixer.model.choice import ONLINE as ONLINE
from fixer.model.expression import as_needed
from fixer.model.finding import Finding
from fixer.model.step import APART, Batches, Effect, Hazard, Lock, Phase, Shape
from fixer.model.table import QName
from fixer.model.values import dataclass

VERSION = 1


@dataclass(frozen=True)
class Cost:
    """The estimated cost of a step: seconds, and the bytes that it reads, writes and needs on disk."""

    seconds: float = 0.001
    reads: int = 0
    writes: int = 0
    disk: int = 0


@dataclass(frozen=True)
class PlannedStep:
    """One step, its statements rendered for the server it was planned on."""

    number: int
    title: str
    table: QName
    phase: Phase
    sql: str
    lock: Lock
    hazard: Hazard | None = None
    touches: tuple[QName, ...] = ()
    slug: str = ""
    concurrent: bool = False
    composes: bool = False
    cost: Cost = field(default_factory=Cost)
    effect: Effect = field(default_factory=Effect)
    shape: Shape[str] = field(default_factory=Shape)
    batches: Batches[str] = field(default_factory=Batches)

    @property
    def lets_go(self) -> bool:
        """Whether it lets go of a foreign key under which orphans may stay."""
        return bool(self.shape.orphans_by) and not (self.effect.moves or self.shape.restores)


@dataclass(frozen=True)
class Published:
    """What a plan creates or changes in published tables: a subscriber stops until it has the same.

    `tables` are the statements that create the fixer's own tables that are missing, `steps` the numbers of the steps
    that change names, columns, types or keys of tables that subscribers have.
    """

    publications: tuple[str, ...]
    heard: bool  # whether a subscriber of this database is known
    tables: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()

    @property
    def opening(self) -> str:
        """The beginning of a sentence about them, such as: The publication p publishes"""
        names, one = ", ".join(self.publications), len(self.publications) == 1
        return f"The publication {names} publishes" if one else f"The publications {names} publish"


@dataclass(frozen=True)
class Guard:
    """An event trigger that may refuse what a plan does, and the function that it calls."""

    name: str
    function: str

    @property
    def way(self) -> str:
        """What a person does about it."""
        off = f"ALTER EVENT TRIGGER {as_needed(self.name)} DISABLE"
        return f"let {self.function} allow it for this role, or let a superuser run {off} before, and ENABLE after it"


@dataclass(frozen=True)
class Plan:
    """Ordered steps, and the target, contract and schema that they were planned for."""

    target: str
    contract: str
    schemas: tuple[str, ...]
    fingerprint: str
    steps: tuple[PlannedStep, ...]
    mode: str = ATOMIC
    findings: tuple[Finding, ...] = ()
    refusals: tuple[str, ...] = ()
    published: Published | None = None
    question: str = ""  # asked if this may be the wrong database
    choice: Choice = EVERYTHING
    left: tuple[Left, ...] = ()  # what it leaves out by choice
    uncounted: str = ""  # why the rows that it moves after others could not be counted
    guards: tuple[Guard, ...] = ()  # event triggers that may refuse it
    needs: tuple[str, ...] = ()  # sentences: what others must do before this role can apply it

    def __repr__(self) -> str:
        counts = f"steps={len(self.steps)}, findings={len(self.findings)}, refusals={len(self.refusals)}"
        return f"Plan({self.target!r}, {self.contract!r}, {self.mode}, {counts})"

    @property
    def hazards(self) -> frozenset[Hazard]:
        """The hazards that must be allowed before it is applied."""
        heard = {Hazard.STOPS_SUBSCRIBERS} if self.published and self.published.heard else set()
        return frozenset(step.hazard for step in self.steps if step.hazard) | heard

    @property
    def way_out(self) -> str:
        """The options that leave out all for which it needs a human decision; empty if those do not help."""
        refused = [f for f in self.findings if f.breaks and f.repair.refusal and not f.left_out]
        return skipping(refused) if len(refused) == len(self.refusals) else ""

    @property
    def beside(self) -> list[Finding]:
        """What else is known of the objects that it repairs, and breaks nothing."""
        broken = {finding.object for finding in self.findings if finding.breaks}
        return [finding for finding in self.findings if not finding.breaks and finding.object in broken]

    @property
    def identity(self) -> str:
        """A digest of 16 hex digits that identifies this plan."""
        steps = [*map(step_to_json, self.steps)]
        kept = [VERSION, self.fingerprint, self.contract, self.mode, self.schemas, self.refusals, steps]
        if self.choice != EVERYTHING:
            kept += [asdict(self.choice), [asdict(each) for each in self.left]]
        if self.uncounted:
            kept += [self.uncounted]
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def tables(self) -> frozenset[QName]:
        """The tables that its steps touch."""
        return frozenset(name for step in self.steps if step.phase not in APART for name in (step.table, *step.touches))

    @property
    def code(self) -> frozenset[tuple[str, ...]]:
        """The keys of the code that its steps create or replace."""
        return frozenset(key for step in self.steps for key in step.shape.code)

    @property
    def moves(self) -> Counter[QName]:
        """The number of rows that it moves to quarantine, by table; each table that loses rows has an entry."""
        moves: Counter[QName] = Counter()
        for step in self.steps:
            if step.effect.moves:
                moves[step.table] += step.effect.rows
        return moves

    @property
    def renamed(self) -> dict[QName, QName]:
        """The tables that it renames, old name to new."""
        return renamed_tables(self.steps)

    @property
    def created(self) -> frozenset[QName]:
        """The tables that it creates, or creates types for."""
        return created_tables(self.steps)

    @property
    def doubts(self) -> frozenset[tuple[str, QName]]:
        """The defect classes and tables to read again at the end, because there a valid constraint did not hold."""
        return frozenset((step.slug, step.table) for step in self.steps if step.effect.doubted)

    def lacks(self, allowed: Iterable[str]) -> frozenset[Hazard]:
        """Return the hazards that it needs and that are not allowed; "all" means those of this database only."""
        named = frozenset(allowed)
        lacking = self.hazards - named
        return lacking & {Hazard.STOPS_SUBSCRIBERS} if "all" in named else lacking


def renamed_tables(steps: Iterable[PlannedStep]) -> dict[QName, QName]:
    """Return the tables that steps rename, old name to new."""
    return {step.table: step.touches[0] for step in steps if step.phase is Phase.TABLES and step.touches}


def created_tables(steps: Iterable[PlannedStep]) -> frozenset[QName]:
    """Return the tables that steps create, or create types for."""
    return frozenset(step.table for step in steps if step.phase is Phase.TABLES) - set(renamed_tables(steps))


# --- as JSON ----------------------------------------------------------------------------------------


def step_to_json(step: PlannedStep) -> dict[str, Any]:
    """Return a step as a JSON object; its `names` are its tables, each as [schema, name]."""
    return {**codec.to_json(step), "names": [list(name) for name in (step.table, *step.touches)]}


def step_from_json(kept: Mapping[str, Any]) -> PlannedStep:
    """Return the step in a JSON object. Raises KeyError, TypeError or ValueError if it holds none."""
    table, *touches = kept["names"]
    later = {"composes": False, "code": ()}  # what earlier versions did not know
    step: PlannedStep = codec.from_json(PlannedStep, {**later, **kept, "table": table, "touches": touches})
    return step


def from_json(kept: Any) -> Plan:
    """Return the plan that `fixer plan -o` wrote. Raises PlanRefused if it is none, edited, or of another version."""
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
            choice=codec.from_json(Choice, kept.get("choice", asdict(EVERYTHING))),
            left=tuple(codec.from_json(Left, each) for each in kept.get("left", ())),
            uncounted=str(kept.get("uncounted", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise PlanRefused("This file is not a plan of this version of `fixer plan -o`: plan again.") from None
    if plan.identity != kept.get("identity"):
        raise PlanRefused("The plan was changed after it was made: plan again.")
    return plan
