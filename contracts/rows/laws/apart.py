"""The keys of a table as laws that the server can judge."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.sql.base import DialectKWArgs
from sqlalchemy.sql.elements import ClauseElement

from contracts.rows.kinds.types import kind_or_none
from contracts.rows.laws.law import Law, behind
from contracts.rows.laws.references import foreign
from contracts.rows.sqltext import mentioned_in, sql_of
from contracts.rows.tables import columns_of, name_of
from fixer.model.expression import quoted
from fixer.model.table import QName
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier


@dataclass(frozen=True)
class Apart:
    """A key, a unique index or an exclusion constraint: the expressions by which no two rows agree."""

    name: str
    elements: tuple[tuple[str, str], ...]  # each an expression and the operator by which two rows agree
    where: str
    columns: tuple[str, ...]

    def law(self, home: QName) -> Law:
        """Return the law that a row agrees with no existing row of the table."""
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
    """Return the keys, unique indexes and exclusion constraints of a table."""
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


def _apart(table: Table, name: str, elements: Sequence[tuple[str, str]], where: ClauseElement | str | None) -> Apart:
    predicate = "" if where is None else sql_of(where)
    texts = [*(text for text, _ in elements), predicate]
    columns = dict.fromkeys(n for text in texts for n in behind(table, mentioned_in(text, columns_of(table))))
    return Apart(name, tuple(elements), predicate, tuple(columns))


def _equals(constraint: DialectKWArgs) -> str:
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
