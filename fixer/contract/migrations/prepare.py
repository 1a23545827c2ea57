"""A contract in migrations: as it was kept, or else as a throw-away place reads it once they have run there.

Everything that was read for it decides whether the one that was kept still holds: the files of the script directory,
and those of the project that env.py and the revisions opened or imported, wherever these are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.connect.link import rolled_back
from fixer.connect.settings import SAFELY
from fixer.contract import cache
from fixer.contract.cache import Read
from fixer.contract.files import code_in
from fixer.contract.migrations.project import Project, files_in, parts_of, project_at
from fixer.contract.migrations.upgrade import Upgraded, upgrade
from fixer.contract.place import Place, bring_over, extensions_of, throw_away
from fixer.contract.scratch import OUR_OWN, Scratch
from fixer.errors import ContractError
from fixer.model.contract import Contract, Hints
from fixer.model.expression.patterns import pattern
from fixer.model.schema import Schema
from fixer.model.table import QName

_VERSIONS = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relname = %(name)s AND n.nspname = coalesce(%(schema)s, n.nspname)
   AND EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'version_num')
"""
_NEEDED = ("alembic", "sqlalchemy")
_WORD = pattern(r"[A-Za-z_]\w{2,}")
_PATIENCE = "60s"  # for a lock: in the place nobody holds one but the migrations themselves


def prepare(name: str, connection: Connection, schema: str, scratch: Scratch = OUR_OWN) -> Contract:
    """Return what migrations make of an empty database.

    Raises ContractError where there are none, where Alembic is not installed, or where a migration fails.
    """
    path, revision = parts_of(name)
    project = project_at(path)
    known = [name, str(project.home), revision, schema, *_installed(), *extensions_of(connection)]
    noted = cache.kept_at(connection, scratch, ["files", *known])
    kept = cache.kept_at(connection, scratch, [*known, *_content(cache.noted(noted) or [])])
    found = cache.recall(kept)
    if found is None:
        with throw_away(connection.server_version // 10000, scratch) as place:
            read, done = _made(place, project, revision, connection, schema, name)
        files = [*map(str, filter(None, (project.ini, project.toml))), *done.files, *done.directories]
        cache.note(noted, files)
        cache.keep(cache.kept_at(connection, scratch, [*known, *_content(files)]), found := read)
    return Contract(name, found.schema, Hints())


def _installed() -> list[str]:
    """Return the versions of what runs the migrations; raise ContractError where Alembic is missing."""
    try:
        return [f"{each} {metadata.version(each)}" for each in _NEEDED]
    except metadata.PackageNotFoundError:
        raise ContractError(
            "A contract in migrations needs Alembic, which is not installed: pip install 'pgmend[alembic]'."
        ) from None


def _content(paths: Iterable[str]) -> Iterator[str]:
    """Yield what files say, those of directories too, and the variables of the environment that they may mean."""
    words = set[str]()
    for path in map(Path, paths):
        for file in files_in(path) if path.is_dir() else [path]:
            try:
                text = file.read_bytes().decode("utf-8", "surrogateescape")
            except OSError:
                text = ""
            words |= {each.upper() for each in _WORD.findall(text)}
            yield from (str(file), text)
    yield from (f"{name}={value}" for name, value in sorted(os.environ.items()) if name.upper() in words)


def _made(
    place: Place, project: Project, revision: str, target: Connection, schema: str, name: str
) -> tuple[Read, Upgraded]:
    """Run the migrations in a throw-away place, and return what it looks like then."""
    bring_over(target, place, made=None)
    _furnish(place, schema)
    brought = code_in(place)
    done = upgrade(project, revision, place, name)
    own = _version_tables(place, done, name)
    found = place.declares(target, name, brought) if done.last else Schema()
    tables = {each: table for each, table in found.tables.items() if each not in own}
    sequences = {n: each for n, each in found.sequences.items() if not each.owned_by or each.owned_by[0] in tables}
    code = found.code and found.code.without(own.__contains__)
    made = replace(found, tables=tables, sequences=sequences, code=code)
    if made.is_bare:
        raise ContractError(f"The contract {name} declares nothing: no migration up to {revision} makes a table.")
    return Read(made), done


def _furnish(place: Place, schema: str) -> None:
    """Set what holds for every session: where names without a schema go, and an end to waiting for a lock."""
    database = sql.Identifier(place.admin.info.dbname)
    settings: dict[str, sql.Composable] = {"lock_timeout": sql.Literal(_PATIENCE)}
    if schema != "public":
        place.add_schemas([schema])
        settings["search_path"] = sql.SQL("{}, public").format(sql.Identifier(schema))
    with place.admin.cursor() as cursor:
        for setting, value in settings.items():
            words = sql.SQL("ALTER DATABASE {} SET {} = {}")
            cursor.execute(words.format(database, sql.Identifier(setting), value))


def _version_tables(place: Place, done: Upgraded, name: str) -> set[QName]:
    """Return the tables in which Alembic keeps versions; raise ContractError if none has the last one."""
    found, kept = set[QName](), set[str]()
    with rolled_back(place.admin) as cursor:
        cursor.execute(f"BEGIN READ ONLY; {SAFELY}")
        for home, table in done.versions:
            cursor.execute(_VERSIONS, {"name": table, "schema": home})
            found |= {QName(*row) for row in cursor.fetchall()}
        for each in found:
            cursor.execute(sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(*each)))
            kept |= {version for (version,) in cursor.fetchall()}
    if done.last and done.last not in kept:
        raise ContractError(
            f"The contract {name} cannot be made: revision {done.last} was not recorded in the throw-away database. Let"
            " env.py run the migrations through the connection that it takes from the URL it is given, and commit."
        )
    return found
