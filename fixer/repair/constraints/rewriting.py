"""What a table would refuse if cells of it were rewritten: rows alike under a unique, broken checks, orphans."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial

from fixer.model.contract import Contract
from fixer.model.expression import canonical, names_column, tail_of
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Probe
from fixer.model.obstacle import ApartCheck, ApartIndex
from fixer.model.schema import Schema
from fixer.model.table import Check, Column, ForeignKey, Index, QName, Table
from fixer.model.values import dataclass
from fixer.repair.constraints.checks import over_row
from fixer.repair.constraints.checks import spelt as spelt_check
from fixer.repair.constraints.conflicts import can_compare, caused
from fixer.repair.constraints.exclusions import names
from fixer.repair.probe import parents, shown, within
from fixer.sql import compose as q
from fixer.sql import uniques
from fixer.sql.compose import SQL, Composable, Composed, Identifier
from fixer.sql.following import orphaned

Asks = Callable[[], Probe]
Refused = tuple[str, Asks]
_LABEL = pattern(r"('(?:[^']|'')*')::.+", re.DOTALL)  # a literal in a cast to its enum
_UNIQUE = ("p", "u", "unique")  # kinds of indexes of single partitions
_ANYWHERE = SQL("true")
_NEW, _ALIKE = SQL("t.pgmend_new"), SQL("t.pgmend_alike")


@dataclass(frozen=True)
class Rewriting:
    """New cells of a table by column, and the condition for the rows that get them, both over the row `t`.

    `fills` says that no new cell is NULL in the end, even if its value does not exist yet. `about` is the column that
    is asked about, if it is not all of them: what does not concern it is asked about the others.
    """

    table: Table  # as the plan so far leaves it
    cells: Mapping[str, Composable]
    where: Composable
    fills: bool = False
    about: str | None = None

    def refused(self, actual: Schema, contract: Contract) -> Iterator[Refused]:
        """Yield what may refuse the new cells, in words, each with the probe for the rows that it would refuse."""
        yield from self.of_itself(contract)
        yield from self._repeated_above(actual, contract)
        yield from self.orphaned(actual, contract)

    def of_itself(self, contract: Contract) -> Iterator[Refused]:
        """Yield what of the table itself may refuse the new cells, as `refused` does."""
        wanted = contract.tables[self.table.name]
        for index in self._uniques(wanted):
            yield f"{uniques.spelt(index)} ({index.name})", partial(self._alike, index)
        yield from self._refused_apart()
        for check in self._checks(wanted):
            yield f"CHECK {spelt_check(check)} ({check.name})", partial(self._broken, check)

    def _repeated_above(self, actual: Schema, contract: Contract) -> Iterator[Refused]:
        """Yield the keys of tables from which this one INHERITs, which do not bind its rows, but show them."""
        own = {canonical(index.tail) for index in self._uniques(contract.tables[self.table.name])}
        for above in sorted(actual.above(self.table.name) & contract.tables.keys()):
            for index in contract.tables[above].indexes:
                alone = index.unique and not index.partial and canonical(index.tail) not in own
                if alone and set(index.columns) <= self.table.columns.keys() and self._concern({*index.columns}):
                    what = f"{uniques.spelt(index)} ({index.name}) of {above.name}, which shows these rows,"
                    yield what, partial(self._alike, index)

    def orphaned(self, actual: Schema, contract: Contract) -> Iterator[Refused]:
        """Yield the foreign keys that may refuse the new cells, in words, each with the probe for the rows."""
        for key in self._keys(contract.tables[self.table.name], actual):
            what = f"FOREIGN KEY ({', '.join(key.columns)}) ({key.name})"
            yield what, partial(self._parentless, key, actual, contract)

    def excluded(self, contract: Contract) -> Iterator[Refused]:
        """Yield the exclusions that may refuse the new cells, as `refused` does; none that takes too long to ask."""
        seen, wanted = set[str](), contract.tables[self.table.name]
        for index in (*self.table.indexes, *wanted.indexes):
            bars = uniques.by_overlap(index) if index.overlaps_not else index
            named = {c for c in (*self.table.columns, *wanted.columns) if bars.exclusion and names(bars, c)}
            said = canonical(bars.exclusion)
            if index.valid and said not in seen and self._concern(named) and can_compare(bars, self.table):
                seen.add(said)
                yield f"{uniques.spelt(index)} ({index.name})", partial(self._conflicting, bars)

    def _refused_apart(self) -> Iterator[Refused]:
        """Yield what partitions alone may refuse."""
        for each in self.table.obstacles:
            if isinstance(each, ApartIndex) and each.kind in _UNIQUE:
                tail, what = tail_of(each.tail.strip()), f"the {each.name} of {each.part} alone"
                alike = "NULLS NOT DISTINCT" in tail.options
                index = Index(each.name, tail.elements, each.tail.strip(), nulls_not_distinct=alike)
                named, asks = filter(tail.names, self.table.columns), partial(self._alike, index, within(each.part))
            elif isinstance(each, ApartCheck):
                what, check = f"the {each.name} alone", Check(each.check, each.expression, ())
                named = filter(partial(names_column, each.expression), self.table.columns)
                asks = partial(self._broken, check, within(each.part))
            else:
                continue
            if self._concern({*named}):
                yield what, asks

    def _uniques(self, wanted: Table) -> Iterator[Index]:
        """Yield the uniques, found and wanted, that the new cells concern."""
        seen = set[str]()
        for index in (*self.table.indexes, *wanted.indexes):
            named = {c for c in (*self.table.columns, *wanted.columns) if names_column(index.tail, c)}
            said = canonical(index.tail)
            if index.unique and index.valid and said not in seen and self._concern(named):
                seen.add(said)
                yield index

    def _checks(self, wanted: Table) -> Iterator[Check]:
        """Yield the checks, found and wanted, that the new cells concern."""
        seen = set[str]()
        for check in (*self.table.checks, *wanted.checks):
            said = canonical(check.expression)
            if check.enforced and said not in seen and self._concern({*check.columns}):
                seen.add(said)
                yield check

    def _keys(self, wanted: Table, actual: Schema) -> Iterator[ForeignKey]:
        """Yield the foreign keys, found and wanted, whose references the new cells are."""
        keys = [*self.table.foreign_keys, *wanted.foreign_keys] if self.fills else []
        seen = set[tuple[QName, frozenset[tuple[str, str]]]]()
        for key in keys:
            parent = actual.tables.get(key.target)
            known = parent and all(_is_known(parent.columns.get(column)) for column in key.target_columns)
            if known and (key.target, key.pairs) not in seen and self._concern({*key.columns}):
                seen.add((key.target, key.pairs))
                yield key

    def _concern(self, columns: set[str]) -> bool:
        """Return whether one of these columns gets new cells, and the values of all are known."""
        known = all(_is_known(self.table.columns.get(column)) for column in columns)
        asked = self.cells if self.about is None else {self.about}
        return known and not columns.isdisjoint({*asked, *self._following(asked)})

    def _following(self, cells: Collection[str]) -> dict[str, Composable]:
        """Return the generated columns that follow new cells, with their expressions."""
        made = (c for c in self.table.columns.values() if c.generated and c.default)
        return {
            c.name: SQL("({})::{}").format(SQL(str(c.default)), SQL(c.full_type))
            for c in made
            if any(names_column(str(c.default), cell) for cell in cells)
        }

    def _rows(self) -> Composed:
        """Return a FROM item `t`: the rows with their new cells, and whether they get any (`pgmend_new`)."""
        rows = SQL("(SELECT t.tableoid, t.ctid, {}, ({}) IS TRUE AS pgmend_new FROM {}) AS t").format(
            q.columns(self.table.columns), self.where, q.rows_of(self.table, own=True)
        )
        for new in filter(None, (self.cells, self._following(self.cells))):
            cells = SQL(", ").join(
                SQL("{} AS {}").format(new.get(c, q.column(c)), Identifier(c)) for c in self.table.columns
            )
            rows = SQL("(SELECT t.tableoid, t.ctid, {}, t.pgmend_new FROM {}) AS t").format(cells, rows)
        return rows

    def _alike(self, index: Index, within: Composable = _ANYWHERE) -> Probe:
        """Return the probe for rows that would share the values of a unique with another row `within` a part."""
        cells, rows = uniques.compared(index, self.table), self._rows()
        late = [self.fills and column in self.cells for column in index.columns]
        filled = [
            SQL("({} IS NOT NULL OR t.pgmend_new)" if new else "{} IS NOT NULL").format(cell)
            for cell, new in zip(cells, late, strict=True)
        ]
        where = [
            SQL("EXISTS (SELECT FROM {} WHERE {})").format(rows, _NEW),  # asked once: else nothing is sorted
            within,
            *([] if index.nulls_not_distinct else filled),
            *uniques.bound_by(index, self.table),
        ]
        source = SQL("(SELECT t.*, count(*) OVER (PARTITION BY {}) AS pgmend_alike FROM {} WHERE {}) AS t").format(
            SQL(", ").join(cells), rows, q.all_of(where)
        )
        return self._probe(source, SQL("{} > 1").format(_ALIKE))

    def _broken(self, check: Check, within: Composable = _ANYWHERE) -> Probe:
        """Return the probe for rows `within` a part that satisfy a check today and would break it."""
        expression = SQL("({})").format(over_row(check, self.table))
        sound = q.all_of([SQL("({})").format(self.where), SQL("{} IS NOT FALSE").format(expression)])
        broken = q.all_of([within, SQL("NOT {}").format(expression)])
        return self._probe(replace(self, where=sound)._rows(), broken)

    def _conflicting(self, bars: Index) -> Probe:
        """Return the probe for rows that would conflict under an exclusion, where new cells are among the reasons."""
        return caused(bars, self.table, self._rows(), _NEW)

    def _parentless(self, key: ForeignKey, actual: Schema, contract: Contract) -> Probe:
        """Return the probe for rows that would reference no parent, the default rows included."""
        come = [
            q.all_of(
                q.is_value(self.table, column, row[target])
                for column, target in zip(key.columns, key.target_columns, strict=True)
            )
            for row in contract.hints[key.target].default_rows
            if set(key.target_columns) <= set(row)
        ]
        lacking = [
            orphaned(key, parents(actual.tables[key.target])),
            *(SQL("({}) IS NOT TRUE").format(each) for each in come),
        ]
        return self._probe(self._rows(), q.all_of(lacking))

    def _probe(self, source: Composable, condition: Composable) -> Probe:
        return Probe(source, q.all_of([_NEW, condition]), shown(self.table), costly=True)


def _is_known(column: Column | None) -> bool:
    """Return whether the plan can tell the values of a column: it does not map or number them anew."""
    return bool(column and not (column.mapped or column.numbered))


def new_cell(column: Column, value: Composable, *, where_null: bool) -> Composed:
    """Return the cell that gets a value: if it is NULL, or in the rows of a rewriting."""
    text = bool(column.enum and column.now is not None)  # the plan may be the one that creates the type
    label = _LABEL.fullmatch(value.string) if text and isinstance(value, SQL) else None
    value = SQL(label[1]) if label else value
    typed = SQL("({})::{}").format(value, SQL(column.read_as if text else column.full_type))
    if where_null:
        return SQL("COALESCE({}, {})").format(q.column(column.name), typed)
    return SQL("CASE WHEN t.pgmend_new THEN {} ELSE {} END").format(typed, q.column(column.name))
