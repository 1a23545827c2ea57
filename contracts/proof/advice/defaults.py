"""Defaults that their own columns cannot hold: a row that leaves such a column out goes into no table."""

from __future__ import annotations

import re
from collections.abc import Mapping

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from contracts.proof.advice.savepoint import Savepoint
from fixer.model.table import QName
from fixer.sql.compose import SQL

# What gives a variable of the type of each column its default, as an INSERT would; but none that draws a number.
_GIVEN = """
SELECT a.attname, format('DO %%L', format('DECLARE v %%I.%%I.%%I%%%%TYPE := %%s; BEGIN END',
                                         n.nspname, c.relname, a.attname, d.given))
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
 CROSS JOIN LATERAL (SELECT coalesce(pg_catalog.pg_get_expr(f.adbin, f.adrelid),
                                     pg_catalog.pg_get_expr(t.typdefaultbin, 0), 'NULL') AS given) d
 WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped
   AND a.attgenerated = '' AND a.attidentity = '' AND (f.oid IS NOT NULL OR t.typdefault IS NOT NULL)
   AND d.given !~ '\\mnextval\\('
 ORDER BY a.attnum
"""
_HOME = re.compile(r'domain (?:"(?:[^"]|"")*"|\w+)\.')


def refusal(error: psycopg2.Error) -> str:
    """Return what PostgreSQL says, with the names of domains as they are under any search_path."""
    return _HOME.sub("domain ", error.diag.message_primary or "")


def unfit_defaults(cursor: Cursor, name: QName) -> Mapping[str, str]:
    """Return the columns of a table that cannot hold their defaults, by what PostgreSQL says of these."""
    cursor.execute(_GIVEN, name)
    found = dict[str, str]()
    for column, statement in cursor.fetchall():
        with Savepoint(cursor) as savepoint:
            try:
                savepoint.ask(SQL(statement))
            except (psycopg2.DataError, psycopg2.IntegrityError) as error:
                found.setdefault(refusal(error), column)
    return found
