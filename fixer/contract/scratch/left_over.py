"""What a killed run has left on a server that others use too: databases and roles, found by name and comment.

A session bears the name of the database that it made, from before it is made until after it is dropped. So what has a
name of ours, a comment of ours, and no such session is left over.
"""

from __future__ import annotations

import logging

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.connect.failures import told

PREFIX = "pgmend_scratch_"
_MARK = "pgmend: throw-away, made by the session "
# What a session did is visible only after the session is; so it is looked for after its work.
_FOUND = """
SELECT 'DATABASE', d.datname
  FROM pg_catalog.pg_database AS d
  LEFT JOIN pg_catalog.pg_roles AS o ON o.rolname = d.datname  -- made before it, so that it is known without a comment
 WHERE %(mark)s || d.datname IN (pg_catalog.shobj_description(d.oid, 'pg_database'),
                                 pg_catalog.shobj_description(o.oid, 'pg_authid'))
   AND d.datname ~ ('^' || %(maker)s)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a WHERE d.datname IN (a.application_name, a.datname))
 UNION ALL
SELECT 'ROLE', r.rolname
  FROM pg_catalog.pg_roles AS r
  JOIN pg_catalog.pg_shdescription AS s ON s.objoid = r.oid AND s.classoid = 'pg_catalog.pg_authid'::regclass
 WHERE s.description ~ ('^' || %(mark)s || %(maker)s) AND NOT r.rolsuper
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a
                    WHERE substr(s.description, length(%(mark)s) + 1) IN (a.application_name, a.datname))
 ORDER BY 1
"""

log = logging.getLogger("pgmend.contract")


def mark_of(name: str) -> str:
    """Return the comment on what the session of this name makes."""
    return f"{_MARK}{name}"


def clear(connection: Connection) -> None:
    """Drop what is left over, as far as this role may; never what anyone is connected to, or depends on."""
    with connection.cursor() as cursor:
        cursor.execute(_FOUND, {"mark": _MARK, "maker": f"{PREFIX}[0-9a-f]{{16}}$"})
        for kind, name in cursor.fetchall():
            try:
                cursor.execute(sql.SQL(f"DROP {kind} IF EXISTS {{}}").format(sql.Identifier(name)))
            except psycopg2.Error as error:
                log.info("the %s %s stays for now: %s", kind.lower(), name, told(error))
