"""Spells a contract once more, by the target: one that another major version has read, or a server with stand-ins.

PostgreSQL 14 spells EXTRACT, TRIM, AT TIME ZONE and their like as SQL does, 13 as calls, and its EXTRACT has another
type. A constant of hstore or of PostGIS is spelt by the extension. So each expression is put to the target, over a
temporary table of the same columns, and read back; all of it in a transaction that is rolled back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from psycopg2 import errors
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.connect.link import attempt, rolled_back
from fixer.connect.settings import SAFELY, UNQUOTED
from fixer.introspect.declared import TEMPORARY, read_model
from fixer.model.expression import as_needed
from fixer.model.expression.patterns import pattern
from fixer.model.schema import Schema
from fixer.model.table import Column, Index, QName, Table
from fixer.model.values import dataclass
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Identifier, name

_DOMAINS = QName("pg_temp", "pgmend_domains")
_CONSTANT = pattern(r"(?:'(?:[^']|'')*'|-?[\d.]+|\(-?[\d.]+\)|true|false|NULL)(?:::[\w ]+(?:\(\d+(?:,\d+)?\))?)?")
# A whole number beside EXTRACT, which is numeric from PostgreSQL 14 on; what stands in quotes is spared.
_NUMERIC = pattern(r"\(('-\d+'::integer|\d+)\)::numeric\b|'(?:[^']|'')*'")

log = logging.getLogger("pgmend.contract")


def by_target(connection: Connection, schema: Schema, version: int, *, stand_ins: bool = False) -> Schema:
    """Return a contract that a server of this major version has read, spelt as the target spells it.

    `stand_ins` says that it had some, which do not know how constants of their types are spelt. What the target does
    not understand stays as it is, and so does all where it may make no temporary table.
    """
    wanted = connection.server_version // 10000
    if version == wanted and not stand_ins:
        return schema
    beside = [_Beside(number, table, wanted) for number, table in enumerate(schema.tables.values())]
    guarded = {c.full_type: c for t in schema.tables.values() for c in t.columns.values() if c.guards}
    try:
        with rolled_back(connection) as cursor:
            cursor.execute(f"BEGIN;\n{SAFELY}{UNQUOTED}")
            for each in beside:
                _make(cursor, [each.created(), each.created(plainly=True)], [*each.parts()])
            _make(cursor, [SQL("CREATE TABLE {} ()").format(name(_DOMAINS))], [*_domains(guarded.values(), wanted)])
            cursor.execute(TEMPORARY)
            found = {at.name: table for at, table in read_model(cursor, ["public"]).tables.items()}
    except (errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege) as error:
        log.info("the contract stays as PostgreSQL %d spells it: %s", version, told(error))
        return schema
    domains = found[_DOMAINS.name].columns if _DOMAINS.name in found else {}
    guards = {type_: domains[key].guards for key, type_ in _keys(guarded) if key in domains}
    tables = {each.table.name: each.spelt(found.get(each.at.name), guards) for each in beside}
    return replace(schema, tables=tables, spellings={})


def _make(cursor: Cursor, ways: Sequence[Composable], parts: Sequence[Composable]) -> None:
    """Make a table in the first of the ways that the target takes, with those of its parts that it understands."""
    if parts and not _ran(cursor, [ways[0], *parts]) and any(_ran(cursor, [way]) for way in ways):
        for part in parts:
            _ran(cursor, [part])


def _ran(cursor: Cursor, statements: Iterable[Composable]) -> bool:
    error = attempt(cursor, SQL(";\n").join(statements))
    if isinstance(error, errors.ReadOnlySqlTransaction):
        raise error
    if error:
        log.info("not spelt by the target: %s", told(error))
    return error is None


def _keys(guarded: Mapping[str, Column]) -> Iterator[tuple[str, str]]:
    """Yield the column that has a domain's twin as its type, and the name of the domain."""
    for number, type_ in enumerate(guarded):
        yield f"pgmend_domain_{number}", type_


def _domains(guarded: Iterable[Column], version: int) -> Iterator[Composable]:
    """Yield the statements that make a domain with the same guards, and a column of it."""
    for number, column in enumerate(guarded):
        twin = Identifier("pg_temp", key := f"pgmend_domain_{number}")
        checks = [SQL(_understood(each, version)) for each in column.guards if each != "NOT NULL"]
        named = (SQL("CONSTRAINT {} {}").format(Identifier(f"c{n:03}"), check) for n, check in enumerate(checks))
        create = SQL("CREATE DOMAIN {} AS {} {}").format(
            twin, SQL(column.base.removesuffix("[]")), SQL(" ").join(named)
        )
        if checks:
            yield create + SQL(";\nALTER TABLE {} ADD COLUMN {} {}").format(name(_DOMAINS), Identifier(key), twin)


def _understood(expression: str, version: int) -> str:
    """Return an expression without what only its EXTRACT is for, where that is no numeric."""
    if version >= 14 or "EXTRACT(" not in expression:
        return expression
    return _NUMERIC.sub(lambda found: f"({found[1]})" if found[1] else found[0], expression)


@dataclass(frozen=True)
class _Beside:
    """A temporary table with the columns and the expressions of a table of the contract."""

    number: int
    table: Table
    version: int  # of the target

    @property
    def at(self) -> QName:
        """Its name."""
        return QName("pg_temp", f"pgmend_{self.number}")

    def created(self, *, plainly: bool = False) -> Composable:
        """Return the statement that makes it, with plain columns and its partition key.

        `plainly` takes what enums and domains are made of, since the target may not have these yet.
        """
        columns = {c.name: _bare(c, plainly) for c in self.table.columns.values() if not c.generated}
        return ddl.create_table(Table(self.at, columns=columns, parted_by=self._there(self.table.parted_by)), {})

    def parts(self) -> Iterator[Composable]:
        """Yield the statements that add its expressions."""
        for column in self.table.columns.values():
            if column.generated and column.default:
                made = replace(_bare(column), default=self._there(column.default), generated=column.generated)
                yield ddl.altered(self.at, SQL("ADD COLUMN {}").format(ddl.column_definition(made)))
            elif column.default and not column.generates and not _CONSTANT.fullmatch(column.default):
                default = SQL(self._there(column.default))
                yield ddl.altered(self.at, SQL("ALTER {} SET DEFAULT {}").format(Identifier(column.name), default))
        for check in self.table.checks:
            checked = replace(check, expression=self._there(check.expression), enforced=True)
            yield ddl.altered(self.at, SQL("ADD {}").format(ddl.check_clause(check.name, checked)))
        for called, index in self._indexes():
            there = SQL(self._there(index.exclusion or index.tail))
            if index.exclusion:
                yield ddl.altered(self.at, SQL("ADD CONSTRAINT {} {}").format(Identifier(called), there))
            elif index.partial or "" in index.columns:
                yield SQL("CREATE INDEX {} ON {} {}").format(Identifier(called), name(self.at), there)
        if self.table.parted_by:
            yield SQL("SELECT")  # its key is made with it

    def _indexes(self) -> Iterator[tuple[str, Index]]:
        for number, index in enumerate(self.table.indexes):
            yield f"{self.at.name}_{number}", index

    def spelt(self, found: Table | None, guards: Mapping[str, tuple[str, ...]]) -> Table:
        """Return the table of the contract with the expressions of this one, as far as it has them."""
        there = found.columns if found else {}
        columns = {c.name: self._column(c, there.get(c.name), guards) for c in self.table.columns.values()}
        if not found:
            return replace(self.table, columns=columns)
        checks = {check.name: self._back(check.expression) for check in found.checks}
        indexes = {index.name: index for index in found.indexes}
        return replace(
            self.table,
            columns=columns,
            checks=tuple(replace(c, expression=checks.get(c.name, c.expression)) for c in self.table.checks),
            indexes=tuple(self._index(index, indexes.get(called)) for called, index in self._indexes()),
            parted_by=self._back(found.parted_by),
        )

    def _column(self, column: Column, found: Column | None, guards: Mapping[str, tuple[str, ...]]) -> Column:
        if column.full_type in guards:
            filled = tuple(each for each in column.guards if each == "NOT NULL")
            column = replace(column, guards=(*filled, *guards[column.full_type]))
        return replace(column, default=self._back(found.default)) if found and found.default else column

    def _index(self, index: Index, found: Index | None) -> Index:
        return replace(index, tail=self._back(found.tail), exclusion=self._back(found.exclusion)) if found else index

    def _there(self, expression: str) -> str:
        return _understood(
            expression.replace(f"{as_needed(self.table.name.name)}.*", f"{self.at.name}.*"), self.version
        )

    def _back(self, expression: str) -> str:
        return expression.replace(f"{self.at.name}.*", f"{as_needed(self.table.name.name)}.*")


def _bare(column: Column, plainly: bool = False) -> Column:
    bare = replace(column, not_null=False, default=None, identity="", generated="", sequence=None)
    plain = column.base or (column.read_as if column.enum else "")
    return replace(bare, type=plain, home="", collation=None) if plainly and plain else bare
