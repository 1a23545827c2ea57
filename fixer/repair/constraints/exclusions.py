"""Exclusion constraints: what they compare, which demand the same, and how one is added."""

from __future__ import annotations

from dataclasses import replace

from fixer.model.expression import column_of, compared
from fixer.model.expression.patterns import pattern
from fixer.model.step import Hazard, Part, Phase, RefusalError
from fixer.model.table import Index, Table
from fixer.model.values import dataclass
from fixer.sql import ddl
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.uniques import claim, excluding

_RANGES = pattern(r"(?:int4|int8|num|ts|tstz|date)range\b")


@dataclass(frozen=True)
class Element:
    """A value that an exclusion compares, as an expression over the row, and the operator that compares it."""

    value: str
    operator: str
    equal: bool = False  # whether the operator is the equality of the type
    ranges: str = ""  # the type, if it is one of PostgreSQL's ranges

    @property
    def overlaps(self) -> bool:
        """Whether it compares ranges by their overlap."""
        return bool(self.ranges) and self.operator == "&&"


def elements(wanted: Index, table: Table) -> tuple[Element, ...]:
    """Return what an exclusion compares, of rows of the table."""
    return tuple(_element(*compared(each), table) for each in excluding(wanted).elements)


def names(wanted: Index, column: str) -> bool:
    """Return whether an exclusion depends on a column."""
    return excluding(wanted).names(column)


def _element(value: str, operator: str, table: Table) -> Element:
    column = table.columns.get(column_of(value)[0])
    type_ = value if column is None else column.base or ("" if column.home else column.type)
    ranges = _RANGES.match(type_) if column is None else _RANGES.fullmatch(type_)
    equal = operator == "=" or bool(column and operator == column.equality)
    return Element(value, operator, equal, ranges[0] if ranges else "")


# --- which demand the same


def stands(wanted: Index, table: Table) -> Index | None:
    """Return the valid exclusion of the table that demands the same, under any name; an enforced one is preferred."""
    demand = claim(wanted, table)
    same = [each for each in table.indexes if each.exclusion and each.valid and claim(each, table) == demand]
    return min(same, key=lambda each: bool(each.disabled_triggers), default=None)


def namesake(wanted: Index, table: Table, meant: Table) -> Index | None:
    """Return the exclusion of the table that has the wanted one's name, unless it is another one of the contract."""
    found = next((each for each in table.indexes if each.exclusion and each.name == wanted.name), None)
    others = [each for each in meant.indexes if each.exclusion]
    return found if found and not any(claim(each, meant) == claim(found, table) for each in others) else None


def is_replaced(found: Index, table: Table, meant: Table) -> bool:
    """Return whether an exclusion of the contract that is missing has the name of this one, and takes its place."""
    missing = (each for each in meant.indexes if each.exclusion and not stands(each, table))
    return any(namesake(each, table, meant) is found for each in missing)


# --- how one is added


def added(name: str, wanted: Index, table: Table, version: int, *, instead_of: Index | None = None) -> Part:
    """Return the step that adds an exclusion, in the same statement in which `instead_of` goes, if that is given.

    PostgreSQL builds its index under the lock in either mode: there is no CONCURRENTLY for it (manual, ALTER TABLE).
    """
    refuse_partitions(wanted, table, version)
    action: Composable = SQL("ADD CONSTRAINT {} {}").format(Identifier(name), SQL(wanted.exclusion))
    title, hazard = f"add {wanted.exclusion} to {table.name.name}", None
    if instead_of:
        action = SQL("DROP CONSTRAINT {},\n    {}").format(Identifier(instead_of.name), action)
        title, hazard = f"{title}, in place of {_told(instead_of, wanted, table)}", Hazard.REPLACES_CONSTRAINT
    step = alter(Phase.INDEXES, table.name, title, action, hazard=hazard, rows=table.estimated_rows)
    return step.online_as((replace(step, title=f"{title} (all others wait until it is built)"),))


def _told(found: Index, wanted: Index, table: Table) -> str:
    """Return in words what is replaced."""
    alike = claim(found, table) == claim(wanted, table)
    return f"{found.name}, whose trigger is disabled" if alike else found.exclusion


def refuse_partitions(wanted: Index, table: Table, version: int) -> None:
    """Raise RefusalError if the table is partitioned so that it cannot have the exclusion (manual, 5.12.2.3)."""
    if table.kind != "p":
        return
    if version < 17:
        raise RefusalError("a partitioned table takes it from PostgreSQL 17 on: add it to each partition")
    ddl.whole(table, [column_of(each.value)[0] for each in elements(wanted, table) if each.equal])
