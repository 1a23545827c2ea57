"""A function or a procedure is defined otherwise than in the contract: another body, language or option.

Costs: what calls it does something else than its authors meant, and no error says so.
Cure: CREATE OR REPLACE, with permission, because the code that is there may be the better one; its owner, its grants
and its comment stay. A person decides if the result or the arguments would change. One in C for which the contract
has a substitute in another language is meant: only superusers may write it, and a contract is made by another role.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _code as code
from fixer.defects._desk import DESK_ROWS, desk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Code, FoundCode, Kind
from fixer.model.step import Phase, Repair
from fixer.sql.compose import SQL, Composable

SLUG = "different-function"
POINT = 4
STAGE = Stage.SEQUENCES
_COMPILED = ("c", "internal")


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundCode]]:
    """Yield the functions whose definition differs from the contract's."""
    for about in code.different(actual, contract, Kind.FUNCTION):
        if about.found.language in _COMPILED and about.wanted.language not in _COMPILED:
            continue  # a script may have written another where its role could not write this one
        yield Finding(SLUG, POINT, about, f"{about.object} {code.difference(about)}")


def repair(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Repair:
    """Replace the function; refuse if PostgreSQL cannot."""
    code.see_that_it_is_replaceable(finding.about, actual)
    phase = Phase.VIEWS if code.is_late(finding.about.wanted, actual, contract) else Phase.FUNCTIONS
    return Repair.of([code.replacing(finding.about, phase)])


def foresee(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the contract's function; who may call it stays as it is."""
    about = finding.about
    return code.with_parts([replace(about.wanted, closed=about.found.closed)], actual)


_OTHER = "CREATE OR REPLACE FUNCTION desk.stamp() RETURNS trigger LANGUAGE plpgsql {} AS $$ BEGIN RETURN NEW; END $$"
SPECIMENS = (
    Specimen(
        "another body",
        f"{_OTHER.format('')}; COMMENT ON FUNCTION desk.stamp() IS 'as it is'",
        hazards=frozenset({"replaces-code"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "with other rights",
        "ALTER FUNCTION desk.code() SECURITY DEFINER SET search_path = pg_temp",
        hazards=frozenset({"replaces-code"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "with another result",
        "DROP FUNCTION desk.code(); CREATE FUNCTION desk.code() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        manual=True,
        contract=desk,
        setup=DESK_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "the one in C for which the contract has a substitute",
        "CREATE OR REPLACE FUNCTION desk.code() RETURNS text LANGUAGE internal AS 'pgsql_version'",
        contract=desk,
        setup=DESK_ROWS,
        superuser=True,
    ),
    Specimen(
        "of another owner, with a comment and grants",
        "COMMENT ON FUNCTION desk.code() IS 'x'; REVOKE ALL ON FUNCTION desk.code() FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION desk.code() TO pg_monitor",
        contract=desk,
        setup=DESK_ROWS,
    ),
)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: give the function another cost."""
    if each.key.kind == Kind.FUNCTION and each.word == "FUNCTION":
        yield SQL(f"ALTER FUNCTION {each.spelt} COST 7")
