-- The partitions and heirs of these tables, in any schema, each after the table, with the types of its columns.
-- Paste into psql after:  SET pgmend.tables = '[{"schema": "public", "name": "books"}]';
  WITH RECURSIVE tree AS (
       SELECT c.oid, c.oid AS root
         FROM jsonb_to_recordset(current_setting('pgmend.tables')::jsonb) AS w (schema text, name text)
         JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
         JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
        UNION
       SELECT i.inhrelid, t.root
         FROM tree t
         JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)
SELECT h.nspname::text, r.relname::text, n.nspname::text, c.relname::text,
       (SELECT jsonb_object_agg(a.attname, format_type(a.atttypid, a.atttypmod))
          FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
  FROM tree t
  JOIN pg_catalog.pg_class r ON r.oid = t.root
  JOIN pg_catalog.pg_namespace h ON h.oid = r.relnamespace
  JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.oid <> t.root
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
