"""What stands beside a table and acts on its rows or hinders its change, a class for each kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

Columns = tuple[str, ...]
_Facts = tuple[str, str, Columns, str]  # kind, name, the columns that it hangs on, whether it acts


class _Spelt(ABC):
    """Spells all kinds alike, for the fingerprints of plans."""

    __slots__ = ()

    @property
    @abstractmethod
    def _facts(self) -> _Facts: ...

    @property
    def rank(self) -> tuple[str, str]:
        """The order in which a fingerprint takes them."""
        return self._facts[:2]

    def __repr__(self) -> str:
        kind, name, columns, enabled = self._facts
        return f"Obstacle(kind={kind!r}, name={name!r}, columns={columns!r}, enabled={enabled!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Trigger(_Spelt):
    """A trigger of a user."""

    kind: ClassVar[str] = "trigger"
    name: str
    enabled: str = "O"  # as tgenabled

    @property
    def _facts(self) -> _Facts:
        return "trigger", self.name, (), self.enabled


@dataclass(frozen=True, slots=True, repr=False)
class Rule(_Spelt):
    """A rule that rewrites statements."""

    kind: ClassVar[str] = "rule"
    name: str
    enabled: str = "O"  # as ev_enabled

    @property
    def _facts(self) -> _Facts:
        return "rule", self.name, (), self.enabled


@dataclass(frozen=True, slots=True, repr=False)
class Policy(_Spelt):
    """A policy of row security."""

    name: str

    @property
    def _facts(self) -> _Facts:
        return "policy", self.name, (), "O"


@dataclass(frozen=True, slots=True, repr=False)
class View(_Spelt):
    """A view that shows columns of the table, whose types it holds."""

    name: str
    columns: Columns

    @property
    def _facts(self) -> _Facts:
        return "view", self.name, self.columns, "O"


@dataclass(frozen=True, slots=True, repr=False)
class Bound(_Spelt):
    """What forbids that the types of columns change."""

    name: str
    columns: Columns

    @property
    def _facts(self) -> _Facts:
        return "bound", self.name, self.columns, "O"


@dataclass(frozen=True, slots=True, repr=False)
class Dependent(_Spelt):
    """What depends on columns and follows them."""

    name: str
    columns: Columns

    @property
    def _facts(self) -> _Facts:
        return "dependent", self.name, self.columns, "O"


@dataclass(frozen=True, slots=True, repr=False)
class PartitionKey(_Spelt):
    """The columns by which a table is partitioned; an empty name stands for an expression."""

    columns: Columns

    @property
    def name(self) -> str:
        """The same words for each table."""
        return "partition key"

    @property
    def _facts(self) -> _Facts:
        return "parted", self.name, self.columns, "O"


@dataclass(frozen=True, slots=True, repr=False)
class Below(_Spelt):
    """What a partition or an heir has for itself, and what acts on rows that show in the table."""

    name: str
    enabled: str = "O"  # as tgenabled, of a trigger

    @property
    def _facts(self) -> _Facts:
        return "below", self.name, (), self.enabled


@dataclass(frozen=True, slots=True, repr=False)
class ApartIndex(_Spelt):
    """An index of a partition's own, which would become part of such an index of the table."""

    name: str
    kind: str  # of its constraint, as contype; else unique or index
    tail: str

    @property
    def _facts(self) -> _Facts:
        return "apart", self.name, (f"{self.kind} {self.tail}",), "O"


@dataclass(frozen=True, slots=True, repr=False)
class ApartCheck(_Spelt):
    """A check of a partition's or an heir's own, which would become part of one of its name."""

    name: str
    check: str

    @property
    def _facts(self) -> _Facts:
        return "apart", self.name, (f"check {self.check}",), "O"


@dataclass(frozen=True, slots=True, repr=False)
class MutePublication(_Spelt):
    """A publication that cannot tell which row changes.

    It leaves out or filters by `columns`; where there are none, the table says no columns by which rows are known.
    """

    name: str
    columns: Columns

    @property
    def _facts(self) -> _Facts:
        return "mute", self.name, self.columns, "O"


Obstacle = (
    Trigger
    | Rule
    | Policy
    | View
    | Bound
    | Dependent
    | PartitionKey
    | Below
    | ApartIndex
    | ApartCheck
    | MutePublication
)
