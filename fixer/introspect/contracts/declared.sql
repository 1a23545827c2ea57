-- The tables and sequences that users declare: neither PostgreSQL's own, nor an extension's, nor ours, nor temporary.
SELECT n.nspname AS schema,
       c.relname AS name,
       CASE WHEN c.relkind <> 'S' THEN c.relispartition END AS is_part  -- NULL for a sequence
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'fixer_journal', 'fixer_quarantine')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
