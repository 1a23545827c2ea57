-- The relations of users, and the columns of each, among the names in the setting pgmend.names, a JSON array; and what
-- of them can be called: functions, types, and words of SQL, such as coalesce.
-- Paste into psql after:  SET pgmend.names = '["users"]';
  WITH wanted AS MATERIALIZED (
       SELECT jsonb_array_elements_text(current_setting('pgmend.names')::jsonb) AS name)
SELECT 'relation' AS kind, n.nspname::text AS schema, c.relname::text AS name,
       ARRAY (SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped) AS columns
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname IN (SELECT w.name FROM wanted w)
 UNION ALL
SELECT 'function', n.nspname::text, p.proname::text, ARRAY[]::text[]
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE p.proname IN (SELECT w.name FROM wanted w)
 GROUP BY 1, 2, 3
 UNION ALL
SELECT 'function', n.nspname::text, t.typname::text, ARRAY[]::text[]
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE t.typname IN (SELECT w.name FROM wanted w)
 UNION ALL
SELECT 'function', '', k.word, ARRAY[]::text[]
  FROM pg_catalog.pg_get_keywords() k
 WHERE k.catcode <> 'U' AND k.word IN (SELECT w.name FROM wanted w)
