-- Every column, with the sequence that its default calls or its identity owns.
SELECT n.nspname AS schema,
       c.relname AS relation,
       c.relkind AS kind,
       a.attname AS name,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
       a.attnotnull AS not_null,
       CASE WHEN a.atthasdef THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS default,
       a.attidentity AS identity,
       a.attgenerated AS generated,
       CASE WHEN a.attcollation <> t.typcollation
            THEN (SELECT o.collname FROM pg_catalog.pg_collation o WHERE o.oid = a.attcollation) END AS collation,
       s.sequence_schema,
       s.sequence_name,
       CASE WHEN t.typtype = 'e'
            THEN ARRAY (SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
                         WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) END AS labels
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON a.atthasdef AND d.adrelid = c.oid AND d.adnum = a.attnum
  LEFT JOIN LATERAL (
       SELECT sn.nspname AS sequence_schema, sc.relname AS sequence_name
         FROM pg_catalog.pg_depend p
         JOIN pg_catalog.pg_class sc ON sc.oid = p.refobjid AND sc.relkind = 'S'
         JOIN pg_catalog.pg_namespace sn ON sn.oid = sc.relnamespace
        WHERE p.classid = 'pg_catalog.pg_attrdef'::regclass AND p.objid = d.oid
          AND p.refclassid = 'pg_catalog.pg_class'::regclass
        UNION ALL
       SELECT sn.nspname, sc.relname
         FROM pg_catalog.pg_depend p
         JOIN pg_catalog.pg_class sc ON sc.oid = p.objid AND sc.relkind = 'S'
         JOIN pg_catalog.pg_namespace sn ON sn.oid = sc.relnamespace
        WHERE a.attidentity <> '' AND p.classid = 'pg_catalog.pg_class'::regclass
          AND p.refclassid = 'pg_catalog.pg_class'::regclass
          AND p.refobjid = c.oid AND p.refobjsubid = a.attnum AND p.deptype = 'i'
        LIMIT 1) s ON a.atthasdef OR a.attidentity <> ''
 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
 ORDER BY n.nspname, c.relname, a.attnum
