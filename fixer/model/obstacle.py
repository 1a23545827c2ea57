"""What stands beside a table and acts on its rows or hinders its change, a class for each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

Columns = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger of a user."""

    kind: ClassVar[str] = "trigger"
    name: str
    enabled: str = "O"  # as tgenabled


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that rewrites statements."""

    kind: ClassVar[str] = "rule"
    name: str
    enabled: str = "O"  # as ev_enabled


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of row security."""

    name: str


@dataclass(frozen=True, slots=True)
class View:
    """A view that shows columns of the table, whose types it holds."""

    name: str
    columns: Columns


@dataclass(frozen=True, slots=True)
class Bound:
    """What forbids that the types of columns change."""

    name: str
    columns: Columns


@dataclass(frozen=True, slots=True)
class Dependent:
    """What depends on columns and follows them."""

    name: str
    columns: Columns


@dataclass(frozen=True, slots=True)
class PartitionKey:
    """The columns by which a table is partitioned; an empty name stands for an expression."""

    columns: Columns

    @property
    def name(self) -> str:
        """The same words for each table."""
        return "partition key"


@dataclass(frozen=True, slots=True)
class Below:
    """What a partition or an heir has for itself, and what acts on rows that show in the table."""

    name: str


@dataclass(frozen=True, slots=True)
class ApartIndex:
    """An index of a partition's own, which would become part of such an index of the table."""

    name: str
    kind: str  # of its constraint, as contype; else unique or index
    tail: str


@dataclass(frozen=True, slots=True)
class ApartCheck:
    """A check of a partition's or an heir's own, which would become part of one of its name."""

    name: str
    check: str


@dataclass(frozen=True, slots=True)
class MutePublication:
    """A publication that cannot tell which row changes.

    It leaves out or filters by `columns`; where there are none, the table says no columns by which rows are known.
    """

    name: str
    columns: Columns


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
