"""Comparisons of CHECK constraints, for the defect classes that need them."""

from __future__ import annotations

from dataclasses import replace

from fixer.model.expression import plain
from fixer.model.table import Check, Table
from fixer.sql import conditions
from fixer.sql.compose import SQL
from fixer.sql.conditions import meaning_in


def stands(check: Check, table: Table) -> Check | None:
    """Return the check of the table that means the same, under any name; a validated one is preferred."""
    wanted = meaning_in(table, check.expression)
    same = [found for found in table.checks if meaning_in(table, found.expression) == wanted]
    return max(same, key=lambda found: found.validated, default=None)


def binds(check: Check, table: Table) -> Check | None:
    """Return the check of the table that stands for this one, and binds heirs as well unless this one does not."""
    if check.no_inherit:
        return stands(check, table)
    return stands(check, replace(table, checks=tuple(each for each in table.checks if not each.no_inherit)))


def names_match(check: Check, table: Table) -> Check | None:
    """Return the check of the table that has the same name."""
    return next((found for found in table.checks if found.name == check.name), None)


def over_row(check: Check, table: Table) -> SQL:
    """Return the expression of a check over the row `t` of a table, as the plan leaves it."""
    return conditions.over_row(check.expression, table)


def spelt(check: Check) -> str:
    """Return a check as a person would write it."""
    return plain(check.expression)
