"""A contract: what a database should look like, from any SQLAlchemy MetaData.

The tables are created in a scratch place (the session's temporary schema, in a transaction that is always
rolled back; or an embedded server, where the target cannot be written, or where listeners of the models say
statements of their own) and read by the same reader as the target, so that both sides are spelt alike and a
contract that no database can satisfy is refused here.

What the models name without a schema means what it means to the application, unless somebody who is not trusted has
left something there that PostgreSQL would take for its own: then only PostgreSQL's own is meant.
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
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import Json
from sqlalchemy import DDL, MetaData, TextClause, create_mock_engine
from sqlalchemy import Table as SATable
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import CreateDomainType, CreateEnumType
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import ClauseElement

from fixer import introspect
from fixer.connect.failures import told
from fixer.connect.target import SAFE_PATH, SAFELY
from fixer.errors import ContractError, ServerError, TargetError
from fixer.introspect.memory import undisturbed
from fixer.model.codec import decode, encode, form
from fixer.model.expression import bare_type, in_full
from fixer.model.schema import Check, Column, ForeignKey, Index, QName, Schema, Sequence, Table

_NO_FAULT_OF_ITS = ("08", "40", "53", "57", "58")  # connection, rollback, resources, operator, system
DEFAULT = "contracts.trading:metadata"  # the contract that ships
ORPHAN_POLICIES = ("quarantine", "adopt", "null")
_KEPT_FORMAT = 3  # changes whenever the values of fixer.model.schema mean something else
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
    alone: bool = False  # whether the contract says that it has no legacy names: what is called alike is another


@dataclass(frozen=True, slots=True)
class TableHints:
    """What the schema of a table cannot say; see docs/contracts.md."""

    legacy_names: tuple[str, ...] = ()
    default_rows: tuple[Mapping[str, sql.Composable], ...] = ()
    columns: Mapping[str, ColumnHints] = field(default_factory=dict)
    alone: bool = False  # as that of a column

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
        said = {places[t.name]: texts for t in metadata.tables.values() if (texts := _said_by(t, name))}
        kept = _kept_at(metadata, name, connection, schema, said)
        found = _recall(kept)
        if found is None or len(found.schema.tables) < len(places):
            found = _made(metadata, connection, name, schema, places, said)
            _keep(kept, found)
        hints = {
            places[table.name]: _hints_of(table, name, connection, found.hints.get(str(places[table.name]), {}))
            for table in metadata.tables.values()
        }
    with_columns = {places[table.name] for table in metadata.tables.values() if table.columns}
    for table in sorted(with_columns - found.schema.tables.keys()):
        raise ContractError(f"The contract {name} does not make its table {table.name} when all are created.")
    return Contract(name, found.schema, hints, metadata)


@dataclass(frozen=True)
class _Read:
    """A contract as it was read, and how its hints are spelt under any search_path where they need be: by table."""

    schema: Schema
    hints: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def _kept_at(
    metadata: MetaData, name: str, connection: Connection, schema: str, said: Mapping[QName, Iterable[str]]
) -> Path:
    """Return where this contract is kept, once read: by its content, its place and the server's version.

    Its content is all the DDL that creates it where it is wanted, so that whatever changes this makes another
    contract. Table by table, because to sort a long chain of references takes longer than to spell it.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    ddl = {each.text for each in _spelt(metadata, name, [[table] for table in metadata.tables.values()])}
    version = str(connection.server_version // 10000)
    told = [f"{table} {text}" for table, texts in sorted(said.items()) for text in texts]
    parts = [str(_KEPT_FORMAT), form(*_KEPT), version, schema, *sorted(ddl), *told, *introspect.queries()]
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return cache / "pgmend" / f"contract-{digest[:32]}.json"


def _recall(kept: Path) -> _Read | None:
    """Return the contract that was kept; None where there is none, or none that can be read."""
    try:
        schema, hints = json.loads(kept.read_text(encoding="utf-8"))
        return _Read(decode(Schema, schema), {str(table): dict(texts) for table, texts in hints.items()})
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None


def _keep(kept: Path, found: _Read) -> None:
    """Keep the contract for the next time, where there is room for it."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False, encoding="utf-8") as file:
            json.dump([encode(found.schema), found.hints], file, separators=(",", ":"))
        Path(file.name).replace(kept)
        for old in sorted(kept.parent.glob("contract-*.json"), key=lambda path: path.stat().st_mtime)[:-_AT_MOST]:
            old.unlink()
    except OSError as error:
        log.info("the contract is not kept for the next time: %s", error.strerror)


@dataclass(frozen=True)
class _Statement:
    """A statement that creates a part of the models; one that a listener says is not SQLAlchemy's own."""

    text: str
    listener: bool = False
    made: tuple[str, str | None] | None = None  # the type that it creates, and the schema where the models want it


def _made(
    metadata: MetaData,
    connection: Connection,
    name: str,
    schema: str,
    places: Mapping[str, QName],
    said: Mapping[QName, tuple[str, ...]],
) -> _Read:
    """Create the contract in a scratch place, and return what it looks like."""
    tables = [*metadata.tables.values()]
    homes = dict.fromkeys([None, *(table.schema for table in tables)], "pg_temp")
    statements = _spelt(metadata, name, [tables], schema_translate_map=homes, render_schema_translate=True)
    types = {each.made[0]: each.made[1] or schema for each in statements if each.made}
    if any(each.listener for each in statements):
        wanted = _read_apart(metadata, connection.server_version // 10000, name, schema)
        if wanted is not None:
            return _Read(_settle(wanted, places, schema, types))
    ddl = ";\n".join(each.text for each in statements if not each.listener)
    wanted, hints = _scratch_read(ddl, connection, name, _Places(schema, places, said))
    return _Read(_settle(wanted, places, schema, types), hints)


def _spelt(metadata: MetaData, name: str, groups: Iterable[list[SATable]], **how: Any) -> list[_Statement]:
    """Return the statements that create groups of tables, each group in order; `how` tells where."""
    statements: list[_Statement] = []

    def keep(element: Any, *_: Any, **__: Any) -> None:
        own = type(element).__module__.startswith("sqlalchemy.") and not isinstance(element, DDL | TextClause)
        made = element.element if isinstance(element, CreateEnumType | CreateDomainType) else None
        text = str(element.compile(dialect=_DIALECT, **how)).strip()
        statements.append(_Statement(text, not own, (made.name, made.schema) if made is not None else None))

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


@dataclass(frozen=True)
class _Places:
    """Where tables without a schema are wanted, where each table is, and which expressions the hints of each say."""

    schema: str
    tables: Mapping[str, QName]
    said: Mapping[QName, tuple[str, ...]]

    @property
    def all(self) -> tuple[str, ...]:
        """The schemas in which names without one are looked for, and those of the tables."""
        return tuple(dict.fromkeys([self.schema, "public", *(name.schema for name in self.tables.values())]))


_Found = tuple[Schema, dict[str, dict[str, str]]]


def _scratch_read(ddl: str, connection: Connection, name: str, places: _Places) -> _Found:
    """Read the contract from a scratch place in the target, or else from an embedded server."""
    try:
        return _read_temporary(ddl, connection, name, places)
    except (pg.ReadOnlySqlTransaction, pg.InsufficientPrivilege, pg.OutOfMemory):
        return _read_embedded(ddl, connection.server_version // 10000, name, places)
    except psycopg2.Error as error:
        if connection.closed or (error.pgcode or "")[:2] in _NO_FAULT_OF_ITS or isinstance(error, pg.LockNotAvailable):
            raise TargetError(f"The contract {name} could not be read in the target: {told(error)}.") from None
        raise _unsatisfiable(name, error) from None
    except ValueError as error:
        if not (isinstance(error, UnicodeError) or "NUL" in str(error)):  # characters that no statement may hold
            raise
        raise ContractError(f"The contract {name} cannot be put to the target: {error}.") from None


def _read_embedded(ddl: str, version: int, name: str, places: _Places) -> _Found:
    with _embedded(version, [places.schema]) as connection:
        try:
            return _read_temporary(ddl, connection, name, places)
        except psycopg2.Error as error:
            raise _unsatisfiable(name, error) from None


def _read_apart(metadata: MetaData, version: int, name: str, schema: str) -> Schema | None:
    """Read a contract whose models have listeners from a server of our own: what they say is not for live tables.

    None where that server has not all that they need; what they would add is not part of the contract then.
    """
    homes = {None: schema}
    statements = _spelt(
        metadata, name, [[*metadata.tables.values()]], schema_translate_map=homes, render_schema_translate=True
    )
    schemas = sorted({schema, *(table.schema or schema for table in metadata.tables.values())})
    try:
        with _embedded(version, schemas) as connection, connection.cursor() as cursor:
            cursor.execute(_path(dict.fromkeys([schema, "public"]), connection))
            for each in statements:
                cursor.execute(each.text)
            cursor.execute(f"SET search_path = {SAFE_PATH}")
            cursor.execute("SELECT set_config('pgmend.schemas', %s::text[]::text, false)", (schemas,))
            return introspect.read_model(cursor, schemas)
    except (psycopg2.Error, ServerError) as error:
        said = told(error) if isinstance(error, psycopg2.Error) else str(error)
        log.warning("what the listeners of %s say is not part of the contract: %s", name, said)
        return None


@contextlib.contextmanager
def _embedded(version: int, schemas: Iterable[str]) -> Iterator[Connection]:
    """Lend a connection to a server of our own, if possible of this version, with these schemas."""
    from fixer.connect import servers  # a server is only started where the target cannot hold the scratch tables

    nearest = version if version in servers.binaries() else None
    with servers.embedded(nearest) as server, closing(psycopg2.connect(server.dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for schema in schemas:
                cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        yield connection


def _unsatisfiable(name: str, error: psycopg2.Error) -> ContractError:
    first = (error.diag.message_primary or str(error)).rstrip(".")
    return ContractError(f"The contract {name} cannot be satisfied by any database: {first}.")


_UNKNOWN = (pg.UndefinedFunction, pg.UndefinedObject, pg.UndefinedTable, pg.InvalidSchemaName)
_OPEN = f"""
BEGIN;
{SAFELY}SELECT set_config('quote_all_identifiers', 'off', true), set_config('pgmend.schemas', %s::text[]::text, true);
"""
_CHOOSE = "SELECT set_config('pgmend.schemas', ARRAY[pg_my_temp_schema()::regnamespace::text]::text, true)"


def _read_temporary(ddl: str, connection: Connection, name: str, places: _Places) -> _Found:
    """Create the contract in pg_temp, read it, roll back."""
    before = connection.autocommit
    connection.rollback()
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(_OPEN + introspect.query("shadows"), ([places.schema, "public"],))
            shadow = cursor.fetchone()
            schemas = () if shadow else (places.schema, "public")
            path = _path(["pg_catalog", "pg_temp", *schemas], connection, local=True)
            try:
                cursor.execute(f"{path}{ddl};\nSET LOCAL search_path = {SAFE_PATH};\n{_CHOOSE}")
            except _UNKNOWN as error:
                raise _overshadowed(name, error, shadow) if shadow else error from None
            return introspect.read_model(cursor, places.all), _respelt(cursor, places, schemas)
    finally:
        if not connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
            connection.autocommit = before


def _path(schemas: Iterable[str], connection: Connection, *, local: bool = False) -> str:
    """Return the statement that lets names without a schema be looked for in these."""
    names = sql.SQL(", ").join(map(sql.Identifier, dict.fromkeys(schemas)))
    statement = sql.SQL("SET {}search_path = {};\n").format(sql.SQL("LOCAL " if local else ""), names)
    return str(statement.as_string(connection))


def _overshadowed(name: str, error: psycopg2.Error, shadow: tuple[str, str, str]) -> ContractError:
    kind, spelt, owner = shadow
    return ContractError(
        f"The contract {name} names something without its schema ({told(error)}), and the {kind} {spelt} of the role"
        f" {owner} may take the place of PostgreSQL's own there: drop that one, or write the schema in the models."
    )


def _respelt(cursor: Cursor, places: _Places, schemas: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Return how hints are spelt that name something without its schema: under any other search_path."""
    found: dict[str, dict[str, str]] = {}
    said = [(table, text) for table, texts in places.said.items() for text in texts]
    if not said or _views(cursor, said, ()) is not None:
        return found
    for table, text in said:
        if _views(cursor, [(table, text)], ()) is None:
            for spelt in _views(cursor, [(table, text)], schemas) or ():
                found.setdefault(str(table), {})[text] = spelt
    return found


def _views(cursor: Cursor, said: list[tuple[QName, str]], schemas: tuple[str, ...]) -> list[str] | None:
    """Return how PostgreSQL spells expressions over tables in full, names being looked for in these schemas too.

    None where it does not understand one. A view keeps an expression parsed, and changes nothing of it.
    """
    view = "CREATE VIEW {} AS SELECT ({}) AS pgmend_value FROM {} AS t;\n"
    views = [f"pgmend_hint_{number}" for number in range(len(said))]
    create = sql.Composed(
        sql.SQL(view).format(sql.Identifier("pg_temp", view_), sql.SQL(text), sql.Identifier("pg_temp", table.name))
        for view_, (table, text) in zip(views, said, strict=True)
    )
    before = "SAVEPOINT pgmend_hints;\n" + _path(["pg_catalog", *schemas, "pg_temp"], cursor.connection, local=True)
    after = (
        f"SET LOCAL search_path = {SAFE_PATH};\nSELECT pg_catalog.pg_get_viewdef(v.name::regclass)"
        " FROM unnest(%s::text[]) WITH ORDINALITY v (name, place) ORDER BY v.place"
    )
    spelt = None
    try:
        cursor.execute(sql.Composed([sql.SQL(before), create]))
        cursor.execute(after, ([f"pg_temp.{view_}" for view_ in views],))
        spelt = [_value_of(definition) for (definition,) in cursor.fetchall()]
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        log.info("hints are not understood as they are: %s", told(error))
    cursor.execute("ROLLBACK TO SAVEPOINT pgmend_hints")
    return spelt


def _value_of(view: str) -> str:
    """Return the expression that a view shows under the name pgmend_value."""
    return view.rpartition(" AS pgmend_value")[0].strip().removeprefix("SELECT").strip()


def _settle(wanted: Schema, places: Mapping[str, QName], schema: str, types: Mapping[str, str]) -> Schema:
    """Return the schema as it will stand in the target, not in the scratch place; `types` tells where types will."""

    def place(name: QName) -> QName:
        return places.get(name.name, QName(schema, name.name))

    def column(found: Column, home: str) -> Column:
        sequence = found.sequence and QName(home, found.sequence.name)
        scratch = found.home.startswith("pg_temp")
        type_ = types.get(bare_type(found.type), schema) if scratch else found.home
        default = found.default and in_full(found.default, types, sequences_at)
        return replace(found, sequence=sequence, home=type_, default=default)

    sequences_at = {
        s.name.name: place(s.owned_by[0]).schema if s.owned_by else schema for s in wanted.sequences.values()
    }
    tables = {}
    for table in (table for table in wanted.tables.values() if table.name.name in places):
        home = place(table.name).schema
        columns = {c.name: column(c, home) for c in table.columns.values()}
        checks = tuple(replace(c, expression=in_full(c.expression, types, {})) for c in table.checks)
        indexes = tuple(
            replace(i, tail=in_full(i.tail, types, {}), exclusion=in_full(i.exclusion, types, {}))
            for i in table.indexes
        )
        keys = tuple(replace(k, table=place(k.table), target=place(k.target)) for k in table.foreign_keys)
        tables[place(table.name)] = replace(
            table,
            name=place(table.name),
            columns=columns,
            checks=checks,
            indexes=indexes,
            foreign_keys=keys,
            persistence="p",
            bytes=0,
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


def _expressions(table: SATable) -> tuple[str, ...]:
    """Return what the hints of a table say in SQL."""
    values = [value for row in table.info.get("default_rows", ()) for value in row.values()]
    values += [_info(column)["backfill"] for column in table.columns if "backfill" in _info(column)]
    return tuple(dict.fromkeys(_sql(value) for value in values if isinstance(value, ClauseElement)))


@contextlib.contextmanager
def _readable(table: SATable, name: str) -> Iterator[None]:
    """Let hints that cannot be read be the contract's fault."""
    try:
        yield
    except (TypeError, ValueError, AttributeError, LookupError, psycopg2.ProgrammingError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise ContractError(f"The contract {name} has hints for {table.name} that cannot be read: {said}.") from None


def _said_by(table: SATable, name: str) -> tuple[str, ...]:
    with _readable(table, name):
        return _expressions(table)


def _hints_of(table: SATable, name: str, connection: Connection, spelt: Mapping[str, str]) -> TableHints:
    with _readable(table, name):
        hints = _hints(table, spelt)
        fills = (column.backfill for column in hints.columns.values() if column.backfill)
        for value in chain(fills, *(row.values() for row in hints.default_rows)):
            value.as_string(connection)
        return hints


def _hints(table: SATable, spelt: Mapping[str, str]) -> TableHints:
    """Return the hints of a table; `spelt` tells how expressions are spelt in full."""
    rows = tuple(
        {column: _value(value, f"{table.name}.{column}", spelt) for column, value in row.items()}
        for row in table.info.get("default_rows", ())
    )
    for row in rows:
        unknown = sorted(set(row) - {column.name for column in table.columns})
        if unknown:
            raise ContractError(f"The default row of {table.name} names {unknown[0]}, which is no column of it.")
    columns = {column.name: _column_hints(column, spelt) for column in table.columns if _info(column)}
    return TableHints(tuple(table.info.get("legacy_names", ())), rows, columns, _alone(table.info))


def _alone(info: Mapping[str, Any]) -> bool:
    """Tell whether hints say that there are no legacy names, and do not just leave them out."""
    return "legacy_names" in info and not info["legacy_names"]


def _info(column: Any) -> dict[str, Any]:
    """Return the hints of a column and of its foreign keys together."""
    found: dict[str, Any] = {}
    for key in column.foreign_keys:
        found |= key.info or {}
    return {**found, **column.info}


def _column_hints(column: Any, spelt: Mapping[str, str]) -> ColumnHints:
    info = _info(column)
    orphans = info.get("orphans", "quarantine")
    if orphans not in ORPHAN_POLICIES:
        raise ContractError(
            f"{column} declares orphans={orphans!r}, which should be one of {', '.join(ORPHAN_POLICIES)}."
        )
    backfill = _value(info["backfill"], str(column), spelt) if "backfill" in info else None
    return ColumnHints(
        legacy_names=tuple(info.get("legacy_names", ())),
        legacy_keys=tuple(info.get("legacy_keys", ())),
        backfill=backfill,
        orphans=orphans,
        timezone=info.get("timezone"),
        alone=_alone(info),
    )


def _value(value: Any, where: str, spelt: Mapping[str, str]) -> sql.Composable:
    """Return a hint's value as SQL: an expression as it is, or as it is spelt in full; all else as a literal."""
    if isinstance(value, ClauseElement):
        return sql.SQL(spelt.get(_sql(value), _sql(value)))
    if callable(value):
        raise ContractError(f"The hint of {where} should be a value or a SQL expression, not a function.")
    return sql.Literal(Json(value) if isinstance(value, dict) else value)


def _sql(value: ClauseElement) -> str:
    return str(value.compile(dialect=_DIALECT))
