-- What stands over these columns so that their types cannot change: views, what stands over those, policies, and what
-- only a person can take down; each with the statement that takes it down, and those that bring it back exactly.
-- Paste into psql after:  SET search_path = pg_catalog;  SET quote_all_identifiers = off;
-- SET pgmend.standing = '[{"schema": "public", "name": "books", "column": "pages"}]';
  WITH RECURSIVE wanted AS (
       SELECT c.oid, c.oid AS root, w."column"
         FROM jsonb_to_recordset(current_setting('pgmend.standing')::jsonb) AS w (schema text, name text, "column" text)
         JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
         JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
        UNION -- partitions and heirs get the type too
       SELECT i.inhrelid, w.root, w."column"
         FROM wanted w
         JOIN pg_catalog.pg_inherits i ON i.inhparent = w.oid),
       standing AS (
       SELECT d.classid, d.objid, 0 AS part, r.ev_class AS view, 1 AS level, w.root, w."column"
         FROM wanted w
         JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid AND a.attname = w."column"
         JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = w.oid
              AND d.refobjsubid = a.attnum
              AND d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_trigger'::regclass,
                                'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_proc'::regclass,
                                'pg_catalog.pg_publication_rel'::regclass)
         LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
        UNION -- what depends on a view, on the type of its rows, or on a function
       SELECT d.classid, d.objid, d.objsubid, r.ev_class, s.level + 1, s.root, s."column"
         FROM standing s
         LEFT JOIN pg_catalog.pg_class v ON v.oid = s.view AND v.relkind IN ('v', 'm')
         LEFT JOIN pg_catalog.pg_type t ON t.oid = v.reltype
         JOIN pg_catalog.pg_depend d ON d.deptype = 'n'
              AND (d.refclassid, d.refobjid) IN (('pg_catalog.pg_class'::regclass, v.oid),
                                                 ('pg_catalog.pg_type'::regclass, t.oid),
                                                 ('pg_catalog.pg_type'::regclass, t.typarray),
                                                 ('pg_catalog.pg_proc'::regclass,
                                                  CASE s.classid WHEN 'pg_catalog.pg_proc'::regclass THEN s.objid END))
         LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
        WHERE (r.ev_class = s.view) IS NOT TRUE AND s.level < 1000),
       known AS MATERIALIZED (
       SELECT s.classid, s.objid, s.part, s.root, s."column", max(max(s.level)) OVER (PARTITION BY s.classid, s.objid) AS level
         FROM standing s
        GROUP BY 1, 2, 3, 4, 5),
       views AS MATERIALIZED (
       SELECT r.oid AS rule, v.oid, v.relkind, v.reloptions, v.relispopulated, v.relowner, v.relacl, n.nspname, n.oid AS home,
              format('%I.%I', n.nspname, v.relname) AS spelt, v.oid::regclass::text AS told, v.relname,
              CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS word,
              -- Where all is as CREATE leaves it, whoever runs it, nothing is said of rights.
              ARRAY (SELECT x.grantee::regrole::text FROM pg_catalog.pg_default_acl f,
                            pg_catalog.aclexplode(f.defaclacl) x
                      WHERE f.defaclobjtype = 'r' AND f.defaclnamespace IN (0, n.oid) AND x.grantee <> 0
                      GROUP BY 1 ORDER BY 1) AS others,
              v.relacl::text IS DISTINCT FROM pg_catalog.acldefault('r', v.relowner)::text AND v.relacl IS NOT NULL
              OR EXISTS (SELECT FROM pg_catalog.pg_default_acl f
                          WHERE f.defaclobjtype = 'r' AND f.defaclnamespace IN (0, n.oid)) AS chosen
         FROM pg_catalog.pg_rewrite r
         JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm') AND r.ev_type = '1'
         JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
        WHERE r.oid IN (SELECT k.objid FROM known k WHERE k.classid = 'pg_catalog.pg_rewrite'::regclass)),
       described AS (
SELECT 'pg_catalog.pg_rewrite'::regclass::oid AS classid, v.rule AS objid,
       CASE v.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END AS kind,
       CASE strpos(v.nspname || v.relname, '.') WHEN 0 THEN v.nspname || '.' || v.relname ELSE v.spelt END AS id,
       lower(v.word) || ' ' || v.told AS name,
       format('DROP %s %s', v.word, v.spelt) AS drop,
       format('CREATE %s %s (%s)%s AS', v.word, v.spelt,
              (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                 FROM pg_catalog.pg_attribute a WHERE a.attrelid = v.oid AND a.attnum > 0),
              (SELECT format(' WITH (%s)', string_agg(format('%I = %L', split_part(o, '=', 1),
                                                             substr(o, strpos(o, '=') + 1)), ', '))
                 FROM unnest(v.reloptions) AS o HAVING count(*) > 0)) AS head,
       rtrim(pg_catalog.pg_get_viewdef(v.oid), ';') || CASE WHEN v.relispopulated THEN '' ELSE E'\n WITH NO DATA' END
           AS definition,
       ARRAY (SELECT format('ALTER %s %s OWNER TO %s', v.word, v.spelt, v.relowner::regrole)
               UNION ALL
              SELECT format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', v.spelt, a.attname,
                            pg_catalog.pg_get_expr(f.adbin, f.adrelid))
                FROM pg_catalog.pg_attrdef f
                JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
               WHERE f.adrelid = v.oid)
       || ARRAY (SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i WHERE i.indrelid = v.oid
                  ORDER BY i.indexrelid)
       || ARRAY (SELECT format('COMMENT ON INDEX %s IS %L', i.indexrelid::regclass,
                               pg_catalog.obj_description(i.indexrelid, 'pg_class'))
                   FROM pg_catalog.pg_index i
                  WHERE i.indrelid = v.oid AND pg_catalog.obj_description(i.indexrelid, 'pg_class') IS NOT NULL
                  ORDER BY i.indexrelid)
       || ARRAY (SELECT format('ALTER %s %s CLUSTER ON %I', v.word, v.spelt, x.relname)
                   FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
                  WHERE i.indrelid = v.oid AND i.indisclustered)
       || ARRAY (SELECT format('ALTER %s %s ALTER COLUMN %I SET STATISTICS %s', v.word, v.spelt, a.attname,
                               a.attstattarget)
                   FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = v.oid AND a.attnum > 0 AND a.attstattarget >= 0 AND v.relkind = 'm'
                  ORDER BY a.attnum)
       || ARRAY (SELECT x.statement
                   FROM pg_catalog.pg_statistic_ext e
                   JOIN pg_catalog.pg_namespace h ON h.oid = e.stxnamespace
                  CROSS JOIN LATERAL (VALUES
                        (pg_catalog.pg_get_statisticsobjdef(e.oid)),
                        (format('ALTER STATISTICS %I.%I OWNER TO %s', h.nspname, e.stxname, e.stxowner::regrole)),
                        (format('COMMENT ON STATISTICS %I.%I IS ', h.nspname, e.stxname)
                         || quote_literal(pg_catalog.obj_description(e.oid, 'pg_statistic_ext')))) x (statement)
                  WHERE e.stxrelid = v.oid AND x.statement IS NOT NULL ORDER BY e.oid)
       || ARRAY (SELECT rtrim(pg_catalog.pg_get_ruledef(u.oid), ';') FROM pg_catalog.pg_rewrite u
                  WHERE u.ev_class = v.oid AND u.ev_type <> '1' ORDER BY u.rulename)
       || ARRAY (SELECT format('COMMENT ON RULE %I ON %s IS %L', u.rulename, v.spelt, d.description)
                   FROM pg_catalog.pg_rewrite u
                   JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_rewrite'::regclass AND d.objoid = u.oid
                  WHERE u.ev_class = v.oid ORDER BY u.rulename)
       || ARRAY (SELECT pg_catalog.pg_get_triggerdef(g.oid) FROM pg_catalog.pg_trigger g
                  WHERE g.tgrelid = v.oid ORDER BY g.tgname)
       || ARRAY (SELECT format('COMMENT ON TRIGGER %I ON %s IS %L', g.tgname, v.spelt, d.description)
                   FROM pg_catalog.pg_trigger g
                   JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_trigger'::regclass AND d.objoid = g.oid
                  WHERE g.tgrelid = v.oid ORDER BY g.tgname)
       || ARRAY (SELECT format('COMMENT ON %s %s IS %L', v.word, v.spelt, pg_catalog.obj_description(v.oid, 'pg_class'))
                  WHERE pg_catalog.obj_description(v.oid, 'pg_class') IS NOT NULL)
       || ARRAY (SELECT format('COMMENT ON COLUMN %s.%I IS %L', v.spelt, a.attname, d.description)
                   FROM pg_catalog.pg_description d
                   JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
                  WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = v.oid AND d.objsubid > 0
                  ORDER BY a.attnum)
       || ARRAY (SELECT format('REVOKE ALL ON %s FROM %s', v.spelt,
                               array_to_string(ARRAY['PUBLIC', v.relowner::regrole::text] || v.others, ', '))
                  WHERE v.chosen)
       || ARRAY (SELECT format('%sGRANT %s ON %s TO %s%s%s', 'SET ROLE ' || other.role || '; ',
                               string_agg(x.privilege_type, ', ' ORDER BY x.place), v.spelt,
                               CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
                               CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END,
                               CASE WHEN other.role IS NULL THEN '' ELSE '; RESET ROLE' END)
                   FROM pg_catalog.aclexplode(coalesce(v.relacl, pg_catalog.acldefault('r', v.relowner)))
                        WITH ORDINALITY AS x (grantor, grantee, privilege_type, is_grantable, place)
                  CROSS JOIN LATERAL (SELECT CASE WHEN x.grantor <> v.relowner THEN x.grantor::regrole END AS role) other
                  WHERE v.chosen
                  GROUP BY other.role, x.grantee, x.is_grantable ORDER BY min(x.place))
       || ARRAY (SELECT format('GRANT %s (%I) ON %s TO %s%s', x.privilege_type, a.attname, v.spelt,
                               CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
                               CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                   FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl)
                        WITH ORDINALITY AS x (grantor, grantee, privilege_type, is_grantable, place)
                  WHERE a.attrelid = v.oid AND a.attnum > 0 ORDER BY a.attnum, x.place) AS rest,
       coalesce((SELECT CASE WHEN o.rolsuper THEN format('belongs to %s', o.oid::regrole)
                             ELSE format('belongs to %1$s (GRANT %1$s TO %2$s%3$s lets it be brought back)',
                                         o.oid::regrole, current_user::regrole,
                                         CASE WHEN m.since_16 THEN ' WITH INHERIT TRUE, SET TRUE' END) END
                   FROM pg_catalog.pg_roles o,
                        (SELECT current_setting('server_version_num')::int >= 160000 AS since_16) m
                  WHERE o.oid = v.relowner
                    AND NOT (pg_has_role(o.oid, 'USAGE')
                             AND pg_has_role(o.oid, CASE WHEN m.since_16 THEN 'SET' ELSE 'MEMBER' END))),
                (SELECT 'is temporary' WHERE v.nspname LIKE 'pg\_temp%'),
                (SELECT 'belongs to an extension' FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = v.oid AND d.deptype = 'e' LIMIT 1),
                (SELECT 'has a security label' FROM pg_catalog.pg_seclabel l
                  WHERE l.classoid = 'pg_catalog.pg_class'::regclass AND l.objoid = v.oid LIMIT 1),
                (SELECT 'has grants by ' || x.grantor::regrole
                   FROM (SELECT v.relacl UNION ALL
                         SELECT a.attacl FROM pg_catalog.pg_attribute a WHERE a.attrelid = v.oid) AS g (acl),
                        pg_catalog.aclexplode(g.acl) x
                  WHERE x.grantor <> v.relowner LIMIT 1),
                (SELECT format('needs CREATE on the schema %I for %s', v.nspname, r.oid::regrole)
                   FROM pg_catalog.pg_roles r
                  WHERE r.oid IN (current_user::regrole, v.relowner)
                    AND NOT (SELECT m.rolsuper FROM pg_catalog.pg_roles m WHERE m.rolname = current_user)
                    AND NOT has_schema_privilege(r.oid, v.home, 'CREATE') LIMIT 1),
                CASE v.relkind WHEN 'm' THEN 'holds rows' ELSE '' END) AS hindrance
  FROM views v
 UNION ALL
SELECT 'pg_catalog.pg_policy'::regclass, p.oid, 'policy', p.polrelid || '.' || p.polname,
       NULL,
       format('DROP POLICY %I ON %I.%I', p.polname, n.nspname, c.relname),
       format('CREATE POLICY %I ON %I.%I AS %s FOR %s TO %s', p.polname, n.nspname, c.relname,
              CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
              CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                            ELSE 'ALL' END,
              (SELECT string_agg(CASE r.oid WHEN 0 THEN 'PUBLIC' ELSE r.oid::regrole::text END, ', ' ORDER BY r.place)
                 FROM unnest(p.polroles) WITH ORDINALITY AS r (oid, place))),
       concat(' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
              ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
       ARRAY (SELECT format('COMMENT ON POLICY %I ON %I.%I IS %L', p.polname, n.nspname, c.relname,
                            pg_catalog.obj_description(p.oid, 'pg_policy'))
               WHERE pg_catalog.obj_description(p.oid, 'pg_policy') IS NOT NULL),
       CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN '' ELSE 'belongs to ' || c.relowner::regrole END
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE p.oid IN (SELECT k.objid FROM known k WHERE k.classid = 'pg_catalog.pg_policy'::regclass)
 UNION ALL
SELECT 'pg_catalog.pg_trigger'::regclass, g.oid, 'trigger', g.tgrelid || '.' || g.tgname, NULL,
       format('DROP TRIGGER %I ON %I.%I', g.tgname, n.nspname, c.relname),
       pg_catalog.pg_get_triggerdef(g.oid), '',
       ARRAY (SELECT format('ALTER TABLE %I.%I %s TRIGGER %I', n.nspname, c.relname,
                            CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END,
                            g.tgname)
               WHERE g.tgenabled <> 'O'
               UNION ALL
              SELECT format('COMMENT ON TRIGGER %I ON %I.%I IS %L', g.tgname, n.nspname, c.relname,
                            pg_catalog.obj_description(g.oid, 'pg_trigger'))
               WHERE pg_catalog.obj_description(g.oid, 'pg_trigger') IS NOT NULL), 'is no view'
  FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE g.oid IN (SELECT k.objid FROM known k WHERE k.classid = 'pg_catalog.pg_trigger'::regclass)
 UNION ALL
SELECT 'pg_catalog.pg_rewrite'::regclass, r.oid, 'rule', r.ev_class || '.' || r.rulename, NULL,
       format('DROP RULE %I ON %I.%I', r.rulename, n.nspname, c.relname),
       rtrim(pg_catalog.pg_get_ruledef(r.oid), ';'), '',
       ARRAY (SELECT format('ALTER TABLE %I.%I %s RULE %I', n.nspname, c.relname,
                            CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END,
                            r.rulename)
               WHERE r.ev_enabled <> 'O'
               UNION ALL
              SELECT format('COMMENT ON RULE %I ON %I.%I IS %L', r.rulename, n.nspname, c.relname,
                            pg_catalog.obj_description(r.oid, 'pg_rewrite'))
               WHERE pg_catalog.obj_description(r.oid, 'pg_rewrite') IS NOT NULL), 'is no view'
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE r.ev_type <> '1' AND r.oid IN (SELECT k.objid FROM known k WHERE k.classid = 'pg_catalog.pg_rewrite'::regclass)
 UNION ALL
SELECT 'pg_catalog.pg_proc'::regclass, f.oid, 'function', f.oid::text, NULL,
       format('DROP ROUTINE %s', f.oid::regprocedure), rtrim(pg_catalog.pg_get_functiondef(f.oid), E'\n'), '',
       ARRAY (SELECT format('ALTER ROUTINE %s OWNER TO %s', f.oid::regprocedure, f.proowner::regrole)
               UNION ALL
              SELECT format('COMMENT ON ROUTINE %s IS %L', f.oid::regprocedure, pg_catalog.obj_description(f.oid, 'pg_proc'))
               WHERE pg_catalog.obj_description(f.oid, 'pg_proc') IS NOT NULL
               UNION ALL
              SELECT format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', f.oid::regprocedure) WHERE f.proacl IS NOT NULL)
       || ARRAY (SELECT format('GRANT EXECUTE ON ROUTINE %s TO %s%s', f.oid::regprocedure,
                               CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
                               CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                   FROM pg_catalog.aclexplode(f.proacl) x), 'is no view'
  FROM pg_catalog.pg_proc f
 WHERE f.prokind IN ('f', 'p')
   AND f.oid IN (SELECT k.objid FROM known k WHERE k.classid = 'pg_catalog.pg_proc'::regclass)
 UNION ALL
SELECT 'pg_catalog.pg_publication_rel'::regclass, r.oid, 'publication', r.oid::text, NULL,
       format('ALTER PUBLICATION %I DROP TABLE ONLY %I.%I', p.pubname, n.nspname, c.relname),
       format('ALTER PUBLICATION %I ADD TABLE ONLY %I.%I%s%s', p.pubname, n.nspname, c.relname,
              CASE WHEN to_jsonb(r) ->> 'prattrs' IS NOT NULL THEN
                   (SELECT format(' (%s)', string_agg(quote_ident(a), ', '))
                      FROM jsonb_array_elements_text(to_jsonb(t) -> 'attnames') AS a) END,
              ' WHERE ' || (to_jsonb(t) ->> 'rowfilter')), '', ARRAY[]::text[], 'is no view'
  FROM pg_catalog.pg_publication_rel r
  JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
  JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_publication_tables t
         ON (t.pubname, t.schemaname, t.tablename) = (p.pubname, n.nspname, c.relname)
 WHERE r.oid IN (SELECT k.objid FROM known k WHERE k.classid = 'pg_catalog.pg_publication_rel'::regclass))
SELECT n.nspname::text, c.relname::text, k."column", k.level, coalesce(d.kind, ''), coalesce(d.id, k.objid::text),
       coalesce(d.name, pg_catalog.pg_describe_object(k.classid, k.objid, k.part)), coalesce(d.drop, ''), coalesce(d.head, ''),
       coalesce(d.definition, ''), coalesce(d.rest, ARRAY[]::text[]), coalesce(d.hindrance, 'is no view'),
       -- The code of the database's own that runs where it is read.
       ARRAY (SELECT DISTINCT pg_catalog.pg_describe_object(u.refclassid, u.refobjid, 0) FROM pg_catalog.pg_depend u
               WHERE (u.classid, u.objid) = (k.classid, k.objid)
                 AND u.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass) ORDER BY 1)
  FROM known k
  JOIN pg_catalog.pg_class c ON c.oid = k.root
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN described d ON (d.classid, d.objid) = (k.classid, k.objid)
 WHERE NOT EXISTS (SELECT FROM views v -- whose rules and triggers come with it
                    WHERE (k.classid = 'pg_catalog.pg_rewrite'::regclass AND k.objid IN (
                           SELECT u.oid FROM pg_catalog.pg_rewrite u WHERE u.ev_class = v.oid AND u.ev_type <> '1'))
                       OR (k.classid = 'pg_catalog.pg_trigger'::regclass AND k.objid IN (
                           SELECT g.oid FROM pg_catalog.pg_trigger g WHERE g.tgrelid = v.oid)))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g -- that of a partition goes with its root's
                    WHERE k.classid = 'pg_catalog.pg_trigger'::regclass AND g.oid = k.objid AND g.tgparentid <> 0)
 ORDER BY k.level, 5, 6
