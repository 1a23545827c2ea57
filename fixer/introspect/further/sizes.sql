-- What the tables in the setting pgmend.tables, a JSON array of {schema, name}, occupy now, with partitions and heirs.
SELECT n.nspname AS schema,
       c.relname AS name,
       CASE WHEN c.relkind = 'p' OR c.relhassubclass
            THEN (WITH RECURSIVE below AS (
                       SELECT c.oid
                        UNION
                       SELECT i.inhrelid FROM below b JOIN pg_catalog.pg_inherits i ON i.inhparent = b.oid)
                  SELECT coalesce(sum(pg_catalog.pg_relation_size(b.oid)), 0)::bigint FROM below b)
            ELSE pg_catalog.pg_relation_size(c.oid) END AS bytes
  FROM jsonb_to_recordset(current_setting('pgmend.tables')::jsonb) AS w (schema text, name text)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind IN ('r', 'p')
