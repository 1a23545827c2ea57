"""Attributes that a composite type lacks, and the step that adds them where no column holds the type."""

from __future__ import annotations

from fixer.model.contract import Contract
from fixer.model.expression.tails import split
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Repair, Step
from fixer.model.subject import OfTable
from fixer.model.values import dataclass
from fixer.repair.columns import names_type
from fixer.sql import compose as q
from fixer.sql.compose import SQL


@dataclass(frozen=True)
class Parted(OfTable):
    """A composite type or a range, with the attributes that it lacks at its end, if it differs in nothing else."""

    lacks: tuple[str, ...] = ()


def longer_by(wanted: str, found: str) -> tuple[str, ...]:
    """Return the attributes that a composite type lacks at its end; none if it differs in more, or is a range."""
    if not wanted.startswith("("):
        return ()
    should, has = (tuple(filter(None, split(each[1:-1], ","))) for each in (wanted, found))
    return should[len(has) :] if should[: len(has)] == has else ()


def growing(about: Parted, actual: Schema, contract: Contract) -> Repair | None:
    """Return the repair that adds what a type lacks; None if it differs in more, or a type of what it lacks is missing.

    Undo drops it again.
    """
    coming = contract.schema.types.keys() - actual.types.keys()
    late = any(names_type(each, type_) for each in about.lacks for type_ in coming)
    if not about.lacks or late or about.table.schema not in contract.schemas:
        return None
    added = SQL(", ").join(SQL(f"ADD ATTRIBUTE {each}") for each in about.lacks)
    title = f"add {', '.join(about.lacks)} to the type {about.table.name}"
    change = SQL("ALTER TYPE {} {}").format(q.name(about.table), added)
    return Repair.of([Step(Phase.TYPES, about.table, title, change, Lock.NONE)])


def spots() -> str:
    """Return a contract of a composite type with attributes of several kinds."""
    return """
CREATE TYPE mood AS ENUM ('a');
CREATE TYPE "spo%t" AS (x integer, "z, (" numeric(10,2), tag mood);
CREATE TABLE halls (id integer PRIMARY KEY, place "spo%t");
"""
