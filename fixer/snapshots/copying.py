"""Makes a copy of a target in an empty database: schema, rows, keys, and what a dump cannot carry."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import field

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import doing, told
from fixer.connect.link import Link
from fixer.connect.settings import READING, generously, setting, unhurried
from fixer.errors import ServerError, TargetError, option
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.snapshots import beyond, moving
from fixer.snapshots.beyond import Beyond
from fixer.snapshots.dumping import Dumped, dump
from fixer.snapshots.moving import Rows, Source
from fixer.snapshots.pieces import SECRET, Piece
from fixer.snapshots.planting import Guards, looking, planted
from fixer.sql.compose import Composable

# What a copy is made under: nothing acts on its rows, and no name is taken for another.
UNDER = {
    "session_replication_role": "replica", "check_function_bodies": "off", "client_min_messages": "warning",
    "row_security": "off", "search_path": "", "lock_timeout": "0", "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0", "default_transaction_read_only": "off",
}  # fmt: skip
_HOME = """
DO $$
BEGIN
    IF current_setting('server_version_num')::integer >= 150000 THEN
        ALTER SCHEMA public OWNER TO pg_database_owner;
    END IF;
END
$$
"""
# What a copy may need of the bytes of its rows: indexes as large, and both anew by the repair and by undo.
TIMES = 8
_PUBLIC = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public')"


@dataclass(frozen=True)
class Original:
    """A target at one moment: the transaction that sees it, and all of it but its rows."""

    reader: Connection
    dumping: Future[Dumped]
    beyond: Beyond
    tables: Sequence[Rows]
    has_public: bool

    @property
    def dumped(self) -> Dumped:
        """Its schema, once pg_dump has written it."""
        return self.dumping.result()

    @property
    def version(self) -> int:
        """The major version of its server."""
        return int(self.reader.server_version) // 10000

    @property
    def room(self) -> int:
        """How many bytes a copy may need with a repair and its undo."""
        return TIMES * sum(table.bytes for table in self.tables)


@contextmanager
def read(link: Link, options: Sequence[str] = (), *, without: Sequence[str] = ()) -> Iterator[Original]:
    """Lend the target of a link as it is now, `without` some of its schemas, in one transaction that only reads.

    Raises TargetError where the role may not read all, ServerError where pg_dump lacks; both also when its schema is
    asked, which is dumped while a server for the copy starts.
    """
    if link.pooled:
        raise TargetError(f"{link.target} is behind a pooler, through which nothing is dumped: name the direct port.")
    with closing(link.another()) as reader, doing("The target could not be read"):
        reader.autocommit = True
        with reader.cursor() as cursor:
            moving.spell(cursor)
            wanted = {"lock_timeout": link.settings.get("lock_timeout", "5s"), **unhurried(reader)}
            wanted["idle_in_transaction_session_timeout"] = "0"  # the copy may take long between two tables
            cursor.execute(READING + setting(wanted).as_string(cursor))
            cursor.execute("SELECT pg_export_snapshot()")
            ((moment,),) = cursor.fetchall()
            found = beyond.read(cursor)
            tables = [table for table in moving.tables(cursor) if table.name.schema not in without]
            cursor.execute(_PUBLIC)
            ((public,),) = cursor.fetchall()
        options = [*options, *(f"--exclude-schema={schema}" for schema in without)]
        with ThreadPoolExecutor(1) as beside:
            dumping = beside.submit(dump, reader, moment, options=options, lock_timeout=wanted["lock_timeout"])
            yield Original(reader, dumping, found, tables, public)


@dataclasses.dataclass
class Copy:
    """What came of a copy: which objects rows break, and how these are planted; its rows; what it cannot have."""

    guards: Guards = field(default_factory=Guards)
    planted: dict[Piece, list[Composable]] = field(default_factory=dict)
    rows: dict[QName, int] = field(default_factory=dict)
    lacking: list[str] = field(default_factory=list)


def copy(original: Original, into: Connection, source: Source) -> Copy:
    """Make a copy of a target in an empty database, with the rows of a source; the connection is a superuser's.

    Raises ServerError where the server of the copy cannot hold it.
    """
    into.autocommit = True
    made = Copy()
    with into.cursor() as cursor:
        _begin(cursor)
        _make_roles(cursor, original, made)
        for piece in original.dumped.before:
            _make(cursor, piece, made)
        for table in original.tables:
            made.rows[table.name] = _filled(cursor, table, source, made.guards)
        generously(cursor, local=False)
        for piece in original.dumped.after:
            _make_over_rows(cursor, piece, original, made)
        for statement in _last(original.beyond, made):
            cursor.execute(statement)
        cursor.execute("RESET ALL; ANALYZE")
    return made


def _begin(cursor: Cursor) -> None:
    try:
        cursor.execute(setting({**moving.MANNERS, **UNDER}, local=False))
    except pg.InsufficientPrivilege:
        who = cursor.connection.info.user
        raise ServerError(
            f"A copy keeps orphans and triggers that sleep, which only a superuser can make, and {who} is none:"
            f" name another role by {option('scratch')}, or leave it out for a server of our own."
        ) from None


def _last(known: Beyond, made: Copy) -> Iterator[Composable]:
    """Yield what comes after all rows and keys."""
    yield from made.guards.on()
    yield from known.positions
    yield from known.indexes
    yield from known.states


def _make_roles(cursor: Cursor, original: Original, made: Copy) -> None:
    cursor.execute(_HOME if original.has_public else "DROP SCHEMA public")
    for statement in original.beyond.making_roles():
        try:
            cursor.execute(statement)
        except psycopg2.Error as error:
            made.lacking.append(f"a role: {told(error)}")


def _make(cursor: Cursor, piece: Piece, made: Copy) -> None:
    """Make an object; an extension that this server does not have is noted."""
    if piece.kind in SECRET:
        return
    try:
        cursor.execute(piece.sql)
    except psycopg2.Error as error:
        if piece.kind == "EXTENSION" or (piece.kind == "COMMENT" and piece.name.startswith("EXTENSION ")):
            made.lacking.append(f"the extension {piece.name}")
            return
        beside = f"; it lacks {made.lacking[0]}" if made.lacking else ""
        raise ServerError(
            f"The copy cannot have the {piece.kind.lower()} {piece.name}: {told(error)}{beside}. Name a server that"
            f" can by {option('scratch')}."
        ) from None


def _filled(cursor: Cursor, table: Rows, source: Source, guards: Guards) -> int:
    """Copy the rows of a table; what refuses some of them looks away."""
    while True:
        try:
            return moving.fill(cursor, table, source)
        except psycopg2.Error as error:
            if cursor.connection.closed or not guards.learn(error, table.name):
                way = f" {_more_room()}" if isinstance(error, pg.DiskFull) else ""
                raise ServerError(f"The copy cannot hold the rows of {table.name}: {told(error)}.{way}") from None
            cursor.execute(looking(guards.known[-1], so=False))


def _more_room() -> str:
    return f"Name a directory with more room in TMPDIR, or copy some rows of each table by {option('sample')}."


def _make_over_rows(cursor: Cursor, piece: Piece, original: Original, made: Copy) -> None:
    """Make an object over the rows; one that they break is planted."""
    try:
        cursor.execute(piece.sql)
        return
    except psycopg2.IntegrityError as error:
        refused = error
    except psycopg2.Error:
        _make(cursor, piece, made)  # which says why not
        return
    with original.reader.cursor() as reader:
        statements = planted(piece, reader)
    if statements is None:
        raise ServerError(f"The copy cannot have {piece.kind.lower()} {piece.name}: {told(refused)}.")
    for statement in statements:
        cursor.execute(statement)
    made.planted[piece] = statements
