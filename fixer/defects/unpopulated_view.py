"""A materialized view holds no rows yet: it was made WITH NO DATA, or restored without its REFRESH.

Costs: every query of it fails with 55000 materialized view has not been populated.
Cure: a person runs REFRESH MATERIALIZED VIEW, because that runs its query; the finding has the statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _code as code
from fixer.defects._desk import DESK_ROWS, desk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Kind
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.table import QName
from fixer.sql import compose as q

SLUG = "unpopulated-view"
POINT = 4
STAGE = Stage.CODE
_EMPTY = "D"


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield the materialized views without rows: those of the contract, or where it is the target itself, all."""
    for name in _declared(actual, contract):
        message = f"{name} should hold rows, is not populated: every query of it fails"
        left = refuse(f"run REFRESH MATERIALIZED VIEW {q.quoted(name)};")
        yield Finding(SLUG, POINT, OfTable(name), message, repair=left)


def _declared(actual: Schema, contract: Contract) -> Iterator[QName]:
    if contract.itself:
        yield from (each.name for each in actual.tables.values() if each.kind == "m" and not each.populated)
    for about in code.pairs(actual, contract, Kind.VIEW):
        if about.found.enabled == _EMPTY:
            yield about.table


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


SPECIMENS = (
    Specimen(
        "without its rows",
        "REFRESH MATERIALIZED VIEW desk.totals WITH NO DATA",
        manual=True,
        contract=desk,
        setup=DESK_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "with rows of yesterday", "INSERT INTO desk.tickets (title) VALUES ('new')", contract=desk, setup=DESK_ROWS
    ),
    Specimen(
        "one more",
        "CREATE MATERIALIZED VIEW desk.more AS SELECT 1 AS n WITH NO DATA",
        contract=desk,
        setup=DESK_ROWS,
    ),
)
