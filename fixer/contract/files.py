"""A contract in SQL: a file, or the files of a directory, run in a throw-away place and read there.

What pg_dump writes runs as it is: rows are left out, and so is what names roles or settings that are not there.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INTRANS
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.contract import cache, declared
from fixer.contract.cache import Read
from fixer.contract.place import Place, bring_over, throw_away
from fixer.contract.script import Statement, statements
from fixer.errors import ContractError
from fixer.model.contract import Contract, Hints

_IGNORED = ("connect", "restrict", "unrestrict", "echo", "set", "encoding")  # psql's commands that create nothing
_ROWS = re.compile(r"INSERT\b", re.IGNORECASE)
LACKING_ROLE = re.compile(r'^role "(.*)" does not exist$')
# Takes a new lock, at which a session hears of roles that others made meanwhile, even inside a transaction.
HEEDING = "SELECT FROM pg_catalog.pg_ts_template LIMIT 0"
# What may be there already, may not be had here, or makes nothing that a contract has.
NOTHING_NEW = re.compile(
    r"""SET\b|LOCK\b|GRANT\b|REVOKE\b|SECURITY\s+LABEL\b|ALTER\s+(?:SYSTEM|DEFAULT\s+PRIVILEGES)\b|ALTER\b.*\bOWNER\s+TO\b
      | (?:CREATE|ALTER|DROP|COMMENT\s+ON)\s+(?:EXTENSION|ROLE|USER|GROUP|DATABASE|EVENT\s+TRIGGER)\b
      | (?:CREATE|ALTER|COMMENT\s+ON)\s+(?:PUBLICATION|SUBSCRIPTION)\b
      | (?:CREATE|COMMENT\s+ON)\s+SCHEMA\s+(?:IF\s+NOT\s+EXISTS\s+)?"?public"?(?!\w)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_BACK = (".down.sql", "_down.sql")  # the way back of a migration

log = logging.getLogger("pgmend.contract")


def prepare(path: Path, connection: Connection, schema: str) -> Contract:
    """Return what SQL declares, as it was kept or else as a throw-away place reads it.

    Raises ContractError with the file and the line of a statement that fails, or if there is no table.
    """
    name, texts = str(path), texts_of(files_at(path))
    version = connection.server_version // 10000
    kept = cache.script_at(texts, version, schema)
    found = cache.recall(kept)
    if found is None:
        with throw_away(version) as place:
            bring_over(connection, place, made=None)
            run(place, texts, schema)
            found = Read(declared.prepare(place.owner, name).schema)
        cache.keep(kept, found)
    return Contract(name, found.schema, Hints())


def files_at(path: Path) -> list[Path]:
    """Return the files that a path names: itself, or those of a directory that end in .sql, in order of name.

    Raises ContractError if there are none.
    """
    if not path.exists():
        raise ContractError(f"There is no file {path}: correct --contract.")
    found = sorted(path.glob("*.sql")) if path.is_dir() else [path]
    found = [file for file in found if not file.name.endswith(_BACK)]
    if not found:
        raise ContractError(f"The directory {path} has no file that ends in .sql.")
    return found


def texts_of(files: Iterable[Path]) -> dict[str, str]:
    """Return what files say, by their names; raise ContractError if one cannot be read."""
    texts = {}
    for file in files:
        try:
            texts[str(file)] = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise ContractError(f"{file} cannot be read: {error.strerror}.") from None
        except UnicodeError:
            raise ContractError(f"{file} is not text in UTF-8: convert it, as by iconv.") from None
    return texts


def run(place: Place, texts: dict[str, str], schema: str) -> None:
    """Run scripts in an empty database; what names no schema goes to this one. Raises ContractError with the line."""
    home = sql.SQL("RESET ALL; SET search_path = {}, public").format(sql.Identifier(schema))
    place.add_schemas([schema])
    with place.owner.cursor() as cursor:
        for name, text in texts.items():
            cursor.execute(home)
            try:
                found = [*statements(text)]
            except ContractError as error:
                raise ContractError(f"{name}, {error}.") from None
            for each in found:
                _run(place, cursor, name, each)
            _end(cursor, name)


def _end(cursor: Cursor, name: str) -> None:
    """Commit what a script began and left open, as with psql -1 around it."""
    if cursor.connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
        return
    try:
        cursor.execute("COMMIT")
    except psycopg2.Error as error:  # a constraint that was deferred
        raise ContractError(f"{name}: {told(error)}.") from None


def _run(place: Place, cursor: Cursor, name: str, statement: Statement) -> None:
    if statement.command and statement.command not in _IGNORED:
        raise ContractError(f"{name}, line {statement.line}: psql's \\{statement.command} is not understood here.")
    if statement.command or _ROWS.match(statement.text):
        return
    try:
        _tried(place, cursor, statement.text)
    except psycopg2.Error as error:
        raise ContractError(f"{name}, line {statement.line}: {told(error)}.") from None
    except ValueError as error:  # characters that no statement may hold
        raise ContractError(f"{name}, line {statement.line}: {error}.") from None


def _tried(place: Place, cursor: Cursor, text: str) -> None:
    """Run a statement, again after each role that it names was made; leave out what only names what is there."""
    made = set[str]()
    while True:
        inside = cursor.connection.info.transaction_status == TRANSACTION_STATUS_INTRANS
        try:
            if inside:
                cursor.execute("SAVEPOINT pgmend")
            cursor.execute(text)
        except psycopg2.Error as error:
            role = LACKING_ROLE.search(error.diag.message_primary or "")
            if not (role and role[1] not in made) and not NOTHING_NEW.match(text):
                raise
            if inside:
                cursor.execute("ROLLBACK TO SAVEPOINT pgmend")
            if not role or role[1] in made:
                log.info("left out of the contract: %s", told(error))
                return
            place.add_role(role[1])
            made.add(role[1])
            if inside:
                cursor.execute(f"{HEEDING}; ROLLBACK TO SAVEPOINT pgmend")
        else:
            return
