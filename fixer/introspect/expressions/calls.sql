-- What the defaults, checks, indexes and domains of the tables in the setting pgmend.tables, a JSON array of
-- {schema, name}, call. It is `settled` where nothing but functions of PostgreSQL's own takes part that change nothing
-- and ask neither a setting nor a right; `own` lists the functions of others: whether each may give each row another
-- value, and its body, without texts and comments, if it is written in SQL or PL/pgSQL.
-- Paste into psql after:  SET pgmend.tables = '[{"schema": "public", "name": "users"}]';
  WITH RECURSIVE wanted AS MATERIALIZED (
       SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name
         FROM jsonb_to_recordset(current_setting('pgmend.tables')::jsonb) AS w (schema text, name text)
         JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
         JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name),
       domains AS (
       SELECT a.attrelid AS relation, a.attname::text AS name, a.atttypid AS domain
         FROM pg_catalog.pg_attribute a
         JOIN wanted w ON w.oid = a.attrelid
        WHERE a.attnum > 0 AND NOT a.attisdropped
        UNION
       SELECT d.relation, d.name, t.typbasetype
         FROM domains d
         JOIN pg_catalog.pg_type t ON t.oid = d.domain AND t.typtype = 'd'),
       expressions AS MATERIALIZED (
       SELECT 'default' AS kind, d.adrelid AS relation, a.attname::text AS name, d.adbin::text AS tree
         FROM pg_catalog.pg_attrdef d
         JOIN wanted w ON w.oid = d.adrelid
         JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        UNION ALL
       SELECT 'check', k.conrelid, k.conname::text, k.conbin::text
         FROM pg_catalog.pg_constraint k
         JOIN wanted w ON w.oid = k.conrelid
        WHERE k.contype = 'c'
        UNION ALL
       SELECT 'index', i.indrelid, x.relname::text, concat(i.indexprs::text, i.indpred::text)
         FROM pg_catalog.pg_index i
         JOIN wanted w ON w.oid = i.indrelid
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
        WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
        UNION ALL
       SELECT 'domain', d.relation, d.name, string_agg(concat(k.conbin::text, t.typdefaultbin::text), ' ')
         FROM domains d
         JOIN pg_catalog.pg_type t ON t.oid = d.domain AND t.typtype = 'd'
         LEFT JOIN pg_catalog.pg_constraint k ON k.contypid = t.oid AND k.contype = 'c'
        GROUP BY d.relation, d.name)
SELECT e.kind, w.schema, w.name, e.name,
       -- Among what promises to change nothing, some ask the session, read tables, or call the casts of others.
       coalesce(bool_and(f.pronamespace = 'pg_catalog'::regnamespace AND (f.provolatile = 'i' OR (
                f.provolatile = 's' AND f.proname !~ 'xml|setting|priv|user|role|schema|database|json|regconfig'
                AND f.proname !~ '^(pg|inet|has|ts|to_ts|txid)_'))), true) AS settled,
       coalesce(jsonb_agg(jsonb_build_array(f.proname, f.provolatile = 'v', b.body))
                FILTER (WHERE f.pronamespace <> 'pg_catalog'::regnamespace), '[]') AS own,
       CASE e.kind WHEN 'domain'
                   THEN (SELECT pg_catalog.pg_get_expr(t.typdefaultbin, 0)
                           FROM pg_catalog.pg_attribute a
                           JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                          WHERE a.attrelid = e.relation AND a.attname = e.name) END AS default
  FROM expressions e
  JOIN wanted w ON w.oid = e.relation
  LEFT JOIN LATERAL regexp_matches(e.tree, ':(?:func|opfunc)id (\d+)', 'g') AS called (ids) ON true
  LEFT JOIN pg_catalog.pg_proc f ON f.oid = called.ids[1]::oid
  LEFT JOIN LATERAL (
       SELECT regexp_replace(CASE WHEN f.prosrc <> '' THEN f.prosrc
                                  ELSE regexp_replace(pg_catalog.pg_get_functiondef(f.oid),
                                                      '^.*?\n(?=\s*(BEGIN ATOMIC|RETURN)\M)', '') END,
                             '''[^'']*''|--[^\n]*|/\*([^*]|\*+[^*/])*\*+/', ' ', 'g') AS body
         FROM pg_catalog.pg_language l
        WHERE l.oid = f.prolang AND l.lanname IN ('sql', 'plpgsql')
          AND f.pronamespace <> 'pg_catalog'::regnamespace
       OFFSET 0) b ON true
 GROUP BY e.kind, e.relation, w.schema, w.name, e.name
