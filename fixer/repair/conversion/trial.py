"""What depends on columns, asked by questions without rows whether it goes with the types that they will have.

A question has `SELECT NULL::type AS column` in place of each table. Only what goes with the types of today, and not
with the new ones, is known not to go with them: what fails either way tells nothing, such as a view that needs a
primary key to group by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fixer.model.expression import column_of, names_column, names_in, quoted, split, tail_of, with_relations
from fixer.model.finding import Finding
from fixer.model.obstacle import BROUGHT_BACK, Dependent, Standing
from fixer.model.schema import Schema
from fixer.model.table import Column, Index, QName
from fixer.model.values import dataclass
from fixer.repair.conversion.indexes import bare
from fixer.sql.compose import SQL, Composable

Place = tuple[QName, str]  # a table and a column, by its name of today
_LIKE_AN_ENUM = "pg_catalog.pg_lsn"  # compares with its own kind alone, as an enum does that the plan creates

_NO_ROW = "NULL AS pgmend_no_row"  # keeps it from being taken for a row of the table, whose type it cannot show


@dataclass(frozen=True)
class Trial:
    """Something that depends on columns that get another type, and the query that uses it."""

    name: str  # as a person says it
    places: frozenset[Place]
    query: str
    again: str = ""  # how a person brings it back; empty for what stands over a column, or an index


@dataclass(frozen=True)
class Trials:
    """What depends on the columns that a plan converts, and the types that these have today and will have."""

    actual: Schema
    future: Schema
    converted: frozenset[Place]
    parts: tuple[tuple[QName, QName, Mapping[str, str]], ...] = ()  # partitions and heirs, with the types of columns

    @classmethod
    def of(cls, findings: Iterable[Finding], actual: Schema, future: Schema) -> Trials:
        """Return the trials for all columns that the repairs of these findings convert in place."""
        return cls(actual, future, frozenset(place for finding in findings for place in places_of(finding, future)))

    def every(self) -> Iterator[Trial]:
        """Yield what can be asked of views, policies and indexes."""
        for each, those in sorted(self._standing().items(), key=lambda item: (item[0].level, item[0].name)):
            if each.kind in BROUGHT_BACK and not each.hindrance:
                yield Trial(each.name, frozenset(those), _used(each))
        for name in self.tables:
            for index in self.actual.tables[name].indexes:
                tail = tail_of(index.tail)
                places = frozenset((table, c) for table, c in self.converted if table == name and tail.names(c))
                if places and index.valid:
                    yield Trial(f"index {index.name}", places, _searched(name, index))

    def methods(self) -> Iterator[tuple[str, Place, str, str]]:
        """Yield indexes other than B-trees over bare columns: their names, columns, access methods and new types."""
        for name, column in sorted(self.converted):
            table = self.actual.tables.get(name)
            for index in table.indexes if table else ():
                tail = tail_of(index.tail)
                method = tail.method.removeprefix("USING ")
                if index.valid and method != "btree" and (column, "") in map(column_of, tail.elements):
                    yield index.name, (name, column), method, self._type(self._future(name)[column])

    def calls(self) -> Iterator[tuple[Standing, Place, tuple[str, str, str]]]:
        """Yield what stands over a column and calls code of the database's own, with each call and both types."""
        for each, places in self._standing().items():
            for table, column in sorted(places) if each.kind in BROUGHT_BACK else ():
                old, new = self.actual.tables[table].columns[column], self._future(table)[column]
                for call in each.calls if not self._is_to_come(new) else ():
                    if _takes(each, call, column):
                        yield each, (table, column), (call, old.full_type, new.full_type)

    @property
    def with_statistics(self) -> list[QName]:
        """The tables that may have extended statistics of their columns."""
        obstacles = ((name, self.actual.tables[name].obstacles) for name in self.tables)
        return [name for name, each in obstacles if any(isinstance(obstacle, Dependent) for obstacle in each)]

    def of_statistics(self, table: QName, name: str, definition: str) -> Iterator[Trial]:
        """Yield what can be asked of extended statistics, which need an order of what they are about."""
        elements = split(split(definition, "ON")[1], "FROM")[0]
        places = frozenset((of, c) for of, c in self.converted if of == table and names_column(elements, c))
        again = f"DROP STATISTICS {name}; Afterwards: {definition}"
        if places:
            yield Trial(f"statistics {name}", places, f"SELECT FROM {_spelt(table)} ORDER BY {elements}", again)

    @property
    def tables(self) -> list[QName]:
        """The tables whose columns get another type."""
        return sorted({table for table, _ in self.converted} & self.actual.tables.keys())

    def question(self, trial: Trial, new: frozenset[Place] = frozenset()) -> Composable:
        """Return the query of a trial, in which these columns have their new types, and all others those of today."""
        relations = dict[tuple[str, str], str]()
        for name in self.tables:
            types = {column.name: column.full_type for column in self.actual.tables[name].columns.values()}
            relations[name] = self._row(types, name, new)
        for whole, part, columns in self.parts:  # they get the types too
            relations[part] = self._row(columns, whole, new)
        for each in sorted(self._standing(), key=lambda each: each.level):
            if each.kind == "view":
                relations[_named(each.drop)] = with_relations(each.definition, relations)
        return SQL("PREPARE pgmend_trial AS {}; DEALLOCATE pgmend_trial").format(
            SQL(with_relations(trial.query, relations))
        )

    def _standing(self) -> dict[Standing, set[Place]]:
        """Return what stands over the columns, and over which of them."""
        known, places = dict[str, Standing](), dict[Standing, set[Place]]()
        for name, column in sorted(self.converted):
            for each in self.future.tables[name].standing.get(column, ()):
                places.setdefault(known.setdefault(each.drop, each), set[Place]()).add((name, column))
        return places

    def _row(self, types: Mapping[str, str], whole: QName, new: frozenset[Place]) -> str:
        future = self._future(whole)
        cells = (
            f"NULL::{self._type(future[name]) if (whole, name) in new else type_} AS {quoted(name)}"
            for name, type_ in types.items()
        )
        return f"SELECT {', '.join((*cells, _NO_ROW))}"

    def told(self, why: str, places: Iterable[Place]) -> str:
        """Return why something fails over these columns, with the name of an enum that does not exist yet."""
        columns = (self._future(table)[column] for table, column in sorted(places))
        enums = [column.enum for column in columns if self._is_to_come(column)]
        return why.replace(_LIKE_AN_ENUM.partition(".")[2], enums[0]) if enums else why

    def _future(self, table: QName) -> dict[str, Column]:
        """Return the columns to come of a table, by their names of today."""
        return {column.stored_as or name: column for name, column in self.future.tables[table].columns.items()}

    def _is_to_come(self, column: Column) -> bool:
        return bool(column.enum) and column.full_type not in self.actual.labels

    def _type(self, column: Column) -> str:
        come = self._is_to_come(column)
        return column.type.replace(column.enum, _LIKE_AN_ENUM) if come else column.full_type


def places_of(finding: Finding, future: Schema) -> Iterator[Place]:
    """Yield the columns that the repair of a finding converts in place."""
    for step in () if finding.left_out or finding.repair.refusal else finding.repair.steps:
        table = future.tables.get(step.table)
        for reverted in step.shape.reverts if table else ():
            if table and (column := table.columns.get(reverted.column)):
                yield step.table, column.stored_as or column.name


def _takes(each: Standing, call: str, column: str) -> bool:
    """Return whether its definition shows that a function or operator is called with a column."""
    kind, _, signature = call.partition(" ")
    if kind != "function":
        return names_column(each.definition, column)
    calls = each.definition.split(f"{signature.partition('(')[0]}(")[1:]
    return any(names_column(split(arguments, ")")[0], column) for arguments in calls)


def _named(drop: str) -> tuple[str, str]:
    """Return the schema and name of what a statement drops."""
    schema, name = names_in(drop)[-2:]
    return schema, name


def _spelt(name: tuple[str, str]) -> str:
    return ".".join(map(quoted, name))


def _used(each: Standing) -> str:
    """Return the query that uses a view, or a policy's conditions."""
    table = _spelt(_named(each.drop))
    if each.kind == "view":
        return f"SELECT FROM {table}"
    conditions = (part.removesuffix("WITH").removeprefix("USING").strip() for part in split(each.definition, "CHECK"))
    return f"SELECT FROM {table} WHERE {' AND '.join(filter(None, conditions))}"


def _searched(table: QName, index: Index) -> str:
    """Return the query that uses the elements of an index, and its condition."""
    tail = tail_of(index.tail)
    elements = ", ".join(f"({bare(element)})" for element in tail.elements)
    query = ["SELECT", elements, "FROM", _spelt(table)]
    query += ["WHERE", tail.condition] if tail.condition else []
    query += ["ORDER BY", elements] if tail.method == "USING btree" else []
    return " ".join(query)
