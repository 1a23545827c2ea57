-- What the application's role lacks in the wanted schemas; the setting pgmend.role names it. `columns` are those for
-- which it lacks the right where it lacks it for the whole table. A `sequence` stands in a part of a table, a `counter`
-- anywhere. Three kinds are no lack: `given` is what default privileges grant it on what this session creates, in one
-- schema or in all, `owner` a role whose rights it has, of those that may own that, `unbound` a table whose row level
-- security spares it.
  WITH app AS MATERIALIZED (
       SELECT r.rolname::text AS name, r.rolsuper OR r.rolbypassrls AS spared
         FROM pg_catalog.pg_roles r
        WHERE r.rolname = current_setting('pgmend.role')),
       home AS MATERIALIZED (
       SELECT n.oid, n.nspname::text AS name
         FROM pg_catalog.pg_namespace n
        WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])),
       wanted AS MATERIALIZED (
       SELECT c.oid, h.name AS schema, c.relname::text AS name, c.relowner, c.relrowsecurity, c.relforcerowsecurity
         FROM pg_catalog.pg_class c
         JOIN home h ON h.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p')),
       -- Parts of a table that are evaluated as whoever writes to it.
       part AS MATERIALIZED (
       SELECT 'pg_catalog.pg_attrdef'::regclass AS classid, d.oid, w.schema, w.name, a.attname::text AS "column"
         FROM wanted w
         JOIN pg_catalog.pg_attrdef d ON d.adrelid = w.oid
         JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        UNION ALL
       SELECT 'pg_catalog.pg_constraint'::regclass, k.oid, w.schema, w.name, ''
         FROM wanted w
         JOIN pg_catalog.pg_constraint k ON k.conrelid = w.oid AND k.contype = 'c'
        UNION ALL
       SELECT 'pg_catalog.pg_class'::regclass, i.indexrelid, w.schema, w.name, ''
         FROM wanted w
         JOIN pg_catalog.pg_index i ON i.indrelid = w.oid)
SELECT 'schema' AS kind, h.name AS schema, '' AS relation, '' AS "column", 'USAGE' AS deed, ARRAY[]::text[] AS columns,
       NULL::text[] AS object
  FROM home h
 CROSS JOIN app
 WHERE NOT has_schema_privilege(app.name, h.oid, 'USAGE')
 UNION ALL
SELECT 'table', w.schema, w.name, '', p.deed,
       ARRAY (SELECT a.attname::text FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
                 AND CASE WHEN p.deed = 'DELETE' THEN true
                          ELSE NOT has_column_privilege(app.name, w.oid, a.attnum, p.deed) END),
       NULL
  FROM wanted w
 CROSS JOIN app
 CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS p (deed)
 WHERE NOT has_table_privilege(app.name, w.oid, p.deed)
 UNION ALL
SELECT DISTINCT 'sequence', p.schema, p.name, p."column", 'USAGE', ARRAY[]::text[], ARRAY[n.nspname, c.relname]::text[]
  FROM part p
  JOIN pg_catalog.pg_depend d ON d.classid = p.classid AND d.objid = p.oid
   AND d.refclassid = 'pg_catalog.pg_class'::regclass
  JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind = 'S'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN app
 WHERE NOT has_sequence_privilege(app.name, c.oid, 'USAGE, UPDATE')
 UNION ALL
SELECT 'counter', h.name, '', '', 'USAGE', ARRAY[]::text[], ARRAY[h.name, c.relname]::text[]
  FROM home h
  JOIN pg_catalog.pg_class c ON c.relnamespace = h.oid AND c.relkind = 'S'
 CROSS JOIN app
 WHERE NOT has_sequence_privilege(app.name, c.oid, 'USAGE, UPDATE')
 UNION ALL
SELECT DISTINCT 'function', p.schema, p.name, p."column", 'EXECUTE', ARRAY[]::text[], ARRAY[f.oid::regprocedure]::text[]
  FROM part p
  JOIN pg_catalog.pg_depend d ON d.classid = p.classid AND d.objid = p.oid
  LEFT JOIN pg_catalog.pg_operator o ON d.refclassid = 'pg_catalog.pg_operator'::regclass AND o.oid = d.refobjid
  JOIN pg_catalog.pg_proc f ON f.oid = CASE d.refclassid WHEN 'pg_catalog.pg_proc'::regclass THEN d.refobjid
                                                         ELSE o.oprcode END
 CROSS JOIN app
 WHERE NOT has_function_privilege(app.name, f.oid, 'EXECUTE')
 UNION ALL
SELECT DISTINCT 'given', coalesce(h.name, ''), '', '',
       x.privilege_type || CASE d.defaclobjtype WHEN 'r' THEN '' WHEN 'S' THEN ' ON SEQUENCES' ELSE ' ON SCHEMAS' END,
       ARRAY[]::text[], NULL::text[]
  FROM pg_catalog.pg_default_acl d
  LEFT JOIN home h ON h.oid = d.defaclnamespace
 CROSS JOIN app
 CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) x
 WHERE d.defaclobjtype IN ('r', 'S', 'n') AND (h.oid IS NOT NULL OR d.defaclnamespace = 0)
   AND d.defaclrole = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
   AND CASE x.grantee WHEN 0 THEN true ELSE pg_catalog.pg_has_role(app.name, x.grantee, 'USAGE') END
 UNION ALL
SELECT 'owner', '', r.rolname, '', '', ARRAY[]::text[], NULL
  FROM pg_catalog.pg_roles r
 CROSS JOIN app
 WHERE (r.rolname = current_user OR r.oid IN (SELECT w.relowner FROM wanted w))
   AND pg_catalog.pg_has_role(app.name, r.oid, 'USAGE')
 UNION ALL
SELECT 'unbound', w.schema, w.name, '', '', ARRAY[]::text[], NULL
  FROM wanted w
 CROSS JOIN app
 WHERE w.relrowsecurity
   AND (app.spared
        OR NOT w.relforcerowsecurity AND pg_catalog.pg_has_role(app.name, w.relowner, 'USAGE'))
 UNION ALL
SELECT 'known', '', '', '', '', ARRAY[]::text[], NULL
  FROM app
