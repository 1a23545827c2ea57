-- Every column. Types and collations are numbers here.
SELECT a.attrelid AS relation,
       a.attnum AS number,
       a.attname AS name,
       a.atttypid AS type,
       a.atttypmod AS modifier,
       a.attcollation AS collation,
       a.attnotnull AS not_null,
       a.attidentity AS identity,
       a.attgenerated AS generated
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = ANY (ARRAY (SELECT n.oid FROM pg_catalog.pg_namespace n
                                 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])))
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND a.attnum > 0 AND NOT a.attisdropped
