-- What this role may not use: functions without EXECUTE, sequences and types without USAGE, schemas without it.
-- `grant` is the statement that opens each; `names` are those by which SQL reaches it: a function by its own, by its
-- operators and by the domains that it checks; a schema by those of all that is in it. `parts` are the expressions of
-- tables that call it: schema, table, kind, and the column of a default.
-- Paste into psql as it is.
  WITH shut AS MATERIALIZED (
       SELECT 'function' AS kind, p.oid, p.pronamespace AS home, p.proname::text AS name,
              format('EXECUTE ON ROUTINE %s', p.oid::regprocedure) AS deed
         FROM pg_catalog.pg_proc p
        WHERE p.proacl IS NOT NULL AND NOT has_function_privilege(p.oid, 'EXECUTE')
        UNION ALL
       SELECT 'sequence', c.oid, c.relnamespace, c.relname::text, format('USAGE ON SEQUENCE %s', c.oid::regclass)
         FROM pg_catalog.pg_class c
        WHERE CASE c.relkind WHEN 'S' THEN NOT has_sequence_privilege(c.oid, 'USAGE, UPDATE') END
        UNION ALL
       SELECT 'type', t.oid, t.typnamespace, t.typname::text, format('USAGE ON TYPE %s', t.oid::regtype)
         FROM pg_catalog.pg_type t
        WHERE t.typacl IS NOT NULL AND NOT has_type_privilege(t.oid, 'USAGE')),
       caller AS MATERIALIZED (  -- what calls a function or a sequence as it stands, by its place in the catalogue
       SELECT s.oid, CASE s.kind WHEN 'function' THEN 'pg_catalog.pg_proc' ELSE 'pg_catalog.pg_class' END::regclass AS classid,
              s.oid AS objid
         FROM shut s
        WHERE s.kind IN ('function', 'sequence')
        UNION ALL
       SELECT s.oid, 'pg_catalog.pg_operator'::regclass, o.oid
         FROM shut s
         JOIN pg_catalog.pg_operator o ON o.oprcode = s.oid
        WHERE s.kind = 'function'),
       called AS MATERIALIZED (
       SELECT c.oid, d.classid, d.objid
         FROM caller c
         JOIN pg_catalog.pg_depend d ON d.refclassid = c.classid AND d.refobjid = c.objid),
       domain AS MATERIALIZED (
       SELECT c.oid, t.oid AS type, t.typnamespace AS home, t.typname::text AS name
         FROM called c
         JOIN pg_catalog.pg_constraint k ON c.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = c.objid
         JOIN pg_catalog.pg_type t ON t.oid = k.contypid),
       name AS (
       SELECT s.oid, s.kind AS how, s.home, s.name FROM shut s
        UNION ALL
       SELECT c.oid, 'operator', o.oprnamespace, o.oprname::text
         FROM caller c
         JOIN pg_catalog.pg_operator o ON c.classid = 'pg_catalog.pg_operator'::regclass AND o.oid = c.objid
        UNION ALL
       SELECT d.oid, 'domain', d.home, d.name FROM domain d),
       part AS (
       SELECT c.oid, d.adrelid AS relation, CASE a.attgenerated WHEN '' THEN 'default' ELSE 'generated' END AS kind,
              a.attname::text AS "column"
         FROM called c
         JOIN pg_catalog.pg_attrdef d ON c.classid = 'pg_catalog.pg_attrdef'::regclass AND d.oid = c.objid
         JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        UNION
       SELECT c.oid, k.conrelid, 'check', k.conname::text
         FROM called c
         JOIN pg_catalog.pg_constraint k ON c.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = c.objid
        WHERE k.contype = 'c' AND k.conrelid <> 0
        UNION
       SELECT c.oid, i.indrelid, 'index', x.relname::text
         FROM called c
         JOIN pg_catalog.pg_index i ON c.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = c.objid
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
        WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
        UNION
       SELECT d.oid, a.attrelid, 'domain', a.attname::text
         FROM domain d
         JOIN pg_catalog.pg_attribute a ON a.atttypid = d.type AND a.attnum > 0 AND NOT a.attisdropped)
SELECT s.kind, s.name, s.deed,
       (SELECT jsonb_agg(jsonb_build_array(n.how, h.nspname, n.name))
          FROM name n
          JOIN pg_catalog.pg_namespace h ON h.oid = n.home
         WHERE n.oid = s.oid) AS names,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(h.nspname, c.relname, p.kind, p."column")), '[]')
          FROM part p
          JOIN pg_catalog.pg_class c ON c.oid = p.relation
          JOIN pg_catalog.pg_namespace h ON h.oid = c.relnamespace
         WHERE p.oid = s.oid) AS parts
  FROM shut s
 UNION ALL
SELECT 'schema', n.nspname, format('USAGE ON SCHEMA %I', n.nspname),
       (SELECT coalesce(jsonb_agg(jsonb_build_array('any', n.nspname, o.name)), '[]')
          FROM (SELECT proname AS name FROM pg_catalog.pg_proc WHERE pronamespace = n.oid
                 UNION SELECT typname FROM pg_catalog.pg_type WHERE typnamespace = n.oid
                 UNION SELECT relname FROM pg_catalog.pg_class WHERE relnamespace = n.oid
                 UNION SELECT oprname FROM pg_catalog.pg_operator WHERE oprnamespace = n.oid
                 UNION SELECT collname FROM pg_catalog.pg_collation WHERE collnamespace = n.oid
                 UNION SELECT opcname FROM pg_catalog.pg_opclass WHERE opcnamespace = n.oid) AS o),
       '[]'
  FROM pg_catalog.pg_namespace n
 WHERE n.nspname !~ '^pg_' AND NOT has_schema_privilege(n.oid, 'USAGE')
 ORDER BY 3
