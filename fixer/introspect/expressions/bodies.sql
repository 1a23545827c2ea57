-- The functions in SQL and PL/pgSQL that writing to a table of the schemas in the setting pgmend.schemas may call, and
-- what calls each: a trigger that fires, a default, a generated column, a check, an index. Then, without what calls
-- them, the others of users, which these may call in turn. Bodies that PostgreSQL keeps parsed need no judge: what they
-- name cannot go.
-- Paste into psql after:  SET pgmend.schemas = '{public}';
  WITH wanted AS MATERIALIZED (
       SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name
         FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[]) AND c.relkind IN ('r', 'p')),
       used AS MATERIALIZED (
       SELECT d.refobjid AS function, d.classid, d.objid
         FROM pg_catalog.pg_depend d
        WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid >= 16384
          AND d.classid IN ('pg_catalog.pg_trigger'::regclass, 'pg_catalog.pg_attrdef'::regclass,
                            'pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_class'::regclass)),
       called AS MATERIALIZED (
       SELECT u.function, w.schema, w.name, 'the trigger ' || quote_ident(g.tgname) AS by,
              array_remove(ARRAY[g.tgnewtable::text, g.tgoldtable::text], NULL) AS given
         FROM used u
         JOIN pg_catalog.pg_trigger g ON u.classid = 'pg_catalog.pg_trigger'::regclass AND g.oid = u.objid
         JOIN wanted w ON w.oid = g.tgrelid
        WHERE g.tgenabled IN ('O', 'A') AND g.tgparentid = 0 AND g.tgfoid = u.function
        UNION ALL
       SELECT u.function, w.schema, w.name, CASE a.attgenerated WHEN '' THEN 'the default of ' ELSE 'the column ' END
                                            || quote_ident(a.attname), ARRAY[]::text[]
         FROM used u
         JOIN pg_catalog.pg_attrdef d ON u.classid = 'pg_catalog.pg_attrdef'::regclass AND d.oid = u.objid
         JOIN wanted w ON w.oid = d.adrelid
         JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        UNION ALL
       SELECT u.function, w.schema, w.name, 'the check ' || quote_ident(k.conname), ARRAY[]::text[]
         FROM used u
         JOIN pg_catalog.pg_constraint k ON u.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = u.objid
         JOIN wanted w ON w.oid = k.conrelid
        UNION ALL
       SELECT u.function, w.schema, w.name, 'the index ' || quote_ident(x.relname), ARRAY[]::text[]
         FROM used u
         JOIN pg_catalog.pg_index i ON u.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = u.objid
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
         JOIN wanted w ON w.oid = i.indrelid)
SELECT p.oid::bigint AS oid, n.nspname::text AS schema, p.proname::text AS name, p.oid::regprocedure::text AS spelt,
       l.lanname::text AS language, p.prosrc AS body,
       (SELECT substr(c, 13) FROM unnest(p.proconfig) AS c WHERE c LIKE 'search\_path=%') AS path,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(c.schema, c.name, c.by, c.given) ORDER BY c.schema, c.name, c.by), '[]')
          FROM called c
         WHERE c.function = p.oid) AS callers
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname IN ('sql', 'plpgsql')
 WHERE p.oid >= 16384 AND p.prosrc <> '' AND p.prokind <> 'a' AND EXISTS (SELECT FROM called)
   AND n.nspname NOT IN ('fixer_journal', 'fixer_quarantine')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
 ORDER BY 2, 4
