"""Steps: the parts of a repair. Each is one statement, with its lock, its hazard and its place in the order.

fixer.repair.constraints.online builds what replaces a step online, fixer.repair.rows the steps that write rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field, replace
from typing import Generic, TypeVar

from psycopg2.sql import SQL, Composable

from fixer.model.step.phase import APART, Hazard, Lock, Phase
from fixer.model.table import QName
from fixer.model.values import dataclass

__all__ = [
    "APART",
    "Added",
    "Batches",
    "Effect",
    "Fill",
    "Hazard",
    "Lock",
    "Part",
    "Phase",
    "RefusalError",
    "Repair",
    "Reversal",
    "Room",
    "Shape",
    "Step",
    "Twofold",
    "refuse",
]

QUARANTINE = "fixer_quarantine"
JOURNAL = "fixer_journal"
RUN_NUMBER = SQL("current_setting('pgmend.run')::bigint")
STEP_NUMBER = SQL("current_setting('pgmend.step')::integer")


S = TypeVar("S", Composable, str)


@dataclass(frozen=True)
class Added(Generic[S]):
    """A column that a step adds, and how undo finds out that dropping it loses nothing.

    Nothing is lost if `kept` holds for every row `t`; or if the database itself `counts` or computes its values; or
    else, if each cell is still what the run wrote. `beside` is the name that the column had when the step ended, if it
    has another name until every row has a value. `aside` is the name of the old column that it replaced, if any: undo
    first brings the cells of that one up to date, with `back`, the old value over the new cell.
    """

    column: str
    kept: S | None = None
    counts: bool = False
    aside: str = ""
    back: S | None = None
    beside: str = ""


@dataclass(frozen=True)
class Reversal(Generic[S]):
    """A column that a step converts: `back` is the old value over the new cell, `forth` converts that again."""

    column: str
    back: S
    forth: S


@dataclass(frozen=True)
class Fill:
    """The value that a step writes into a column, over the row `t`, where the condition `wrong` holds."""

    column: str
    value: Composable
    wrong: Composable


@dataclass(frozen=True)
class Effect:
    """What a step does to rows."""

    rows: int = 0  # how many it is expected to touch
    changes: tuple[str, ...] = ()  # columns whose cells it rewrites
    moves: bool = False  # whether rows leave the table for quarantine
    inserts: bool = False  # whether rows are added to the table
    jointly: bool = False  # whether it shares its transaction with the steps beside it that do
    doubted: bool = False  # whether it repairs rows that exist although a constraint forbids them

    @property
    def writes_rows(self) -> bool:
        """Whether it moves, inserts or rewrites rows, so that triggers of users would fire."""
        return self.moves or self.inserts or bool(self.changes)


@dataclass(frozen=True)
class Shape(Generic[S]):
    """What undo needs to know about a step."""

    renames: tuple[tuple[str, str], ...] = ()  # columns it renames
    restores: tuple[str, ...] = ()  # columns that undo restores from images in the journal
    respells: tuple[str, ...] = ()  # columns whose old spelling is kept, for undo to restore after the type
    known_by: tuple[str, ...] = ()  # columns that identify the rows of its images; empty: the whole row does
    orphans_by: tuple[str, ...] = ()  # the columns of the foreign key whose orphans it changes, or lets stay
    added: tuple[Added[S], ...] = ()  # columns that undo drops
    reverts: tuple[Reversal[S], ...] = ()  # columns whose types undo restores
    stays: str = ""  # what undo leaves, because PostgreSQL cannot take it back
    code: tuple[tuple[str, ...], ...] = ()  # keys of the code that it creates or replaces (fixer.model.schema.code)
    closing: S | None = None  # what a later step of its plan runs to end what it begins


@dataclass(frozen=True)
class Batches(Generic[S]):
    """How a step writes its rows in batches."""

    kind: str = ""  # which rows of `find` are its own, if several steps share that search
    find: S | None = None  # SELECT for the places of its rows; None if it does not write by place
    batch: S | None = None  # writes those places; online, if they still need it
    hold: S | None = None  # online: locks rows of a batch that must not change meanwhile
    known: S | None = None  # fails if a foreign key unknown to the plan references the rows to move
    pages: bool = False  # online: it writes so many rows that it reads the table by ranges of pages
    asleep: tuple[tuple[S, S], ...] = ()  # online: statements that disable and enable triggers around each batch


@dataclass(frozen=True)
class Room:
    """How many new numbers a step reserves, and its statement for any count: merged steps add up their counts.

    `column` is the one that a sequence numbers; it is empty where a function does.
    """

    rows: int
    statement: Callable[[int], Composable]
    column: str = ""


Refusing = tuple[str, Callable[[], Composable]]  # why, and what makes the SELECT whether that is so today
Alike = tuple[Phase, str, str]  # steps of several repairs that have the same are one step of the plan


@dataclass(frozen=True)
class Step:
    """One statement of a plan: its place in the order, what it does to rows, what undo needs to know about it."""

    phase: Phase
    table: QName
    title: str
    sql: Composable
    lock: Lock = Lock.ACCESS_EXCLUSIVE
    hazard: Hazard | None = None
    touches: tuple[QName, ...] = ()  # other tables that it locks
    slug: str = ""  # the defect class it repairs
    concurrent: bool = False  # online: it cannot run in a transaction
    composes: bool = False  # online: its statement returns the statement to run
    drops: str = ""  # the constraint that it drops, if it drops one
    effect: Effect = field(default_factory=Effect)
    shape: Shape[Composable] = field(default_factory=Shape)
    batches: Batches[Composable] = field(default_factory=Batches)
    action: Composable | None = None  # what follows ALTER TABLE …, if several steps may share one statement
    at_places: Composable | None = None  # the batch of atomic mode, in which nobody else writes
    room: Room | None = None
    expects: Composable | None = None  # the condition for the rows `t` that it will write, as they stand today
    stands: Composable | None = None  # the same by the places where the check saw them, which takes no search
    unmapped: bool = False  # online: whether it comes before references are mapped, whose names others keep until then
    unnumbered: bool = False  # online: whether it comes before new keys as well, which have the names of old ones
    follows: bool = False  # whether that includes rows that go after others
    repeats: bool = False  # whether it settles rows that share values, of which one stays as it is
    after: tuple[QName, ...] = ()  # the tables whose rows its own go after
    closed: Composable | None = None  # the SELECT whether rows that go reference each other in a circle
    refusing: tuple[Refusing, ...] = field(default=(), compare=False, repr=False)  # what may refuse its new cells
    fills: tuple[Fill, ...] = ()  # online: columns that it fills; steps of the same table can be merged

    @property
    def alike(self) -> Alike:
        """What it has in common with steps of other repairs that are the same step of the plan."""
        return self.phase, self.title if self.room else repr(self.sql), repr(self.batches.batch)

    @property
    def atomic(self) -> Step:
        """The step of atomic mode: itself."""
        return self

    @property
    def online(self) -> tuple[Step, ...]:
        """The steps of online mode: itself alone."""
        return (self,)

    def before_mapping(self) -> Step:
        """Return the step, marked as one for which references that will be mapped have their names of today."""
        return replace(self, unmapped=True)

    def before_numbering(self) -> Step:
        """Return the step, marked as one for which old keys have their names of today too."""
        return replace(self, unmapped=True, unnumbered=True)

    def online_as(self, steps: Iterable[Step] | None) -> Part:
        """Return the step as a part of a repair that these steps replace online; with None, it runs online too."""
        return self if steps is None else Twofold(self, tuple(steps))

    def settling(self, key: tuple[str, ...], rule: str) -> Step:
        """Return the step, marked as one that changes the orphans of a foreign key, by the rule that its title says."""
        return replace(self, title=f"{self.title} ({rule})", shape=replace(self.shape, orphans_by=key))

    def of(self, slug: str, *, doubted: bool) -> Step:
        """Return the step, marked with the defect class that it repairs, and with `doubted` in its effect."""
        return replace(self, slug=slug, effect=replace(self.effect, doubted=doubted))


@dataclass(frozen=True)
class Twofold:
    """A step of atomic mode, and the steps that replace it online; empty if nothing is to do there."""

    atomic: Step
    online: tuple[Step, ...]

    def settling(self, key: tuple[str, ...], rule: str) -> Part:
        """Return the same, each step marked as one that changes the orphans of a foreign key, by that rule."""
        return Twofold(self.atomic.settling(key, rule), tuple(step.settling(key, rule) for step in self.online))


Part = Step | Twofold


@dataclass(frozen=True, slots=True)
class Repair:
    """The cure of one finding: its steps in both modes, or the reason why it needs a human decision."""

    steps: tuple[Step, ...] = field(default=(), kw_only=True)
    online: tuple[Step, ...] = field(default=(), kw_only=True)
    refusal: str | None = field(default=None, kw_only=True)

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Repair:
        """Return the repair that consists of these parts, in this order."""
        parts = tuple(parts)
        online = tuple(step for part in parts for step in part.online)
        return cls(steps=tuple(part.atomic for part in parts), online=online)

    def for_class(self, slug: str, *, doubted: bool) -> Repair:
        """Return the same, each step marked with the defect class that it repairs, and with `doubted` in its effect."""
        steps, online = (tuple(step.of(slug, doubted=doubted) for step in steps) for steps in (self.steps, self.online))
        return replace(self, steps=steps, online=online)

    @property
    def hazards(self) -> frozenset[Hazard]:
        """The hazards that must be allowed before it is applied."""
        return frozenset(step.hazard for step in self.steps if step.hazard)

    @property
    def label(self) -> str:
        """How it can be applied: automatic, needs-hazard or manual."""
        if self.refusal or not self.steps:
            return "manual"
        return "needs-hazard" if self.hazards else "automatic"


def refuse(reason: str) -> Repair:
    """Return the repair that only a person can make, with the reason."""
    return Repair(refusal=reason)


class RefusalError(Exception):
    """Raised while steps are built, if no safe way exists; its text is the reason."""
