"""Code that a database keeps beside its tables: functions, views, triggers, rules, policies and grants, in SQL.

A contract has some if it comes from SQL or from another database, and none if it comes from models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple, TypeVar

from fixer.model.expression import as_needed
from fixer.model.expression.alike import seen
from fixer.model.expression.patterns import pattern
from fixer.model.subject import OfTable
from fixer.model.table import QName
from fixer.model.values import dataclass

T = TypeVar("T")
_LINE_END = pattern(r"\r\n?")
_BODY = "BEGIN ATOMIC"  # begins a body of a function that PostgreSQL keeps parsed, and prints in words of its own
# What servers of several versions print otherwise in a definition that means the same.
_QUALIFIER = pattern(r'(?:"(?:[^"]|"")+"|\b[^\W\d][\w$]*)\.(?=["\w*])')
_LOOSE = pattern(r"[\s()]+")
# From PostgreSQL 14 on, calls in the words of SQL are printed as such: EXTRACT(year FROM a), not date_part('year', a).
_AS_SQL = 14
_WORDS = pattern(r"\w+")
_OF_CALLS = pattern(
    r"""extract | date_part | from | for | trim | both | leading | trailing | [blr]trim | substring | position | in
      | overlay | placing | timezone | at | time | zone | normalize | similar | collation | text""",
    re.IGNORECASE | re.VERBOSE,
)


class Kind(StrEnum):
    """The kinds of code, in the order in which they are created."""

    FUNCTION = "function"
    VIEW = "view"
    TRIGGER = "trigger"
    RULE = "rule"
    POLICY = "policy"
    SECURITY = "security"  # of rows, as a table has it on, and as its owner is bound by it
    GRANT = "grant"


class Key(NamedTuple):
    """What identifies code: its kind, its home, and its name there."""

    kind: str
    schema: str
    # Of a trigger, a rule or a policy its table, of a grant what it opens; else its own name, with its arguments.
    home: str
    # The name of a trigger, a rule or a policy; of a grant, the right and the role; of security, how it comes.
    part: str

    def on(self, home: QName) -> Key:
        """Return the key of the same at another home."""
        return self._replace(schema=home.schema, home=home.name)


@dataclass(frozen=True, slots=True)
class Code:
    """A function, view, trigger, rule or policy, or a grant, with the statements that make it."""

    key: Key
    word: str  # what SQL calls it: FUNCTION, PROCEDURE, VIEW, MATERIALIZED VIEW, …
    spelt: str  # its name in SQL, after that word
    definition: str  # as the server prints it
    create: tuple[str, ...]
    drop: str
    shape: str = ""  # what another definition must share to take its place without a DROP
    # Of a trigger or a rule as the catalogue has it, S if a partition's sleeps; of a materialized view without rows, D.
    enabled: str = "O"
    definer: bool = False  # whether it runs with the rights of its owner
    closed: bool = False  # of a function, whether PUBLIC may not call it
    needs: tuple[QName, ...] = ()  # relations and functions without which it cannot be made
    types: tuple[str, ...] = ()  # likewise
    roles: tuple[str, ...] = ()  # likewise
    owner: str = ""
    owned: bool = True  # whether the session may replace it
    rest: tuple[str, ...] = ()  # the statements for what a DROP takes along, such as its comment
    language: str = ""  # of a function
    reserved: str = ""  # why only a superuser can make it, as the end of a sentence: is written in c
    held: str = ""  # why a view cannot be dropped and created anew, as a sentence: the view v reads it

    @property
    def home(self) -> QName:
        """Its table if it is a trigger, a rule or a policy, what it opens if it is a grant; otherwise its own name."""
        return QName(self.key.schema, self.key.home)

    @property
    def told(self) -> str:
        """How a message calls it, such as: the function public.f(integer)."""
        name = f"{self.key.part} of {self.home}" if self.key.part else str(self.home)
        return f"the {self.word.lower()} {name}"


@dataclass(frozen=True)
class OfCode(OfTable):
    """Code that the contract wants."""

    wanted: Code

    @property
    def object(self) -> str:
        """Its name, after that of its table."""
        return f"{self.table}.{self.wanted.key.part}" if self.wanted.key.part else str(self.table)


@dataclass(frozen=True)
class FoundCode(OfCode):
    """Code that the contract wants, with what was found in its place."""

    found: Code


def same(wanted: Code, found: Code, versions: Iterable[int] = ()) -> bool:
    """Return whether two definitions say the same; servers of several `versions` may print it otherwise."""
    if wanted.word != found.word:  # a view, and a materialized one
        return False
    one, other = (_LINE_END.sub("\n", each.definition) for each in (wanted, found))
    kept_parsed = wanted.key.kind != Kind.FUNCTION or _BODY in one
    if kept_parsed and one != other and seen(one) == seen(other):
        return True
    oldest, newest = min(versions := [*versions] or [0]), max(versions)
    if one == other or oldest == newest or not kept_parsed:
        return one == other
    if _sketch(one) == _sketch(other):
        return True
    return oldest < _AS_SQL <= newest and _words(one) == _words(other)


def _sketch(definition: str) -> str:
    """Return a definition without what versions print otherwise: qualifiers, parentheses and blanks."""
    return _LOOSE.sub("", _QUALIFIER.sub("", definition)).rstrip(";")


def _words(definition: str) -> list[str]:
    """Return the words of a definition in order of the alphabet, without those that calls in the words of SQL take."""
    return sorted(word for word in _WORDS.findall(_QUALIFIER.sub("", definition)) if not _OF_CALLS.fullmatch(word))


@dataclass(frozen=True)
class Coded:
    """The code of one side, contract or actual, printed by a server of some version.

    Of the actual side, it is what stands in the schemas of the contract's code, and what that may lack there.
    """

    parts: tuple[Code, ...] = ()
    version: int = 0
    coming: frozenset[Key] = frozenset()  # what the plan creates
    lacking: frozenset[str] = frozenset()  # types and roles that the contract's code needs, and that are missing
    absent: frozenset[QName] = frozenset()  # relations and functions that it needs likewise
    uncallable: Mapping[QName, str] = field(default_factory=dict)  # functions that it may not call, in SQL
    beyond: tuple[Key, ...] = ()  # of a contract: what it declares besides, and is not compared

    @cached_property
    def by_key(self) -> Mapping[Key, Code]:
        """The parts by their keys."""
        return {each.key: each for each in self.parts}

    @cached_property
    def _by_kind(self) -> Mapping[str, list[Code]]:
        return _grouped((each.key.kind, each) for each in self.parts)

    @cached_property
    def _by_home(self) -> Mapping[QName, list[Code]]:
        return _grouped((each.home, each) for each in self.parts)

    def of(self, kind: Kind) -> Sequence[Code]:
        """Return the parts of a kind."""
        return self._by_kind.get(kind, ())

    def at(self, home: QName) -> Sequence[Code]:
        """Return the parts that are this, or act on it, or open it."""
        return self._by_home.get(home, ())

    @property
    def kinds(self) -> list[str]:
        """The kinds of its parts."""
        return sorted(self._by_kind)

    @property
    def schemas(self) -> list[str]:
        """The schemas in which its parts stand."""
        return sorted({each.key.schema for each in self.parts})

    def brings(self, expression: str) -> bool:
        """Return whether an expression seems to call a function that the plan creates."""
        made = (self.by_key[key] for key in self.coming if key.kind == Kind.FUNCTION)
        return any(f"{each.spelt.rpartition('(')[0]}(" in expression for each in made)

    def moved(self, old: QName, new: QName) -> Coded:
        """Return the same after a table was renamed, as PostgreSQL prints it then."""
        one, other = (f" ON {'.'.join(map(as_needed, name))} " for name in (old, new))

        def named(part: Code) -> Code:
            if part.home != old or part.key.kind in (Kind.FUNCTION, Kind.VIEW):
                return part
            return replace(part, key=part.key.on(new), definition=part.definition.replace(one, other, 1))

        return replace(self, parts=tuple(map(named, self.parts)))

    def without(self, excluded: Callable[[QName], bool]) -> Coded:
        """Return the same without the parts that stand at some places, or need what stands there."""
        kept = (each for each in self.parts if not any(map(excluded, (each.home, *each.needs))))
        return replace(self, parts=tuple(kept))


def _grouped(parts: Iterable[tuple[T, Code]]) -> Mapping[T, list[Code]]:
    found: dict[T, list[Code]] = {}
    for key, part in parts:
        found.setdefault(key, []).append(part)
    return found


def ranks(parts: Iterable[Code]) -> dict[QName, int]:
    """Return the rank of each function and view: what others need comes before them."""
    own = {each.home: each for each in parts if each.key.kind in (Kind.FUNCTION, Kind.VIEW)}
    graph = {home: {*own[home].needs} & own.keys() - {home} for home in sorted(own)}
    while True:
        try:
            return {home: place for place, home in enumerate(TopologicalSorter(graph).static_order())}
        except CycleError as error:
            needed, needing, *_ = error.args[1]
            graph[needing].discard(needed)


@dataclass(frozen=True, slots=True)
class Caller:
    """What of a table calls a function: a trigger, a default, a check, an index; `through` others, or itself."""

    table: QName
    what: str
    through: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """A function that fails, because what it names is gone, as PostgreSQL says it."""

    name: QName
    spelt: str
    why: str
    callers: tuple[Caller, ...]
