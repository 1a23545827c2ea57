"""Builds a contract: the tables of the models, created in a scratch place and read as the target's server spells them.

Both sides of a comparison are read by the same reader, so that they are spelt alike, and a contract that no database
can satisfy is refused here.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812
from sqlalchemy import MetaData

from fixer import introspect
from fixer.connect.link import rolled_back
from fixer.connect.memory import undisturbed
from fixer.connect.settings import READING
from fixer.contract import cache
from fixer.contract.cache import Read
from fixer.contract.models import apart, partly, shapes
from fixer.contract.models import scratch as pg_temp
from fixer.contract.models.hints import expressions, hints_of, see_that_ages_are_told
from fixer.contract.models.scratch import Unsatisfiable
from fixer.contract.models.settled import settled
from fixer.contract.models.statements import (
    SCRATCH,
    Statement,
    Unspelt,
    at_home,
    at_once,
    borrowed_of,
    counters_of,
    in_scratch,
    logged,
    out_of_scratch,
    schemas_of,
    spelt,
)
from fixer.contract.models.views import tables_of
from fixer.contract.places import Places, wanted_at
from fixer.contract.refusing import Said, hints_of_made
from fixer.contract.refusing import settled as refused_parts
from fixer.contract.scratch import OUR_OWN, Scratch
from fixer.errors import ContractError, ServerError, TargetError
from fixer.model.contract import Contract, Hints, Refused
from fixer.model.expression import as_needed, quoted
from fixer.model.schema import Schema
from fixer.model.table import UNLOGGED, ForeignKey
from fixer.model.values import dataclass

log = logging.getLogger("pgmend.contract")


def prepare(
    metadata: MetaData,
    connection: Connection,
    *,
    name: str = "contract",
    schema: str = "public",
    scratch: Scratch = OUR_OWN,
) -> Contract:
    """Build the contract in a scratch place and read it back as the target's server spells it.

    `schema` is where tables without a schema of their own are wanted. A part that PostgreSQL refuses is noted; raises
    ContractError when it refuses all. The target is left as it was.
    """
    models = tables_of(metadata)
    tables = wanted_at(models, name, schema)
    with undisturbed():
        said = {tables[t.key]: texts for t in models if (texts := expressions(t, name))}
        places = Places(schema, tables, said)
        found = _read(metadata, connection, name, places, scratch)
        hints = {
            (place := tables[table.key]): hints_of(table, name, connection, found.hints.get(str(place), {}), schema)
            for table in models
        }
    made, bad = _without_unlogged_parents(found.schema)
    with_columns = {tables[table.key] for table in models if table.columns}
    for table in sorted(with_columns - made.tables.keys() - {each.table for each in found.refused}):
        raise ContractError(f"The contract {name} does not make its table {table.name} when all are created.")
    see_that_ages_are_told(hints, made)
    kept = hints_of_made(hints, made) if found.refused else Hints(hints)
    return Contract(name, made, kept, metadata, refused=(*found.refused, *bad))


def _read(metadata: MetaData, connection: Connection, name: str, places: Places, scratch: Scratch) -> Read:
    """Return what the contract looks like: as it was kept, or else as it is made."""
    labels = _labels(connection, borrowed_of(tables_of(metadata)), places.schema)
    try:
        kept = kept_at(metadata, name, connection, places, scratch, labels)
        found = cache.recall(kept)
        if found is None or len(found.schema.tables) < len(places.tables):
            found = _made(metadata, connection, name, places, scratch)
            cache.keep(kept, found)
        return found
    except Unspelt as error:  # a listener wants a real connection: what it says is only known there
        try:
            return apart.read(metadata, connection, name, places, scratch)
        except ServerError as why:
            raise ContractError(f"{error} {why}") from None


def kept_at(
    metadata: MetaData, name: str, connection: Connection, places: Places, scratch: Scratch, brought: Iterable[str]
) -> Path:
    """Return where this contract is kept, once read; what is `brought` over from the target is part of it."""
    return cache.kept_at(connection, scratch, [*content(metadata, name, places), *brought])


def content(metadata: MetaData, name: str, places: Places) -> list[str]:
    """Return the content of models: all the DDL that creates them where they are wanted, and what their hints say.

    Of most tables it is the shape, from which SQLAlchemy spells the DDL. Table by table, because to sort a long chain
    of references takes longer than to spell it.
    """
    shape, tables = shapes.teller_of(metadata), tables_of(metadata)
    told = [shape(table) for table in tables]
    others = [[table] for table, each in zip(tables, told, strict=True) if each is None]
    ddl = {each.text for each in spelt(metadata, name, others)}
    digest = hashlib.sha256(b"".join(sorted(filter(None, told)))).hexdigest()
    said = [f"{table} {text}" for table, texts in sorted(places.said.items()) for text in texts]
    return [places.schema, shapes.common(metadata), digest, *sorted(ddl), *said]


def _labels(connection: Connection, borrowed: Mapping[str, str | None], schema: str) -> list[str]:
    """Return what the target says of the enums that models need and do not make."""
    if not borrowed:
        return []
    names = [f"{quoted(home or schema)}.{quoted(name)}" for name, home in borrowed.items()]
    with rolled_back(connection) as cursor:
        cursor.execute(READING)
        return [f"{type_} {said}" for type_, said in sorted(introspect.labels(cursor, names).items())]


def _made(metadata: MetaData, connection: Connection, name: str, places: Places, scratch: Scratch) -> Read:
    """Create the contract in a scratch place, and return what it looks like where it is wanted."""
    tables = tables_of(metadata)
    statements = spelt(metadata, name, [tables], dict.fromkeys([None, *schemas_of(tables)], SCRATCH))
    if any(each.listener for each in statements) or places.ambiguous:
        try:
            return apart.read(metadata, connection, name, places, scratch)
        except (ContractError, ServerError) as error:
            if places.ambiguous:
                raise
            log.warning("what the listeners of %s say is not part of the contract: %s", name, error)
    own = _Own([each for each in statements if not each.listener], borrowed_of(tables), places)
    try:
        return own.read(pg_temp.read(";\n".join(own.texts), connection, name, places, scratch))
    except Unsatisfiable as refusal:
        whole = _apart(metadata, connection, name, places, scratch)
        if whole and not whole.refused:
            return whole
        try:
            part = own.read(*partly.read(own.texts, connection, name, places, scratch, refusal))
        except Unsatisfiable:
            if whole is None:
                raise
            return whole
        return whole if whole and len(whole.refused) < len(part.refused) else part


def _apart(metadata: MetaData, connection: Connection, name: str, places: Places, scratch: Scratch) -> Read | None:
    """Return what models look like where more than pg_temp has room; None where no such place can be had.

    pg_temp is one schema, and one name may stand in two; nor does it have all that the search_path of the target finds.
    """
    try:
        kept = kept_at(metadata, name, connection, places, scratch, apart.needed_of(connection, places))
        found = cache.recall(kept)
        if found is None:
            found = apart.read(metadata, connection, name, places, scratch)
            cache.keep(kept, found)
    except (ContractError, ServerError, TargetError) as error:
        log.info("%s is not made in a throw-away place either: %s", name, error)
        return None
    return replace(found, lasting=False)


@dataclass(frozen=True)
class _Own:
    """The statements of SQLAlchemy's own for pg_temp, and what is read there of models in their own schemas."""

    statements: list[Statement]
    borrowed: Mapping[str, str | None]
    places: Places

    @cached_property
    def types(self) -> Mapping[str, str]:
        return {each.made[0]: each.made[1] or self.places.schema for each in self.statements if each.made}

    @cached_property
    def counters(self) -> Mapping[str, str]:
        return counters_of(self.statements, self.places.schema)

    @cached_property
    def texts(self) -> dict[str, str]:
        """Each statement, with the key of its table."""
        first = sorted(self.statements, key=lambda each: each.counter is None)  # SQLAlchemy creates domains first
        return {self._text(each): each.of for each in first}

    def _text(self, statement: Statement) -> str:
        moved = in_scratch(at_home(statement.text, self.borrowed), self.types, self.counters)
        return at_once(logged(moved))

    def read(self, found: Read, said: Iterable[Said] = ()) -> Read:
        """Return what pg_temp has as it looks where it is wanted, and what was refused."""
        hints = {
            table: {text: (out_of_scratch(spelt, self.counters), volatile) for text, (spelt, volatile) in each.items()}
            for table, each in found.hints.items()
        }
        unlogged = {each.unlogged for each in self.statements}
        schema = settled(found.schema, self.places, self.types, self.counters, unlogged)
        return Read(schema, hints, refused_parts(said, schema))


def _without_unlogged_parents(schema: Schema) -> tuple[Schema, list[Refused]]:
    """Return the schema without foreign keys from permanent tables to UNLOGGED ones, and these: a place had both alike.

    PostgreSQL refuses them (manual, CREATE TABLE, UNLOGGED).
    """
    unlogged = {table for table, found in schema.tables.items() if found.persistence == UNLOGGED}
    bad = [k for k in schema.foreign_keys() if k.target in unlogged and k.table not in unlogged] if unlogged else []
    for key in bad:
        table = schema.tables[key.table]
        kept = tuple(each for each in table.foreign_keys if each is not key)
        schema = replace(schema, tables={**schema.tables, table.name: replace(table, foreign_keys=kept)})
    return schema, [_refused(key) for key in bad]


def _refused(key: ForeignKey) -> Refused:
    columns, target = (", ".join(map(as_needed, each)) for each in (key.columns, key.target_columns))
    what = f"FOREIGN KEY ({columns}) REFERENCES {as_needed(key.target.name)} ({target})"
    said = f"{key.table.name} is permanent, and {key.target.name} is UNLOGGED"
    beside = tuple((key.target, column) for column in key.target_columns)
    return Refused(key.table, f"{what} ({key.name})", key.name, said, what, "", key.columns, beside)
