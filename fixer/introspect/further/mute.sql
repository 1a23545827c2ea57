-- Which of these tables, and of their partitions, a publication could not tell which of their rows was changed or
-- deleted; by what it tells rows now: a key (d), an index (i), or nothing (n). What is told by all columns (f) can be;
-- a deferrable key tells nothing.
-- Paste into psql after:  SET pgmend.relations = '{16384}';
  WITH holding AS MATERIALIZED (
       SELECT c.oid
         FROM pg_catalog.pg_class c
        WHERE c.oid = ANY (current_setting('pgmend.relations')::oid[]) AND c.relkind = 'r'
        UNION
       SELECT t.relid
         FROM unnest(current_setting('pgmend.relations')::oid[]) AS r (oid)
        CROSS JOIN LATERAL pg_catalog.pg_partition_tree(r.oid) t
        WHERE t.isleaf),
       published AS MATERIALIZED (
       SELECT p.pubname, g.relid
         FROM pg_catalog.pg_publication p
        CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(p.pubname) g
        WHERE p.pubupdate OR p.pubdelete),
       told AS (
       SELECT h.oid, p.pubname
         FROM holding h
         JOIN published p ON p.relid = h.oid
        UNION
       SELECT h.oid, p.pubname
         FROM holding h
        CROSS JOIN LATERAL pg_catalog.pg_partition_ancestors(h.oid) a
         JOIN published p ON p.relid = a.relid)
SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, min(t.pubname::text) AS publication,
       c.relreplident::text AS told_by, pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned
  FROM told t
  JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind = 'r' AND c.relreplident IN ('d', 'i', 'n')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_index i
                    WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
                      AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END)
 GROUP BY 1, 2, 3, 5, 6
 ORDER BY 2, 3
