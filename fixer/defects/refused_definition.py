"""PostgreSQL refuses to make a part of the contract: an index, a constraint, a column, or a whole table.

Costs: nobody knows whether the database has it, and a database that is made anew by the contract fails there.
Cure: a person corrects the contract, or installs what it needs, such as an extension. The rest of the contract is
judged, and repaired with `--skip refused-definition`, but for what depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixer.model.contract import Contract, Refused
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed, names_in
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.values import dataclass
from fixer.sql.types import extension_of

SLUG = "refused-definition"
POINT = 4
STAGE = Stage.SEQUENCES  # the first, so that whatever depends on it can be left out with it
_NO_CLASS = pattern(r'no default operator class for access method "(gist|gin)"')
_NO_SCHEMA = pattern(r'schema "([^"]+)" does not exist')
_NOT_THERE = pattern(r"does not exist|is not available|could not (?:open|find)")


@dataclass(frozen=True)
class OfRefused(OfTable):
    """A part of a table that cannot be made, or the table itself."""

    refused: Refused

    @property
    def object(self) -> str:
        """Its name, after that of its table."""
        return f"{self.table}.{self.refused.name}" if self.refused.name else str(self.table)

    @property
    def column(self) -> str | None:
        """The columns that it names, separated by commas."""
        return ",".join(self.refused.columns) or None


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfRefused]]:
    """Yield what PostgreSQL refused to make of the contract."""
    for each in contract.refused:
        verb = "have" if each.name else "be"
        message = f"{each.table.name} should {verb} {each.what}, which PostgreSQL refuses: {each.said}"
        about, why = OfRefused(each.table, each), refuse(_way_out(each))
        yield Finding(SLUG, _point(each), about, message, repair=why, aspect=each.what)


def _point(refused: Refused) -> int:
    """Return the point that is not proved without a part."""
    return {"PRIMARY": 1, "FOREIGN": 2}.get(refused.what.partition(" ")[0].upper(), POINT)


def _way_out(refused: Refused) -> str:
    """Return what a person can do, with the statement."""
    where = f" ({refused.place})" if refused.place else ""
    way = f"correct it in the contract{where}: {refused.statement}"
    said = refused.said.partition(". The throw-away ")[0]  # PostgreSQL's own words
    if schema := _NO_SCHEMA.search(said):
        return f"let the contract say CREATE SCHEMA {as_needed(schema[1])}; before it, or {way}"
    named = extension_of(names_in(said))
    if found := _NO_CLASS.search(said):
        named = f"btree_{found[1]}"
    if named and (found or _NOT_THERE.search(said)):
        return f"run CREATE EXTENSION {as_needed(named)}; in the database if that has it, or {way}"
    if _NOT_THERE.search(said):
        return f"let the contract make what is missing, or install the extension in the database that has it, or {way}"
    return way


def repair(finding: Finding[OfRefused], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


SPECIMENS: tuple[Specimen, ...] = ()
NEAR_MISSES: tuple[Specimen, ...] = ()
