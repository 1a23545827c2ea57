"""The laws of a table: expressions over one row that a good row makes true, or that can at least be computed.

Many of them say no more than conditions that were read from them already. The others are hard: only the server
knows which rows obey them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ARRAY, CheckConstraint, Column, FetchedValue, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql as pg

from contracts.rows.checks.checks import checks_of
from contracts.rows.checks.reader import read
from contracts.rows.kinds.kind import Grid
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.laws.generated import generated
from contracts.rows.laws.references import foreign
from contracts.rows.laws.relations import underived_checks
from contracts.rows.sqltext import DIALECT, mentioned_in, sql_of
from contracts.rows.tables import columns_of, name_of
from fixer.model.schema import QName
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier


@dataclass(frozen=True)
class Law:
    """One expression over the columns of a row."""

    text: str  # as the models or the server spell it, over the table's own name
    columns: tuple[str, ...]
    binding: bool = True  # false breaks it; otherwise only an error does
    hard: bool = True  # no condition says it
    words: str = ""  # what the user knows it by
    hints: str = ""  # SQL in which values stand that it speaks of
    placing: bool = False  # says which rows the partitions hold
    composed: Composable | None = field(default=None, compare=False)

    @property
    def sql(self) -> Composable:
        """The expression itself."""
        return SQL(self.text) if self.composed is None else self.composed


@dataclass(frozen=True)
class Apart:
    """What no two rows may share: the elements of a key, a unique index or an exclusion constraint."""

    name: str
    elements: tuple[tuple[str, str], ...]  # each an expression and the operator by which two rows agree
    where: str
    columns: tuple[str, ...]

    def law(self, home: QName) -> Law:
        """Return the law that a row agrees with none of the table that stands there."""
        where = SQL(" WHERE {}").format(SQL(self.where)) if self.where else SQL("")
        cells = SQL(", ").join(
            SQL("({}) AS {}").format(SQL(text), Identifier(f"e{at}")) for at, (text, _) in enumerate(self.elements)
        )
        alike = SQL(" AND ").join(
            SQL("mine.{0} {1} theirs.{0}").format(Identifier(f"e{at}"), SQL(operator))
            for at, (_, operator) in enumerate(self.elements)
        )
        sql = SQL(
            "NOT EXISTS (SELECT FROM (SELECT {cells}{where}) AS mine"
            " JOIN (SELECT {cells} FROM {home}{where}) AS theirs ON {alike})"
        ).format(cells=cells, where=where, home=q.name(home), alike=alike)
        texts = [text for text, _ in self.elements]
        words = f"{self.name}, whose values are all taken"
        return Law(" ".join([str(home), self.name, *texts, self.where]), self.columns, words=words, composed=sql)


@functools.cache
def apart_of(table: Table) -> tuple[Apart, ...]:
    """Return what no two rows of a table may share."""
    found = []
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint) and len(constraint.columns):
            names = [column.name for column in constraint.columns]
            word = "PRIMARY KEY" if isinstance(constraint, PrimaryKeyConstraint) else "UNIQUE"
            shown = f"{word} ({', '.join(names)})"
            found.append(_apart(table, shown, [(quoted(n), _equals(constraint)) for n in names], None))
        elif isinstance(constraint, pg.ExcludeConstraint):
            elements = [(sql_of(expression), operator) for expression, _, operator in constraint._render_exprs]
            found.append(_apart(table, f"EXCLUDE {name_of(constraint, '')}", elements, constraint.where))
    for index in sorted((i for i in table.indexes if i.unique), key=lambda index: str(index.name)):
        where = index.dialect_options["postgresql"].get("where")
        elements = [(sql_of(each), _equals(index)) for each in index.expressions]
        found.append(_apart(table, f"the unique index {index.name}", elements, where))
    return tuple(found)


def _apart(table: Table, name: str, elements: Sequence[tuple[str, str]], where: Any) -> Apart:
    predicate = "" if where is None else sql_of(where)
    texts = [*(text for text, _ in elements), predicate]
    columns = dict.fromkeys(n for text in texts for n in _behind(table, mentioned_in(text, columns_of(table))))
    return Apart(name, tuple(elements), predicate, tuple(columns))


def _equals(constraint: Any) -> str:
    loose = constraint.dialect_options["postgresql"].get("nulls_not_distinct")
    return "IS NOT DISTINCT FROM" if loose else "="


@functools.cache
def spread(table: Table) -> frozenset[str]:
    """Return the columns that keep rows apart under exclusion constraints, one for each."""
    found = set[str]()
    for constraint in table.constraints:
        if isinstance(constraint, pg.ExcludeConstraint):
            for expression, _, operator in constraint._render_exprs:
                names = [n for n in mentioned_in(sql_of(expression), columns_of(table)) if n not in foreign(table)]
                found |= {n for n in names[:1] if operator != "=" and kind_or_none(columns_of(table)[n])}
    return frozenset(found)


@functools.cache
def laws_of(table: Table) -> tuple[Law, ...]:
    """Return the laws that the models say: checks, computed columns, expressions in indexes."""
    return (*_checks(table), *_domains(table), *_computed(table), *_indexed(table))


@functools.cache
def counted(column: Column[Any]) -> bool:
    """Tell whether a column takes its numbers from a sequence, and any other number would do as well."""
    if not generated(column) or column.computed is not None or type(column.server_default) is FetchedValue:
        return False
    spoken_of = any(law.hard and law.columns == (column.name,) for law in laws_of(column.table))
    return isinstance(kind_or_none(column), Grid) and not spoken_of


def _law(table: Table, text: str, **words: Any) -> Law:
    return Law(text, _behind(table, mentioned_in(text, columns_of(table))), hints=text, **words)


def _behind(table: Table, names: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that one chooses, where an expression names these."""
    found = dict[str, None]()
    for name in names:
        computed = columns_of(table)[name].computed
        text = sql_of(computed.sqltext) if computed is not None else ""
        found |= dict.fromkeys(mentioned_in(text, columns_of(table)) if computed is not None else (name,))
    return tuple(found)


def _checks(table: Table) -> Iterator[Law]:
    hard, own = underived_checks(table), {check.name for check in checks_of(table)}
    constraints = [c for c in table.constraints if isinstance(c, CheckConstraint)]
    constraints += [c for column in table.columns for c in column.constraints if isinstance(c, CheckConstraint)]
    for constraint in constraints:
        text = sql_of(constraint.sqltext)
        mentioned = mentioned_in(text, columns_of(table))
        middle = f"_{mentioned[0]}" if len(mentioned) == 1 else ""
        name = name_of(constraint, f"{table.name}{middle}_check")
        yield _law(table, text, hard=name in hard or name not in own, words=f"CHECK ({text})")


def _domains(table: Table) -> Iterator[Law]:
    """Yield what the domains of columns and of their items say: a cast to the domain tells."""
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
    """Yield what an index must be able to compute of each row."""
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        where = index.dialect_options["postgresql"].get("where")
        for each in (*index.expressions, *([] if where is None else [where])):
            text = sql_of(each)
            if text.strip('"') not in columns_of(table):
                plain = each is where and read(text, columns_of(table)).whole
                yield _law(table, text, binding=False, hard=not plain, words=f"the index {index.name} on {text}")
    for constraint in table.constraints:
        if isinstance(constraint, pg.ExcludeConstraint):
            for expression, _, operator in constraint._render_exprs:
                text = sql_of(expression)
                if operator != "=":
                    yield _law(table, text, binding=False, words=f"EXCLUDE ({text} WITH {operator})")


def sql_of_type(column: object) -> str:
    """Return the type of a column as the models spell it."""
    return str(column.type.compile(dialect=DIALECT))  # type: ignore[attr-defined]


def quoted(name: str) -> str:
    """Return a name in quotation marks."""
    return '"' + name.replace('"', '""') + '"'
