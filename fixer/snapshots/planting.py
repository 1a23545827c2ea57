"""How an object of a schema gets into a copy whose rows break it, though the catalogue of the target calls it valid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.expression.patterns import pattern
from fixer.model.table import QName
from fixer.snapshots.beyond import key_over_rows, not_null, spelt
from fixer.snapshots.pieces import CONSTRAINT, FOREIGN_KEY, INDEX, Piece
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal

_KEY = """
SELECT tn.nspname, t.relname, pg_get_indexdef(i.indexrelid), k.contype::text, k.condeferrable, k.condeferred
  FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_class AS t ON t.oid = i.indrelid JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_constraint AS k ON k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')
 WHERE n.nspname = %s AND c.relname = %s
"""
_TABLE = pattern(r"\AALTER TABLE (?:ONLY )?(?P<table>\S+|\S*\".*?\"\S*)\s+ADD CONSTRAINT ")
_VALID = (
    "UPDATE pg_catalog.pg_constraint SET convalidated = true"
    " WHERE conname = {} AND {} IN (conrelid, contypid) AND NOT convalidated"
)
# A table whose catalogue says that it has no checks is asked for none.
_UNCHECKED = "UPDATE pg_catalog.pg_class SET relchecks = 0 WHERE oid = {}::pg_catalog.regclass"
_CHECKED = (
    "UPDATE pg_catalog.pg_class SET relchecks = (SELECT pg_catalog.count(*) FROM pg_catalog.pg_constraint"
    " WHERE conrelid = {0}::pg_catalog.regclass AND contype = 'c') WHERE oid = {0}::pg_catalog.regclass"
)
_DOMAIN = (
    'UPDATE pg_catalog.pg_constraint SET contype = {1}::"char"'
    ' WHERE contypid = {0}::pg_catalog.regtype AND contype = {2}::"char" AND conname = {3}'
)
_EMPTY_DOMAIN = "UPDATE pg_catalog.pg_type SET typnotnull = {1} WHERE oid = {0}::pg_catalog.regtype"

# Makes an exclusion over rows that break it: each row comes back under it, or else while it looks away.
_PASSED = """
DO $pgmend$
DECLARE
    each tid;
    late tid[] := '{{}}';
    cells text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.quote_ident(attname), ', ' ORDER BY attnum) INTO cells
      FROM pg_catalog.pg_attribute
     WHERE attrelid = {table}::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
    FOR each IN SELECT a.ctid FROM pgmend_aside AS a LOOP
        BEGIN
            EXECUTE pg_catalog.format(
                'INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM pgmend_aside AS a WHERE a.ctid = $1',
                {table}, cells, cells) USING each;
            SET CONSTRAINTS ALL IMMEDIATE;
        EXCEPTION WHEN exclusion_violation THEN
            late := late || each;
        END;
    END LOOP;
    UPDATE pg_catalog.pg_index SET indisready = false WHERE indexrelid = {index}::pg_catalog.regclass;
    EXECUTE pg_catalog.format(
        'INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM pgmend_aside AS a WHERE a.ctid = ANY ($1)',
        {table}, cells, cells) USING late;
    UPDATE pg_catalog.pg_index SET indisready = true WHERE indexrelid = {index}::pg_catalog.regclass;
END
$pgmend$"""


@dataclass
class Guards:
    """What looks away while rows go into a copy, because some rows break it: learnt from what refuses a row."""

    known: list[tuple[str, ...]] = field(default_factory=list)

    def learn(self, error: psycopg2.Error, table: QName) -> bool:
        """Note what refused a row of a table; return whether it can look away."""
        found = self._guard(error, table)
        if found is None or found in self.known:
            return False
        self.known.append(found)
        return True

    def _guard(self, error: psycopg2.Error, table: QName) -> tuple[str, ...] | None:
        said = error.diag
        if said.datatype_name and isinstance(error, pg.CheckViolation):
            return "domain", said.schema_name or "", said.datatype_name, said.constraint_name or ""
        if said.datatype_name and isinstance(error, pg.NotNullViolation):
            return "empty", said.schema_name or "", said.datatype_name
        if isinstance(error, pg.NotNullViolation) and said.column_name:
            return "null", *table, said.column_name
        if isinstance(error, pg.CheckViolation) and said.constraint_name:
            return "check", *table
        return None

    def off(self) -> Iterator[Composed]:
        """Yield the statements after which they look away."""
        return (looking(guard, so=False) for guard in self.known)

    def on(self) -> Iterator[Composed]:
        """Yield the statements after which they look again, at rows to come."""
        return (looking(guard, so=True) for guard in self.known)


def looking(guard: tuple[str, ...], *, so: bool) -> Composed:
    """Return the statement after which a guard refuses rows as before; if not `so`, it lets all in."""
    match guard:
        case "null", schema, table, column:
            return not_null((schema, table), column, so=so)
        case "domain", schema, domain, constraint:
            now, then = (Literal(each) for each in ("cx" if so else "xc"))
            return SQL(_DOMAIN).format(spelt(schema, domain), now, then, Literal(constraint))
        case "empty", schema, domain:
            return SQL(_EMPTY_DOMAIN).format(spelt(schema, domain), SQL("true" if so else "false"))
        case _, schema, table:
            return SQL(_CHECKED if so else _UNCHECKED).format(spelt(schema, table))
    raise ValueError(guard)


def planted(piece: Piece, reader: Cursor) -> list[Composable] | None:
    """Return the statements that make a piece although rows break it; None where there is no such way.

    `reader` asks the target how it spells an index.
    """
    if piece.kind == FOREIGN_KEY:
        return _unproved(piece)
    if piece.kind not in (CONSTRAINT, INDEX):
        return None
    reader.execute(_KEY, (piece.schema, piece.own_name))
    found = reader.fetchone()
    if not found:
        return None
    schema, table, definition, kind, deferrable, deferred = found
    if kind == "x" or "USING gist" in definition:
        return _passed((schema, table), (piece.schema, piece.own_name), piece.sql)
    constraint = (piece.own_name, kind, deferrable, deferred) if kind else None
    return [*key_over_rows((piece.schema, piece.own_name), (schema, table), definition, constraint)]


def _unproved(piece: Piece) -> list[Composable] | None:
    """Return how a foreign key is called valid without a look at its rows."""
    found = _TABLE.match(piece.sql)
    if not found:
        return None
    added = piece.sql.rstrip().removesuffix(";").removesuffix(" NOT VALID")
    home = SQL("{}::pg_catalog.regclass").format(Literal(found["table"]))
    return [SQL(f"{added} NOT VALID"), SQL(_VALID).format(Literal(piece.own_name), home)]


def _passed(table: tuple[str, str], index: tuple[str, str], made: str) -> list[Composable]:
    return [
        SQL("CREATE TEMPORARY TABLE pgmend_aside AS SELECT * FROM ONLY {}").format(Identifier(*table)),
        SQL("DELETE FROM ONLY {}").format(Identifier(*table)),
        SQL(made.rstrip().removesuffix(";")),
        SQL(_PASSED).format(table=spelt(*table), index=spelt(*index)),
        SQL("DROP TABLE pgmend_aside"),
    ]
