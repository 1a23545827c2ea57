-- What the tables in the setting pgmend.tables, a JSON array of {schema, name}, occupy now.
SELECT n.nspname AS schema,
       c.relname AS name,
       pg_catalog.pg_relation_size(c.oid) AS bytes
  FROM jsonb_to_recordset(current_setting('pgmend.tables')::jsonb) AS w (schema text, name text)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind = 'r'
