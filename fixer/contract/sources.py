"""Where a contract comes from: a module's attribute, a declarative base, a callable, a MetaData."""

from __future__ import annotations

import contextlib
import importlib
import sys
from operator import attrgetter
from pathlib import Path

from sqlalchemy import MetaData

from fixer.errors import ContractError

DEFAULT = "contracts.trading:metadata"  # the contract that ships


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
