"""The laws of a table: expressions over one row that a good row makes true, or that can at least be computed.

A law is hard where the conditions that were read do not say all of it: only the server knows which rows obey it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import ARRAY, FetchedValue, Table
from sqlalchemy.dialects import postgresql as pg

from contracts.rows.checks.checks import spelt_checks
from contracts.rows.checks.reader import read
from contracts.rows.kinds.kind import Grid
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.laws.generated import generated
from contracts.rows.laws.relations import underived_checks
from contracts.rows.sqltext import DIALECT, mentioned_in, sql_of
from contracts.rows.tables import AnyColumn, columns_of
from fixer.model.expression import quoted, unquoted
from fixer.sql.compose import SQL, Composable


@dataclass(frozen=True)
class Law:
    """One expression over the columns of a row."""

    text: str  # as the models or the server spell it, over the table's own name
    columns: tuple[str, ...]
    binding: bool = True  # whether false breaks it; otherwise only an error does
    hard: bool = True  # the conditions that were read do not say all of it
    words: str = ""  # how messages name it
    hints: str = ""  # SQL whose literals are likely values
    placing: bool = False  # whether it says which rows the partitions accept
    composed: Composable | None = field(default=None, compare=False)

    @property
    def sql(self) -> Composable:
        """The expression itself."""
        return SQL(self.text) if self.composed is None else self.composed


@functools.cache
def laws_of(table: Table) -> tuple[Law, ...]:
    """Return the laws that the models say: checks, computed columns, expressions in indexes."""
    return (*_checks(table), *_domains(table), *_computed(table), *_indexed(table))


@functools.cache
def counted(column: AnyColumn) -> bool:
    """Return whether a column takes its numbers from a sequence, and any other number would do as well."""
    if not generated(column) or column.computed is not None or type(column.server_default) is FetchedValue:
        return False
    spoken_of = any(law.hard and law.columns == (column.name,) for law in laws_of(column.table))
    return isinstance(kind_or_none(column), Grid) and not spoken_of


def _law(table: Table, text: str, words: str, *, binding: bool = True, hard: bool = True) -> Law:
    return Law(text, behind(table, mentioned_in(text, columns_of(table))), binding, hard, words, hints=text)


def behind(table: Table, names: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that decide these; a generated column stands for the columns in its expression."""
    found = dict[str, None]()
    for name in names:
        computed = columns_of(table)[name].computed
        text = sql_of(computed.sqltext) if computed is not None else ""
        found |= dict.fromkeys(mentioned_in(text, columns_of(table)) if computed is not None else (name,))
    return tuple(found)


def _checks(table: Table) -> Iterator[Law]:
    hard = underived_checks(table)
    for name, text in spelt_checks(table):
        yield _law(table, text, hard=name in hard, words=f"CHECK ({text})")


def _domains(table: Table) -> Iterator[Law]:
    """Yield the laws of the domains of columns and of their items: a cast to the domain fails where one is broken."""
    hard = underived_checks(table)
    for column in table.columns:
        domain, of_items = column.type, isinstance(column.type, ARRAY)
        while isinstance(domain, ARRAY):
            domain = domain.item_type
        if isinstance(domain, pg.DOMAIN) and (domain.check is not None or of_items):
            text = "" if domain.check is None else sql_of(domain.check)
            name = str(domain.constraint_name or f"{domain.name}_check")
            words = f"CHECK ({text}) of {domain.name}"
            yield Law(quoted(column.name), (column.name,), False, of_items or name in hard, words, text)


def _computed(table: Table) -> Iterator[Law]:
    for column in table.columns:
        if column.computed is not None:
            text, kind = sql_of(column.computed.sqltext), kind_or_none(column)
            words = f"{column.name} GENERATED ALWAYS AS ({text})"
            if isinstance(kind, Text) and kind.longest is not None and not kind.padded:
                yield _law(table, f"char_length(({text})::text) <= {kind.longest}", words=words)
            else:
                yield _law(table, f"CAST(({text}) AS {sql_of_type(column)})", binding=False, words=words)


def _indexed(table: Table) -> Iterator[Law]:
    """Yield the expressions that an index computes for each row."""
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        where = index.dialect_options["postgresql"].get("where")
        for each in (*index.expressions, *([] if where is None else [where])):
            text = sql_of(each)
            if unquoted(text) not in columns_of(table):
                plain = each is where and read(text, columns_of(table)).whole
                yield _law(table, text, binding=False, hard=not plain, words=f"the index {index.name} on {text}")
    for constraint in table.constraints:
        if isinstance(constraint, pg.ExcludeConstraint):
            for expression, _, operator in constraint._render_exprs:
                text = sql_of(expression)
                if operator != "=":
                    yield _law(table, text, binding=False, words=f"EXCLUDE ({text} WITH {operator})")


def sql_of_type(column: AnyColumn) -> str:
    """Return the type of a column as the models spell it."""
    return str(column.type.compile(dialect=DIALECT))
