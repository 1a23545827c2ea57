-- The defaults that may give each row another value, by the functions that they call.
SELECT d.adrelid AS relation, d.adnum AS number
  FROM pg_catalog.pg_attrdef d
  JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
 WHERE c.relnamespace = ANY (ARRAY (SELECT n.oid FROM pg_catalog.pg_namespace n
                                 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])))
   -- By the numbers after `:funcid` and `:opfuncid`; a name of an argument that ends so has none after it.
   AND EXISTS (SELECT FROM unnest((string_to_array(d.adbin::text, 'funcid '))[2:]) AS called (rest)
                 JOIN pg_catalog.pg_proc f
                   ON f.oid = CASE WHEN ascii(called.rest) BETWEEN 48 AND 57
                                   THEN split_part(called.rest, ' ', 1)::oid END
                WHERE f.provolatile = 'v')
