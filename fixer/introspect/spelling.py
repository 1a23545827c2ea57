"""Types and definitions as PostgreSQL spells them, asking for as few as can be.

To spell one definition PostgreSQL opens the table, which costs more than reading all else about it. So a
type is asked for once; of the indexes that differ in nothing but their columns one speaks for all, and so does one
of the checks whose trees are alike, over columns of the same names: none, where such a tree was spelt before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Hashable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

from fixer.introspect.questions import Answer, Ask, Rows
from fixer.model.expression import as_needed, quoted
from fixer.model.expression.digest import sha256
from fixer.model.expression.patterns import pattern
from fixer.model.schema import Spellings

TypeKey = tuple[int, int, int]  # type, modifier, collation
Columns = tuple[str, ...]

# Where in a statement a part of the tree stood, which servers from 17 on do not keep.
_PLACE = pattern(r" :location -?\d+")
# What another database may mean otherwise: numbers of its own, and the row as a whole, which bears its table's name.
_LOCAL = pattern(r":(?!\w*typmod |constlen |location )\w+ \d{5,}|:varattno 0 ")
CHOOSE_TYPES = "SELECT set_config('pgmend.types', %s, true);\n"
_CHOOSE_DEFINITIONS = """
SELECT set_config('pgmend.indexes', %s::oid[]::text, true), set_config('pgmend.checks', %s::oid[]::text, true);
"""


class SpeltType(NamedTuple):
    """A type, with its schema where its name does not say it, and its collation where that is not the type's own.

    An enum has labels; those of an array of one are its `items`. Under a `loose` collation, other texts may be equal. A
    type whose equality is not PostgreSQL's own says by which operator its values are compared.
    """

    name: str
    collation: str | None
    labels: tuple[str, ...]
    home: str = ""
    equality: str = "="
    base: str = ""  # of a domain, the type that it is made of
    guards: tuple[str, ...] = ()  # of a domain, what it demands of its values
    loose: bool = False
    aged: tuple[str | None, ...] = ()  # the recorded version of its collation, and today's, if that is another
    items: tuple[str, ...] = ()
    supplied: str = ""  # its own default, as a domain may have one
    closed: bool = False  # whether it is an enum, or an array of one, that only another role may alter

    @property
    def enum(self) -> str:
        """The enum as SQL spells it with its schema."""
        name = self.name.removesuffix("[]")
        return f"{quoted(self.home)}.{name}" if self.home else name


class WantedIndex(NamedTuple):
    """An index of which the definition is wanted; its shape is all that this depends on besides names, or None."""

    oid: int
    columns: Columns
    shape: Hashable


class WantedCheck(NamedTuple):
    """A check of which the expression is wanted."""

    oid: int
    columns: Columns
    tree: str


def ask_types(ask: Ask, wanted: Iterable[TypeKey]) -> Answer:
    """Ask how types are spelt."""
    return ask("types", CHOOSE_TYPES, json.dumps([{"type": a, "modifier": b, "collation": c} for a, b, c in wanted]))


def types(rows: Rows, short: Collection[str], ask: Ask) -> dict[TypeKey, SpeltType]:
    """Return how types are spelt: those of some schemas by their `short` names."""
    equalities: dict[int, str] = dict(ask("equalities")()) if any(row[-1] for row in rows) else {}
    return {(a, b, c): _spelt(short, equalities.get(a, "="), *facts) for a, b, c, *facts, _ in rows}


def spelt(rows: Rows) -> list[SpeltType]:
    """Return types, each with its schema."""
    return [_spelt((), "=", *facts) for _, _, _, *facts, _ in rows]


def _spelt(
    short: Collection[str],
    equality: str,
    name: str,
    collation: str | None,
    labels: list[str] | None,
    home: str | None,
    prefix: str,
    domain: list[str] | None,
    supplied: str,
    loose: bool,
    aged: list[str | None] | None,
    closed: bool,
) -> SpeltType:
    if home in short:
        name = name.removeprefix(prefix)
    elif name.startswith(prefix):
        home = None  # its name says it
    base, *guards = domain or [""]
    said, array = tuple(labels or ()), name.endswith("[]")
    own, items = ((), said) if array else (said, ())
    return SpeltType(
        name,
        collation,
        own,
        home or "",
        equality,
        base,
        tuple(_over_base(guard, base.removesuffix("[]") if array else base) for guard in guards),
        loose,
        tuple(aged or ()),
        items,
        supplied,
        closed,
    )


def _over_base(guard: str, base: str) -> str:
    """Return what a domain demands over the type at its base: one over another domain casts each value to that."""
    if f"(VALUE)::{base}" not in guard:
        return guard
    cast = rf"(?P<literal>'(?:[^']|'')*')|\(VALUE\)::{re.escape(base)}(?![\w\[(]| varying)"
    return re.sub(cast, lambda found: found["literal"] or "VALUE", guard)


class Definitions:
    """How indexes and checks are spelt: `tails` of those, `expressions` of these, by their numbers.

    They are asked for at once, and are there once they are `read`.
    """

    def __init__(
        self, ask: Ask, indexes: Sequence[WantedIndex], checks: Sequence[WantedCheck], known: Spellings
    ) -> None:
        self._ask, self._words = ask, set[str]()
        told = _digest if known else _placeless  # others know a tree by its digest; alone, it is as good itself
        self._keys = {check.oid: (told(check.tree), check.columns) for check in checks}
        self._indexes, self._checks = indexes, checks
        self._known = {key: known[key] for key in self._keys.values() if key in known}
        self.expressions: dict[int, str] = {}
        self.tails: dict[int, str] = {}
        self._speakers = {index.shape: index for index in indexes if index.shape is not None}
        unknown = {self._keys[check.oid]: check.oid for check in checks if self._keys[check.oid] not in known}
        singular = (index.oid for index in indexes if index.shape is None)
        self._answer = self._asked(
            [*singular, *(index.oid for index in self._speakers.values())],
            [*unknown.values()],
        )

    def read(self) -> None:
        """Wait for the answers, and spell by them what was not asked for."""
        self._take(self._answer())
        spelt = self._known | {self._keys[oid]: text for oid, text in self.expressions.items()}
        self.expressions = {oid: spelt[key] for oid, key in self._keys.items()}
        plainly = cache(self._plainly)
        plain = {shape for shape, (oid, columns, _) in self._speakers.items() if self.tails[oid] == plainly(columns)}
        others = [oid for oid, _, shape in self._indexes if shape not in plain and oid not in self.tails]
        if others:
            self._take(self._asked(others, [])())
        self.tails.update({oid: plainly(columns) for oid, columns, shape in self._indexes if shape in plain})

    def spellings(self) -> Spellings:
        """Return how the checks are spelt in every database of this version."""
        lasting = [check for check in self._checks if not _LOCAL.search(check.tree)]
        return {(_digest(check.tree), check.columns): self.expressions[check.oid] for check in lasting}

    def _asked(self, indexes: list[int], checks: list[int]) -> Answer:
        return self._ask("spellings", _CHOOSE_DEFINITIONS, indexes, checks) if indexes or checks else list

    def _take(self, rows: Rows) -> None:
        for kind, oid, text in rows:
            if kind == "word":
                self._words.add(text)
            else:
                (self.tails if kind == "index" else self.expressions)[oid] = text

    def _plainly(self, columns: Columns) -> str:
        return f"USING btree ({', '.join(as_needed(column, self._words) for column in columns)})"


def _digest(tree: str) -> str:
    return sha256(_placeless(tree))


def _placeless(tree: str) -> str:
    return _PLACE.sub("", tree) if ":location " in tree else tree
