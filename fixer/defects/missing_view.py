"""A view that the contract declares is missing.

Costs: queries of it fail with 42P01 undefined_table.
Cure: create it, once its tables are as the contract wants them. A person creates a materialized view, because that runs
its query and stores the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _code as code
from fixer.defects._desk import DESK_ROWS, desk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Code, Kind, OfCode
from fixer.model.step import Phase, RefusalError, Repair
from fixer.sql.compose import SQL, Composable

SLUG = "missing-view"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfCode]]:
    """Yield the views of the contract that do not exist."""
    for about in code.missing(actual, contract, Kind.VIEW):
        word = about.wanted.word.lower()
        yield Finding(SLUG, POINT, about, f"{about.object} should be a {word}, is missing")


def repair(finding: Finding[OfCode], actual: Schema, contract: Contract) -> Repair:
    """Create the view; refuse if something else has its name."""
    wanted = finding.about.wanted
    code.see_that_it_fits(wanted, actual, contract)
    if wanted.home in actual.names or wanted.home in actual.tables:
        raise RefusalError(f"a table, a sequence or an index is called {wanted.home}: rename that")
    if wanted.word != "VIEW":
        raise RefusalError(f"to create it runs its query; run: {'; '.join(wanted.create)}")
    return Repair.of(code.creating(wanted, Phase.VIEWS, actual, contract))


def foresee(finding: Finding[OfCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the view."""
    return code.found(finding, actual)


SPECIMENS = (
    Specimen("one over another", "DROP VIEW desk.open_count", contract=desk, setup=DESK_ROWS),
    Specimen(
        "two, and what acts on one",
        'DROP VIEW desk.open_count; DROP VIEW "Odd.%"."a open"',
        contract=desk,
        setup=DESK_ROWS,
        also=frozenset({"missing-trigger"}),
    ),
    Specimen("a materialized one", "DROP MATERIALIZED VIEW desk.totals", manual=True, contract=desk, setup=DESK_ROWS),
    Specimen(
        "a table has its name",
        "DROP VIEW desk.open_count; CREATE TABLE desk.open_count (n integer)",
        also=frozenset({"missing-grant"}),
        manual=True,
        contract=desk,
        setup=DESK_ROWS,
    ),
)
NEAR_MISSES = (Specimen("one more", "CREATE VIEW desk.more AS SELECT 1 AS n", contract=desk, setup=DESK_ROWS),)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: drop the view."""
    if each.key.kind == Kind.VIEW:
        yield SQL(f"{each.drop} CASCADE")
