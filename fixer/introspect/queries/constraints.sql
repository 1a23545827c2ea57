-- Checks and foreign keys, the latter also where only one end lies in the wanted schemas. Columns are numbers here,
-- named where their table lies elsewhere. Key constraints come with their indexes.
SELECT k.oid,
       k.contype AS type,
       k.conname AS name,
       k.conrelid AS relation,
       k.conkey AS columns,
       k.confrelid AS target,
       k.confkey AS target_columns,
       k.confdeltype AS on_delete,
       k.confupdtype AS on_update,
       k.confmatchtype AS match,
       k.condeferrable AS deferrable,
       k.condeferred AS deferred,
       k.convalidated AS validated,
       k.conenforced AS enforced,
       k.confdelsetcols AS emptied,
       k.conparentid <> 0 AS inherited,
       k.connoinherit AND k.contype = 'c' AS no_inherit,
       CASE WHEN 16384::oid <= ANY (k.conpfeqop)
            THEN ARRAY (SELECT 'OPERATOR(' || quote_ident(s.nspname) || '.' || o.oprname || ')'
                          FROM unnest(k.conpfeqop) WITH ORDINALITY u (num, pos)
                          JOIN pg_catalog.pg_operator o ON o.oid = u.num
                          JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace
                         ORDER BY u.pos) END AS equalities,
       k.conperiod AS period,
       k.conbin::text AS tree,
       CASE WHEN n.nspname <> ALL (current_setting('pgmend.schemas')::text[])
            THEN ARRAY[n.nspname::text, c.relname::text]
              || ARRAY (SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (num, pos)
                          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num
                         ORDER BY u.pos) END AS elsewhere,
       CASE WHEN fn.nspname <> ALL (current_setting('pgmend.schemas')::text[])
            THEN ARRAY[fn.nspname::text, fc.relname::text]
              || ARRAY (SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (num, pos)
                          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num
                         ORDER BY u.pos) END AS target_elsewhere,
       CASE WHEN fc.relkind = 'p'
            THEN ARRAY (SELECT s.conname::text FROM pg_catalog.pg_constraint s
                          JOIN pg_catalog.pg_constraint u ON u.oid = s.conparentid AND u.conrelid = s.conrelid
                         WHERE s.conrelid = k.conrelid AND s.contype = 'f') END AS beside -- to single partitions
  FROM (VALUES (true, NULL::int2[], false)) AS older (conenforced, confdelsetcols, conperiod)
 CROSS JOIN LATERAL (SELECT oid, contype, conname, conrelid, conkey, confrelid, confkey, confdeltype, confupdtype,
                            confmatchtype, condeferrable, condeferred, convalidated, connoinherit, conbin, conparentid, conpfeqop,
                            conenforced, confdelsetcols, conperiod
                       FROM pg_catalog.pg_constraint) k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class fc ON fc.oid = k.confrelid
  LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
  LEFT JOIN pg_catalog.pg_constraint p ON p.oid = k.conparentid
 WHERE k.contype IN ('c', 'f')
   AND p.conrelid IS DISTINCT FROM k.conrelid -- else it is a foreign key to a partition that follows from one to its root
   AND (n.nspname = ANY (current_setting('pgmend.schemas')::text[])
        OR fn.nspname = ANY (current_setting('pgmend.schemas')::text[]))
