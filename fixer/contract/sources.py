"""Where a contract comes from: models, SQL, migrations, another database, or what the target itself declares."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from operator import attrgetter
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.connect import target
from fixer.connect.link import rolled_back
from fixer.connect.memory import undisturbed
from fixer.connect.patience import waits_for
from fixer.connect.redact import redact
from fixer.connect.target import Target
from fixer.contract import declared, project
from fixer.contract.migrations.project import PREFIX
from fixer.contract.project import SELF, contract_named, nearest, scratch_named
from fixer.contract.project.applied import Under
from fixer.contract.scratch import OUR_OWN, Scratch
from fixer.contract.source import Source
from fixer.errors import ContractError, TargetError, option, refuse_empty, words_of
from fixer.model.contract import Contract
from fixer.model.expression.patterns import pattern
from fixer.model.values import dataclass

if TYPE_CHECKING:  # a contract that is no models need not wait for SQLAlchemy
    from sqlalchemy import MetaData

_URLS = ("postgresql:", "postgres:", "postgresql+", "postgres+")
_URL = pattern(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True)
class Models:
    """A MetaData of SQLAlchemy, and what it is called."""

    name: str
    metadata: MetaData
    scratch: Scratch = OUR_OWN

    def prepare(self, connection: Connection, schema: str) -> Contract:
        """Return the contract, whose tables are made in a scratch place."""
        from fixer.contract.models import build

        return build.prepare(self.metadata, connection, name=self.name, schema=schema, scratch=self.scratch)


def _see_that_it_has(connection: Connection, schema: str) -> None:
    """Raise TargetError if the target has no such schema; a contract that names all of its own ignores it otherwise."""
    if schema == "public":
        return
    with rolled_back(connection) as cursor:
        cursor.execute("SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s", (schema,))
        if not cursor.rowcount:
            raise TargetError(f"The target has no schema {schema}: leave out {option('schema', schema)}.")


@dataclass(frozen=True)
class Itself:
    """What the target itself declares."""

    name: str = SELF

    def prepare(self, connection: Connection, schema: str) -> Contract:
        """Return what the catalogue of the target declares; raise TargetError if it has no such schema."""
        _see_that_it_has(connection, schema)
        return declared.prepare(connection, self.name, itself=True)


@dataclass(frozen=True)
class Database:
    """Another database, which is only read."""

    target: Target

    @property
    def name(self) -> str:
        """Its URL without a password."""
        return self.target.redacted

    def prepare(self, connection: Connection, schema: str) -> Contract:
        """Return what the other database declares; raise TargetError if the target lacks the schema."""
        _see_that_it_has(connection, schema)
        from fixer.contract.anew import by_target

        with closing(self.target.connect(read_only=True)) as other:
            made = declared.prepare(other, self.name, like=connection)
            return replace(made, schema=by_target(connection, made.schema, other.server_version // 10000))


@dataclass(frozen=True)
class Script:
    """SQL in a file, or in the files of a directory."""

    name: str
    scratch: Scratch = OUR_OWN

    def prepare(self, connection: Connection, schema: str) -> Contract:
        """Return what the SQL declares, once it has run in a throw-away place."""
        from fixer.contract import files

        return files.prepare(Path(self.name), connection, schema, self.scratch)


@dataclass(frozen=True)
class Migrations:
    """Migrations of Alembic, up to a revision."""

    name: str
    scratch: Scratch = OUR_OWN

    def prepare(self, connection: Connection, schema: str) -> Contract:
        """Return what the migrations make of an empty database."""
        from fixer.contract.migrations import prepare as migrations

        return migrations.prepare(self.name, connection, schema, self.scratch)


@runtime_checkable
class _Named(Protocol):
    """What has a name in Python: a class, a function."""

    __name__: str


ContractSource: TypeAlias = (
    "Contract | Source | MetaData | type | Callable[[], object] | str | PathLike[str] | None"  # whatever `load` takes
)


def load(
    contract: Source | MetaData | type | Callable[[], object] | str | PathLike[str] | None = None,
    scratch: str | None = None,
) -> Source:
    """Return the source that a text names, or that models are; models that are named are imported.

    `scratch` names the server of its throw-away database: a DSN, or ``docker:IMAGE``.

    None is what the environment or the nearest project names, or else the target itself; then alone, all else that the
    project says counts, too. A text is ``self``; the URL or the keywords of a database; a file that ends in .sql, or a
    directory; ``alembic:DIR@REVISION``; or ``package.module:attribute``; a path is of SQL. Raises ContractError with
    the reason.
    """
    if isinstance(contract, Source):
        return contract
    if contract is None:
        return in_project(load(contract_named(), scratch_named() if scratch is None else scratch))
    place = Scratch.of(scratch)
    if isinstance(contract, PathLike):
        return Script(fspath(contract), place)
    if not isinstance(contract, str):
        name = contract.__name__ if isinstance(contract, _Named) else "contract"
        return Models(name, metadata_of(contract), place)
    refuse_empty("The contract", contract)
    if contract == SELF:
        return Itself()
    if contract.startswith(PREFIX):
        return Migrations(contract, place)
    if contract.startswith(_URLS) or ("=" in contract and ":" not in contract.partition("=")[0]):
        return Database(target.resolve(contract, origin=option("contract"), allow_unsafe_production=True))
    _refuse_foreign(contract)
    if contract.endswith(".sql") or "/" in contract or Path(contract).is_dir():
        return Script(contract, place)
    return Models(contract, _imported(contract), place)


def _refuse_foreign(contract: str) -> None:
    """Raise ContractError for what looks like a source, and is none."""
    if _URL.match(contract):
        raise ContractError(
            f"The contract {redact(contract)!r} is no URL of PostgreSQL, as in postgresql://user@host/db."
        )


def prepare(
    contract: ContractSource, connection: Connection, schema: str = "public", scratch: str | None = None
) -> Contract:
    """Return the contract as the server behind the connection spells it; `scratch` as in `load`."""
    if isinstance(contract, Contract):
        return contract
    refuse_empty("The schema", schema)
    source = load(contract, scratch)
    with waits_for(f"the contract {source.name} to be made and read"):
        found = source.prepare(connection, schema)
    return replace(found, in_project=found.metadata is None)


def in_project(source: Source) -> Source:
    """Return a source under what the nearest project says: exclude, accept and hints."""
    return Under(source, project.of())


def _imported(spec: str) -> MetaData:
    """Return the MetaData that ``package.module:attribute`` names.

    The attribute is a MetaData, a declarative base (or any object with a ``metadata``), or a callable that
    returns one of these. The current directory is importable, and so is that of the project, after all others.
    """
    module, _, attribute = spec.partition(":")
    if not module or not attribute:
        raise ContractError(
            f"The contract {spec!r} should be MODULE:ATTRIBUTE as in app.models:Base, a file as in schema.sql,"
            " alembic:DIR, the URL of a database, or self."
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    if (project := nearest()) and str(project.parent) not in sys.path:
        sys.path.append(str(project.parent))
    try:
        with contextlib.redirect_stdout(sys.stderr), undisturbed():  # what a module prints is no part of our output
            found = importlib.import_module(module)
        return metadata_of(attrgetter(attribute)(found))
    except ContractError as error:
        raise ContractError(f"The contract {spec!r} {error}") from None
    except AttributeError as error:
        raise ContractError(f"The contract {spec!r} cannot be loaded: {error}.") from None
    except (Exception, SystemExit) as error:  # the user's module may raise anything while it is imported
        why = f"{words_of(error)}{_where_it_lacks(error)}"
        raise ContractError(f"The contract {spec!r} cannot be imported: {why}.") from None


def _where_it_lacks(error: BaseException) -> str:
    """Return which package lacks a module that was not found: it may hide another package of its name."""
    package = (error.name or "").rpartition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    place = next(iter(getattr(sys.modules.get(package), "__path__", ())), "") if package else ""
    if not place:
        return ""
    return f" in the package {place}; if that hides another of its name, call this from a directory without it"


def metadata_of(found: object) -> MetaData:
    """Return the MetaData in a MetaData, a declarative base, or a callable that returns one."""
    from sqlalchemy import MetaData

    if isinstance(found, MetaData):
        return found
    if isinstance(metadata := getattr(found, "metadata", None), MetaData):  # whatever class the application's base has
        return metadata
    if callable(found):
        return metadata_of(found())
    raise ContractError(f"is of type {type(found).__name__}, not a MetaData, a declarative base, or a callable.")
