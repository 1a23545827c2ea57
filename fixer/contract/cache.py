"""Keeps a contract that was read for the next time: by its content, its place and the server's version."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import field
from functools import cache
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer import introspect
from fixer.connect.settings import manners
from fixer.contract.respelt import Spelt
from fixer.contract.scratch import Scratch
from fixer.model.codec import decode, encode, form
from fixer.model.contract import Refused
from fixer.model.schema import Partition, Schema
from fixer.model.schema.code import Code, Coded
from fixer.model.schema.storage import Stored
from fixer.model.table import Check, Column, ForeignKey, Index, Sequence, Table
from fixer.model.values import dataclass

_FORMAT = 14  # changes whenever the values of fixer.model.schema mean something else
_AT_MOST = 50  # contracts that are kept: each change of one makes another
_KEPT = (Schema, Table, Column, Index, Check, ForeignKey, Sequence, Partition, Coded, Code, Stored)

log = logging.getLogger("pgmend.contract")


@dataclass(frozen=True)
class Read:
    """A contract as it was read, and what its hints mean under any search_path: by table, by how they are said."""

    schema: Schema
    hints: Mapping[str, Mapping[str, Spelt]] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()  # such a contract is never kept: what it needs may be there the next time
    lasting: bool = True  # whether it is the same wherever its content is the same; else more decides where it is kept


def kept_at(connection: Connection, scratch: Scratch, parts: Iterable[str]) -> Path:
    """Return where a contract is kept, once read: these texts, the session and the server of its place decide on it."""
    spelling = [str(connection.server_version // 10000), *manners(connection).values()]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    content = "\0".join([_reader(), *spelling, str(scratch), *parts])
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    return cache / "pgmend" / f"contract-{digest[:32]}.json"


@cache
def _reader() -> str:
    """Return a digest of how contracts are read and kept, which is the same as long as the process lasts."""
    return hashlib.sha256("\0".join([str(_FORMAT), form(*_KEPT), *introspect.queries()]).encode()).hexdigest()


def recall(kept: Path) -> Read | None:
    """Return the contract that was kept; None where there is none, or none that can be read."""
    try:
        schema, hints = json.loads(kept.read_text(encoding="utf-8"))
        with suppress(OSError):
            os.utime(kept)  # of too many, those go that were not used for longest
        told = {
            str(table): {said: (spelt, volatile) for said, (spelt, volatile) in texts.items()}
            for table, texts in hints.items()
        }
        return Read(decode(Schema, schema), told)
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None


def keep(kept: Path, found: Read) -> None:
    """Keep the contract for the next time, where there is room for it, and nothing of it was refused."""
    if found.lasting and not found.refused:
        _write(kept, [encode(found.schema), found.hints])


def noted(kept: Path) -> list[str] | None:
    """Return the paths that were noted; None where there are none, or none that can be read."""
    try:
        found = json.loads(kept.read_text(encoding="utf-8"))
        with suppress(OSError):
            os.utime(kept)
    except (OSError, ValueError):
        return None
    return [str(each) for each in found] if isinstance(found, list) else None


def note(kept: Path, paths: list[str]) -> None:
    """Note the paths of what a contract is made of, where there is room for it."""
    _write(kept, paths)


def _write(kept: Path, value: object) -> None:
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False, encoding="utf-8") as file:
            json.dump(value, file, separators=(",", ":"))
        Path(file.name).replace(kept)
        for old in sorted(kept.parent.glob("contract-*.json"), key=lambda path: path.stat().st_mtime)[:-_AT_MOST]:
            old.unlink()
    except OSError as error:
        log.info("the contract is not kept for the next time: %s", error.strerror)
