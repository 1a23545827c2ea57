"""The application's role, if the caller names it: what it may not do, and what it will get on what is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from fixer.model.table import QName
from fixer.model.values import dataclass


@dataclass(frozen=True, slots=True)
class Lack:
    """A right that the application's role lacks."""

    kind: str  # schema, table, sequence or function
    table: QName  # whose statements need it; its name is empty for a schema
    column: str
    deed: str  # the right
    columns: tuple[str, ...] = ()  # of a table: those on which the role lacks it
    object: tuple[str, ...] = ()  # the name of a sequence; a function as PostgreSQL spells it
    created: bool = False  # whether the plan creates what it lacks the right on


@dataclass(frozen=True, slots=True)
class Application:
    """The application's role, and what it may not do."""

    role: str
    lacks: tuple[Lack, ...] = ()
    unbound: frozenset[QName] = frozenset()  # tables whose row level security does not bind it
    given: Mapping[str, frozenset[str]] = field(default_factory=dict)  # on what is new, by schema; in all under ""
    roles: frozenset[str] = frozenset()  # whose rights it has, of the owners of tables and of what is new
    shut: frozenset[QName] = frozenset()  # sequences by which it may not count

    def of(self, table: QName) -> tuple[Lack, ...]:
        """Return what it lacks for the statements on a table."""
        return tuple(lack for lack in self.lacks if lack.table == table)

    def gets(self, deed: str, schema: str, owner: str) -> bool:
        """Return whether it may do something to what the plan creates in a schema, and gives to an owner."""
        return owner in self.roles or deed in self.given.get("", ()) or deed in self.given.get(schema, ())
