-- A digest of the columns, constraints and indexes of the chosen tables: whether they are still as a plan found them.
-- Expressions are left out: how they are spelt depends on the session.
WITH found AS (
    SELECT n.nspname, c.relname, c.oid
      FROM jsonb_to_recordset(current_setting('pgmend.tables')::jsonb) AS wanted (schema text, name text)
      JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
), facts AS (
    SELECT jsonb_build_array(
               f.nspname, f.relname, 'column', a.attname, format_type(a.atttypid, a.atttypmod),
               a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated
           )::text AS fact
      FROM found f
      JOIN pg_catalog.pg_attribute a ON a.attrelid = f.oid AND a.attnum > 0 AND NOT a.attisdropped
     UNION ALL
    SELECT jsonb_build_array(
               f.nspname, f.relname, 'constraint', k.conname, k.contype, k.convalidated, k.condeferrable,
               CASE WHEN k.contype IN ('p', 'u', 'f') THEN pg_get_constraintdef(k.oid) END
           )::text
      FROM found f
      JOIN pg_catalog.pg_constraint k ON k.conrelid = f.oid AND k.contype NOT IN ('n', 't')
     UNION ALL
    SELECT jsonb_build_array(
               f.nspname, f.relname, 'index', i.relname, x.indisunique, x.indisvalid,
               ARRAY(SELECT a.attname FROM unnest(x.indkey) WITH ORDINALITY AS part (number, place)
                       JOIN pg_catalog.pg_attribute a ON a.attrelid = f.oid AND a.attnum = part.number ORDER BY place)
           )::text
      FROM found f
      JOIN pg_catalog.pg_index x ON x.indrelid = f.oid
      JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
)
SELECT md5(coalesce(string_agg(fact, E'\n' ORDER BY fact COLLATE "C"), '')) FROM facts
