"""Obstacles: objects that act on the rows of a table or hinder its change, one class for each kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

from fixer.model.values import dataclass

Columns = tuple[str, ...]
FIRING = ("O", "A")  # as tgenabled and ev_enabled: what fires for the sessions of an application
REPLICA_IDENTITY = "replica identity of index "  # how the name of a Dependent begins that is one
BROUGHT_BACK = ("view", "policy")  # kinds of Standing that are taken down and brought back
_Facts = tuple[str, str, Columns, str]  # kind, name, the columns it depends on, whether it is enabled


class _Spelt(ABC):
    """Gives all kinds the same repr, because the fingerprint of a plan contains it."""

    __slots__ = ()

    @property
    @abstractmethod
    def _facts(self) -> _Facts: ...

    @property
    def rank(self) -> tuple[str, str]:
        """The sort key of obstacles in a fingerprint."""
        return self._facts[:2]

    def __repr__(self) -> str:
        kind, name, columns, enabled = self._facts
        return f"Obstacle(kind={kind!r}, name={name!r}, columns={columns!r}, enabled={enabled!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Trigger(_Spelt):
    """A user-defined trigger."""

    kind: ClassVar[str] = "trigger"
    name: str
    enabled: str = "O"  # as tgenabled
    does: Columns = ()  # if it may keep rows out: on INSERT, when, returns null, raises, for example

    @property
    def _facts(self) -> _Facts:
        return "trigger", self.name, (), self.enabled


@dataclass(frozen=True, slots=True, repr=False)
class Rule(_Spelt):
    """A rule that rewrites statements."""

    kind: ClassVar[str] = "rule"
    name: str
    enabled: str = "O"  # as ev_enabled
    does: str = ""  # INSERT DO INSTEAD NOTHING, for example

    @property
    def _facts(self) -> _Facts:
        return "rule", self.name, (), self.enabled


@dataclass(frozen=True, slots=True, repr=False)
class Policy(_Spelt):
    """A row security policy."""

    name: str
    permits: Columns = ()  # SELECT, INSERT, UPDATE, DELETE; nothing if it only restricts others
    applies: bool = True  # whether it is for the role of this session

    @property
    def _facts(self) -> _Facts:
        return "policy", self.name, (), "O"


@dataclass(frozen=True, slots=True, repr=False)
class View(_Spelt):
    """A view over columns of the table, whose types cannot change while it exists."""

    name: str
    columns: Columns

    @property
    def _facts(self) -> _Facts:
        return "view", self.name, self.columns, "O"


@dataclass(frozen=True, slots=True, repr=False)
class Bound(_Spelt):
    """An object that prevents a change of the types of columns."""

    name: str
    columns: Columns

    @property
    def _facts(self) -> _Facts:
        return "bound", self.name, self.columns, "O"


@dataclass(frozen=True, slots=True, repr=False)
class Dependent(_Spelt):
    """An object that depends on columns, and would not move to a column that takes their place."""

    name: str
    columns: Columns
    way: str = ""  # if another type of its columns took it from its owner: the statement that prevents this

    @property
    def _facts(self) -> _Facts:
        return "dependent", self.name, self.columns, "O"


@dataclass(frozen=True, slots=True, repr=False)
class Unbuilt(_Spelt):
    """An index that was never finished, of a table with partitions or heirs, or of one of these."""

    name: str
    columns: Columns  # that build it once they get another type
    way: str  # what a person does about it first
    held: bool  # whether its table holds rows, so that to write that anew builds it

    @property
    def _facts(self) -> _Facts:
        return "unbuilt", self.name, self.columns, "O"


@dataclass(frozen=True, slots=True, repr=False)
class Needing(_Spelt):
    """An object that depends on constraints, such as a view that groups by a primary key."""

    name: str
    constraints: Columns

    @property
    def _facts(self) -> _Facts:
        return "needing", self.name, self.constraints, "O"


@dataclass(frozen=True, slots=True, repr=False)
class PartitionKey(_Spelt):
    """The columns by which a table is partitioned; an empty name means an expression."""

    columns: Columns

    @property
    def name(self) -> str:
        """Its name in messages, the same for every table."""
        return "partition key"

    @property
    def _facts(self) -> _Facts:
        return "parted", self.name, self.columns, "O"


@dataclass(frozen=True, slots=True, repr=False)
class Below(_Spelt):
    """A trigger of a partition or heir alone, or a foreign key to it alone: it acts on rows that the table shows."""

    name: str
    enabled: str = "O"  # as tgenabled, of a trigger
    does: Columns = ()  # as that of a trigger

    @property
    def _facts(self) -> _Facts:
        return "below", self.name, (), self.enabled


@dataclass(frozen=True, slots=True, repr=False)
class ApartIndex(_Spelt):
    """An index of a partition alone, which PostgreSQL would attach to an equal index of the table."""

    name: str
    kind: str  # contype of its constraint; without one, unique or index
    tail: str
    part: str  # the partition, in SQL

    @property
    def _facts(self) -> _Facts:
        return "apart", self.name, (f"{self.kind} {self.tail}",), "O"


@dataclass(frozen=True, slots=True, repr=False)
class ApartCheck(_Spelt):
    """A check of a partition or heir alone, which PostgreSQL would merge with a check of its name on the table."""

    name: str
    check: str
    part: str  # the partition or heir, in SQL
    expression: str

    @property
    def _facts(self) -> _Facts:
        return "apart", self.name, (f"check {self.check}",), "O"


@dataclass(frozen=True, slots=True, repr=False)
class LooseKey(_Spelt):
    """A foreign key of a partition alone that is NOT ENFORCED, beside which the table can get no equal one."""

    name: str
    columns: Columns
    target: str  # in SQL
    removal: str  # the statement that drops it

    @property
    def _facts(self) -> _Facts:
        return "loose", self.name, self.columns, "O"


@dataclass(frozen=True, slots=True, repr=False)
class MutePublication(_Spelt):
    """A publication that cannot identify the row that an UPDATE or DELETE changes.

    `columns` are those of the replica identity that it leaves out, and others that it filters by. Without any, the
    table has no replica identity: `told_by` says where it is looked for, as pg_class.relreplident does; or all columns
    are, which only tell rows if it publishes the `generated` ones among them (see compare.feasibility.leaves_out).
    """

    name: str
    columns: Columns
    told_by: str = "d"
    generated: str = ""

    @property
    def by_all(self) -> bool:
        """Whether all columns tell a row."""
        return self.told_by == "f"

    @property
    def _facts(self) -> _Facts:
        return "mute", self.name, self.columns, "O"


@dataclass(frozen=True, slots=True, repr=False)
class ToldByKey(_Spelt):
    """A publication that identifies the rows that are changed or deleted by the primary key alone.

    `parts` are the partitions for which it does, in SQL; none if the table holds its rows itself. `whole` is whether
    it publishes all rows with all columns, but for `generated` ones (see compare.feasibility.leaves_out).
    """

    name: str
    parts: Columns
    whole: bool = True
    generated: str = ""

    @property
    def _facts(self) -> _Facts:
        return "told", self.name, self.parts, "O" if self.whole else "n"


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands over a column, and is taken down and brought back around a change of its type.

    `level` counts what lies between: views over views come down first. All texts are PostgreSQL's own statements.
    """

    level: int
    kind: str  # view, policy; or trigger, function, … that only a person takes down
    id: str  # the identifier of its definition in the journal
    name: str  # as a person says it: view v, policy p on table t
    drop: str
    head: str  # begins the statement that brings it back
    definition: str  # ends it
    rest: tuple[str, ...] = ()  # the statements for its owner, grants, defaults and comments
    hindrance: str = ""  # why it cannot be brought back exactly, such as: has the trigger t
    calls: Columns = ()  # functions and operators of the database's own, in PostgreSQL's words

    @property
    def back(self) -> tuple[str, ...]:
        """The statements that bring it back."""
        return f"{self.head}{self.definition}", *self.rest

    def as_it_was(self, definition: str) -> Standing:
        """Return it with another definition."""
        return replace(self, definition=definition)


Obstacle = (
    Trigger
    | Rule
    | Policy
    | View
    | Bound
    | Dependent
    | Unbuilt
    | Needing
    | PartitionKey
    | Below
    | ApartIndex
    | ApartCheck
    | LooseKey
    | MutePublication
    | ToldByKey
)
