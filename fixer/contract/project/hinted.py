"""Adds the hints of a project to those of the models; what both say must be the same."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

import psycopg2
from psycopg2 import errors as pg
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import Json

from fixer import introspect
from fixer.connect.failures import told
from fixer.connect.link import rolled_back
from fixer.connect.settings import OUR_PATH
from fixer.contract.models.hints import NO_AGE
from fixer.contract.models.scratch import OPEN
from fixer.contract.places import Places
from fixer.contract.project.reading import OF_TABLE, Project, Said
from fixer.contract.respelt import Spelt, respelt
from fixer.errors import ContractError
from fixer.model.contract import ColumnHints, Contract, Hints, Refused, TableHints
from fixer.model.expression import as_needed
from fixer.model.table import QName, Table
from fixer.sql.types import tells_age

_Place = tuple[QName, str | None]  # a table, or a column of it

log = logging.getLogger("pgmend.contract")
_Spelt = Mapping[str, Spelt]
_Value = TypeVar("_Value")


def hinted(kept: Contract, made: Contract, project: Project, connection: Connection, schema: str) -> Contract:
    """Return a contract with the hints of a project; those for tables that are excluded say nothing.

    Raises ContractError where a hint is for what the contract, as it was `made`, does not have, or contradicts a hint.
    """
    places = _places(made)
    lost = {words for each in made.refused for words in _written_refused(each)}
    wanted_hints = ((name, each) for name, each in project.hints.items() if not {name, f"public.{name}"} & lost)
    said = [(_found(name, places, project), name, each) for name, each in wanted_hints]
    said = [each for each in said if each[0][0] in kept.tables]
    texts = {table: tuple(dict.fromkeys(_expressions(table, said))) for (table, _), _, _ in said}
    texts = {table: each for table, each in texts.items() if each}
    spelt = _in_full(connection, kept, project, texts, schema)
    hints = Hints(kept.hints)
    for (table, column), name, each in said:
        adding = _Adding(project, f'[tool.pgmend.hints."{name}"]', connection, spelt.get(str(table), {}))
        wanted = kept.tables[table]
        if column is None:
            hints[table] = adding.to_table(hints[table], each, wanted)
        else:
            known = {**hints[table].columns, column: adding.to_column(hints[table].of(column), each)}
            hints[table] = replace(hints[table], columns=known)
    return replace(kept, hints=hints)


def _places(contract: Contract) -> dict[str, list[_Place]]:
    """Return the tables and columns of a contract by all ways to write them."""
    found = dict[str, list[_Place]]()
    for name, table in contract.tables.items():
        for words in _written(name):
            found.setdefault(words, []).append((name, None))
            for column in table.columns:
                for each in {column, as_needed(column)}:
                    found.setdefault(f"{words}.{each}", []).append((name, column))
    return found


def _written(name: QName) -> set[str]:
    return {str(name), ".".join(map(as_needed, name))}


def _written_refused(refused: Refused) -> Iterator[str]:
    """Yield the ways to write what PostgreSQL refuses to make: a column, or a table."""
    for words in _written(refused.table):
        yield from {f"{words}.{refused.name}", f"{words}.{as_needed(refused.name)}"} if refused.name else {words}


def _found(name: str, places: Mapping[str, list[_Place]], project: Project) -> _Place:
    """Return the table or column that a hint is for; one of the schema public may be named without it."""
    found = list(dict.fromkeys(places.get(name) or places.get(f"public.{name}") or ()))
    if not found:
        what = f'[tool.pgmend.hints."{name}"] is for no table or column of the contract'
        raise project.nearest(what, name, [*places])
    if len(found) > 1:
        raise project.wrong(f'[tool.pgmend.hints."{name}"] fits a table and a column: write names in quotation marks')
    return found[0]


def _expressions(table: QName, said: Iterable[tuple[_Place, str, Said]]) -> Iterator[str]:
    """Yield what the hints of a table say in SQL."""
    for (name, _), _, each in said:
        if name != table:
            continue
        if isinstance(backfill := each.get("backfill"), str):
            yield backfill
        rows = each.get("default_rows", [])
        for row in rows if isinstance(rows, list) else []:
            yield from (text for value in row.values() if (text := _sql(value)))


def _sql(value: object) -> str:
    """Return the expression in {sql = "…"}; nothing if a value is none."""
    said = value.get("sql") if isinstance(value, dict) and value.keys() == {"sql"} else None
    return said if isinstance(said, str) else ""


def _in_full(
    connection: Connection, contract: Contract, project: Project, said: Mapping[QName, tuple[str, ...]], schema: str
) -> dict[str, dict[str, Spelt]]:
    """Return expressions as they mean the same under any search_path, by table; those that are not understood as said.

    They are tried over a temporary table like each of the contract's, which goes with the transaction.
    """
    if not said:
        return {}
    found = dict[str, dict[str, Spelt]]()
    with rolled_back(connection) as cursor:
        cursor.execute(OPEN + introspect.query("shadows"), ([schema, "public"],))
        schemas = () if cursor.fetchone() else (schema, "public")
        for table, texts in said.items():
            cursor.execute("SAVEPOINT pgmend_table")
            if _made(cursor, contract.tables[table]):
                spelt = respelt(cursor, Places(schema, {}, {table: texts}), schemas)
                found |= spelt
                for text in texts:
                    if text not in spelt.get(str(table), {}):
                        _see_that_it_is_sql(cursor, text, project)
            cursor.execute("ROLLBACK TO SAVEPOINT pgmend_table")
    return found


def _made(cursor: Cursor, table: Table) -> bool:
    """Create a temporary table with the columns of one; return whether the database has what these need."""
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.full_type))
        for column in table.columns.values()
    ]
    words = sql.SQL("CREATE TEMPORARY TABLE {} ({})").format(
        sql.Identifier("pg_temp", table.name.name), sql.SQL(", ").join(columns)
    )
    try:
        cursor.execute(sql.SQL(OUR_PATH) + words)
    except (pg.ProgrammingError, pg.InternalError, pg.ReadOnlySqlTransaction, pg.NotSupportedError):
        return False
    return True


def _see_that_it_is_sql(cursor: Cursor, text: str, project: Project) -> None:
    """Raise ContractError if a text, which PostgreSQL does not understand here, is no expression anywhere."""
    cursor.execute("SAVEPOINT pgmend_text")
    try:
        cursor.execute(sql.SQL("PREPARE pgmend_text AS SELECT ({})").format(sql.SQL(text)))
    except pg.SyntaxError as error:
        said = f"{text} in the hints of [tool.pgmend] is no SQL expression: {told(error)}"
        raise project.wrong(said) from None
    except psycopg2.Error as error:
        log.info("a hint is not understood as it is: %s", told(error))
    cursor.execute("ROLLBACK TO SAVEPOINT pgmend_text")


class _Adding:
    """Adds one table of hints, which stands `where`, to the hints that are known."""

    def __init__(self, project: Project, where: str, connection: Connection, spelt: _Spelt) -> None:
        self.project, self.where, self.connection, self.spelt = project, where, connection, spelt

    def to_table(self, known: TableHints, said: Said, table: Table) -> TableHints:
        """Return the hints of a table with these."""
        self._fit(said, "a table", of_table=True)
        rows: tuple[Mapping[str, sql.Composable], ...]
        rows = tuple(self._row(row, table) for row in _list(said.get("default_rows", [])) if isinstance(row, dict))
        names = self._names("legacy_names", said, known.legacy_names, alone=known.alone)
        alone = "legacy_names" in said and not names
        rows = self._one("default_rows", known.default_rows, rows) if rows else known.default_rows
        oldest = known.oldest_by
        if "oldest_by" in said:
            oldest = self._one("oldest_by", oldest, self._aged(str(said["oldest_by"]), table))
        return replace(known, legacy_names=names, default_rows=rows, alone=known.alone or alone, oldest_by=oldest)

    def to_column(self, known: ColumnHints, said: Said) -> ColumnHints:
        """Return the hints of a column with these."""
        self._fit(said, "a column", of_table=False)
        names = self._names("legacy_names", said, known.legacy_names, alone=known.alone)
        keys = self._names("legacy_keys", said, known.legacy_keys)
        found = replace(known, legacy_names=names, legacy_keys=keys)
        if "legacy_names" in said and not names:
            found = replace(found, alone=True)
        if "orphans" in said:
            found = replace(found, orphans=self._one("orphans", known.orphans, str(said["orphans"])))
        if "timezone" in said:
            found = replace(found, timezone=self._one("timezone", known.timezone, str(said["timezone"])))
        if "backfill" in said:
            text = str(said["backfill"])
            value = self._one("backfill", known.backfill, self._expression(text))
            volatile = self.spelt[text][1] if text in self.spelt else known.volatile
            found = replace(found, backfill=value, volatile=volatile)
        return found

    def _fit(self, said: Said, what: str, *, of_table: bool) -> None:
        """Raise ContractError if a hint is for a table and stands for a column, or the other way round."""
        for key in said:
            if key != "legacy_names" and (key in OF_TABLE) != of_table:
                raise self.project.wrong(f"{key} in {self.where} is no hint for {what}")

    def _names(self, key: str, said: Said, known: tuple[str, ...], *, alone: bool = False) -> tuple[str, ...]:
        """Return names that these hints say, or else those that are known."""
        if key not in said:
            return known
        names = tuple(map(str, _list(said[key])))
        if alone and names:
            raise self._contradicts(key)
        return self._one(key, known, names)

    def _one(self, key: str, known: _Value, new: _Value) -> _Value:
        """Return what is new; raise ContractError if the models say something else."""
        if known and self._spell(known) != self._spell(new):
            raise self._contradicts(key)
        return new

    def _contradicts(self, key: str) -> ContractError:
        return self.project.wrong(f"{key} in {self.where} contradicts info of the models: leave one out")

    def _spell(self, value: object) -> object:
        """Return a hint so that two that mean the same are equal."""
        if isinstance(value, sql.Composable):
            return value.as_string(self.connection)
        if isinstance(value, tuple):
            return [self._spell(each) for each in value]
        if isinstance(value, dict):
            return {key: self._spell(each) for key, each in value.items()}
        return value

    def _row(self, row: Said, table: Table) -> dict[str, sql.Composable]:
        """Return a default row in SQL."""
        return {self._column(column, "default_rows", table): self._value(value) for column, value in row.items()}

    def _aged(self, name: str, table: Table) -> str:
        """Return the column that tells the age of rows; raise ContractError if none does by this name."""
        column = table.columns[self._column(name, "oldest_by", table)]
        if not tells_age(column.base or column.type):
            raise self.project.wrong(f"oldest_by in {self.where} names {name}, {NO_AGE.format(column.type)}")
        return name

    def _column(self, name: str, key: str, table: Table) -> str:
        """Return a column that a hint names; raise ContractError if the table does not have it."""
        if name not in table.columns:
            what = f"{key} in {self.where} names {name}, which is no column of it"
            raise self.project.nearest(what, name, [*table.columns])
        return name

    def _value(self, value: object) -> sql.Composable:
        if text := _sql(value):
            return self._expression(text)
        return sql.Literal(Json(value) if isinstance(value, dict) else value)

    def _expression(self, text: str) -> sql.SQL:
        return sql.SQL(self.spelt[text][0] if text in self.spelt else text)


def _list(said: object) -> list[object]:
    return said if isinstance(said, list) else []
