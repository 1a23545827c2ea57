"""Counts the keys that a unique index binds: in its table, and in its own order."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.expression import tail_of
from fixer.model.expression.patterns import pattern
from fixer.model.table import Index, Table
from fixer.model.values import dataclass
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.conditions import over_row
from fixer.sql.uniques import bound_by, claim

_ORDER = pattern(r"(?: \w+_pattern_ops)?(?: DESC| ASC)?(?: NULLS (?:FIRST|LAST))?$")


def claimed(table: Table, wanted: Table) -> Iterator[Index]:
    """Yield the valid unique indexes of a table that do what a unique of the contract says."""
    claims = {(its.elements, its.conditions) for its in (claim(key, wanted) for key in wanted.indexes if key.unique)}
    for index in table.indexes:
        if index.unique and index.valid and index.tail.startswith("USING btree "):
            its = claim(index, table)
            if (its.elements, its.conditions) in claims and not any("_ops" in each for each in its.elements):
                yield index


@dataclass(frozen=True)
class Keys:
    """The keys of the rows that a unique index binds."""

    table: Table
    index: Index

    @property
    def plain(self) -> bool:
        """Whether its keys are columns of types that PostgreSQL's own operators compare, of all rows."""
        columns = [self.table.columns.get(column) for column in self.index.columns]
        own = all(c and c.equality == "=" and not c.home for c in columns)
        return own and not (self.index.partial or self.index.nulls_not_distinct)

    def _elements(self) -> list[Composable]:
        return [
            SQL("({})").format(over_row(_ORDER.sub("", each), self.table)) for each in tail_of(self.index.tail).elements
        ]

    def bound(self) -> Composable:
        """Return the condition that the index binds a row."""
        return q.all_of([*bound_by(self.index, self.table), *self._filled()])

    def _stands(self) -> Composable:
        """Return the condition that the index binds a row, which PostgreSQL can look up in no index: it is a CASE."""
        return SQL("CASE WHEN {} THEN {} END").format(self.bound(), q.STANDS)

    def _filled(self) -> list[Composable]:
        """Return the conditions that no element is NULL, which repeats nothing; none where none can be."""
        if self.index.nulls_not_distinct:
            return [SQL("true")]
        pairs = zip(self.index.columns, self._elements(), strict=True)
        there = self.table.columns
        open_ = [each for column, each in pairs if column not in there or not there[column].not_null]
        return [SQL("{} IS NOT NULL").format(each) for each in open_] or [SQL("true")]

    @property
    def rows(self) -> Composable:
        """The rows of the table, without those of others that INHERIT from it."""
        return SQL("ONLY {} AS t" if self.table.heirs else "{} AS t").format(q.name(self.table.name))

    def _named(self) -> tuple[Composable, Composable]:
        """Return the elements with names, and the names."""
        names = [Identifier(f"k{place}") for place in range(len(self.index.columns))]
        pairs = zip(self._elements(), names, strict=True)
        return SQL(", ").join(SQL("{} AS {}").format(*pair) for pair in pairs), SQL(", ").join(names)

    def different(self, *, around: bool = False) -> Composable:
        """Return the SELECT for the number of different keys; with `around`, no index is read.

        From version 16 on, an index gives a single element in order to count(DISTINCT): faster than a subquery.
        """
        keys, names = self._named()
        rows = SQL("SELECT {} FROM {} WHERE {}").format(keys, self.rows, self._stands() if around else self.bound())
        rows += SQL(" OFFSET 0") if around else SQL("")  # keeps the order of the outer query out
        if len(self.index.columns) == 1 and not self.index.nulls_not_distinct:
            return SQL("SELECT ARRAY[count(DISTINCT {})] FROM ({}) AS t").format(names, rows)
        return SQL("SELECT ARRAY[count(*)] FROM (SELECT DISTINCT {} FROM ({}) AS t) AS k").format(names, rows)

    def rising(self) -> Composable:
        """Return the SELECT for the number of keys that are greater than the one before."""
        _, names = self._named()
        before = SQL(", ").join(SQL("lag({}) OVER w").format(each) for each in self._elements())
        earlier = SQL(", ").join(Identifier(f"p{place}") for place in range(len(self.index.columns)))
        return SQL(
            "SELECT ARRAY[count(*) FILTER (WHERE nth = 1 OR ROW({earlier}) < ROW({names}))]"
            " FROM (SELECT {keys}, {before}, row_number() OVER w FROM {rows} WHERE {bound}"
            " WINDOW w AS (ORDER BY {keys})) AS k ({names}, {earlier}, nth)"
        ).format(
            earlier=earlier,
            names=names,
            keys=SQL(", ").join(self._elements()),
            before=before,
            rows=self.rows,
            bound=self.bound(),
        )

    def shown(self) -> Composable:
        """Return the SELECT for the number of rows that the index shows, if a plan can follow its order."""
        keys, names = self._named()
        rows = SQL("SELECT {} FROM {} WHERE {}").format(keys, self.rows, self.bound())
        in_order = SQL("SELECT * FROM ({}) AS t ORDER BY {} OFFSET 0").format(rows, names)
        return SQL("SELECT ARRAY[count(*)] FROM ({}) AS k").format(in_order)
