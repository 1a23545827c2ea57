-- The extended statistics of these tables, each with its definition.
-- Paste into psql after:  SET pgmend.tables = '[{"schema": "public", "name": "books"}]';
SELECT n.nspname::text, c.relname::text, format('%I.%I', h.nspname, e.stxname),
       pg_catalog.pg_get_statisticsobjdef(e.oid)
  FROM jsonb_to_recordset(current_setting('pgmend.tables')::jsonb) AS w (schema text, name text)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
  JOIN pg_catalog.pg_statistic_ext e ON e.stxrelid = c.oid
  JOIN pg_catalog.pg_namespace h ON h.oid = e.stxnamespace
 ORDER BY 1, 2, 3
