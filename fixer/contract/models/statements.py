"""The statements that create the tables of a contract, as SQLAlchemy and the models' listeners spell them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sqlalchemy import ARRAY, DDL, Enum, MetaData, TextClause, create_mock_engine
from sqlalchemy import Column as SAColumn
from sqlalchemy import Table as SATable
from sqlalchemy.dialects.postgresql import DOMAIN, CreateDomainType, CreateEnumType
from sqlalchemy.exc import CompileError, NoInspectionAvailable, SQLAlchemyError
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateSequence, CreateTable
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

from fixer.contract.models.typeless import DIALECT, spellable
from fixer.errors import ContractError, words_of
from fixer.model.expression import literal, parts_of_name, quoted, unquoted
from fixer.model.expression.patterns import pattern
from fixer.model.values import dataclass

SCRATCH = "pg_temp"
Homes = Mapping[str | None, str]  # where the schemas of the models stand


@dataclass(frozen=True)
class Statement:
    """A statement that creates a part of the models; one that a listener says is not SQLAlchemy's own."""

    text: str
    listener: bool = False
    made: tuple[str, str | None] | None = None  # the type that it creates, and the schema where the models want it
    unlogged: str = ""  # the table that it creates UNLOGGED
    counter: tuple[str, str | None] | None = None  # the sequence that it creates, and its schema in the models
    of: str = ""  # the key of the table that it creates, or whose part


class Unspelt(ContractError):
    """A listener or a type of the models fails where no connection is."""


def spelt(
    metadata: MetaData, name: str, groups: Iterable[list[SATable]], homes: Homes | None = None
) -> list[Statement]:
    """Return the statements that create groups of tables, each group in order, in these homes of their schemas."""
    statements: list[Statement] = []

    def keep(element: ClauseElement, *_: object, **__: object) -> None:
        try:
            statement = _statement(element, homes)
        except CompileError:
            with spellable(element):
                statement = _statement(element, homes)
        if not (isinstance(element, CreateSequence) and statement in statements):  # it comes once per table
            statements.append(statement)

    try:
        engine = create_mock_engine("postgresql+psycopg2://", keep)
        for tables in groups:
            metadata.create_all(engine, tables, checkfirst=False)
    except (Exception, SystemExit) as error:  # listeners and types of the user's may raise anything
        if isinstance(error, SQLAlchemyError) and not isinstance(error, NoInspectionAvailable):
            raise ContractError(f"The contract {name} cannot be satisfied: {without_link(error)}.") from None
        raise Unspelt(f"The contract {name} cannot be spelt, for {culprit(error)} fails: {words_of(error)}.") from None
    return statements


def schemas_of(tables: Iterable[SATable]) -> Iterator[str | None]:
    """Yield the schemas in which models want their tables, and the types that are created with these."""
    for table in tables:
        yield table.schema
        for column in table.columns:
            made = _element(column)
            if isinstance(made, Enum | DOMAIN):
                yield made.schema


def types_of(tables: Iterable[SATable]) -> Iterator[tuple[str | None, str]]:
    """Yield the schema and the name of each type that is created with tables."""
    for table in tables:
        for column in table.columns:
            made = _element(column)
            if isinstance(made, Enum | DOMAIN) and made.name and getattr(made, "create_type", True):
                yield made.schema, made.name


def sequences_of(metadata: MetaData) -> Iterator[tuple[str | None, str]]:
    """Yield the schema and the name of each sequence that is created with models."""
    for sequence in metadata._sequences.values():
        if not sequence.optional:
            yield sequence.schema, sequence.name


def borrowed_of(tables: Iterable[SATable]) -> dict[str, str | None]:
    """Return the types that tables need and that are not created with them, and the schema of each as models say it."""
    tables = [*tables]
    found = {
        made.name: made.schema
        for table in tables
        for column in table.columns
        if isinstance(made := _element(column), Enum | DOMAIN) and made.name and not getattr(made, "create_type", True)
    }
    for _, name in types_of(tables):
        found.pop(name, None)
    return found


def _element(column: SAColumn[object]) -> TypeEngine[object]:
    return column.type.item_type if isinstance(column.type, ARRAY) else column.type


def at_home(text: str, borrowed: Mapping[str, str | None]) -> str:
    """Return a statement in which types that the target has are not those of the scratch place."""

    def moved(found: re.Match[str]) -> str:
        name = unquoted(found["type"] or "")
        if name not in borrowed:
            return found[0]
        home = borrowed[name]
        return f"{quoted(home)}.{found['type']}" if home else found["type"]

    return _IN_SCRATCH.sub(moved, text) if borrowed else text


_IN_SCRATCH = pattern(rf"""'(?:[^']|'')*'|\b{SCRATCH}\.(?P<type>"(?:[^"]|"")+"|\w+)""")


def counters_of(statements: Iterable[Statement], schema: str) -> dict[str, str]:
    """Return the schema of each sequence that statements create; one name in two schemas is left out.

    `schema` is that of sequences without one.
    """
    made = {(each.counter[0], each.counter[1] or schema) for each in statements if each.counter}
    once = Counter(name for name, _ in made)
    return {name: home for name, home in made if once[name] == 1}


def in_scratch(text: str, types: Mapping[str, str], counters: Mapping[str, str]) -> str:
    """Return a statement in which types and sequences of the models mean those of the scratch place.

    `types` and `counters` have the schema of each; a cast names it, as reflection writes defaults.
    """

    def moved(found: re.Match[str]) -> str:
        if not found["type"] or types.get(unquoted(found["type"])) != unquoted(found["schema"]):
            return found[0]
        return f"{found['cast']}pg_temp.{found['type']}"

    def counted(found: re.Match[str]) -> str:
        home, *name = parts_of_name(found["name"])
        here = len(name) == 1 and counters.get(name[0]) == home
        return f"{found['call']}{literal(f'{SCRATCH}.{quoted(name[0])}')}" if here else found[0]

    return _DRAW.sub(counted, _CAST.sub(moved, text))


def logged(text: str) -> str:
    """Return the statement that creates a table, without UNLOGGED, which no scratch place takes."""
    return _UNLOGGED.sub("CREATE TABLE", text, count=1)


def at_once(text: str) -> str:
    """Return the statement that creates an index, without CONCURRENTLY, which no transaction takes."""
    return _CONCURRENTLY.sub(r"\1", text, count=1)


_CONCURRENTLY = pattern(r"^(\s*CREATE\s+(?:UNIQUE\s+)?INDEX)\s+CONCURRENTLY\b", re.IGNORECASE)
_UNLOGGED = pattern(r"CREATE\s+UNLOGGED\s+TABLE\b", re.IGNORECASE)
_CAST = pattern(
    r"""'(?:[^']|'')*'|(?P<cast>::\s*|\b[Aa][Ss]\s+)(?P<schema>"(?:[^"]|"")+"|\w+)\.(?P<type>"(?:[^"]|"")+"|\w+)"""
)


def out_of_scratch(text: str, counters: Mapping[str, str]) -> str:
    """Return an expression in which sequences of the models that it names without a schema are named in full."""

    def counted(found: re.Match[str]) -> str:
        name = parts_of_name(found["name"])
        home = counters.get(name[0]) if len(name) == 1 else None
        return f"{found['call']}{literal(f'{quoted(home)}.{quoted(name[0])}')}" if home else found[0]

    return _DRAW.sub(counted, text)


_DRAW = pattern(r"(?P<call>\bnextval\(\s*)'(?P<name>(?:[^']|'')+)'", re.IGNORECASE)


def sql_of(value: ClauseElement) -> str:
    """Return an expression of SQLAlchemy as SQL."""
    return str(value.compile(dialect=DIALECT))


def _statement(element: ClauseElement, homes: Homes | None) -> Statement:
    own = type(element).__module__.startswith("sqlalchemy.") and not isinstance(element, DDL | TextClause)
    made = element.element if isinstance(element, CreateEnumType | CreateDomainType) else None
    if homes is None:
        text = sql_of(element).strip()
    else:
        if isinstance(element, CreateSequence) and set(homes.values()) == {SCRATCH}:  # never made beside the tables
            homes = {**homes, element.element.schema: SCRATCH}
        text = str(element.compile(dialect=DIALECT, schema_translate_map=homes, render_schema_translate=True)).strip()
    unlogged = element.element.name if isinstance(element, CreateTable) and _UNLOGGED.match(text) else ""
    counter = (element.element.name, element.element.schema) if isinstance(element, CreateSequence) else None
    made_type = (made.name, made.schema) if made is not None else None
    return Statement(text, not own, made_type, unlogged, counter, table_of(element))


def table_of(element: object) -> str:
    """Return the key of the table that a statement of SQLAlchemy's own creates, or of which it creates a part."""
    about = element.element if isinstance(element, CreateTable | CreateIndex | AddConstraint) else None
    table = about if about is None or isinstance(about, SATable) else about.table
    return table.key if table is not None else ""


def without_link(error: SQLAlchemyError) -> str:
    """Return what SQLAlchemy says, in one line without the link to its pages."""
    return " ".join(str(error).partition("(Background on")[0].split()).rstrip(".")


def culprit(error: BaseException) -> str:
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
