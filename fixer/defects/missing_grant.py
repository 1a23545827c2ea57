"""A role lacks rights that the contract grants it: on a schema, table, column, view, sequence or function.

What an owner may do without a grant is none, and rights beyond the contract's are let be. A role that is missing is
found once, whatever it should be granted.

Costs: statements of that role fail with 42501 permission denied, often after a restore without grants.
Cure: GRANT, after all else. A person creates a role that is missing; until then the rest holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from fixer.defects import _code as code
from fixer.defects._desk import DESK_ROWS, desk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Code, Kind, OfCode
from fixer.model.step import Lock, Phase, RefusalError, Repair, Shape, Step, refuse
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.sql.by_hand import of_another
from fixer.sql.compose import SQL, Composable

SLUG = "missing-grant"
POINT = 4
STAGE = Stage.CODE
MAINTAINABLE = 17  # the first version with the right MAINTAIN


@dataclass(frozen=True)
class OfGrants(OfCode):
    """Rights on one object that one role lacks: the first of them, and all.

    `columns` are those that they open, or that own the sequence which they open.
    """

    every: tuple[Code, ...]
    columns: tuple[tuple[QName, str], ...] = ()

    @property
    def object(self) -> str:
        """What it opens, or its schema."""
        return str(self.table) if self.table.name else self.table.schema


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfGrants]]:
    """Yield the rights that are missing, together for each object and role; a role that is missing once."""
    every = (about.wanted for about in code.missing(actual, contract, Kind.GRANT))
    lacking = [grant for grant in every if _can_be(grant, actual, contract)]
    there = actual.code.lacking if actual.code else frozenset()
    for (role, home, word), group in groupby(sorted(lacking, key=_place), key=_place):
        grants = tuple(group)
        if role not in there:
            rights = ", ".join(sorted({_right(each) for each in grants}))
            name = f"{word.lower()} {home}" if home.name else f"schema {home.schema}"
            message = f"the {name} should be open to {role}, which lacks {rights}"
            about = OfGrants(home, grants[0], grants, tuple(_columns(grants, contract)))
            yield Finding(SLUG, POINT, about, message, aspect=f"{word} {role}")
    for role, group in groupby(sorted((g for g in lacking if {*g.roles} & there), key=_role), key=_role):
        grants = tuple(group)
        said = "one grant" if len(grants) == 1 else f"{len(grants)} grants"
        message = f"the role {role} should exist, of which the contract says {said}, is missing"
        about = OfGrants(grants[0].home, grants[0], grants)
        why = f"run: CREATE ROLE {as_needed(role)}; then plan again"
        aspect = f"ROLE {role}"
        yield Finding(SLUG, POINT, about, message, severity="warning", repair=refuse(why), aspect=aspect)


def _can_be(grant: Code, actual: Schema, contract: Contract) -> bool:
    """Return whether a right exists in this version, on something that exists."""
    parts = actual.code.at(grant.home) if actual.code else ()
    coded = any(each.key.kind in (Kind.FUNCTION, Kind.VIEW) for each in parts)
    counted = contract.schema.sequences.get(grant.home)
    owner = counted.owned_by[0] if counted and counted.owned_by else grant.home
    there = not grant.home.name or coded or owner in actual.tables or grant.home in actual.sequences
    there = there or grant.home in code.parts_to_come(actual, contract)
    return there and not (_right(grant).startswith("MAINTAIN") and actual.version < MAINTAINABLE)


def _columns(grants: Iterable[Code], contract: Contract) -> Iterator[tuple[QName, str]]:
    """Yield the columns that rights open, or that own the sequence which they open."""
    for grant in grants:
        counted = contract.schema.sequences.get(grant.home) if grant.word == "SEQUENCE" else None
        if counted and counted.owned_by:
            yield counted.owned_by
        if column := _right(grant).partition(" (")[2].rpartition(")")[0]:
            yield grant.home, column


def _right(grant: Code) -> str:
    return grant.key.part.rpartition(f" ON {grant.word} ")[0]


def _role(grant: Code) -> str:
    return next(iter(grant.roles), "PUBLIC")


def _place(grant: Code) -> tuple[str, QName, str]:
    return _role(grant), grant.home, grant.word


def repair(finding: Finding[OfGrants], actual: Schema, contract: Contract) -> Repair:
    """Grant the rights; refuse if what they open belongs to others."""
    about = finding.about
    if owner := _other_owner(about.table, actual):
        raise RefusalError(of_another(owner, actual))
    statements = SQL(";\n").join(SQL(each) for grant in about.every for each in grant.create)
    title = f"grant {', '.join(map(_right, about.every))} on {about.object} to {_role(about.wanted)}"
    keys = tuple(grant.key for grant in about.every)
    return Repair.of([Step(Phase.GRANTS, finding.table, title, statements, Lock.NONE, shape=Shape(code=keys))])


def _other_owner(name: QName, actual: Schema) -> str:
    """Return the owner of what the session may not grant rights on; empty if it may."""
    if not name.name:
        return actual.session.may.others.get(name.schema, "") if actual.session else ""
    coded = [each for each in (actual.code.at(name) if actual.code else ()) if not each.owned]
    there = actual.tables.get(name) or actual.sequences.get(name)
    if coded and not there:
        return coded[0].owner
    return there.owner if there and not (there.owned or there.created) else ""


def foresee(finding: Finding[OfGrants], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the grants."""
    return code.with_parts(finding.about.every, actual)


SPECIMENS = (
    Specimen(
        "of a table, of a column, of a view",
        "REVOKE ALL ON desk.notes, desk.open_count FROM pg_monitor;"
        "REVOKE UPDATE (title) ON desk.tickets FROM pg_monitor",
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "of a sequence, a schema, a function and everybody",
        "REVOKE ALL ON SEQUENCE desk.notes_id_seq FROM pg_monitor; REVOKE ALL ON SCHEMA desk FROM pg_monitor;"
        "REVOKE ALL ON FUNCTION desk.late() FROM pg_monitor; REVOKE ALL ON desk.visits FROM PUBLIC",
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "the right to grant it",
        "REVOKE GRANT OPTION FOR SELECT ON desk.notes FROM pg_monitor",
        contract=desk,
        setup=DESK_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "more than the contract has",
        "GRANT ALL ON desk.notes, desk.visits TO pg_monitor, pg_signal_backend WITH GRANT OPTION",
        contract=desk,
        setup=DESK_ROWS,
    ),
)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: revoke it."""
    if each.key.kind == Kind.GRANT:
        yield SQL(each.drop)
