"""Indexes over a column that is converted: those that need its old type, and rows that would collide in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from fixer.model.expression import as_needed, column_of, mentioned, quoted, tail_of
from fixer.model.finding import Finding, Probe
from fixer.model.step import Repair, refuse
from fixer.model.subject import ColumnUnderIndex, OfColumn
from fixer.model.table import Index, Table
from fixer.repair.probe import ordered, shown
from fixer.repair.rows import counted
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier
from fixer.sql.conditions import over_row
from fixer.sql.conversions.further import Conversion
from fixer.sql.types import shape
from fixer.sql.uniques import bound_by

_NUMBERS = frozenset({"integer", "numeric", "float"})
_ORDER = r"(?: ASC| DESC)?(?: NULLS (?:FIRST|LAST))?"
_CLASS = r"(?: COLLATE [^ ,)]+)? [\w.\"]*_ops\b"


def clinging(table: Table, column: str, wanted: str) -> Index | None:
    """Return an index that prevents a column from getting the wanted type; None without one.

    It names an operator class or collation of the old type. Between other than numeric families, it may also be an
    index with an expression or a condition over the column, other than IS NULL.
    """
    found = table.columns[column].type
    return next((i for i in table.indexes if i.valid and _clings(i, column, found, wanted)), None)


def _clings(index: Index, column: str, found: str, wanted: str) -> bool:
    f, w = shape(found), shape(wanted)
    tail = tail_of(index.tail)
    behind = [rest for name, rest in map(column_of, tail.elements) if name == column]
    if f.family == w.family or {f.family, w.family} <= _NUMBERS:
        alike = f.name == w.name or {f.name, w.name} == {"character varying", "text"}
        return not alike and any(re.match(_CLASS, rest) for rest in behind)
    name = "|".join(re.escape(each(column)) for each in (as_needed, quoted))
    condition = re.sub(rf"\((?:{name}) IS (?:NOT )?NULL\)", "", tail.condition)
    bare = [rest for rest in behind if re.fullmatch(_ORDER, rest)]
    mentions = sum(mentioned(text, column) for text in (*tail.elements, condition))
    return not len(bare) == mentions == index.columns.count(column)


def bare(element: str) -> str:
    """Return what an element of an index holds, without its operator class and order."""
    return re.sub(f"(?:{_CLASS})?{_ORDER}$", "", element)


def merging(
    finding: Finding[OfColumn], table: Table, index: Index, ways: Mapping[str, Conversion]
) -> Finding[OfColumn]:
    """Return the finding that rows would collide in a unique index once its columns are converted in these ways."""
    return replace(
        finding,
        message=f"{finding.message}; rows that {index.name} tells apart would be alike",
        asks=partial(_alike, table, index, ways),
        only_with_rows=True,
        about=ColumnUnderIndex(finding.table, finding.about.column, index),
        aspect=index.name,
    )


def refused(finding: Finding[OfColumn]) -> Repair | None:
    """Return the refusal for rows that would collide; None if the finding is about something else."""
    if not isinstance(finding.about, ColumnUnderIndex):
        return None
    return refuse(f"{counted(finding.rows)} would share a value, and only a person can tell which of them keeps it")


def _alike(table: Table, index: Index, ways: Mapping[str, Conversion]) -> Probe:
    tail = tail_of(index.tail)
    cells = [
        SQL("CASE WHEN {} THEN {} END").format(ways[column].fits, ways[column].value)
        if column in ways
        else SQL("({})").format(over_row(bare(element), table))
        for column, element in zip(index.columns, tail.elements, strict=True)
    ]
    # A row whose value does not convert leaves the table, and so collides with none.
    where = bound_by(index, table)
    where += [SQL("({} IS NULL OR {})").format(q.column(column), way.fits) for column, way in ways.items()]
    where += [] if index.nulls_not_distinct else [SQL("{} IS NOT NULL").format(cell) for cell in cells]
    alike = q.free_name("alike", table.columns)
    source = SQL("(SELECT t.*, count(*) OVER (PARTITION BY {}) AS {} FROM {} WHERE {}) AS t").format(
        SQL(", ").join(cells), Identifier(alike), q.rows_of(table, own=True), q.all_of(where)
    )
    show = (*shown(table), *(ordered(table, column) for column in ways))
    return Probe(source, SQL("{} > 1").format(q.column(alike)), show)
