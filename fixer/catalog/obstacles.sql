-- What acts on the rows of a table, or hinders its change: triggers of users, rules, policies, dependent views; and
-- the triggers of foreign keys that do not fire, whose foreign key is `key`.
  WITH wanted AS MATERIALIZED (
       SELECT c.oid, c.relkind
         FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
          AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
SELECT 'trigger' AS kind, c.oid AS relation, g.tgname::text AS name, ARRAY[]::text[] AS columns,
       g.tgenabled::text AS enabled, 0::oid AS key, NULL::text[] AS table
  FROM pg_catalog.pg_trigger g
  JOIN wanted c ON c.oid = g.tgrelid
 WHERE NOT g.tgisinternal
 UNION ALL
SELECT 'disabled', c.oid, g.tgname::text, ARRAY[]::text[],
       g.tgenabled::text, g.tgconstraint, ARRAY[n.nspname::text, c.relname::text]
  FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE g.tgisinternal AND g.tgconstraint <> 0 AND g.tgenabled NOT IN ('O', 'A')
 UNION ALL
SELECT 'rule', c.oid, r.rulename::text, ARRAY[]::text[], r.ev_enabled::text, 0, NULL
  FROM pg_catalog.pg_rewrite r
  JOIN wanted c ON c.oid = r.ev_class AND c.relkind IN ('r', 'p')
 WHERE r.ev_type <> '1'
 UNION ALL
SELECT 'policy', c.oid, p.polname::text, ARRAY[]::text[], 'O', 0, NULL
  FROM pg_catalog.pg_policy p
  JOIN wanted c ON c.oid = p.polrelid
 UNION ALL
SELECT 'view', a.attrelid, v.oid::regclass::text, array_agg(DISTINCT a.attname::text), 'O', 0, NULL
  FROM pg_catalog.pg_depend d
  JOIN wanted c ON c.oid = d.refobjid
  JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_class <> c.oid
  JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
 WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
 GROUP BY a.attrelid, v.oid
