-- What acts on the rows of a table, or hinders its change: triggers of users, rules, policies, dependent views.
SELECT 'trigger' AS kind, n.nspname AS schema, c.relname AS relation, g.tgname::text AS name,
       ARRAY[]::text[] AS columns, g.tgenabled::text AS enabled
  FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT g.tgisinternal AND n.nspname = ANY (current_setting('pgmend.schemas')::text[])
 UNION ALL
SELECT 'rule', n.nspname, c.relname, r.rulename::text, ARRAY[]::text[], r.ev_enabled::text
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE r.ev_type <> '1' AND n.nspname = ANY (current_setting('pgmend.schemas')::text[])
 UNION ALL
SELECT 'policy', n.nspname, c.relname, p.polname::text, ARRAY[]::text[], 'O'
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
 UNION ALL
SELECT 'view', n.nspname, c.relname, v.oid::regclass::text,
       array_agg(DISTINCT a.attname::text), 'O'
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
  JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')
  JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.oid <> v.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
 WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
   AND n.nspname = ANY (current_setting('pgmend.schemas')::text[])
 GROUP BY n.nspname, c.relname, v.oid
