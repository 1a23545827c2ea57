"""Steps: what a repair is made of. One statement each, with its lock, its hazard and its place in the order.

What stands for a step online is built in fixer.repair.constraints_online, steps that write rows in fixer.repair.rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Generic, TypeVar

from psycopg2.sql import SQL, Composable

from fixer.model.table import QName

QUARANTINE = "fixer_quarantine"
JOURNAL = "fixer_journal"
RUN_NUMBER = SQL("current_setting('pgmend.run')::bigint")
STEP_NUMBER = SQL("current_setting('pgmend.step')::integer")


class Phase(IntEnum):
    """The order of work: each phase may rely on all before it, in every table."""

    TABLES = 2  # create and rename tables; all later phases say the new names
    UNLINK = 5  # drop foreign keys that stand in the way
    RELEASE = 10  # drop what else stands in the way
    NAMES = 30  # rename columns
    MISFITS = 35  # move rows whose values do not fit the coming type
    CONVERT = 40  # add columns, change types
    SHADOWS = 41  # online: columns beside those that are to be converted, filled by whoever writes
    FILLS = 42  # online: fill them where nobody writes
    FILL_PROOFS = 43  # online: prove that none was left out
    FITTINGS = 44  # online: build on them what hangs on the old ones
    COPY = 45  # fill new columns from old ones
    EXCHANGES = 46  # online: each takes the place of the old one
    EXCHANGE_PROOFS = 47  # online: prove that what went over holds for old rows
    GENERATORS = 50  # create, own, wire and advance sequences
    ANCHOR = 52  # find room for new numbers
    BLEEDING = 53  # online: what new rows get and need not bring, before old ones are touched
    APART = 54  # online: let no new number be taken twice
    COPIES = 55  # move identical rows that repeat a key
    KEYS = 60  # number rows, settle duplicates
    REFERENCES = 65  # map references, now that every row has the number that stays
    VALUES = 70  # fill NULLs, settle rows that break checks or uniques
    INDEXES = 80  # primary keys, uniques, indexes
    KEY_GUARDS = 81  # online: let no NULL into a key
    KEY_PROOFS = 82  # online: prove that none is in it
    KEY_COLUMNS = 83  # online: what is proved becomes NOT NULL
    KEYS_PROMOTED = 84  # online: an index becomes the key
    DEFAULTS = 85  # defaults, and NOT NULLs that have to go
    DEFAULT_ROWS = 90
    GUARDS = 92  # online: foreign keys that new rows obey
    ORPHANS = 95  # settle rows whose parent is gone
    RULES = 100  # NOT NULL, checks
    PROOFS = 105  # online: prove that old rows obey them as well
    PROMOTED = 110  # online: what is proved becomes NOT NULL
    FOREIGN_KEYS = 120
    REPLACED = 125  # online: drop what another has taken the place of
    FINISH = 130


class Hazard(StrEnum):
    """What a step may do to a database that its owner has to allow by name."""

    MOVES_ROWS = "moves-rows"
    REWRITES_VALUES = "rewrites-values"
    REWRITES_TABLE = "rewrites-table"
    REPLACES_CONSTRAINT = "replaces-constraint"
    STOPS_SUBSCRIBERS = "stops-subscribers"  # on other servers, so that "all" does not speak for it
    CREATES_SCHEMA = "creates-schema"


class Lock(StrEnum):
    """The strongest table lock a step takes (PostgreSQL manual, 13.3.1)."""

    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    NONE = "none"


S = TypeVar("S", Composable, str)


@dataclass(frozen=True)
class Added(Generic[S]):
    """A column that a step adds, and what tells that nothing is lost when undo drops it.

    Either `kept` holds for every row `t`; or the database `counts` its values by itself; or else each cell still is
    what the run put there. Where it stands `beside` under another name until all rows have a value, the step that
    proves so says that name, and the one that gives it its own says this. Where it took the place of a column that
    stays `aside`, undo brings the cells of that one up to date first: `back` is the old value over the new cell.
    """

    column: str
    kept: S | None = None
    counts: bool = False
    aside: str = ""
    back: S | None = None
    beside: str = ""


@dataclass(frozen=True)
class Reversal(Generic[S]):
    """A column that a step converts: the old value over the new cell, and the new one over that again."""

    column: str
    back: S
    forth: S


@dataclass(frozen=True)
class Fill:
    """What a step writes into a column, over the row `t`, wherever it is `wrong`."""

    column: str
    value: Composable
    wrong: Composable


@dataclass(frozen=True)
class Effect:
    """What a step does to rows."""

    rows: int = 0  # it is expected to touch
    changes: tuple[str, ...] = ()  # columns whose cells it rewrites
    moves: bool = False  # whether rows leave the table for quarantine
    inserts: bool = False  # whether rows are added to the table
    doubted: bool = False  # whether it settles rows that a constraint forbids and that stand all the same

    @property
    def writes_rows(self) -> bool:
        """Whether it moves, inserts or rewrites rows, so that triggers of users would fire."""
        return self.moves or self.inserts or bool(self.changes)


@dataclass(frozen=True)
class Shape(Generic[S]):
    """What undo has to know of a step."""

    renames: tuple[tuple[str, str], ...] = ()  # columns it renames
    restores: tuple[str, ...] = ()  # columns that undo fills again from the images it leaves
    respells: tuple[str, ...] = ()  # columns whose spelling it keeps, for undo once their types are back
    known_by: tuple[str, ...] = ()  # columns by which undo finds the rows of its images; none: by the whole row
    orphans_by: tuple[str, ...] = ()  # the columns of the foreign key whose orphans it settles
    added: tuple[Added[S], ...] = ()  # columns that undo drops
    reverts: tuple[Reversal[S], ...] = ()  # columns whose types undo brings back


@dataclass(frozen=True)
class Batches(Generic[S]):
    """How a step that writes rows does so by parts."""

    kind: str = ""  # which of the rows that it finds are its own, where another step finds its own with them
    find: S | None = None  # the places of the rows that it writes, where it may write them by their places
    batch: S | None = None  # online, where others write: writes those places, if they still are to be written
    hold: S | None = None  # online: locks rows of a batch that must not change meanwhile
    known: S | None = None  # fails where a foreign key points at what it moves that the plan does not know
    pages: bool = False  # online: it writes so many rows that it goes by ranges of pages
    asleep: tuple[tuple[S, S], ...] = ()  # online: what is switched off and on around each batch


@dataclass(frozen=True)
class Room:
    """New numbers that a step finds room for, and for as many again; and its statement for any such count."""

    rows: int
    statement: Callable[[int], Composable]


@dataclass(frozen=True)
class Step:
    """One statement of a plan: its place in the order, what it does to rows, what undo has to know of it."""

    phase: Phase
    table: QName
    title: str
    sql: Composable
    lock: Lock = Lock.ACCESS_EXCLUSIVE
    hazard: Hazard | None = None
    touches: tuple[QName, ...] = ()  # other tables that it locks
    slug: str = ""  # the defect class it repairs
    concurrent: bool = False  # online: it cannot run in a transaction
    composes: bool = False  # online: the answer to its statement is the one to be carried out
    effect: Effect = field(default_factory=Effect)
    shape: Shape[Composable] = field(default_factory=Shape)
    batches: Batches[Composable] = field(default_factory=Batches)
    action: Composable | None = None  # what follows ALTER TABLE …, where several such can be one statement
    at_places: Composable | None = None  # the batch, while nobody else writes
    room: Room | None = None
    fills: tuple[Fill, ...] = ()  # online: columns that it fills, where others of the table can be filled with them

    @property
    def atomic(self) -> Step:
        """The step of atomic mode: itself."""
        return self

    @property
    def online(self) -> tuple[Step, ...]:
        """The steps of online mode: itself alone."""
        return (self,)

    def online_as(self, steps: Iterable[Step] | None) -> Part:
        """Return the step as a part of a repair for which these stand online; None: it does itself."""
        return self if steps is None else Twofold(self, tuple(steps))

    def settling(self, key: tuple[str, ...]) -> Step:
        """Return the step as one that settles the orphans of the foreign key of these columns."""
        return replace(self, shape=replace(self.shape, orphans_by=key))

    def of(self, slug: str, *, doubted: bool) -> Step:
        """Return the step as part of the repair of a defect class, `doubted` as in its effect."""
        return replace(self, slug=slug, effect=replace(self.effect, doubted=doubted))


@dataclass(frozen=True)
class Twofold:
    """A step of atomic mode, and the steps that stand for it online: none where there is nothing to do."""

    atomic: Step
    online: tuple[Step, ...]

    def settling(self, key: tuple[str, ...]) -> Part:
        """Return the same, each step as one that settles the orphans of the foreign key of these columns."""
        return Twofold(self.atomic.settling(key), tuple(step.settling(key) for step in self.online))


Part = Step | Twofold


@dataclass(frozen=True)
class Repair:
    """The cure of one finding: its steps in both modes, or the reason why a person has to decide."""

    steps: tuple[Step, ...] = field(default=(), kw_only=True)
    online: tuple[Step, ...] = field(default=(), kw_only=True)
    refusal: str | None = field(default=None, kw_only=True)

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Repair:
        """Return the repair that is made of these parts, in this order."""
        parts = tuple(parts)
        online = tuple(step for part in parts for step in part.online)
        return cls(steps=tuple(part.atomic for part in parts), online=online)

    def for_class(self, slug: str, *, doubted: bool) -> Repair:
        """Return the same, each step as one of a defect class; `doubted` as in its effect."""
        steps, online = (tuple(step.of(slug, doubted=doubted) for step in steps) for steps in (self.steps, self.online))
        return replace(self, steps=steps, online=online)

    @property
    def hazards(self) -> frozenset[Hazard]:
        """The hazards that must be allowed for it."""
        return frozenset(step.hazard for step in self.steps if step.hazard)

    @property
    def label(self) -> str:
        """Say how it can be had: automatic, needs-hazard or manual."""
        if self.refusal or not self.steps:
            return "manual"
        return "needs-hazard" if self.hazards else "automatic"


def refuse(reason: str) -> Repair:
    """Return the repair that only a person can make."""
    return Repair(refusal=reason)


class RefusalError(Exception):
    """Raised while steps are built where no safe way exists; its text is the reason."""
