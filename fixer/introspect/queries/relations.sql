-- Every relation of the wanted schemas but indexes and sequences; its size as it was last measured.
SELECT c.oid,
       n.nspname AS schema,
       c.relname AS name,
       c.relkind AS kind,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned,
       has_table_privilege(c.oid, 'SELECT') AS readable,
       c.relpersistence AS persistence,
       c.relkind = 'p' OR c.relispartition OR c.relhassubclass
         OR c.oid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits i) AS inherits,
       c.relkind = 'r' AND c.relhassubclass
         AND c.oid IN (SELECT i.inhparent FROM pg_catalog.pg_inherits i) AS heirs,
       c.relrowsecurity AS row_security,
       c.relforcerowsecurity AS forced_row_security,
       CASE WHEN c.relkind = 'r'
            THEN c.relpages::bigint * current_setting('block_size')::integer ELSE 0 END AS bytes,
       greatest(c.reltuples, 0)::bigint AS estimated_rows,
       p.inhparent AS part_of,
       CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) ELSE '' END AS parted_by,
       coalesce(pg_catalog.pg_get_expr(c.relpartbound, c.oid), '') AS bound,
       CASE WHEN c.relkind = 'p'
            THEN (SELECT ARRAY[m.nspname::text, r.relname::text]
                    FROM pg_catalog.pg_partitioned_table t
                    JOIN pg_catalog.pg_class r ON r.oid = t.partdefid
                    JOIN pg_catalog.pg_namespace m ON m.oid = r.relnamespace
                   WHERE t.partrelid = c.oid) END AS rest,
       CASE WHEN c.relkind = 'r' AND NOT c.relispartition AND c.oid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits i)
            THEN ARRAY (SELECT i.inhparent::bigint FROM pg_catalog.pg_inherits i
                         WHERE i.inhrelid = c.oid ORDER BY i.inhseqno) END AS parents,
       c.relispopulated AS populated,
       -- Whether obstacles.sql may find anything: numbers from 16384 on are of objects that users made.
       (SELECT EXISTS (SELECT FROM pg_catalog.pg_proc f WHERE f.oid >= 16384)
            OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.oid >= 16384)
            OR EXISTS (SELECT FROM pg_catalog.pg_description d WHERE d.objoid >= 16384)
            OR EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE NOT g.tgisinternal OR g.tgenabled NOT IN ('O', 'A'))
            OR EXISTS (SELECT FROM pg_catalog.pg_policy)
            OR EXISTS (SELECT FROM pg_catalog.pg_publication)
            OR EXISTS (SELECT FROM pg_catalog.pg_partitioned_table)
            OR EXISTS (SELECT FROM pg_catalog.pg_statistic_ext)
            OR EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indisreplident OR i.indisclustered)
            OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid >= 16384 AND d.objsubid > 0
                          AND d.refclassid = 'pg_catalog.pg_type'::regclass)) AS hindered
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_inherits p ON p.inhrelid = c.oid AND c.relispartition
 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
   AND c.relkind NOT IN ('i', 'I', 'S')
