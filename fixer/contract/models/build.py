"""Builds a contract: the tables of the models, created in a scratch place and read as the target's server spells them.

Both sides of a comparison are read by the same reader, so that they are spelt alike, and a contract that no database
can satisfy is refused here.
"""

from __future__ import annotations

import logging

from psycopg2.extensions import connection as Connection  # noqa: N812
from sqlalchemy import MetaData

from fixer.connect.memory import undisturbed
from fixer.contract import cache
from fixer.contract.cache import Read
from fixer.contract.models import apart, scratch
from fixer.contract.models.hints import expressions, hints_of
from fixer.contract.models.settled import settled
from fixer.contract.models.statements import (
    SCRATCH,
    Unspelt,
    counters_of,
    in_scratch,
    logged,
    out_of_scratch,
    schemas_of,
    spelt,
)
from fixer.contract.places import Places, wanted_at
from fixer.errors import ContractError, ServerError
from fixer.model.contract import Contract, Hints
from fixer.model.schema import Schema
from fixer.model.table import UNLOGGED

log = logging.getLogger("pgmend.contract")


def prepare(metadata: MetaData, connection: Connection, *, name: str = "contract", schema: str = "public") -> Contract:
    """Build the contract in a scratch place and read it back as the target's server spells it.

    `schema` is where tables without a schema of their own are wanted. Raises ContractError when no
    database can satisfy the contract. The target is left as it was.
    """
    tables = wanted_at(metadata, name, schema)
    with undisturbed():
        said = {tables[t.key]: texts for t in metadata.tables.values() if (texts := expressions(t, name))}
        places = Places(schema, tables, said)
        found = _read(metadata, connection, name, places)
        hints = {
            (place := tables[table.key]): hints_of(table, name, connection, found.hints.get(str(place), {}), schema)
            for table in metadata.tables.values()
        }
    _refuse_unlogged_parents(found.schema, name)
    with_columns = {tables[table.key] for table in metadata.tables.values() if table.columns}
    for table in sorted(with_columns - found.schema.tables.keys()):
        raise ContractError(f"The contract {name} does not make its table {table.name} when all are created.")
    return Contract(name, found.schema, Hints(hints), metadata)


def _read(metadata: MetaData, connection: Connection, name: str, places: Places) -> Read:
    """Return what the contract looks like: as it was kept, or else as it is made."""
    try:
        kept = cache.kept_at(metadata, name, connection.server_version // 10000, places)
    except Unspelt as error:  # a listener wants a real connection: what it says is only known there
        try:
            return apart.read(metadata, connection, name, places)
        except ServerError:
            raise error from None
    found = cache.recall(kept)
    if found is None or len(found.schema.tables) < len(places.tables):
        found = _made(metadata, connection, name, places)
        cache.keep(kept, found)
    return found


def _made(metadata: MetaData, connection: Connection, name: str, places: Places) -> Read:
    """Create the contract in a scratch place, and return what it looks like where it is wanted."""
    tables = [*metadata.tables.values()]
    statements = spelt(metadata, name, [tables], dict.fromkeys([None, *schemas_of(tables)], SCRATCH))
    types = {each.made[0]: each.made[1] or places.schema for each in statements if each.made}
    counters = counters_of(statements, places.schema)
    if any(each.listener for each in statements) or places.ambiguous:
        try:
            return apart.read(metadata, connection, name, places)
        except (ContractError, ServerError) as error:
            if places.ambiguous:
                raise
            log.warning("what the listeners of %s say is not part of the contract: %s", name, error)
    first = sorted(statements, key=lambda each: each.counter is None)  # SQLAlchemy creates domains before sequences
    texts = dict.fromkeys(logged(in_scratch(each.text, types, counters)) for each in first if not each.listener)
    found = scratch.read(";\n".join(texts), connection, name, places)
    unlogged = {each.unlogged for each in statements}
    hints = {
        table: {said: (out_of_scratch(text, counters), volatile) for said, (text, volatile) in each.items()}
        for table, each in found.hints.items()
    }
    return Read(settled(found.schema, places, types, counters, unlogged), hints)


def _refuse_unlogged_parents(schema: Schema, name: str) -> None:
    """Raise ContractError if a permanent table references an UNLOGGED one."""
    unlogged = {table for table, found in schema.tables.items() if found.persistence == UNLOGGED}
    for key in schema.foreign_keys() if unlogged else ():
        if key.target in unlogged and key.table not in unlogged:
            raise ContractError(
                f"The contract {name} cannot be satisfied by any database: {key.table.name} is permanent, and"
                f" references {key.target.name}, which is UNLOGGED."
            )
