-- Functions, views, triggers, rules, policies and grants of users in some schemas, each with the statements that make it.
-- Paste into psql after:  SET search_path = pg_catalog;  SET quote_all_identifiers = off;
-- SET pgmend.needs = on;  SET pgmend.roles = '{}';  SET pgmend.schemas = '{public}';
-- SET pgmend.kinds = '{function,view,trigger,rule,policy,security,grant}';
  WITH home AS MATERIALIZED (
       SELECT n.oid, n.nspname
         FROM pg_catalog.pg_namespace n
        WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])),
       kind AS MATERIALIZED (
       SELECT unnest(current_setting('pgmend.kinds')::text[]) AS wanted),
       member AS MATERIALIZED (
       SELECT d.classid, d.objid
         FROM pg_catalog.pg_depend d
        WHERE d.deptype = 'e' OR d.deptype = 'i' AND d.classid = 'pg_catalog.pg_proc'::regclass),  -- of a range
       routine AS MATERIALIZED (
       SELECT p.oid, n.nspname, format('%s(%s)', p.proname, (
                     SELECT string_agg(pg_catalog.format_type(t.oid, NULL), ',' ORDER BY t.place)
                       FROM unnest(p.proargtypes) WITH ORDINALITY AS t (oid, place))) AS called
         FROM pg_catalog.pg_proc p
         JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE p.oid >= 16384
          AND p.oid NOT IN (SELECT m.objid FROM member m WHERE m.classid = 'pg_catalog.pg_proc'::regclass)),
       relation AS MATERIALIZED (
       SELECT c.*, h.nspname, format('%I.%I', h.nspname, c.relname) AS spelt,
              CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS word,
              (SELECT format(' WITH (%s)', string_agg(format('%I = %L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)),
                                                      ', ' ORDER BY o))
                 FROM unnest(c.reloptions) AS o HAVING count(*) > 0) AS options
         FROM pg_catalog.pg_class c
         JOIN home h ON h.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
          AND c.oid NOT IN (SELECT m.objid FROM member m WHERE m.classid = 'pg_catalog.pg_class'::regclass)),
       part AS (
       SELECT 'function' AS kind, r.nspname AS schema, r.called AS home, '' AS part,
              CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS word, p.oid::regprocedure::text AS spelt,
              f.said AS definition, ARRAY[f.said] AS "create",
              format('DROP ROUTINE %s', p.oid::regprocedure) AS "drop",
              concat_ws(' ', p.prokind, p.proretset, p.prorettype::regtype, p.proallargtypes::regtype[]::text,
                        p.proargmodes::text, p.proargnames::text, p.pronargdefaults) AS shape,
              'O' AS enabled, p.prosecdef AS definer,
              p.proacl IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(p.proacl) x WHERE x.grantee = 0) AS closed,
              ARRAY[]::text[] AS roles, p.proowner AS owner, ARRAY[]::text[] AS rest,
              'pg_catalog.pg_proc'::regclass::oid AS classid, p.oid AS objid
         FROM pg_catalog.pg_proc p
         JOIN routine r ON r.oid = p.oid
        CROSS JOIN LATERAL (SELECT rtrim(pg_catalog.pg_get_functiondef(p.oid), E'\n') AS said OFFSET 0) AS f
        WHERE 'function' IN (SELECT wanted FROM kind) AND p.prokind <> 'a' AND p.pronamespace IN (SELECT oid FROM home)
        UNION ALL
       SELECT 'view', v.nspname, v.relname, '', v.word, v.spelt,
              concat(v.options, d.said, (
                     SELECT string_agg(E'\n' || pg_catalog.pg_get_indexdef(i.indexrelid), '' ORDER BY i.indexrelid::regclass::text)
                       FROM pg_catalog.pg_index i
                      WHERE i.indrelid = v.oid)),
              ARRAY[format('CREATE %s %s%s AS%s%s', v.word, v.spelt, v.options, E'\n', d.said)]
              || ARRAY (SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i WHERE i.indrelid = v.oid
                         ORDER BY i.indexrelid),
              format('DROP %s %s', v.word, v.spelt),
              concat_ws(' ', v.relkind, (
                        SELECT string_agg(concat_ws(' ', quote_ident(a.attname), pg_catalog.format_type(a.atttypid, a.atttypmod),
                                                    nullif(a.attcollation, 0)::regcollation), ', ' ORDER BY a.attnum)
                          FROM pg_catalog.pg_attribute a
                         WHERE a.attrelid = v.oid AND a.attnum > 0)),
              CASE WHEN v.relispopulated THEN 'O' ELSE 'D' END, false, false, ARRAY[]::text[], v.relowner, ARRAY[]::text[],
              'pg_catalog.pg_rewrite'::regclass, u.oid
         FROM relation v
         JOIN pg_catalog.pg_rewrite u ON u.ev_class = v.oid AND u.ev_type = '1'
        CROSS JOIN LATERAL (SELECT rtrim(pg_catalog.pg_get_viewdef(v.oid), ';') AS said OFFSET 0) AS d
        WHERE 'view' IN (SELECT wanted FROM kind) AND v.relkind IN ('v', 'm')
        UNION ALL
       SELECT 'trigger', c.nspname, c.relname, g.tgname, 'TRIGGER', format('%I ON %s', g.tgname, c.spelt),
              d.said,
              ARRAY[d.said]
              || ARRAY (SELECT format('ALTER TABLE %s %s TRIGGER %I', c.spelt,
                                      CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END,
                                      g.tgname)
                         WHERE g.tgenabled <> 'O'),
              format('DROP TRIGGER %I ON %s', g.tgname, c.spelt), '',
              CASE WHEN c.relkind = 'p' AND g.tgenabled <> 'D'
                    AND EXISTS (SELECT FROM pg_catalog.pg_partition_tree(c.oid) AS t
                                  JOIN pg_catalog.pg_trigger b ON b.tgrelid = t.relid AND b.tgname = g.tgname
                                 WHERE b.tgparentid <> 0 AND b.tgenabled = 'D')
                   THEN 'S' ELSE g.tgenabled::text END, false, false, ARRAY[]::text[], c.relowner,
              ARRAY (SELECT format('COMMENT ON TRIGGER %I ON %s IS %L', g.tgname, c.spelt, d.description)
                       FROM pg_catalog.pg_description d
                      WHERE d.classoid = 'pg_catalog.pg_trigger'::regclass AND d.objoid = g.oid),
              'pg_catalog.pg_trigger'::regclass, g.oid
         FROM pg_catalog.pg_trigger g
         JOIN relation c ON c.oid = g.tgrelid
        CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_triggerdef(g.oid) AS said OFFSET 0) AS d
        WHERE 'trigger' IN (SELECT wanted FROM kind) AND NOT g.tgisinternal AND g.tgparentid = 0
        UNION ALL
       SELECT 'rule', c.nspname, c.relname, u.rulename, 'RULE', format('%I ON %s', u.rulename, c.spelt), d.said,
              ARRAY[d.said]
              || ARRAY (SELECT format('ALTER TABLE %s %s RULE %I', c.spelt,
                                      CASE u.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END,
                                      u.rulename)
                         WHERE u.ev_enabled <> 'O'),
              format('DROP RULE %I ON %s', u.rulename, c.spelt), '', u.ev_enabled::text, false, false, ARRAY[]::text[], c.relowner,
              ARRAY (SELECT format('COMMENT ON RULE %I ON %s IS %L', u.rulename, c.spelt, d.description)
                       FROM pg_catalog.pg_description d
                      WHERE d.classoid = 'pg_catalog.pg_rewrite'::regclass AND d.objoid = u.oid),
              'pg_catalog.pg_rewrite'::regclass, u.oid
         FROM pg_catalog.pg_rewrite u
         JOIN relation c ON c.oid = u.ev_class
        CROSS JOIN LATERAL (SELECT rtrim(pg_catalog.pg_get_ruledef(u.oid), ';') AS said OFFSET 0) AS d
        WHERE 'rule' IN (SELECT wanted FROM kind) AND u.rulename <> '_RETURN'
        UNION ALL
       SELECT 'policy', c.nspname, c.relname, l.polname, 'POLICY', format('%I ON %s', l.polname, c.spelt), l.said,
              ARRAY[format('CREATE POLICY %I ON %s %s', l.polname, c.spelt, l.said)],
              format('DROP POLICY %I ON %s', l.polname, c.spelt), '', 'O', false, false, l.roles, c.relowner,
              ARRAY (SELECT format('COMMENT ON POLICY %I ON %s IS %L', l.polname, c.spelt, d.description)
                       FROM pg_catalog.pg_description d
                      WHERE d.classoid = 'pg_catalog.pg_policy'::regclass AND d.objoid = l.oid),
              'pg_catalog.pg_policy'::regclass, l.oid
         FROM (SELECT p.*, format('AS %s FOR %s TO %s%s%s',
                      CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                      CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                                    ELSE 'ALL' END,
                      (SELECT string_agg(CASE r.oid WHEN 0 THEN 'PUBLIC' ELSE r.oid::regrole::text END, ', '
                                         ORDER BY CASE r.oid WHEN 0 THEN 'PUBLIC' ELSE r.oid::regrole::text END COLLATE "C")
                         FROM unnest(p.polroles) AS r (oid)),
                      ' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
                      ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')') AS said,
                      ARRAY (SELECT r.rolname::text FROM pg_catalog.pg_roles r WHERE r.oid = ANY (p.polroles)) AS roles
                 FROM pg_catalog.pg_policy p) AS l
         JOIN relation c ON c.oid = l.polrelid
        WHERE 'policy' IN (SELECT wanted FROM kind)
        UNION ALL
       SELECT 'security', c.nspname, c.relname, x.word, 'POLICY', c.spelt, x.word,
              ARRAY[format('ALTER TABLE %s %s', c.spelt, x.word)], format('ALTER TABLE %s %s', c.spelt, x.away), '', 'O', false,
              false, ARRAY[]::text[], c.relowner, ARRAY[]::text[], 'pg_catalog.pg_policy'::regclass, 0
         FROM relation c
        CROSS JOIN LATERAL (VALUES
              ('ENABLE ROW LEVEL SECURITY', 'DISABLE ROW LEVEL SECURITY', c.relrowsecurity),
              ('FORCE ROW LEVEL SECURITY', 'NO FORCE ROW LEVEL SECURITY', c.relforcerowsecurity)) AS x (word, away, done)
        WHERE 'security' IN (SELECT wanted FROM kind) AND x.done
        UNION ALL
       SELECT 'grant', o.schema, o.home, concat_ws(' ', x.privilege, '(' || o."column" || ')',
                                                   CASE WHEN x.optional THEN 'WITH GRANT OPTION' END, 'ON', o.word, 'TO', x.grantee), o.word, o.spelt, '',
              ARRAY[format('GRANT %s%s ON %s %s TO %s%s', x.privilege, ' (' || quote_ident(o."column") || ')', o.word, o.spelt,
                           x.role, CASE WHEN x.optional THEN ' WITH GRANT OPTION' ELSE '' END)],
              format('REVOKE %s%s%s ON %s %s FROM %s', CASE WHEN x.optional THEN 'GRANT OPTION FOR ' ELSE '' END, x.privilege,
                     ' (' || quote_ident(o."column") || ')', o.word, o.spelt, x.role),
              '',
              'O', false, false, CASE WHEN x.grantee_id = 0 THEN ARRAY[]::text[] ELSE ARRAY[x.grantee] END, o.owner,
              ARRAY[]::text[], 'pg_catalog.pg_policy'::regclass, 0
         FROM (SELECT c.nspname AS schema, c.relname::text AS home, 'TABLE' AS word, c.spelt, NULL::name AS "column", c.relowner AS owner,
                      coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner)) AS acl
                 FROM relation c
                UNION ALL
               SELECT c.nspname, c.relname, 'TABLE', c.spelt, a.attname, c.relowner, a.attacl
                 FROM relation c
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
                UNION ALL
               SELECT h.nspname, s.relname, 'SEQUENCE', format('%I.%I', h.nspname, s.relname), NULL, s.relowner,
                      coalesce(s.relacl, pg_catalog.acldefault('s', s.relowner))
                 FROM pg_catalog.pg_class s
                 JOIN home h ON h.oid = s.relnamespace
                WHERE s.relkind = 'S' AND s.oid NOT IN (SELECT m.objid FROM member m WHERE m.classid = 'pg_catalog.pg_class'::regclass)
                UNION ALL
               SELECT r.nspname, r.called, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.oid::regprocedure::text,
                      NULL, p.proowner, coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))
                 FROM pg_catalog.pg_proc p
                 JOIN routine r ON r.oid = p.oid
                WHERE p.pronamespace IN (SELECT oid FROM home)
                UNION ALL
               SELECT n.nspname, '', 'SCHEMA', quote_ident(n.nspname), NULL, n.nspowner,
                      coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))
                 FROM pg_catalog.pg_namespace n
                WHERE n.oid IN (SELECT oid FROM home)) AS o
        CROSS JOIN LATERAL (
              SELECT DISTINCT a.privilege_type AS privilege, a.grantee AS grantee_id, g.optional,
                     CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS role,
                     CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END AS grantee
                FROM pg_catalog.aclexplode(o.acl) a
               CROSS JOIN LATERAL (VALUES (false), (true)) AS g (optional)
               WHERE a.is_grantable OR a.grantee = o.owner OR NOT g.optional) AS x
        WHERE 'grant' IN (SELECT wanted FROM kind)
          -- What an owner may do without a grant, and everybody with functions and with the schema public.
          AND (x.grantee_id <> o.owner OR x.grantee = ANY (current_setting('pgmend.roles')::text[]))
          AND NOT (x.grantee_id = 0 AND o.word IN ('FUNCTION', 'PROCEDURE') AND x.privilege = 'EXECUTE')
          AND NOT (x.grantee_id = 0 AND o.word = 'SCHEMA' AND o.schema = 'public'))
SELECT p.kind, p.schema::text, p.home::text, p.part::text, p.word, p.spelt, p.definition, p."create", p."drop", p.shape,
       p.enabled, p.definer, p.closed, coalesce(n.relations, '[]'), coalesce(n.types, ARRAY[]::text[]), p.roles,
       pg_catalog.pg_get_userbyid(p.owner), pg_catalog.pg_has_role(p.owner, 'USAGE'), p.rest,
       coalesce(l.lanname::text, ''), coalesce(l.reserved, ''), coalesce(v.held, '')
  FROM part p
  LEFT JOIN LATERAL ( -- why a view cannot be dropped and created anew
       SELECT coalesce(
              (SELECT CASE WHEN o.oid IS NOT NULL THEN format('the view %s reads it', o.oid::regclass)
                           ELSE pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) || ' depends on it' END
                 FROM pg_catalog.pg_depend d
                 LEFT JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND w.oid = d.objid
                 LEFT JOIN pg_catalog.pg_class o ON o.oid = w.ev_class AND w.ev_type = '1'
                WHERE d.deptype = 'n' AND (w.ev_class = u.ev_class) IS NOT TRUE
                  AND (d.refclassid, d.refobjid) IN (('pg_catalog.pg_class'::regclass, c.oid),
                                                     ('pg_catalog.pg_type'::regclass, c.reltype),
                                                     ('pg_catalog.pg_type'::regclass, t.typarray))
                ORDER BY 1 LIMIT 1),
              (SELECT format('the trigger %I acts on it', g.tgname) FROM pg_catalog.pg_trigger g
                WHERE g.tgrelid = c.oid ORDER BY g.tgname LIMIT 1),
              (SELECT format('the rule %I acts on it', w.rulename) FROM pg_catalog.pg_rewrite w
                WHERE w.ev_class = c.oid AND w.oid <> u.oid ORDER BY w.rulename LIMIT 1),
              (SELECT format('its column %I has a comment, grants or a default', a.attname) FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0
                  AND (a.attacl IS NOT NULL OR a.atthasdef OR pg_catalog.col_description(c.oid, a.attnum) IS NOT NULL)
                ORDER BY a.attnum LIMIT 1),
              (SELECT 'it has a security label' FROM pg_catalog.pg_seclabel b
                WHERE b.classoid = 'pg_catalog.pg_class'::regclass AND b.objoid = c.oid LIMIT 1),
              (SELECT format('it has grants by %s', x.grantor::regrole) FROM pg_catalog.aclexplode(c.relacl) x
                WHERE x.grantor <> c.relowner ORDER BY x.grantor LIMIT 1)) AS held
         FROM pg_catalog.pg_rewrite u
         JOIN pg_catalog.pg_class c ON c.oid = u.ev_class AND c.relkind = 'v'
         JOIN pg_catalog.pg_type t ON t.oid = c.reltype
        WHERE p.kind = 'view' AND u.oid = p.objid) AS v ON true
  LEFT JOIN LATERAL (
       SELECT l.lanname, CASE WHEN NOT l.lanpltrusted THEN format('is written in %s', l.lanname)
                              WHEN f.proleakproof THEN 'is LEAKPROOF'
                              WHEN f.prosupport <> 0 THEN 'has a SUPPORT function'
                              ELSE (SELECT format('sets %s', g.name)
                                      FROM unnest(f.proconfig) AS c
                                      JOIN pg_catalog.pg_settings g ON g.name = split_part(c, '=', 1)
                                     WHERE g.context = 'superuser' LIMIT 1) END AS reserved
         FROM pg_catalog.pg_proc f
         JOIN pg_catalog.pg_language l ON l.oid = f.prolang
        WHERE p.kind = 'function' AND f.oid = p.objid) AS l ON true
 CROSS JOIN LATERAL (
       SELECT jsonb_agg(DISTINCT jsonb_build_array(coalesce(r.nspname, h.nspname), coalesce(r.called, c.relname)))
                     FILTER (WHERE coalesce(r.called, c.relname) IS NOT NULL) AS relations,
              array_agg(DISTINCT pg_catalog.format_type(t.oid, NULL)) FILTER (WHERE t.oid IS NOT NULL AND c.oid IS NULL) AS types
         FROM pg_catalog.pg_depend d
         LEFT JOIN routine r ON d.refclassid = 'pg_catalog.pg_proc'::regclass AND r.oid = d.refobjid
         LEFT JOIN pg_catalog.pg_type a ON d.refclassid = 'pg_catalog.pg_type'::regclass AND a.oid = d.refobjid
         LEFT JOIN pg_catalog.pg_type t ON t.oid = CASE a.typcategory WHEN 'A' THEN a.typelem ELSE a.oid END
         LEFT JOIN pg_catalog.pg_class c ON c.relkind NOT IN ('c', 'S')
               AND c.oid = CASE d.refclassid WHEN 'pg_catalog.pg_class'::regclass THEN d.refobjid ELSE t.typrelid END
         LEFT JOIN pg_catalog.pg_namespace h ON h.oid = c.relnamespace
        WHERE current_setting('pgmend.needs')::boolean AND d.classid = p.classid AND d.objid = p.objid AND d.refobjid >= 16384 AND d.deptype IN ('n', 'a')
          AND (p.kind = 'view' AND (c.relname, h.nspname) = (p.home, p.schema)) IS NOT TRUE) AS n
 ORDER BY 1, 2, 3, 4
