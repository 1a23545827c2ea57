"""The statements that create the tables of a contract, as SQLAlchemy and the models' listeners spell them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ARRAY, DDL, Enum, MetaData, TextClause, create_mock_engine
from sqlalchemy import Table as SATable
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import DOMAIN, CreateDomainType, CreateEnumType
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateSequence, CreateTable
from sqlalchemy.sql.elements import ClauseElement

from fixer.errors import ContractError
from fixer.model.expression import unquoted

_DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]  # pyformat would double %
SCRATCH = "pg_temp"
Homes = Mapping[str | None, str]  # where the schemas of the models stand


@dataclass(frozen=True)
class Statement:
    """A statement that creates a part of the models; one that a listener says is not SQLAlchemy's own."""

    text: str
    listener: bool = False
    made: tuple[str, str | None] | None = None  # the type that it creates, and the schema where the models want it
    unlogged: str = ""  # the table that it creates UNLOGGED


class Unspelt(ContractError):
    """A listener or a type of the models fails where no connection is."""


def spelt(
    metadata: MetaData, name: str, groups: Iterable[list[SATable]], homes: Homes | None = None
) -> list[Statement]:
    """Return the statements that create groups of tables, each group in order, in these homes of their schemas."""
    statements: list[Statement] = []

    def keep(element: ClauseElement, *_: object, **__: object) -> None:
        statement = _statement(element, homes)
        if not (isinstance(element, CreateSequence) and statement in statements):  # it comes once per table
            statements.append(statement)

    try:
        engine = create_mock_engine("postgresql+psycopg2://", keep)
        for tables in groups:
            metadata.create_all(engine, tables, checkfirst=False)
    except SQLAlchemyError as error:
        said = " ".join(str(error).partition("(Background on")[0].split()).rstrip(".")
        raise ContractError(f"The contract {name} cannot be satisfied: {said}.") from None
    except (Exception, SystemExit) as error:  # listeners and types of the user's may raise anything
        said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".:")
        raise Unspelt(f"The contract {name} cannot be spelt, for {_culprit(error)} fails: {said}.") from None
    return statements


def schemas_of(tables: Iterable[SATable]) -> Iterator[str | None]:
    """Yield the schemas in which models want their tables, and the types that are created with these."""
    for table in tables:
        yield table.schema
        for column in table.columns:
            made = column.type.item_type if isinstance(column.type, ARRAY) else column.type
            if isinstance(made, Enum | DOMAIN):
                yield made.schema


def types_of(tables: Iterable[SATable]) -> Iterator[tuple[str | None, str]]:
    """Yield the schema and the name of each type that is created with tables."""
    for table in tables:
        for column in table.columns:
            made = column.type.item_type if isinstance(column.type, ARRAY) else column.type
            if isinstance(made, Enum | DOMAIN) and made.name and getattr(made, "create_type", True):
                yield made.schema, made.name


def in_scratch(text: str, types: Mapping[str, str]) -> str:
    """Return a statement in which casts to types of the models mean those of the scratch place.

    `types` has the schema of each; a cast names it, as reflection writes defaults.
    """

    def moved(found: re.Match[str]) -> str:
        if not found["type"] or types.get(unquoted(found["type"])) != unquoted(found["schema"]):
            return found[0]
        return f"{found['cast']}pg_temp.{found['type']}"

    return _CAST.sub(moved, text)


def logged(text: str) -> str:
    """Return the statement that creates a table, without UNLOGGED, which no scratch place takes."""
    return _UNLOGGED.sub("CREATE TABLE", text, count=1)


_UNLOGGED = re.compile(r"CREATE\s+UNLOGGED\s+TABLE\b", re.IGNORECASE)
_CAST = re.compile(
    r"""'(?:[^']|'')*'|(?P<cast>::\s*|\b[Aa][Ss]\s+)(?P<schema>"(?:[^"]|"")+"|\w+)\.(?P<type>"(?:[^"]|"")+"|\w+)"""
)


def sql_of(value: ClauseElement) -> str:
    """Return an expression of SQLAlchemy as SQL."""
    return str(value.compile(dialect=_DIALECT))


def _statement(element: ClauseElement, homes: Homes | None) -> Statement:
    own = type(element).__module__.startswith("sqlalchemy.") and not isinstance(element, DDL | TextClause)
    made = element.element if isinstance(element, CreateEnumType | CreateDomainType) else None
    if homes is None:
        text = sql_of(element).strip()
    else:
        if isinstance(element, CreateSequence) and set(homes.values()) == {SCRATCH}:  # never made beside the tables
            homes = {**homes, element.element.schema: SCRATCH}
        text = str(element.compile(dialect=_DIALECT, schema_translate_map=homes, render_schema_translate=True)).strip()
    unlogged = element.element.name if isinstance(element, CreateTable) and _UNLOGGED.match(text) else ""
    return Statement(text, not own, (made.name, made.schema) if made is not None else None, unlogged)


def _culprit(error: BaseException) -> str:
    """Return words for the function or listener of the models that raised an error."""
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
