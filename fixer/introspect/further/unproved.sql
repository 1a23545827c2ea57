-- NOT NULL constraints that no version before 18 has: NOT VALID, so their columns may hold NULL, or NO INHERIT.
SELECT n.nspname AS schema, c.relname AS relation, a.attname AS name, k.conname AS constraint,
       NOT k.convalidated AS unproved, k.connoinherit AS alone
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
 WHERE k.contype = 'n' AND (NOT k.convalidated OR k.connoinherit)
   AND n.nspname = ANY (current_setting('pgmend.schemas')::text[])
