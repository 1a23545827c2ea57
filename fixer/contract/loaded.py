"""Makes a contract of whatever names or holds one: a text to import, an object of the application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from psycopg2.extensions import connection as Connection  # noqa: N812
from sqlalchemy import MetaData

from fixer.contract.build import prepare as build_contract
from fixer.contract.sources import load as import_metadata
from fixer.contract.sources import metadata_of
from fixer.errors import refuse_empty
from fixer.model.contract import Contract


@dataclass(frozen=True)
class Loaded:
    """A contract that was imported: its name and its MetaData."""

    name: str
    metadata: MetaData


ContractSource = Contract | Loaded | MetaData | type | Callable[[], object] | str


@runtime_checkable
class _Named(Protocol):
    """What has a name in Python: a class, a function."""

    __name__: str


def load(contract: Loaded | MetaData | type | Callable[[], object] | str) -> Loaded:
    """Import a contract that is named; find the MetaData in any other."""
    if isinstance(contract, Loaded):
        return contract
    if isinstance(contract, str):
        refuse_empty("The contract", contract)
        return Loaded(contract, import_metadata(contract))
    name = contract.__name__ if isinstance(contract, _Named) else "contract"
    return Loaded(name, metadata_of(contract))


def prepare(contract: ContractSource, connection: Connection, schema: str = "public") -> Contract:
    """Return the contract as the server behind the connection spells it."""
    if isinstance(contract, Contract):
        return contract
    refuse_empty("The schema", schema)
    found = load(contract)
    return build_contract(found.metadata, connection, name=found.name, schema=schema)
