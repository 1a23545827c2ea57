-- Which relations of users are called like tables that are missing, but for the schema, or for capitals, blanks, hyphens
-- and underscores, or are tables in the same schema that have all their columns, where these are given, `alike` if they
-- have no others; and, in every row, how many tables of users there are in all schemas: without partitions, and without
-- what belongs to extensions or to the fixer. Paste into psql after:
--   SET pgmend.schemas = '{public}';
--   SET pgmend.missing = '[{"schema": "public", "name": "users", "called": "users", "columns": ["id", "email"]}]';
WITH there AS MATERIALIZED (
    SELECT c.oid,
           n.oid AS home,
           n.nspname::text AS schema,
           c.relname::text AS name,
           c.relkind::text AS kind,
           CASE c.relkind WHEN 'p' THEN (SELECT pg_catalog.sum(p.relpages)
                                           FROM pg_catalog.pg_partition_tree(c.oid) AS l
                                           JOIN pg_catalog.pg_class p ON p.oid = l.relid AND p.relkind = 'r')
                           ELSE c.relpages END AS pages
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND NOT c.relispartition
       AND n.nspname NOT IN ('information_schema', 'fixer_journal', 'fixer_quarantine')
       AND n.nspname !~ '^pg_'
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_depend d
                        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                          AND d.objid = c.oid
                          AND d.deptype = 'e')
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_depend d
                        WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
                          AND d.objid = n.oid
                          AND d.deptype = 'e')
), missing AS (
    SELECT w.schema, w.name, w.called, w.columns
      FROM pg_catalog.jsonb_to_recordset(pg_catalog.current_setting('pgmend.missing')::pg_catalog.jsonb)
        AS w (schema text, name text, called text, columns name[])
), twins AS (
    SELECT w.schema AS missing_schema, w.name AS missing_name, t.*, true AS named, false AS alike
      FROM missing w
      JOIN there t
        -- As PostgreSQL folds names, and then by the rules of the database's language.
        ON pg_catalog.lower(pg_catalog.lower(pg_catalog.translate(t.name, ' _-', '') COLLATE pg_catalog."C")
                            COLLATE pg_catalog."default")
         = pg_catalog.lower(pg_catalog.lower(pg_catalog.translate(w.called, ' _-', '') COLLATE pg_catalog."C")
                            COLLATE pg_catalog."default")
       AND (t.schema = w.schema OR t.schema <> ALL (pg_catalog.current_setting('pgmend.schemas')::text[]))
     UNION ALL
    SELECT w.schema, w.name, t.*, false,
           (SELECT pg_catalog.count(*)
              FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped) = pg_catalog.cardinality(w.columns)
      FROM missing w
     CROSS JOIN LATERAL pg_catalog.unnest(w.columns) AS k (name)
      JOIN pg_catalog.pg_attribute a ON a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped
      JOIN there t ON t.oid = a.attrelid AND t.schema = w.schema AND t.kind IN ('r', 'p')
     GROUP BY w.schema, w.name, w.columns, t.oid, t.home, t.schema, t.name, t.kind, t.pages
    HAVING pg_catalog.count(*) = pg_catalog.cardinality(w.columns)
)
SELECT u.tables, t.missing_schema, t.missing_name, t.schema, t.name, t.kind,
       pg_catalog.has_schema_privilege(t.home, 'USAGE')
         AND pg_catalog.has_table_privilege(t.oid, 'SELECT')
         AND NOT pg_catalog.row_security_active(t.oid) AS readable,
       t.named,
       t.alike
  FROM (SELECT pg_catalog.count(*) FILTER (WHERE kind IN ('r', 'p', 'f')) AS tables FROM there) AS u
  LEFT JOIN twins t ON true
 ORDER BY t.named DESC, t.pages DESC NULLS LAST, t.schema, t.name
