"""A contract: what a database should look like, from any SQLAlchemy MetaData.

The tables are created in a scratch place (the session's temporary schema, in a transaction that is always
rolled back; or an embedded server, where the target cannot be written) and read by the same reader as the
target, so that both sides are spelt alike and a contract that no database can satisfy is refused here.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import errors as pg
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extras import Json
from sqlalchemy import MetaData, create_mock_engine
from sqlalchemy import Table as SATable
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import ClauseElement

from fixer import catalog
from fixer.codec import decode, encode, form
from fixer.errors import ContractError, TargetError
from fixer.explain import told
from fixer.memory import undisturbed
from fixer.schema import Check, Column, ForeignKey, Index, QName, Schema, Sequence, Table

_NO_FAULT_OF_ITS = ("08", "40", "53", "57", "58")  # connection, rollback, resources, operator, system
DEFAULT = "contracts.trading:metadata"  # the contract that ships
ORPHAN_POLICIES = ("quarantine", "adopt", "null")
_KEPT_FORMAT = 3  # changes whenever the values of fixer.schema mean something else
_AT_MOST = 50  # contracts that are kept: each change of one makes another
_KEPT = (Schema, Table, Column, Index, Check, ForeignKey, Sequence)

log = logging.getLogger("pgmend.contract")
_DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]  # pyformat would double %


@dataclass(frozen=True, slots=True)
class ColumnHints:
    """What the schema of a column cannot say; see docs/contracts.md."""

    legacy_names: tuple[str, ...] = ()
    legacy_keys: tuple[str, ...] = ()
    backfill: sql.Composable | None = None
    orphans: str = "quarantine"
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class TableHints:
    """What the schema of a table cannot say; see docs/contracts.md."""

    legacy_names: tuple[str, ...] = ()
    default_rows: tuple[Mapping[str, sql.Composable], ...] = ()
    columns: Mapping[str, ColumnHints] = field(default_factory=dict)

    def of(self, column: str) -> ColumnHints:
        """Return the hints of one column."""
        return self.columns.get(column, ColumnHints())


@dataclass(frozen=True, slots=True)
class Contract:
    """The wanted schema, with its hints."""

    name: str
    schema: Schema
    hints: Mapping[QName, TableHints]
    metadata: MetaData = field(repr=False)
    alike: frozenset[QName] = frozenset()  # the tables that stand in the actual schema just as they are wanted

    @property
    def tables(self) -> Mapping[QName, Table]:
        """The wanted tables."""
        return self.schema.tables

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas in which the wanted tables stand."""
        return tuple(sorted({name.schema for name in self.tables}))

    def foreign_keys(self) -> Iterator[ForeignKey]:
        """Yield every wanted foreign key."""
        for table in self.tables.values():
            yield from table.foreign_keys

    def differing(self) -> Iterator[tuple[QName, Table]]:
        """Yield the wanted tables that may stand otherwise: all in which a comparison of shapes can find anything."""
        return (item for item in self.tables.items() if item[0] not in self.alike)

    def differing_foreign_keys(self) -> Iterator[ForeignKey]:
        """Yield the wanted foreign keys of tables that may stand otherwise."""
        for _, table in self.differing():
            yield from table.foreign_keys


def load(spec: str) -> MetaData:
    """Return the MetaData that ``package.module:attribute`` names.

    The attribute is a MetaData, a declarative base (or any object with a ``metadata``), or a callable that
    returns one of these. The current directory is importable. Raises ContractError with the reason.
    """
    module, _, attribute = spec.partition(":")
    if not module or not attribute:
        raise ContractError(f"The contract {spec!r} should be written MODULE:ATTRIBUTE, as in app.models:Base.")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a module prints is no part of our output
            found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
        return metadata_of(found)
    except ContractError as error:
        raise ContractError(f"The contract {spec!r} {error}") from None
    except AttributeError as error:
        raise ContractError(f"The contract {spec!r} cannot be loaded: {error}.") from None
    except (Exception, SystemExit) as error:  # the user's module may raise anything while it is imported
        said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".:")
        raise ContractError(f"The contract {spec!r} cannot be imported: {said}.") from None


def metadata_of(found: Any) -> MetaData:
    """Return the MetaData in a MetaData, a declarative base, or a callable that returns one."""
    if isinstance(found, MetaData):
        return found
    if isinstance(getattr(found, "metadata", None), MetaData):
        return found.metadata  # type: ignore[no-any-return]
    if callable(found):
        return metadata_of(found())
    raise ContractError(f"is of type {type(found).__name__}, not a MetaData, a declarative base, or a callable.")


def prepare(metadata: MetaData, connection: Connection, *, name: str = "contract", schema: str = "public") -> Contract:
    """Build the contract in a scratch place and read it back as the target's server spells it.

    `schema` is where tables without a schema of their own are wanted. Raises ContractError when no
    database can satisfy the contract. The target is left as it was.
    """
    if not metadata.tables:
        raise ContractError(f"The contract {name} has no tables.")
    places = {table.name: QName(table.schema or schema, table.name) for table in metadata.tables.values()}
    if len(places) < len(metadata.tables):
        raise ContractError(f"The contract {name} has two tables of one name in different schemas.")
    with undisturbed():
        hints = {places[table.name]: _hints_of(table, name, connection) for table in metadata.tables.values()}
        kept = _kept_at(metadata, name, connection, schema)
        wanted = _recall(kept)
        if wanted is None or len(wanted.tables) < len(places):
            ddl = ";\n".join(_temporary_ddl(metadata, name))
            wanted = _settle(_scratch_read(ddl, connection, name, schema), places, schema)
            _keep(kept, wanted)
    with_columns = {places[table.name] for table in metadata.tables.values() if table.columns}
    for table in sorted(with_columns - wanted.tables.keys()):
        raise ContractError(f"The contract {name} does not make its table {table.name} when all are created.")
    return Contract(name, wanted, hints, metadata)


def _kept_at(metadata: MetaData, name: str, connection: Connection, schema: str) -> Path:
    """Return where this contract is kept, once read: by its content, its place and the server's version.

    Its content is all the DDL that creates it where it is wanted, so that whatever changes this makes another
    contract. Table by table, because to sort a long chain of references takes longer than to spell it.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    ddl = set(_spelt(metadata, name, [[table] for table in metadata.tables.values()]))
    version = str(connection.server_version // 10000)
    parts = [str(_KEPT_FORMAT), form(*_KEPT), version, schema, *sorted(ddl), *catalog.queries()]
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return cache / "pgmend" / f"contract-{digest[:32]}.json"


def _recall(kept: Path) -> Schema | None:
    """Return the contract that was kept; None where there is none, or none that can be read."""
    try:
        schema: Schema = decode(Schema, json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None
    return schema


def _keep(kept: Path, wanted: Schema) -> None:
    """Keep the contract for the next time, where there is room for it."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False, encoding="utf-8") as file:
            json.dump(encode(wanted), file, separators=(",", ":"))
        Path(file.name).replace(kept)
        for old in sorted(kept.parent.glob("contract-*.json"), key=lambda path: path.stat().st_mtime)[:-_AT_MOST]:
            old.unlink()
    except OSError as error:
        log.info("the contract is not kept for the next time: %s", error.strerror)


def _temporary_ddl(metadata: MetaData, name: str) -> list[str]:
    """Return the statements that create all tables in the session's temporary schema, in order."""
    schemas = dict.fromkeys([None, *(table.schema for table in metadata.tables.values())], "pg_temp")
    return _spelt(
        metadata, name, [[*metadata.tables.values()]], schema_translate_map=schemas, render_schema_translate=True
    )


def _spelt(metadata: MetaData, name: str, groups: Iterable[list[SATable]], **how: Any) -> list[str]:
    """Return the statements that create groups of tables, each group in order; `how` tells where."""
    statements: list[str] = []

    def keep(element: Any, *_: Any, **__: Any) -> None:
        statements.append(str(element.compile(dialect=_DIALECT, **how)).strip())

    try:
        engine = create_mock_engine("postgresql+psycopg2://", keep)
        for tables in groups:
            metadata.create_all(engine, tables, checkfirst=False)
    except SQLAlchemyError as error:
        said = " ".join(str(error).partition("(Background on")[0].split()).rstrip(".")
        raise ContractError(f"The contract {name} cannot be satisfied: {said}.") from None
    except (Exception, SystemExit) as error:  # listeners and types of the user's may raise anything
        said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".:")
        raise ContractError(f"The contract {name} cannot be spelt, for {_culprit(error)} fails: {said}.") from None
    return statements


def _culprit(error: BaseException) -> str:
    """Return what of the user's raised an error while statements were spelt: no connection is behind them."""
    found, listens, trace = "its metadata", False, error.__traceback__
    while trace:
        module = str(trace.tb_frame.f_globals.get("__name__"))
        listens |= module.startswith("sqlalchemy.event")
        if module.partition(".")[0] not in ("sqlalchemy", "fixer"):
            code = trace.tb_frame.f_code
            kind = "listener" if listens else "function"
            found = f"its {kind} {code.co_name} ({Path(code.co_filename).name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return found


def _scratch_read(ddl: str, connection: Connection, name: str, schema: str) -> Schema:
    """Read the contract from a scratch place in the target, or else from an embedded server."""
    try:
        return _read_temporary(ddl, connection, schema)
    except (pg.ReadOnlySqlTransaction, pg.InsufficientPrivilege, pg.OutOfMemory):
        return _read_embedded(ddl, connection.server_version // 10000, name, schema)
    except psycopg2.Error as error:
        if connection.closed or (error.pgcode or "")[:2] in _NO_FAULT_OF_ITS or isinstance(error, pg.LockNotAvailable):
            raise TargetError(f"The contract {name} could not be read in the target: {told(error)}.") from None
        raise _unsatisfiable(name, error) from None
    except ValueError as error:  # characters that no statement may hold, or that the target's encoding lacks
        raise ContractError(f"The contract {name} cannot be put to the target: {error}.") from None


def _read_embedded(ddl: str, version: int, name: str, schema: str) -> Schema:
    from fixer import servers  # a server is only started where the target cannot hold the scratch tables

    available = servers.binaries()
    nearest = version if version in available else None
    with servers.embedded(nearest) as server, closing(psycopg2.connect(server.dsn)) as connection:
        try:
            return _read_temporary(f'CREATE SCHEMA IF NOT EXISTS "{schema}";{ddl}', connection, schema)
        except psycopg2.Error as error:
            raise _unsatisfiable(name, error) from None


def _unsatisfiable(name: str, error: psycopg2.Error) -> ContractError:
    first = (error.diag.message_primary or str(error)).rstrip(".")
    return ContractError(f"The contract {name} cannot be satisfied by any database: {first}.")


_OPEN = """
BEGIN;
SELECT set_config('quote_all_identifiers', 'off', true),
       set_config('search_path', quote_ident(%s) || ', public', true);
"""
_CHOOSE = """;
SELECT set_config('pgmend.schemas', ARRAY[pg_my_temp_schema()::regnamespace::text]::text, true)
"""


def _read_temporary(ddl: str, connection: Connection, schema: str) -> Schema:
    """Create the contract in pg_temp, read it, roll back."""
    before = connection.autocommit
    connection.rollback()
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(_OPEN.replace("%s", _literal(schema, connection)) + ddl + _CHOOSE)
            return catalog.read_model(cursor)
    finally:
        if not connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
            connection.autocommit = before


def _literal(value: object, connection: Connection) -> str:
    return sql.Literal(value).as_string(connection)


def _settle(wanted: Schema, places: Mapping[str, QName], schema: str) -> Schema:
    """Return the schema as it will stand in the target, not in the scratch place, and nothing beside its tables.

    Listeners may make views, and the session of a pooler may hold temporary tables of others.
    """

    def place(name: QName) -> QName:
        return places.get(name.name, QName(schema, name.name))

    tables = {}
    for table in (table for table in wanted.tables.values() if table.name.name in places):
        home = place(table.name).schema
        columns = {
            c.name: replace(c, sequence=QName(home, c.sequence.name)) if c.sequence else c
            for c in table.columns.values()
        }
        keys = tuple(replace(k, table=place(k.table), target=place(k.target)) for k in table.foreign_keys)
        tables[place(table.name)] = replace(
            table, name=place(table.name), columns=columns, foreign_keys=keys, persistence="p", bytes=0
        )
    sequences = {}
    for sequence in wanted.sequences.values():
        if sequence.owned_by and sequence.owned_by[0].name not in places:
            continue
        owned_by = sequence.owned_by and (place(sequence.owned_by[0]), sequence.owned_by[1])
        home = owned_by[0].schema if owned_by else schema
        name = QName(home, sequence.name.name)
        sequences[name] = replace(sequence, name=name, owned_by=owned_by)
    return Schema(tables=tables, sequences=sequences, spellings=wanted.spellings)


def _hints_of(table: SATable, name: str, connection: Connection) -> TableHints:
    try:
        hints = _hints(table)
        fills = (column.backfill for column in hints.columns.values() if column.backfill)
        for value in chain(fills, *(row.values() for row in hints.default_rows)):
            value.as_string(connection)
        return hints
    except (TypeError, ValueError, AttributeError, LookupError, psycopg2.ProgrammingError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise ContractError(f"The contract {name} has hints for {table.name} that cannot be read: {said}.") from None


def _hints(table: SATable) -> TableHints:
    rows = tuple(
        {column: _value(value, f"{table.name}.{column}") for column, value in row.items()}
        for row in table.info.get("default_rows", ())
    )
    for row in rows:
        unknown = sorted(set(row) - {column.name for column in table.columns})
        if unknown:
            raise ContractError(f"The default row of {table.name} names {unknown[0]}, which is no column of it.")
    columns = {column.name: _column_hints(column) for column in table.columns if _info(column)}
    return TableHints(tuple(table.info.get("legacy_names", ())), rows, columns)


def _info(column: Any) -> dict[str, Any]:
    """Return the hints of a column and of its foreign keys together."""
    found: dict[str, Any] = {}
    for key in column.foreign_keys:
        found |= key.info or {}
    return {**found, **column.info}


def _column_hints(column: Any) -> ColumnHints:
    info = _info(column)
    orphans = info.get("orphans", "quarantine")
    if orphans not in ORPHAN_POLICIES:
        raise ContractError(
            f"{column} declares orphans={orphans!r}, which should be one of {', '.join(ORPHAN_POLICIES)}."
        )
    backfill = _value(info["backfill"], str(column)) if "backfill" in info else None
    return ColumnHints(
        legacy_names=tuple(info.get("legacy_names", ())),
        legacy_keys=tuple(info.get("legacy_keys", ())),
        backfill=backfill,
        orphans=orphans,
        timezone=info.get("timezone"),
    )


def _value(value: Any, where: str) -> sql.Composable:
    """Return a hint's value as SQL: SQL expressions as they are, all else as a literal."""
    if isinstance(value, ClauseElement):
        return sql.SQL(str(value.compile(dialect=_DIALECT)))
    if callable(value):
        raise ContractError(f"The hint of {where} should be a value or a SQL expression, not a function.")
    return sql.Literal(Json(value) if isinstance(value, dict) else value)
