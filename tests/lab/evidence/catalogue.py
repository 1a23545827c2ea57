"""The facts of a schema, from PostgreSQL's own words for each part: a dump has the same ones, and takes far longer."""

from __future__ import annotations

from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from lab.evidence.facts import TableFacts, read

_QUERY = """
  WITH own AS MATERIALIZED (
       SELECT c.oid, c.oid::regclass AS spelt, c.relowner, c.relkind, c.relispartition,
              CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END AS logged
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname !~ '^(pg_|information_schema$)'),
       numbers AS MATERIALIZED (
       SELECT o.oid, o.spelt, o.logged, s.seqtypid, d.refobjid, a.attname, a.attidentity,
              format(' INCREMENT BY %s CACHE %s %s %s %s', s.seqincrement, s.seqcache,
                     CASE WHEN s.seqmin <> CASE WHEN s.seqincrement > 0 THEN 1 ELSE b.low END
                          THEN 'MINVALUE ' || s.seqmin ELSE '' END,
                     CASE WHEN s.seqmax <> CASE WHEN s.seqincrement > 0 THEN b.high ELSE -1 END
                          THEN 'MAXVALUE ' || s.seqmax ELSE '' END,
                     CASE WHEN s.seqcycle THEN 'CYCLE' ELSE '' END) AS options
         FROM own o
         JOIN pg_sequence s ON s.seqrelid = o.oid
         JOIN (VALUES ('int2'::regtype, -32768::bigint, 32767::bigint), ('int4', -2147483648, 2147483647),
                      ('int8', -9223372036854775808, 9223372036854775807)) AS b (type, low, high) ON b.type = s.seqtypid
         LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = o.oid AND d.deptype IN ('a', 'i')
               AND d.refclassid = 'pg_class'::regclass
         LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid)
SELECT 1, format(E'CREATE %sTABLE %s (\\n%s\\n)', o.logged, o.spelt, (
       SELECT string_agg(format('%I %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                                CASE a.attgenerated WHEN '' THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)
                                     ELSE format(' GENERATED ALWAYS AS (%s)%s', pg_get_expr(d.adbin, d.adrelid),
                                                 CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE '' END) END,
                                CASE WHEN a.attnotnull AND NOT EXISTS (
                                          SELECT FROM pg_constraint k
                                           WHERE k.conrelid = o.oid AND k.contype = 'n' AND NOT k.convalidated
                                             AND k.conkey = ARRAY[a.attnum])
                                     THEN ' NOT NULL' ELSE '' END,
                                CASE WHEN a.attcollation <> t.typcollation
                                     THEN format(' COLLATE %I.%I', n.nspname, l.collname) ELSE '' END),
                         E',\\n' ORDER BY a.attnum)
         FROM pg_attribute a
         JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_collation l ON l.oid = a.attcollation
         LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped AND (a.attislocal OR o.relispartition)))
  FROM own o WHERE o.relkind <> 'S'
 UNION ALL
SELECT 2, format('ALTER TABLE %s OWNER TO %I', o.spelt, pg_get_userbyid(o.relowner)) FROM own o WHERE o.relkind <> 'S'
 UNION ALL
SELECT 2, format('CREATE %sSEQUENCE %s AS %s%s', n.logged, n.spelt,
                 format_type(n.seqtypid, NULL), n.options)
  FROM numbers n WHERE coalesce(n.attidentity, '') = ''
 UNION ALL
SELECT 3, format('ALTER SEQUENCE %s OWNED BY %s.%I', n.spelt, n.refobjid::regclass, n.attname)
  FROM numbers n WHERE n.attidentity = ''
 UNION ALL
SELECT 3, format('ALTER TABLE %s ALTER COLUMN %I ADD GENERATED %s AS IDENTITY (%s)', n.refobjid::regclass, n.attname,
                 CASE n.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, n.options)
  FROM numbers n WHERE n.attidentity <> ''
 UNION ALL
SELECT 3, format('ALTER TABLE ONLY %s ADD CONSTRAINT %I %s', o.spelt, k.conname, pg_get_constraintdef(k.oid))
  FROM own o JOIN pg_constraint k ON k.conrelid = o.oid
 WHERE k.contype IN ('p', 'u', 'x')
    OR (k.contype = 'f' AND k.conparentid = 0)
    OR (k.contype = 'c' AND (k.conislocal OR o.relispartition))
    OR (k.contype = 'n' AND NOT k.convalidated)
 UNION ALL
SELECT 3, pg_get_indexdef(i.indexrelid)
  FROM own o JOIN pg_index i ON i.indrelid = o.oid AND i.indisready AND (i.indisvalid OR o.relkind = 'p')
 WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
 ORDER BY 1
"""


def catalogued(connection: Connection) -> dict[str, TableFacts]:
    """Return the facts of each table of a database, by its qualified name as PostgreSQL quotes it."""
    with connection.cursor() as cursor:
        cursor.execute("SET search_path = pg_catalog")
        cursor.execute(_QUERY)
        found = [statement for _, statement in cursor.fetchall()]
        cursor.execute("RESET search_path")
    return read(found)
