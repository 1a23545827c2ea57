"""What the contract declares, and nobody compares, is missing: an aggregate, an operator, a cast, and the like.

Of these kinds only the name is looked for, so a check says which of them it does not compare.

Costs: queries that use it fail, as with 42883 undefined_function. What only guards or tells others is a warning:
statistics, event triggers, publications, foreign servers, languages.
Cure: a person runs the statement of the contract. Default privileges belong to a role, and are never missed.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.table import QName
from fixer.model.values import dataclass

SLUG = "missing-object"
POINT = 4
STAGE = Stage.CODE
_OF_ROLES = ("default privilege", "default acl")
_BESIDE = ("statistics object", "event trigger", "publication", "server", "language")


@dataclass(frozen=True)
class OfObject(OfTable):
    """Something of a kind that is not compared: the name of its table is empty."""

    kind: str
    name: str

    @property
    def object(self) -> str:
        """Its kind, and its name as PostgreSQL spells it."""
        return f"{self.kind} {self.name}"


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfObject]]:
    """Yield what is missing of the kinds that are not compared."""
    for key in contract.schema.code.beyond if contract.schema.code else ():
        if key not in actual.beyond and key.kind not in _OF_ROLES:
            about = OfObject(QName("", ""), key.kind, key.home)
            message = f"the {key.kind} {key.home} should exist, is missing"
            left = refuse(f"run the statement of {contract.name} that creates it")
            severity = "warning" if key.kind in _BESIDE else "error"
            yield Finding(SLUG, POINT, about, message, severity, repair=left)


def repair(finding: Finding[OfObject], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


def _sums() -> str:
    """Return a contract with an aggregate, an operator, a text search configuration, and statistics."""
    return """
CREATE TABLE sums (id integer PRIMARY KEY, a integer, b integer);
CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer);
CREATE FUNCTION alike(integer, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1::text = $2';
CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = text, FUNCTION = alike);
CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple);
CREATE STATISTICS pairs ON a, b FROM sums;
"""


_ROWS = "INSERT INTO sums VALUES (1, 2, 3)"
SPECIMENS = tuple(
    Specimen(told, breaks, contract=_sums, setup=_ROWS, manual=True)
    for told, breaks in (
        ("an aggregate", "DROP AGGREGATE total(integer)"),
        ("an operator", "DROP OPERATOR ===(integer, text)"),
        ("a text search configuration", "DROP TEXT SEARCH CONFIGURATION plain"),
        ("statistics", "DROP STATISTICS pairs"),
    )
)
NEAR_MISSES = (
    Specimen(
        "one more", "CREATE AGGREGATE most(integer) (SFUNC = int4larger, STYPE = integer)", contract=_sums, setup=_ROWS
    ),
)
