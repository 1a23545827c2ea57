"""A function or a procedure that the contract declares is missing.

Only SQL and databases declare functions; models do not, nor does what their listeners say. Aggregates are left out.

Costs: what calls it fails with 42883 undefined_function, in the application, or as a trigger fires.
Cure: create it, before the tables whose defaults and checks may call it. Its body is not run, and not judged. The role
that owns most tables owns it, too.
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
from fixer.model.step import Phase, Repair
from fixer.sql.compose import SQL, Composable

SLUG = "missing-function"
POINT = 4
STAGE = Stage.SEQUENCES


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfCode]]:
    """Yield the functions of the contract that do not exist."""
    for about in code.missing(actual, contract, Kind.FUNCTION):
        word = about.wanted.word.lower()
        yield Finding(SLUG, POINT, about, f"{about.object} should be a {word}, is missing")


def repair(finding: Finding[OfCode], actual: Schema, contract: Contract) -> Repair:
    """Create the function; refuse if its schema or a type is missing."""
    wanted = finding.about.wanted
    code.see_that_it_fits(wanted, actual, contract)
    phase = Phase.VIEWS if code.is_late(wanted, actual, contract) else Phase.FUNCTIONS
    return Repair.of(code.creating(wanted, phase, actual, contract))


def foresee(finding: Finding[OfCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the function."""
    return code.found(finding, actual)


SPECIMENS = (
    Specimen("one that nothing calls", "DROP FUNCTION desk.code()", contract=desk, setup=DESK_ROWS),
    Specimen("a procedure", "DROP PROCEDURE desk.tidy(date)", contract=desk, setup=DESK_ROWS),
    Specimen("over the rows of a table", "DROP FUNCTION desk.whole(desk.tickets)", contract=desk, setup=DESK_ROWS),
    Specimen(
        "with the default that calls it",
        "DROP FUNCTION desk.mark() CASCADE",
        also=frozenset({"missing-default"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "with the column that calls it",
        "ALTER TABLE desk.notes DROP COLUMN mark; DROP FUNCTION desk.mark()",
        hazards=frozenset({"rewrites-table"}),
        also=frozenset({"missing-column"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "with the table that calls it, and what acts on that",
        "DROP TABLE desk.notes; DROP FUNCTION desk.mark(); DROP FUNCTION desk.fine(text)",
        also=frozenset({"missing-table"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "with the check of rows that calls it",
        "DROP FUNCTION desk.fine(text) CASCADE",
        also=frozenset({"missing-check", "missing-policy", "unreadable-rows"}),
        manual=True,
        contract=desk,
        setup=DESK_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "one more, of the same name",
        "CREATE FUNCTION desk.code(integer) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
        contract=desk,
        setup=DESK_ROWS,
    ),
)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: drop the function."""
    if each.key.kind == Kind.FUNCTION:
        yield SQL(f"{each.drop} CASCADE")
