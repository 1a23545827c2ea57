"""A contract in SQL: a file, or the files of a directory, run in a throw-away place and read there.

What pg_dump writes runs as it is: rows are left out, and so is what names roles or settings that are not there.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import psycopg2
from psycopg2 import errors as pg
from psycopg2 import sql
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INERROR, TRANSACTION_STATUS_INTRANS
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.connect.link import rolled_back
from fixer.connect.settings import READING
from fixer.contract import cache, refusing
from fixer.contract.cache import Read
from fixer.contract.place import Place, bring_over, extensions_of, throw_away
from fixer.contract.refusing import Said, refused
from fixer.contract.scratch import OUR_OWN, Scratch
from fixer.contract.script import Statement, statements, without_roles
from fixer.errors import ContractError, option
from fixer.introspect import coded
from fixer.model.contract import Contract, Hints, Refused
from fixer.model.expression import as_needed, quoted
from fixer.model.expression.patterns import pattern
from fixer.model.schema.code import Key
from fixer.model.table import QName

# Commands of psql that create nothing.
_IGNORED = (
    *("c", "connect", "echo", "encoding", "pset", "qecho"),
    *("restrict", "set", "timing", "unrestrict", "unset", "warn"),
)
_ROWS = pattern(r"INSERT\b", re.IGNORECASE)
# What is the server's, which others may use too: never run.
_OF_SERVER = pattern(
    r"""(?:CREATE|ALTER|DROP|COMMENT\s+ON)\s+(?:DATABASE|TABLESPACE|SUBSCRIPTION|ROLE|GROUP|USER(?!\s+MAPPING\b))\b
      | ALTER\s+SYSTEM\b|(?:REASSIGN|DROP)\s+OWNED\b""",
    re.IGNORECASE | re.VERBOSE,
)
_COMMENT = pattern(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_COMPILED = pattern(r"\bLANGUAGE\s+'?(?:c|internal)\b", re.IGNORECASE)  # of functions that only a superuser may write
LACKING_ROLE = pattern(r'^role "(.*)" does not exist$')
# Takes a new lock, at which a session hears of roles that others made meanwhile, even inside a transaction.
HEEDING = "SELECT FROM pg_catalog.pg_ts_template LIMIT 0"
# What may be there already, may not be had here, or makes nothing that a contract has.
NOTHING_NEW = pattern(
    r"""SET\b|LOCK\b|GRANT\b|REVOKE\b|SECURITY\s+LABEL\b|ALTER\s+(?:SYSTEM|DEFAULT\s+PRIVILEGES)\b|ALTER\b.*\bOWNER\s+TO\b
      | (?:CREATE|ALTER|DROP|COMMENT\s+ON)\s+(?:EXTENSION|ROLE|USER|GROUP|DATABASE|EVENT\s+TRIGGER)\b
      | (?:CREATE|ALTER|COMMENT\s+ON)\s+(?:PUBLICATION|SUBSCRIPTION)\b
      | (?:CREATE|COMMENT\s+ON)\s+(?:OR\s+REPLACE\s+)?(?:TRUSTED\s+)?(?:PROCEDURAL\s+)?LANGUAGE\b
      | (?:CREATE|COMMENT\s+ON)\s+SCHEMA\s+(?:IF\s+NOT\s+EXISTS\s+)?"?public"?(?!\w)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_SEVERAL = pattern(r"\n(?:CREATE|ALTER)\s", re.IGNORECASE)  # a statement that swallowed the next one
_WHERE = """
SELECT coalesce((SELECT relnamespace::pg_catalog.regnamespace::text FROM pg_catalog.pg_class
                  WHERE oid = pg_catalog.to_regclass(%s)), pg_catalog.current_schema()::text, 'public')
"""
_SCHEMA = pattern(r'CREATE\s+SCHEMA\s+("(?:[^"]|"")+"|[\w$]+)', re.IGNORECASE)  # which a schema of the target is
_BACK = (".down.sql", "_down.sql")  # the way back of a migration

_HOME = "RESET SESSION AUTHORIZATION; RESET ALL; SET search_path = {}, public"

log = logging.getLogger("pgmend.contract")


def prepare(path: Path, connection: Connection, schema: str, scratch: Scratch = OUR_OWN) -> Contract:
    """Return what SQL declares, as it was kept or else as a throw-away place reads it.

    Raises ContractError with the file and the line of a statement that fails, or if they declare nothing.
    """
    name, texts = str(path), texts_of(files_at(path))
    version = connection.server_version // 10000
    kept = cache.kept_at(connection, scratch, [schema, *extensions_of(connection), *texts.values()])
    found = cache.recall(kept)
    if found is None:
        with throw_away(version, scratch) as place:
            bring_over(connection, place, made=None)
            brought = code_in(place)
            said = run(place, texts, schema)
            found = _read(place, connection, name, said, brought)
        cache.keep(kept, found)
    return Contract(name, found.schema, Hints(), refused=found.refused)


def _read(place: Place, target: Connection, name: str, refused: list[Said], brought: list[Key]) -> Read:
    """Return what stands in a place, as the target spells it.

    Raises ContractError with the first part that was refused if nothing stands there.
    """
    try:
        schema = place.declares(target, name, brought)
    except ContractError:
        if refused:
            first, _ = refused[0]
            raise ContractError(f"{first.place}: {first.said}{_before(first.said)}.") from None
        raise ContractError(
            f"The contract {name} declares nothing that is compared: it should create a table, a type or a function."
        ) from None
    return Read(schema, refused=refusing.settled(refused, schema))


def code_in(place: Place) -> list[Key]:
    """Return the keys of the code that stands in a place before a contract is made there, as that of stand-ins."""
    with rolled_back(place.owner) as cursor:
        cursor.execute(READING)
        found = coded.declared(cursor)
        return [*found.by_key, *found.beyond]


def files_at(path: Path) -> list[Path]:
    """Return the files that a path names: itself, or those of a directory that end in .sql, in order of name.

    Raises ContractError if there are none.
    """
    if not path.exists():
        raise ContractError(f"There is no file {path}: correct {option('contract')}.")
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


def run(place: Place, texts: dict[str, str], schema: str) -> list[Said]:
    """Run scripts in an empty database; what names no schema goes to this one. Return the parts that are refused.

    Raises ContractError with the line of a statement that is no part of a table.
    """
    refused = list[Said]()
    home = sql.SQL(_HOME).format(sql.Identifier(schema))
    place.add_schemas([schema])
    with place.owner.cursor() as cursor:
        for name, text in texts.items():
            cursor.execute(home)
            try:
                found = [*statements(text)]
            except ContractError as error:
                raise ContractError(f"{name}, {error}.") from None
            for each in found:
                refused += _run(place, cursor, name, each, [known for known, _ in refused])
            _end(cursor, name)
        cursor.execute(home)  # what the last one has set does not count as the next is read
    return refused


def _end(cursor: Cursor, name: str) -> None:
    """Commit what a script began and left open, as with psql -1 around it."""
    if cursor.connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
        return
    try:
        cursor.execute("COMMIT")
    except psycopg2.Error as error:  # a constraint that was deferred
        raise ContractError(f"{name}: {told(error)}.") from None


def _run(place: Place, cursor: Cursor, name: str, statement: Statement, known: list[Refused]) -> list[Said]:
    """Run a statement; return what PostgreSQL refuses of it."""
    where = f"{name}, line {statement.line}"
    if statement.command and statement.command not in _IGNORED:
        raise ContractError(f"{where}: psql's \\{statement.command} is not understood here.")
    if statement.command or _ROWS.match(statement.text) or _OF_SERVER.match(_COMMENT.sub(" ", statement.text)):
        return []
    attempt = partial(_attempt, place, cursor)
    text, roles = without_roles(statement.text)
    for role in roles:
        place.add_role(role)
    try:
        found = refusing.make(text, attempt)
    except psycopg2.Error as error:
        if refusing.is_consequence(error, known):
            log.info("left out of the contract, as something before it is: %s", told(error))
            return []
        raise ContractError(f"{where}: {told(error)}{_before(told(error))}.", sqlstate=error.pgcode) from None
    except ValueError as error:  # characters that no statement may hold
        raise ContractError(f"{where}: {error}.") from None
    if any(isinstance(each.error, pg.SyntaxError) for each in found) and _SEVERAL.search(statement.text):
        raise ContractError(f"{where}: {told(found[0].error)}.")
    return [(_explained(place, cursor, each, where), each.statement) for each in found]


def _before(said: str) -> str:
    """Return what the script should say before a statement, if PostgreSQL said that its schema is missing."""
    found = re.match(r'schema "(.+)" does not exist', said)
    return f": say CREATE SCHEMA {as_needed(found[1])}; before it" if found else ""


def _explained(place: Place, cursor: Cursor, refusal: refusing.Refusal, where: str) -> Refused:
    """Return a refusal with what the place lacks of the target, if that may be why."""
    found = refused(refusal, _place_of(cursor, refusal.apart.named), where)
    why = place.explained(ContractError(f"{found.said}.", sqlstate=refusal.error.pgcode), place.version)
    return replace(found, said=str(why).rstrip("."))


def _attempt(place: Place, cursor: Cursor, text: str) -> psycopg2.Error | None:
    """Run a statement; return why it failed, after which the transaction goes on."""
    inside = cursor.connection.info.transaction_status == TRANSACTION_STATUS_INTRANS
    try:
        _tried(place, cursor, text)
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        if inside and cursor.connection.info.transaction_status == TRANSACTION_STATUS_INERROR:
            cursor.execute("ROLLBACK TO SAVEPOINT pgmend")
        return error
    return None


def _place_of(cursor: Cursor, name: tuple[str, ...]) -> QName:
    """Return where a table stands, or would: of names without a schema, where the script looks for them."""
    if len(name) > 1:
        return QName(*name[-2:])
    cursor.execute(_WHERE, (quoted(name[0]),))
    found = cursor.fetchone()
    return QName(str(found[0]) if found else "public", name[0])


def _tried(place: Place, cursor: Cursor, text: str) -> None:
    """Run a statement, again after each role that it names was made; leave out what only names what is there."""
    made = set[str]()
    idle = NOTHING_NEW.match(text) is not None
    while True:
        inside = cursor.connection.info.transaction_status == TRANSACTION_STATUS_INTRANS
        try:
            if inside:
                cursor.execute("SAVEPOINT pgmend")
            cursor.execute(text)
        except psycopg2.Error as error:
            role = LACKING_ROLE.search(error.diag.message_primary or "")
            idle |= isinstance(error, pg.DuplicateSchema) and _SCHEMA.fullmatch(text) is not None
            idle |= isinstance(error, pg.InsufficientPrivilege) and _COMPILED.search(text) is not None
            if not (role and role[1] not in made) and not idle:
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
