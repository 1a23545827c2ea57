"""Every setting of a transaction of ours, once, by its purpose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from psycopg2.sql import SQL, Composed, Literal

from fixer.connect.address.libpq import ALIVE
from fixer.errors import TargetError, option

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812  # psycopg2 names its class so
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

# --- which names are meant

# An operator, a function, a cast or a type that others made in a schema of the application, or in pg_temp, is never
# taken for one of PostgreSQL's own (PostgreSQL manual, 10.2 and 5.10.6).
SAFE_PATH = "pg_catalog, pg_temp"
OUR_PATH = f"SET LOCAL search_path = {SAFE_PATH};\n"
# What begins every transaction of ours. The schemas that the session's own path leads to are kept in a setting.
SAFELY = (
    "SELECT pg_catalog.set_config('pgmend.own_path', pg_catalog.current_schemas(false)::pg_catalog.text, true);\n"
    + OUR_PATH
)
# What begins one that sees one moment of the database, and changes nothing.
READING = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n{SAFELY}"

# --- what is read, and how values are spelt

# A name that is quoted without need is another name.
UNQUOTED = "SET LOCAL quote_all_identifiers = off;\n"
# The text of a value is the whole value: 0 and less would round floats (PostgreSQL manual, 20.11.2); that of a name is
# no more than the name; and NULL in an array is no text.
EXACTLY = {"extra_float_digits": "1", "quote_all_identifiers": "off", "array_nulls": "on"}
# How a session spells constants of some types, as far as the server reports it (PostgreSQL manual, 32.2, libpq).
_REPORTED = ("TimeZone", "DateStyle", "IntervalStyle")


def manners(connection: Connection) -> dict[str, str]:
    """Return the settings by which a session spells constants."""
    found = {name: connection.get_parameter_status(name) for name in _REPORTED}
    return {name: value for name, value in found.items() if value}


# Rows that row security hides are an error.
SEEING_ALL = {"row_security": "off"}
# And no question is compiled, which takes longer than the answer where one statement holds thousands (PostgreSQL
# manual, 32.2, When to JIT?).
PLAINLY = {**SEEING_ALL, "jit": "off"}

# The application's role, whose rights are read too.
ROLE = "pgmend.role"

# --- how long it may take

# Unless the words of a call, the environment or the application's engine say otherwise.
DEFAULTS = {
    "lock_timeout": "5s",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "10min",
}


def unhurried(connection: Connection) -> dict[str, str]:
    """Return what lets a transaction last as long as its work takes, however role or database are set."""
    return {"transaction_timeout": "0"} if connection.server_version >= 170000 else {}


_UNITS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}  # milliseconds


def seconds(name: str, value: str) -> float:
    """Return a duration that has a unit, in seconds; raise what `duration` raises."""
    said = duration(name, value)
    number = said.rstrip("".join(_UNITS))
    return float(number) * _UNITS[said.removeprefix(number) or "ms"] / 1000


def duration(name: str, value: str | int | None) -> str:
    """Return a timeout in PostgreSQL's spelling; raise TargetError where it has no unit, or is none."""
    number = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?\s*", str(value), re.A)
    if number and not number[2] and float(number[1]):
        raise TargetError(f"{option(name)} {value!r} has no unit: write {number[1]}ms, {number[1]}s or {number[1]}min")
    if not number or float(number[1]) * _UNITS[number[2] or "ms"] > 2**31 - 1:
        said = f"{option(name)} {value!r}"
        raise TargetError(f"{said} is no duration of PostgreSQL: write 500ms, 5s, 10min, or 0 for none")
    return f"{number[1]}{number[2] or ''}"


def waiting(seconds: float) -> dict[str, str]:
    """Return how long a statement waits for each of its locks."""
    return {"lock_timeout": f"{round(seconds * 1000)}ms"}


# Seconds to wait for locks: below deadlock_timeout, whose default is one second, so that no session of the application
# is the one that PostgreSQL cancels (PostgreSQL manual, 19.12).
WHILE_HOLDING = 0.3  # for one more lock while others are held
BESIDE_A_SESSION = 0.3  # in a second session: whoever locks the table may be waiting for the first
FOR_ROWS = 0.1  # for rows that the application writes, and for a count that is not worth more
IN_FRONT = 0.04  # for a strong lock, behind which every other session waits

# --- when the other end is gone

# A client that is gone without a word is noticed by the server within a minute, and its locks go with it: while the
# server waits for a statement, and while it works on one (PostgreSQL manual, 19.3.2; the last needs Linux there, and
# PostgreSQL 14). The same numbers let the client notice the server (see libpq.ALIVE).
HEARING = """;
SELECT pg_catalog.set_config(s.name, s.value, true)
  FROM (VALUES ('tcp_keepalives_idle', '{keepalives_idle}'), ('tcp_keepalives_interval', '{keepalives_interval}'),
               ('tcp_keepalives_count', '{keepalives_count}'), ('tcp_user_timeout', '{tcp_user_timeout}'),
               ('client_connection_check_interval', '10s')) AS s (name, value)
 WHERE s.name <> 'client_connection_check_interval'
    OR (pg_catalog.current_setting(s.name, true) IS NOT NULL AND pg_catalog.version() ~ 'linux')""".format(**ALIVE)

# --- what acts on the rows that are written

# Triggers, rules and the checks of foreign keys sleep, unless they are enabled ALWAYS; only a superuser may say so.
ASLEEP = "SET LOCAL session_replication_role = replica"
AWAKE = "SET LOCAL session_replication_role = origin"
# Whatever role, database or server say: foreign keys and triggers act on what is written, and a damaged page is an
# error, never an empty one. Others than superusers cannot say so.
SOUNDLY = """;
SELECT pg_catalog.set_config(s.name, s.sound, true)
  FROM (VALUES ('session_replication_role', 'origin'), ('zero_damaged_pages', 'off')) AS s (name, sound)
 WHERE pg_catalog.current_setting(s.name) NOT IN (s.sound, 'local')
   AND pg_catalog.current_setting('is_superuser') = 'on'"""

# --- how much of the server it may use

# IF NOT EXISTS speaks where all is well.
QUIETLY = {"client_min_messages": "warning"}
# Beside others: one processor, and no second session.
MODESTLY = {"max_parallel_workers_per_gather": "0", "max_parallel_maintenance_workers": "0"}
# Do not make sessions that wait for our locks wait for our fsync too. What a crash of the server takes back is whole
# steps, the last ones; they are planned again, and the end of the run is on disk after all of them (PostgreSQL manual,
# 28.4).
SWIFTLY = {"synchronous_commit": "off"}
# Find orphans and prove references along the indexes: to hash both tables takes four times as long.
ALONG_INDEXES = {"enable_hashjoin": "off"}
# Read a table in the order of an index if most of its pages are visible to all, and never by a hash of all its keys,
# which takes longer than to sort them.
IN_ORDER = dict.fromkeys(("enable_hashagg", "enable_bitmapscan", "enable_incremental_sort"), "off")
# Read a table in the order of an index, whatever it costs.
ALONG_ONE_INDEX = {**IN_ORDER, "enable_seqscan": "off", "enable_sort": "off"}
# Read it in whatever way the session prefers.
AS_EVER = SQL(
    "SELECT pg_catalog.set_config(name, reset_val, true) FROM pg_catalog.pg_settings"
    " WHERE name IN ('enable_hashagg', 'enable_bitmapscan', 'enable_incremental_sort', 'enable_seqscan', 'enable_sort')"
)
# At least what the server has; at most what its shared buffers are worth, since nobody knows more of its memory.
_GENEROUSLY = """
WITH server AS (SELECT pg_size_bytes(current_setting('shared_buffers')) AS buffers)
SELECT set_config('maintenance_work_mem', greatest(pg_size_bytes(current_setting('maintenance_work_mem')),
                  least(1024 * 1024 * 1024, buffers)) / 1024 || 'kB', {local}),
       set_config('work_mem', greatest(pg_size_bytes(current_setting('work_mem')),
                  least(256 * 1024 * 1024, buffers / 2)) / 1024 || 'kB', {local}),
       set_config('max_parallel_maintenance_workers',
                  greatest(current_setting('max_parallel_maintenance_workers')::integer,
                           current_setting('max_parallel_workers')::integer / 2)::text, {local})
  FROM server
"""


def generously(cursor: Cursor, *, local: bool = True) -> None:
    """Let builds and sorts of this transaction (or session) use memory and workers."""
    cursor.execute(_GENEROUSLY.format(local="true" if local else "false"))


def is_modest(settings: Mapping[str, str]) -> bool:
    """Return whether these settings ask for one processor."""
    return MODESTLY.items() <= settings.items()


# --- setting them


def setting(settings: Mapping[str, str], *, local: bool = True) -> Composed:
    """Return the statement that sets these for the transaction, or for the session."""
    call = SQL("pg_catalog.set_config({}, {}, {})")
    calls = (call.format(Literal(name), Literal(value), Literal(local)) for name, value in settings.items())
    return SQL("SELECT {}").format(SQL(", ").join(calls))


def assigning(settings: Mapping[str, str]) -> str:
    """Return the lines that set these for the transaction, as one writes them in psql."""
    return "\n".join(f"SET LOCAL {name} = {value};" for name, value in settings.items())
