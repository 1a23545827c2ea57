-- What users declare and no contract compares, as PostgreSQL calls it; of a target also what extensions bring.
-- Paste into psql after:  SET search_path = pg_catalog;  SET pgmend.schemas = '{public}';  SET pgmend.members = off;
  WITH home AS MATERIALIZED (
       SELECT n.oid
         FROM pg_catalog.pg_namespace n
        WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])),
       found (class, oid) AS (
       SELECT 'pg_catalog.pg_proc'::regclass, p.oid
         FROM pg_catalog.pg_proc p
        WHERE p.prokind = 'a' AND p.pronamespace IN (SELECT oid FROM home)
        UNION ALL
       SELECT 'pg_catalog.pg_class'::regclass, c.oid
         FROM pg_catalog.pg_class c
        WHERE c.relkind = 'f' AND c.relnamespace IN (SELECT oid FROM home)
        UNION ALL
       -- Whatever else stands in a schema depends on it.
       SELECT d.classid::regclass, d.objid
         FROM pg_catalog.pg_depend d
        WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid IN (SELECT oid FROM home)
          AND d.classid IN ('pg_catalog.pg_statistic_ext'::regclass, 'pg_catalog.pg_operator'::regclass,
                            'pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_ts_config'::regclass,
                            'pg_catalog.pg_ts_dict'::regclass, 'pg_catalog.pg_collation'::regclass,
                            'pg_catalog.pg_conversion'::regclass)
        UNION ALL
       SELECT 'pg_catalog.pg_default_acl'::regclass, d.oid
         FROM pg_catalog.pg_default_acl d
        WHERE d.defaclnamespace = 0 OR d.defaclnamespace IN (SELECT oid FROM home)
        UNION ALL
       SELECT 'pg_catalog.pg_cast'::regclass, t.oid FROM pg_catalog.pg_cast t
        UNION ALL
       SELECT 'pg_catalog.pg_event_trigger'::regclass, v.oid FROM pg_catalog.pg_event_trigger v
        UNION ALL
       SELECT 'pg_catalog.pg_foreign_server'::regclass, s.oid FROM pg_catalog.pg_foreign_server s
        UNION ALL
       SELECT 'pg_catalog.pg_language'::regclass, a.oid FROM pg_catalog.pg_language a
        UNION ALL
       SELECT 'pg_catalog.pg_publication'::regclass, b.oid FROM pg_catalog.pg_publication b)
SELECT replace(o.type, 'default acl', 'default privilege'), o.identity
  FROM found f
 CROSS JOIN LATERAL pg_catalog.pg_identify_object(f.class, f.oid, 0) AS o
 WHERE f.oid >= 16384
   -- What a type brings by itself, as a range its casts, is compared with it.
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = f.class AND d.objid = f.oid
                      AND (d.deptype = 'i' OR d.deptype = 'e' AND NOT current_setting('pgmend.members')::boolean))
 ORDER BY 1, 2
