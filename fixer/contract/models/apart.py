"""Models made in a throw-away place, where no scratch place in the target can hold them.

So are models with listeners, which get a real connection there, and never reach the target; and models that have one
name in several schemas.
"""

from __future__ import annotations

from functools import partial

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from sqlalchemy import MetaData, create_engine, event
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from fixer.connect.failures import told
from fixer.connect.link import attempt, rolled_back
from fixer.connect.settings import READING, SAFELY, UNQUOTED
from fixer.contract.cache import Read
from fixer.contract.models.scratch import Unsatisfiable
from fixer.contract.models.statements import at_once, culprit, sequences_of, table_of, types_of, without_link
from fixer.contract.models.views import tables_of
from fixer.contract.place import Place, bring_over, extensions_of, throw_away
from fixer.contract.places import Places
from fixer.contract.refusing import Said, is_ours, make, refused, settled
from fixer.contract.respelt import path_of, respelt
from fixer.contract.scratch import Scratch
from fixer.errors import ContractError, words_of
from fixer.introspect import borrowing
from fixer.model.schema import Schema
from fixer.model.table import QName
from fixer.model.values import dataclass

_PATH = f"BEGIN READ ONLY;\n{SAFELY}SELECT pg_catalog.current_setting('pgmend.own_path')::text[]"


def read(metadata: MetaData, connection: Connection, name: str, places: Places, scratch: Scratch) -> Read:
    """Make models in a throw-away place with a real connection, and return what they look like there.

    Raises ContractError where PostgreSQL refuses a statement or a listener raises, ServerError without a server of our
    own.
    """
    path = _path_of_target(connection, places)
    own = (*types_of(tables_of(metadata)), *sequences_of(metadata))
    made = {QName(home or places.schema, each) for home, each in own}
    with throw_away(connection.server_version // 10000, scratch) as place:
        bring_over(connection, place, made=made)
        place.add_schemas(places.schemas)
        said = list[Said]()
        try:
            _make(metadata, place, name, places, path, None)
        except Unsatisfiable:
            _make(metadata, place, name, places, path, said)
        schema = place.declares(connection, name, lone_types=False)  # they may be those that were brought over
        with rolled_back(place.owner) as cursor:
            cursor.execute(f"BEGIN;\n{SAFELY}{UNQUOTED}")
            hints = respelt(cursor, places, tuple(path), "")
    schema = _only(schema, places)
    return Read(schema, hints, settled(said, schema))


def needed_of(connection: Connection, places: Places) -> list[str]:
    """Return what models may need of the target and do not make: on this, too, it depends what they look like."""
    with rolled_back(connection) as cursor:
        cursor.execute(READING + UNQUOTED)
        needs = borrowing.needed(cursor)
    brought = [f"{each.name} {each.statement}" for each in needs]
    return ["apart", *_path_of_target(connection, places), *extensions_of(connection), *brought]


def _path_of_target(connection: Connection, places: Places) -> list[str]:
    with rolled_back(connection) as cursor:
        cursor.execute(_PATH)
        found = cursor.fetchone()
    return [*dict.fromkeys([places.schema, *(found[0] if found else ()), "public"])]


def _make(
    metadata: MetaData, place: Place, name: str, places: Places, path: list[str], refused: list[Said] | None
) -> None:
    """Make models; where a list takes what is `refused`, what PostgreSQL refuses of a table is left out."""
    place.owner.autocommit = True
    with place.owner.cursor() as cursor:
        cursor.execute(path_of(path, local=False))
    place.owner.autocommit = False
    engine = create_engine("postgresql+psycopg2://", creator=lambda: place.owner, poolclass=StaticPool)
    event.listen(engine, "before_cursor_execute", _at_once, retval=True)
    if refused is not None:
        event.listen(engine, "do_execute", _Taking(place, places, refused))
    try:
        with engine.connect() as connection:
            moved = connection.execution_options(schema_translate_map={None: places.schema})
            metadata.create_all(moved, tables_of(metadata))
            moved.commit()
    except SQLAlchemyError as error:
        reason = error.orig if hasattr(error, "orig") and isinstance(error.orig, psycopg2.Error) else None
        said = told(reason) if reason else without_link(error)
        kind = Unsatisfiable if reason and is_ours(reason) else ContractError
        raise kind(f"The contract {name} cannot be made: {said}.", sqlstate=reason.pgcode if reason else None) from None
    except (Exception, SystemExit) as error:  # listeners of the user's may raise anything
        why = f"{culprit(error)} fails: {words_of(error)}"
        raise ContractError(f"The contract {name} cannot be made, for {why}.") from None
    place.owner.autocommit = True


def _at_once(_: object, __: object, statement: str, parameters: object, *___: object) -> tuple[str, object]:
    return at_once(statement), parameters


@dataclass(frozen=True, eq=False)
class _Taking:
    """Makes as much of each table of the models as PostgreSQL takes, and notes what it refuses."""

    place: Place
    places: Places
    refused: list[Said]

    def __call__(self, cursor: Cursor, statement: str, parameters: object, context: object) -> bool | None:
        """Run a statement of SQLAlchemy's own instead of the dialect; all others go their way."""
        compiled = context.compiled if isinstance(context, DefaultExecutionContext) else None
        key = table_of(compiled.statement) if compiled is not None else ""
        if not key:
            return None
        plain = statement % () if "%%" in statement else statement  # as the dialect doubles them
        for each in make(plain.strip(), partial(attempt, cursor)):
            self.refused.append((refused(each, self.places.tables[key]), each.statement))
        return True


def _only(schema: Schema, places: Places) -> Schema:
    """Return the tables of the models, and what they count by."""
    wanted = set(places.tables.values())
    tables = {name: table for name, table in schema.tables.items() if name in wanted}
    sequences = {n: each for n, each in schema.sequences.items() if not each.owned_by or each.owned_by[0] in tables}
    return Schema(tables=tables, sequences=sequences, spellings=schema.spellings, alone=schema.alone)
