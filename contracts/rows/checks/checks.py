"""Finds the checks of a table, and the conditions on one column alone."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import CheckConstraint, Table
from sqlalchemy.dialects import postgresql as pg

from contracts.rows.checks.reader import read
from contracts.rows.conditions import Condition, Conditions, Other
from contracts.rows.sqltext import mentioned_in, sql_of
from contracts.rows.tables import AnyColumn, columns_of, name_of, places
from fixer.model.expression import as_needed, quoted


@dataclass(frozen=True)
class Check:
    """A check constraint, and the conditions that could be read from it."""

    name: str
    columns: tuple[str, ...]
    conditions: Conditions
    whole: bool


def spelt_checks(table: Table) -> Iterator[tuple[str, str]]:
    """Yield the name and the SQL of each check constraint; one without a name has the name that PostgreSQL gives."""
    own = [c for c in table.constraints if isinstance(c, CheckConstraint)]
    own += [c for column in table.columns for c in column.constraints if isinstance(c, CheckConstraint)]
    for constraint in own:
        text = sql_of(constraint.sqltext)
        mentioned = mentioned_in(text, columns_of(table))
        middle = f"_{mentioned[0]}" if len(mentioned) == 1 else ""
        yield name_of(constraint, f"{table.name}{middle}_check"), _of_columns(text, table)


def _of_columns(text: str, table: Table) -> str:
    """Return a check in which the whole row, spelt by the name of the table, is asked column by column."""
    if table.name in columns_of(table):
        return text
    name = rf'(?<![\w".])(?:{re.escape(quoted(table.name))}|{re.escape(as_needed(table.name))})(?:\.\*)?'

    def asked(found: re.Match[str]) -> str:
        return (
            f"({' AND '.join(f'{quoted(each)} IS {found[1]}' for each in columns_of(table))})" if found[1] else found[0]
        )

    return re.sub(rf"'(?:[^']|'')*'|{name}\s+IS\s+((?:NOT\s+)?NULL)\b", asked, text, flags=re.IGNORECASE)


@functools.cache
def checks_of(table: Table) -> tuple[Check, ...]:
    """Return the checks of a table, those of its columns' domains too."""
    columns = columns_of(table)
    found = [_check(name, text, columns, mentioned_in(text, columns)) for name, text in spelt_checks(table)]
    for column in table.columns:
        if isinstance(column.type, pg.DOMAIN) and column.type.check is not None:
            named = str(column.type.constraint_name or f"{column.type.name}_check")
            check = _check(named, sql_of(column.type.check), {"value": column}, (column.name,))
            found.append(replace(check, conditions=tuple(replace(c, column=column.name) for c in check.conditions)))
    return tuple(sorted(found, key=lambda check: (places(table, check.columns), check.name)))


def _check(name: str, text: str, columns: Mapping[str, AnyColumn], mentioned: tuple[str, ...]) -> Check:
    claim = read(text, columns)
    return Check(name, mentioned, claim.conditions, claim.whole)


@functools.cache
def conditions_of(column: AnyColumn) -> Conditions:
    """Return what the checks say about one column alone."""
    domain = column.type if isinstance(column.type, pg.DOMAIN) else None
    held = (Condition(column.name, "not null"),) if domain is not None and domain.not_null else ()
    checks = (each for check in checks_of(column.table) for each in check.conditions)
    return held + tuple(c for c in checks if c.column == column.name and not isinstance(c.value, Other))
