"""Everybody may call a function or a procedure from which the contract takes that right away.

PostgreSQL lets PUBLIC call what is created, until somebody says REVOKE (PostgreSQL manual, 5.8).

Costs: any role runs it, and if it is SECURITY DEFINER, with the rights of its owner.
Cure: revoke it from PUBLIC, with permission, because somebody may call it by that right alone. Roles to which the
contract grants it have it by themselves (see missing-grant).
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
from fixer.model.step import Hazard, Lock, Phase, Repair, Shape, Step
from fixer.sql.compose import SQL, Composable

SLUG = "open-function"
POINT = 4
STAGE = Stage.CODE


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundCode]]:
    """Yield the functions that PUBLIC may call although the contract forbids it."""
    for about in code.pairs(actual, contract, Kind.FUNCTION):
        if about.wanted.closed and not about.found.closed:
            yield Finding(SLUG, POINT, about, f"{about.object} should not be open to PUBLIC, which may call it")


def repair(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Repair:
    """Revoke the right from PUBLIC."""
    code.see_that_it_is_owned(finding.about, actual)
    wanted = finding.about.wanted
    revoke = SQL(f"REVOKE ALL ON ROUTINE {wanted.spelt} FROM PUBLIC")
    title = f"keep everybody from {wanted.told}"
    hazard, shape = Hazard.REPLACES_CODE, Shape(code=(wanted.key,))
    return Repair.of([Step(Phase.GRANTS, finding.table, title, revoke, Lock.NONE, hazard, shape=shape)])


def foresee(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the function closed."""
    return code.with_parts([replace(finding.about.found, closed=True)], actual)


SPECIMENS = (
    Specimen(
        "with the rights of its owner",
        "GRANT EXECUTE ON FUNCTION desk.late() TO PUBLIC",
        hazards=frozenset({"replaces-code"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "and with another body",
        "CREATE OR REPLACE FUNCTION desk.late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';"
        "GRANT EXECUTE ON FUNCTION desk.late() TO PUBLIC",
        hazards=frozenset({"replaces-code"}),
        also=frozenset({"different-function"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "one that the contract leaves open",
        "GRANT EXECUTE ON FUNCTION desk.stamp() TO PUBLIC",
        contract=desk,
        setup=DESK_ROWS,
    ),
)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: let everybody call the function."""
    if each.definer and each.closed:
        yield SQL(f"GRANT EXECUTE ON ROUTINE {each.spelt} TO PUBLIC")
