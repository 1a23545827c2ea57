"""What a database holds: its rows, its quarantine, and stamps that change with any write."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from lab.evidence.dumps import lines


@dataclass
class Rows:
    """The rows of one table: each cell as text, and as JSON as quarantine keeps it; by attribute number."""

    name: str
    columns: dict[int, tuple[str, str]]  # name and type
    above: set[str] = field(default_factory=set)  # tables that it INHERITS from, whose changes are its own
    cells: list[dict[int, tuple[str | None, Any]]] = field(default_factory=list)

    def number(self, column: str) -> int | None:
        return next((n for n, (name, _) in self.columns.items() if name == column), None)


Copy = dict[int, Rows]  # by the table's oid, which outlives a new name
_TABLES = """
SELECT c.oid, c.relkind = 'p', c.relhassubclass, n.nspname, c.relname, a.attnum, a.attname,
       format_type(a.atttypid, a.atttypmod), t.typtype = 'd' OR t.typcategory = 'A' OR t.typname IN ('json', 'jsonb')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND a.attgenerated = '' -- what the database computes follows the other cells
  LEFT JOIN pg_type t ON t.oid = a.atttypid
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition -- whose rows are seen through the root
   AND n.nspname !~ '^(pg_|information_schema$|fixer_)'
 ORDER BY c.oid, a.attnum
"""
_HEIRS = """
WITH RECURSIVE h AS (
     SELECT inhrelid FROM pg_inherits WHERE inhparent = %s
      UNION SELECT i.inhrelid FROM pg_inherits i JOIN h ON i.inhparent = h.inhrelid)
SELECT inhrelid FROM h
"""


def copy_rows(connection: Connection) -> Copy:
    """Copy every table of a database but the system's and the fixer's own."""
    cursor, copies, names, roots = connection.cursor(), Copy(), dict[int, sql.Identifier](), set[int]()
    parents, odd = set[int](), set[tuple[int, int]]()  # odd: of which quarantine keeps cells as their own text
    cursor.execute("SET TimeZone = 'UTC'")
    cursor.execute(_TABLES)
    for oid, parted, heirs, schema, table, number, column, type_, is_text in cursor.fetchall():
        roots |= {oid} if parted else set()
        parents |= {oid} if heirs and not parted else set()
        rows = copies.setdefault(oid, Rows(f"{schema}.{table}", {}))
        names[oid] = sql.Identifier(schema, table)
        if number is not None:
            rows.columns[number] = (column, type_)
            odd |= {(oid, number)} if is_text else set()
    for oid, rows in copies.items():
        cells = [sql.SQL("t.{}::text").format(sql.Identifier(name)) for name, _ in rows.columns.values()]
        query = sql.SQL("SELECT {} FROM {}{} AS t").format(
            sql.SQL(", ").join([sql.SQL("to_jsonb(t.*)::text"), *cells]),
            sql.SQL("" if oid in roots else "ONLY "),
            names[oid],
        )
        cursor.execute(query)
        for record, *texts in cursor.fetchall():
            known = _parse(record)
            values = zip(rows.columns.items(), texts, strict=True)
            rows.cells.append({n: (text, text if (oid, n) in odd else known[name]) for (n, (name, _)), text in values})
        if oid in parents:
            cursor.execute(_HEIRS, [oid])
            for (heir,) in cursor.fetchall():
                copies[heir].above.add(rows.name)
    return copies


def _parse(record: str) -> dict[str, Any]:
    return json.loads(record, parse_float=str, parse_int=str)  # type: ignore[no-any-return]


def copy_quarantine(connection: Connection) -> list[tuple[int, str, dict[str, Any]]]:
    """Return run, source and row of all that lies in quarantine."""
    cursor = connection.cursor()
    cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('fixer_quarantine')")
    found = []
    for (table,) in cursor.fetchall():
        query = sql.SQL('SELECT run, source, "row"::text, reason, moved_at FROM {}')
        cursor.execute(query.format(sql.Identifier("fixer_quarantine", table)))
        found += [(run, source, _parse(row)) for run, source, row, *_ in cursor.fetchall()]
    return found


def copy_images(connection: Connection) -> list[tuple[str, dict[str, Any]]]:
    """Return source and row of all images of rows in which cells were rewritten, not merely converted."""
    cursor = connection.cursor()
    cursor.execute("SELECT to_regclass('fixer_journal.before_image') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return []
    cursor.execute(
        """SELECT source, "row"::text FROM fixer_journal.before_image WHERE "row" IS NOT NULL"""
        " AND reason !~ 'is converted to [^:]+$'"
    )
    return [(source, _parse(row)) for source, row in cursor.fetchall()]


_STAMPS = """
SELECT format('SELECT %L, count(*), coalesce(sum(xmin::text::bigint), 0) FROM %s', c.oid::regclass, c.oid::regclass)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND (n.nspname !~ '^(pg_|information_schema$)' OR c.oid::regclass::text IN (
       'pg_class', 'pg_attribute', 'pg_attrdef', 'pg_constraint', 'pg_index', 'pg_trigger', 'pg_namespace', 'pg_proc',
       'pg_type', 'pg_sequence', 'pg_rewrite', 'pg_description', 'pg_policy', 'pg_inherits', 'pg_enum',
       'pg_default_acl', 'pg_event_trigger', 'pg_statistic_ext', 'pg_extension', 'pg_publication',
       'pg_publication_rel'))
UNION ALL
SELECT format('SELECT %L, count(*), coalesce(sum(xmin::text::bigint), 0) FROM %1$s WHERE setdatabase = %s',
              'pg_db_role_setting', d.oid)
  FROM pg_database d WHERE d.datname = current_database()
UNION ALL
SELECT format('SELECT %L, last_value, is_called::int FROM %s', c.oid::regclass, c.oid::regclass)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND n.nspname !~ '^pg_'
"""


def stamps(connection: Connection) -> list[tuple[str, int, int]]:
    """Return a stamp of every table, catalogues included, and of every sequence: any write changes one."""
    cursor = connection.cursor()
    cursor.execute(_STAMPS)
    cursor.execute("\nUNION ALL\n".join(query for (query,) in cursor.fetchall()))
    return sorted(cursor.fetchall())


@dataclass(frozen=True)
class State:
    """What shows that a database changed: a stamp for every write, and a dump where one was asked for."""

    stamps: list[tuple[str, int, int]]
    dump: str

    @property
    def lines(self) -> Counter[tuple[str, str]]:
        return lines(self.dump)

    def changed(self, connection: Connection) -> list[str]:
        """Name the tables and sequences that were written to since."""
        return sorted({name for name, *_ in set(self.stamps) ^ set(stamps(connection))})
