"""Where a contract comes from: models, SQL, another database, or what the target itself declares."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Protocol, runtime_checkable

from psycopg2.extensions import connection as Connection  # noqa: N812
from sqlalchemy import MetaData

from fixer.connect import target
from fixer.connect.target import Target
from fixer.contract import build, declared, files
from fixer.contract.project import SELF, contract_named
from fixer.errors import ContractError, refuse_empty
from fixer.model.contract import Contract

_URLS = ("postgresql:", "postgres:", "postgresql+", "postgres+")


@runtime_checkable
class Source(Protocol):
    """What a contract is made of."""

    @property
    def name(self) -> str:
        """What it is called, without passwords."""

    def prepare(self, connection: Connection, schema: str) -> Contract:
        """Return the contract as the server behind the connection spells it; `schema` is for what names none."""


@dataclass(frozen=True)
class Models:
    """A MetaData of SQLAlchemy, and what it is called."""

    name: str
    metadata: MetaData

    def prepare(self, connection: Connection, schema: str) -> Contract:
        """Return the contract, whose tables are made in a scratch place."""
        return build.prepare(self.metadata, connection, name=self.name, schema=schema)


@dataclass(frozen=True)
class Itself:
    """What the target itself declares."""

    name: str = SELF

    def prepare(self, connection: Connection, schema: str) -> Contract:
        """Return what the catalogue of the target declares."""
        return declared.prepare(connection, self.name, proved=True)


@dataclass(frozen=True)
class Database:
    """Another database, which is only read."""

    target: Target

    @property
    def name(self) -> str:
        """Its URL without a password."""
        return self.target.redacted

    def prepare(self, connection: Connection, schema: str) -> Contract:
        """Return what the catalogue of the other database declares."""
        with closing(self.target.connect(read_only=True)) as other:
            return declared.prepare(other, self.name)


@dataclass(frozen=True)
class Script:
    """SQL in a file, or in the files of a directory."""

    name: str

    def prepare(self, connection: Connection, schema: str) -> Contract:
        """Return what the SQL declares, once it has run in a throw-away place."""
        return files.prepare(Path(self.name), connection, schema)


@runtime_checkable
class _Named(Protocol):
    """What has a name in Python: a class, a function."""

    __name__: str


ContractSource = Contract | Source | MetaData | type | Callable[[], object] | str | None


def load(contract: Source | MetaData | type | Callable[[], object] | str | None = None) -> Source:
    """Return the source that a text names, or that models are; models that are named are imported.

    None is what the environment or the nearest project names, or else the target itself. A text is ``self``; the URL
    or the keywords of a database; a file that ends in .sql, or a directory; or ``package.module:attribute``. Raises
    ContractError with the reason.
    """
    if isinstance(contract, Source):
        return contract
    if contract is None:
        contract = contract_named()
    if not isinstance(contract, str):
        name = contract.__name__ if isinstance(contract, _Named) else "contract"
        return Models(name, metadata_of(contract))
    refuse_empty("The contract", contract)
    if contract == SELF:
        return Itself()
    if contract.startswith(_URLS) or ("=" in contract and ":" not in contract.partition("=")[0]):
        return Database(target.resolve(contract, origin="--contract", allow_unsafe_production=True))
    if contract.endswith(".sql") or "/" in contract or Path(contract).is_dir():
        return Script(contract)
    return Models(contract, _imported(contract))


def prepare(contract: ContractSource, connection: Connection, schema: str = "public") -> Contract:
    """Return the contract as the server behind the connection spells it."""
    if isinstance(contract, Contract):
        return contract
    refuse_empty("The schema", schema)
    return load(contract).prepare(connection, schema)


def _imported(spec: str) -> MetaData:
    """Return the MetaData that ``package.module:attribute`` names.

    The attribute is a MetaData, a declarative base (or any object with a ``metadata``), or a callable that
    returns one of these. The current directory is importable.
    """
    module, _, attribute = spec.partition(":")
    if not module or not attribute:
        raise ContractError(
            f"The contract {spec!r} should be MODULE:ATTRIBUTE as in app.models:Base, a file as in schema.sql,"
            " the URL of a database, or self."
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a module prints is no part of our output
            found = importlib.import_module(module)
        return metadata_of(attrgetter(attribute)(found))
    except ContractError as error:
        raise ContractError(f"The contract {spec!r} {error}") from None
    except AttributeError as error:
        raise ContractError(f"The contract {spec!r} cannot be loaded: {error}.") from None
    except (Exception, SystemExit) as error:  # the user's module may raise anything while it is imported
        said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".:")
        raise ContractError(f"The contract {spec!r} cannot be imported: {said}.") from None


def metadata_of(found: object) -> MetaData:
    """Return the MetaData in a MetaData, a declarative base, or a callable that returns one."""
    if isinstance(found, MetaData):
        return found
    if isinstance(metadata := getattr(found, "metadata", None), MetaData):  # whatever class the application's base has
        return metadata
    if callable(found):
        return metadata_of(found())
    raise ContractError(f"is of type {type(found).__name__}, not a MetaData, a declarative base, or a callable.")
