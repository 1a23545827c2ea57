-- Checks and foreign keys, the latter also where only one end lies in the wanted schemas, with the state of
-- the triggers that enforce them. Key constraints come with their indexes.
SELECT k.contype AS type,
       k.conname AS name,
       n.nspname AS schema,
       c.relname AS relation,
       ARRAY (SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (num, pos)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num
               ORDER BY u.pos) AS columns,
       fn.nspname AS target_schema,
       fc.relname AS target,
       ARRAY (SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (num, pos)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num
               ORDER BY u.pos) AS target_columns,
       k.confdeltype AS on_delete,
       k.confupdtype AS on_update,
       k.confmatchtype AS match,
       k.condeferrable AS deferrable,
       k.condeferred AS deferred,
       k.convalidated AS validated,
       k.contype = 'c' OR c.relkind <> 'r' OR c.relispartition
         OR EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgconstraint = k.oid) AS enforced,
       CASE WHEN k.contype = 'c' THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid) END AS expression,
       CASE WHEN k.contype = 'f' THEN
            ARRAY (SELECT ARRAY[tn.nspname::text, tc.relname::text, g.tgname::text]
                     FROM pg_catalog.pg_trigger g
                     JOIN pg_catalog.pg_class tc ON tc.oid = g.tgrelid
                     JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace
                    WHERE g.tgconstraint = k.oid AND g.tgenabled NOT IN ('O', 'A')
                    ORDER BY g.tgname) END AS disabled_triggers
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class fc ON fc.oid = k.confrelid
  LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
 WHERE k.contype IN ('c', 'f')
   AND (n.nspname = ANY (current_setting('pgmend.schemas')::text[])
        OR fn.nspname = ANY (current_setting('pgmend.schemas')::text[]))
 ORDER BY n.nspname, c.relname, k.conname
