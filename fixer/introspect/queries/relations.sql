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
       p.inhparent AS part_of
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_inherits p ON p.inhrelid = c.oid AND c.relispartition
 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
   AND c.relkind NOT IN ('i', 'I', 'S')
