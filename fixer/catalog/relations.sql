-- Every relation of the wanted schemas: those that hold rows in full, of the others the name alone.
SELECT n.nspname AS schema,
       c.relname AS name,
       c.relkind AS kind,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned,
       CASE WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f') THEN has_table_privilege(c.oid, 'SELECT') ELSE true END AS readable,
       c.relpersistence AS persistence,
       c.relkind = 'p' OR c.relispartition OR c.relhassubclass
         OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) AS inherits,
       c.relrowsecurity AS row_security,
       c.relforcerowsecurity AS forced_row_security,
       CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END AS bytes,
       greatest(c.reltuples, 0)::bigint AS estimated_rows
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
