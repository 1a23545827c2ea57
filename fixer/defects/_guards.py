"""What the domains of columns demand: of which values, and what of it follows from the table anyway."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fixer.model.expression import as_needed, canonical
from fixer.model.expression.patterns import pattern
from fixer.model.table import Check, Column, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable
from fixer.sql.conditions import Atom, atoms, condition, follows, meaning
from fixer.sql.types import element

_DOMAIN = pattern(r"^CREATE DOMAIN .*? AS (.*?)(?: DEFAULT .*?)??(?: (NOT NULL))?$", re.DOTALL)
_CHECK = pattern(r' CONSTRAINT (?:"(?:[^"]|"")*"|\w+) (?=CHECK )')


def said(guard: str) -> str:
    """Return what a domain demands, in a form that is equal for demands that say the same."""
    return meaning(condition(guard, "value"))


def breaks(guard: str, found: Column) -> Composable:
    """Return the condition that a value, or an element of an array, is none that a guard allows."""
    many = element(found.type)
    value = "value" if many else as_needed(found.name)
    broken = SQL(f"{value} IS NULL" if guard == "NOT NULL" else f"NOT {condition(guard, value)}")
    if not many:
        return broken
    return SQL("EXISTS (SELECT FROM unnest({}) AS value WHERE {})").format(q.column(found.name), broken)


def less(found: Column, wanted: Column, table: Table) -> Iterable[str]:
    """Yield what the contract's domain demands, and the one that stands does not, nor the table."""
    known = premises(found, [check for check in table.checks if check.validated])
    same = {said(guard) for guard in found.guards}
    for guard in wanted.guards:
        by_table = found.not_null if guard == "NOT NULL" else entailed(guard, found, known, table)
        if said(guard) not in same and (element(found.type) or not by_table):
            yield guard


def premises(column: Column, checks: Iterable[Check]) -> list[Atom]:
    """Return what is known of a table by its checks and by the domain of one of its columns."""
    guards = (condition(guard, as_needed(column.name)) for guard in column.guards if guard != "NOT NULL")
    return [atom for condition in (*(check.expression for check in checks), *guards) for atom in atoms(condition)]


def entailed(guard: str, found: Column, known: list[Atom], table: Table) -> bool:
    """Return whether what a domain demands of a column follows from what is known of the table."""
    return all(follows(atom, known, table) for atom in atoms(condition(guard, as_needed(found.name))))


def check_named(wanted: str, guard: str, found: str) -> str:
    """Return a check of a domain as the statement of the contract names it, unless the domain has one of that name."""
    before, there, _ = wanted.partition(guard)
    named = re.search(r' CONSTRAINT ((?:"(?:[^"]|"")*"|\w+)) $', before) if there else None
    return guard if named is None or f" CONSTRAINT {named[1]} " in found else f"CONSTRAINT {named[1]} {guard}"


def demands_of(statement: str) -> list[str]:
    """Return what a domain is made of, and what it demands, whatever its constraints are called."""
    head, *checks = _CHECK.split(statement)
    found = _DOMAIN.match(head)
    return [*filter(None, found.groups() if found else ()), *sorted(map(canonical, checks))]


def more_demands(wanted: str, found: str) -> list[str] | None:
    """Return what a domain should demand besides; None if it is made of another type, or demands something else."""
    (head, *checks), (other, *there) = (_CHECK.split(each) for each in (wanted, found))
    should, has = (_DOMAIN.match(each) for each in (head, other))
    known = {*map(canonical, there)}
    if not should or not has or should[1] != has[1] or (has[2] and not should[2]) or known - {*map(canonical, checks)}:
        return None
    filled = ["NOT NULL"] if should[2] and not has[2] else []
    return [*filled, *(each for each in checks if canonical(each) not in known)]
