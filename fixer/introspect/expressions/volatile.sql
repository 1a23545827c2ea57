-- The defaults that may give each row another value, by the functions that they call.
SELECT d.adrelid AS relation, d.adnum AS number
  FROM pg_catalog.pg_attrdef d
  JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
 WHERE c.relnamespace = ANY (ARRAY (SELECT n.oid FROM pg_catalog.pg_namespace n
                                 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])))
   AND EXISTS (SELECT FROM regexp_matches(d.adbin::text, ':(?:func|opfunc)id (\d+)', 'g') AS called (ids)
                 JOIN pg_catalog.pg_proc f ON f.oid = called.ids[1]::oid
                WHERE f.provolatile = 'v')
