-- How tables and their columns are to be stored and sampled, where that is not the server's default. Paste into psql after:
--   SET search_path = pg_catalog;  SET pgmend.schemas = '{public}';
  WITH relation AS MATERIALIZED (
       SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind, c.reloptions
         FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (current_setting('pgmend.schemas')::text[]))
SELECT r.schema, r.name, '' AS "column", split_part(o, '=', 1) AS what, substr(o, strpos(o, '=') + 1) AS value
  FROM relation r
 CROSS JOIN unnest(r.reloptions) AS o
 UNION ALL
SELECT r.schema, r.name, a.attname::text, f.what, f.value
  FROM relation r
  JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 CROSS JOIN LATERAL (VALUES
       ('STATISTICS', CASE WHEN (to_jsonb(a) ->> 'attstattarget')::integer >= 0 THEN to_jsonb(a) ->> 'attstattarget' END),
       ('STORAGE', CASE WHEN a.attstorage <> t.typstorage
                        THEN CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN'
                                               ELSE 'EXTENDED' END END),
       ('COMPRESSION', CASE to_jsonb(a) ->> 'attcompression' WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END)
       ) AS f (what, value)
 WHERE f.value IS NOT NULL
