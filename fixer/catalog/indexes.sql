-- Every index, with the key constraint that stands on it.
SELECT n.nspname AS schema,
       c.relname AS relation,
       x.relname AS name,
       ARRAY (SELECT coalesce(a.attname::text, '')
                FROM unnest(i.indkey::smallint[]) WITH ORDINALITY u (num, pos)
                LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.num AND u.num > 0
               WHERE u.pos <= i.indnkeyatts
               ORDER BY u.pos) AS columns,
       substring(pg_catalog.pg_get_indexdef(x.oid)
                 FROM position(' USING ' || m.amname || ' (' IN pg_catalog.pg_get_indexdef(x.oid)) + 1) AS tail,
       i.indisunique AS unique,
       i.indisprimary AS primary,
       k.oid IS NOT NULL AS constraint,
       i.indisvalid AND i.indisready AND i.indislive AS valid,
       coalesce(k.condeferrable, false) AS deferrable,
       coalesce(k.condeferred, false) AS deferred,
       i.indpred IS NOT NULL AS partial
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = x.relam
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.oid AND k.contype IN ('p', 'u', 'x') AND k.conrelid = c.oid
 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
 ORDER BY n.nspname, c.relname, x.relname
