"""What a person chooses: the mode, which findings to repair now and which later, and how many rows may move for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fixer.errors import UsageError, option, options
from fixer.model.expression import quoted
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Finding
from fixer.model.table import QName
from fixer.model.values import dataclass

if TYPE_CHECKING:
    from fractions import Fraction

ATOMIC, ONLINE = MODES = ("atomic", "online")
MaxMoved = int | str | Mapping[str, int | str] | Iterable[int | str] | None


@dataclass(frozen=True)
class Choice:
    """Names of findings, each as SLUG or SLUG:OBJECT: those to repair (`only`, all if empty), and those to `skip`."""

    skip: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def leaves_out(self, finding: Finding) -> bool:
        """Return whether the finding is to be left as it is."""
        chosen = not self.only or any(names(each, finding) for each in self.only)
        return not chosen or any(names(each, finding) for each in self.skip)

    def unmatched(self, findings: Iterable[Finding]) -> list[str]:
        """Return the options that name none of these findings."""
        found = list(findings)
        named = [("skip", each) for each in self.skip] + [("only", each) for each in self.only]
        return [option(word, each) for word, each in named if not any(names(each, finding) for finding in found)]


EVERYTHING = Choice()
FEW = 3  # findings that a sentence names one by one


def names(name: str, finding: Finding) -> bool:
    """Return whether SLUG or SLUG:OBJECT names a finding; an object of the schema public may go without it."""
    slug, _, object_ = name.partition(":")
    return slug == finding.slug and object_ in ("", finding.object, finding.object.removeprefix("public."))


def skipping(findings: Sequence[Finding]) -> str:
    """Return the options that leave these findings out, as one types them; by their classes if they are many."""
    each = [f"{finding.slug}:{finding.object}" for finding in findings]
    names = dict.fromkeys(each if len(each) <= FEW else sorted({finding.slug for finding in findings}))
    return options("skip", names)


@dataclass(frozen=True)
class Left:
    """A finding that a plan leaves out, and why."""

    slug: str
    object: str
    why: str


# --- how many rows may move


@dataclass(frozen=True)
class Limit:
    """How many rows may move to quarantine: so many of all tables together, or a share of each table.

    If it names a `table`, it is for that one, whose qualified name `on` finds.
    """

    said: str
    table: str = ""
    rows: int = 0
    share: Fraction | None = None
    home: QName | None = None

    @property
    def of_all(self) -> bool:
        """Whether it bounds the sum over all tables."""
        return self.share is None and not self.table

    def on(self, tables: Iterable[QName]) -> Limit:
        """Return the limit with the table that it names; raise UsageError if none of these has the name, or several."""
        if not self.table:
            return self
        known = sorted(tables)
        named = [name for name in known if self.table in (str(name), ".".join(map(quoted, name)))]
        named = named or [name for name in known if self.table in (name.name, quoted(name.name))]
        if len(named) != 1:
            why = f"fits {' and '.join(map(str, named))}" if named else "names no table of the contract"
            raise UsageError(
                f"{option('max_moved', self.said)} {why}: say SCHEMA.TABLE={self.said.rpartition('=')[2]}."
            )
        return replace(self, home=named[0])

    def bounds(self, table: QName) -> bool:
        """Return whether it bounds the rows of this table by themselves."""
        return not self.of_all and self.home in (None, table)

    def allows(self, moves: int, there: int = 0) -> bool:
        """Return whether so many rows may move, of those that are there."""
        return moves <= (self.rows if self.share is None else there * self.share)


def limits_of(said: MaxMoved) -> tuple[Limit, ...]:
    """Return the limits that a person set, such as 100, "5%", "users=100" or {"users": 100}; raise UsageError if none.

    A bare share is for each table.
    """
    if said is None:
        return ()
    if isinstance(said, Mapping):
        said = [f"{table}={most}" for table, most in said.items()]
    return tuple(map(_limit, [said] if isinstance(said, str) or not isinstance(said, Iterable) else said))


def _limit(said: int | str) -> Limit:
    from fractions import Fraction

    found = _LIMIT.fullmatch(text := str(said).strip())
    if not found or (found["share"] and Fraction(found["share"]) > 100):
        raise UsageError(f"{option('max_moved', text)} is no limit: say 100, 5%, TABLE=100 or TABLE=5%.")
    table = (found["table"] or "").strip()
    if found["share"]:
        return Limit(text, table, share=Fraction(found["share"]) / 100)
    return Limit(text, table, rows=int(found["rows"]))


_LIMIT = pattern(r"(?:(?P<table>.+)=)?\s*(?:(?P<rows>[0-9]+)|(?P<share>[0-9]+(?:\.[0-9]+)?)\s*%)", re.DOTALL)
