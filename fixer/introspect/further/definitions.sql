-- What undo has to bring back: everything that a repair may change of these relations, each by a name that outlives
-- its change, with its definition. Paste into psql after:  SET search_path = pg_catalog;
-- SET pgmend.relations = '{16384}';  SET pgmend.schemas = '{public}';
WITH RECURSIVE wanted AS (
     SELECT c.oid, c.relname, c.relkind, c.relnamespace, c.relowner, c.relpersistence, c.reloptions
       FROM pg_catalog.pg_class c
      WHERE c.oid = ANY (current_setting('pgmend.relations')::oid[])),
     asleep AS ( -- triggers of constraints; those of a partition are also the root's, from which it has them
     SELECT g.tgconstraint AS oid, g.tgrelid, g.tgtype, g.tgenabled
       FROM pg_catalog.pg_trigger g
      WHERE g.tgenabled <> 'O' AND g.tgconstraint <> 0
      UNION ALL
     SELECT k.conparentid, s.tgrelid, s.tgtype, s.tgenabled
       FROM asleep s
       JOIN pg_catalog.pg_constraint k ON k.oid = s.oid AND k.conparentid <> 0)
SELECT 'table' AS kind, c.oid::text AS id, c.oid::bigint AS of, c.relname::text AS name,
       jsonb_build_object('schema', n.nspname, 'name', c.relname, 'owner', pg_catalog.pg_get_userbyid(c.relowner),
                          'persistence', c.relpersistence) AS detail, '' AS by
  FROM wanted c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 UNION ALL
SELECT 'options', c.oid::text, c.oid::bigint, c.relname::text,
       jsonb_build_object('options', c.reloptions), ''
  FROM wanted c
 WHERE c.relkind = 'r' AND c.reloptions IS NOT NULL
 UNION ALL
SELECT 'column', c.oid || '.' || a.attnum, c.oid::bigint, a.attname::text,
       jsonb_build_object(
           'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
           'identity', a.attidentity,
           -- Without its table where it names no column: to open one costs more than all the rest.
           'default', pg_catalog.pg_get_expr(d.adbin, CASE WHEN strpos(d.adbin::text, '{VAR ') > 0
                                                           THEN d.adrelid ELSE 0 END),
           'generated', a.attgenerated, 'storage', a.attstorage, 'own_storage', a.attstorage <> t.typstorage,
           'compression', to_jsonb(a) ->> 'attcompression',
           'statistics', nullif((to_jsonb(a) ->> 'attstattarget')::integer, -1),
           'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END), ''
  FROM wanted c
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 UNION ALL
SELECT 'constraint', k.conrelid || '.' || k.conname, k.conrelid::bigint, k.conname::text,
       jsonb_build_object(
           'type', k.contype, 'definition', pg_catalog.pg_get_constraintdef(k.oid),
           'numbers', jsonb_build_array(k.conkey, k.confkey), 'target', k.confrelid::bigint,
           -- As obj_description says it, but without a statement of its own for each of so many.
           'comment', (SELECT t.description
                         FROM pg_catalog.pg_description t
                        WHERE t.objoid = k.oid AND t.classoid = 'pg_catalog.pg_constraint'::regclass
                          AND t.objsubid = 0),
           'columns', (SELECT jsonb_agg(a.attname ORDER BY u.pos)
                         FROM unnest(k.conkey) WITH ORDINALITY u (num, pos)
                         JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num),
           'target_columns', (SELECT jsonb_agg(a.attname ORDER BY u.pos)
                                FROM unnest(k.confkey) WITH ORDINALITY u (num, pos)
                                JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num),
           'equalities', (SELECT jsonb_agg('OPERATOR(' || quote_ident(s.nspname) || '.' || o.oprname || ')' ORDER BY u.pos)
                            FROM unnest(k.conpfeqop) WITH ORDINALITY u (num, pos)
                            JOIN pg_catalog.pg_operator o ON o.oid = u.num
                            JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace),
           'asleep', (SELECT jsonb_agg(jsonb_build_array(s.tgrelid::bigint, s.tgtype, s.tgenabled)
                                       ORDER BY s.tgrelid, s.tgtype)
                        FROM asleep s
                       WHERE s.oid = k.oid),
           'index', (SELECT jsonb_build_object('comment', pg_catalog.obj_description(x.oid, 'pg_class'),
                                               'options', x.reloptions, 'clustered', i.indisclustered,
                                               'identity', i.indisreplident)
                            || coalesce((SELECT jsonb_build_object('statistics', jsonb_agg(
                                                    jsonb_build_array(a.attnum, a.attstattarget) ORDER BY a.attnum))
                                           FROM pg_catalog.pg_attribute a
                                          WHERE a.attrelid = x.oid AND a.attstattarget >= 0
                                         HAVING count(*) > 0), '{}')
                       FROM pg_catalog.pg_index i
                       JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
                      WHERE i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x'))),
       CASE WHEN k.contype = 'f' THEN coalesce((SELECT x.relname FROM pg_catalog.pg_class x WHERE x.oid = k.conindid), '')
            ELSE '' END
  FROM pg_catalog.pg_constraint k
 WHERE k.conparentid = 0 AND k.contype IN ('c', 'f', 'n', 'p', 'u', 'x')
   AND (k.conrelid IN (SELECT oid FROM wanted) OR k.confrelid IN (SELECT oid FROM wanted))
   AND (k.coninhcount = 0 OR k.conislocal)
 UNION ALL
SELECT 'index', i.indrelid || '.' || x.relname, i.indrelid::bigint, x.relname::text,
       jsonb_build_object(
           'definition', pg_catalog.pg_get_indexdef(x.oid), 'numbers', i.indkey::text,
           'comment', pg_catalog.obj_description(x.oid, 'pg_class'),
           'clustered', i.indisclustered, 'identity', i.indisreplident)
       || coalesce((SELECT jsonb_build_object('statistics', jsonb_agg(jsonb_build_array(a.attnum, a.attstattarget)
                                                                      ORDER BY a.attnum))
                      FROM pg_catalog.pg_attribute a
                     WHERE a.attrelid = x.oid AND a.attstattarget >= 0 HAVING count(*) > 0), '{}'), ''
  FROM wanted c
  JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisvalid
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid AND NOT x.relispartition
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x'))
 UNION ALL
SELECT 'statistics', n.nspname || '.' || s.stxname, s.stxrelid::bigint, s.stxname::text,
       jsonb_build_object(
           'schema', n.nspname, 'name', s.stxname, 'definition', pg_catalog.pg_get_statisticsobjdef(s.oid),
           'owner', pg_catalog.pg_get_userbyid(s.stxowner),
           'comment', pg_catalog.obj_description(s.oid, 'pg_statistic_ext'),
           'target', nullif((to_jsonb(s) ->> 'stxstattarget')::integer, -1)), ''
  FROM wanted c
  JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = c.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
 UNION ALL
SELECT 'trigger', g.tgrelid || '.' || g.tgname, g.tgrelid::bigint, g.tgname::text,
       jsonb_build_object('enabled', g.tgenabled), ''
  FROM wanted c
  JOIN pg_catalog.pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal
 UNION ALL
SELECT 'rule', r.ev_class || '.' || r.rulename, r.ev_class::bigint, r.rulename::text,
       jsonb_build_object('enabled', r.ev_enabled), ''
  FROM wanted c
  JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid AND c.relkind IN ('r', 'p')
 UNION ALL
SELECT 'view', CASE strpos(n.nspname || v.relname, '.') WHEN 0 THEN n.nspname || '.' || v.relname
                    ELSE quote_ident(n.nspname) || '.' || quote_ident(v.relname) END, d.of, v.relname::text,
       jsonb_build_object('schema', n.nspname, 'name', v.relname, 'definition', pg_catalog.pg_get_viewdef(v.oid)), ''
  FROM (WITH RECURSIVE over AS ( -- views over views stand over the table too
             SELECT r.ev_class AS view, d.refobjid AS of
               FROM pg_catalog.pg_depend d
               JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_type = '1'
              WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
                AND d.refobjid IN (SELECT oid FROM wanted) AND d.refobjid <> r.ev_class
              UNION
             SELECT r.ev_class, o.of
               FROM over o
               JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = o.view
                    AND d.classid = 'pg_catalog.pg_rewrite'::regclass
               JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_type = '1'
              WHERE r.ev_class <> o.view)
        SELECT o.view, min(o.of::bigint) AS of FROM over o GROUP BY o.view) d
  JOIN pg_catalog.pg_class v ON v.oid = d.view
  JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
 UNION ALL
SELECT 'policy', p.polrelid || '.' || p.polname, p.polrelid::bigint, p.polname::text,
       jsonb_build_object('permissive', p.polpermissive, 'for', p.polcmd, 'roles', p.polroles::regrole[]::text[],
                          'comment', pg_catalog.obj_description(p.oid, 'pg_policy'),
                          'definition', concat(' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
                              ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')')), ''
  FROM wanted c
  JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid
 UNION ALL
SELECT 'sequence', n.nspname || '.' || c.relname, coalesce(p.refobjid, 0)::bigint, c.relname::text,
       jsonb_build_object(
           'schema', n.nspname, 'name', c.relname, 'owner', pg_catalog.pg_get_userbyid(c.relowner),
           'type', pg_catalog.format_type(s.seqtypid, NULL), 'start', s.seqstart, 'increment', s.seqincrement,
           'minimum', s.seqmin, 'maximum', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle,
           'owned_by', p.refobjid || '.' || p.refobjsubid, 'internal', coalesce(p.deptype = 'i', false),
           'grants', (SELECT jsonb_agg(jsonb_build_array(coalesce(r.rolname, 'public'), a.privilege_type)
                                       ORDER BY r.rolname, a.privilege_type)
                        FROM pg_catalog.aclexplode(coalesce(c.relacl, pg_catalog.acldefault('s', c.relowner))) a
                        LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee))
       || CASE c.relpersistence WHEN 'u' THEN '{"unlogged": true}'::jsonb ELSE '{}' END, ''
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_depend p ON p.classid = 'pg_catalog.pg_class'::regclass AND p.objid = c.oid
        AND p.refclassid = 'pg_catalog.pg_class'::regclass AND p.deptype IN ('a', 'i')
 WHERE CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT') END
   AND (p.refobjid IN (SELECT oid FROM wanted)
    OR (p.refobjid IS NULL AND n.nspname = ANY (current_setting('pgmend.schemas')::text[]))
    -- A sequence may be called by the default of one column, and owned by that of another.
    OR EXISTS (SELECT FROM pg_catalog.pg_depend u
                 JOIN pg_catalog.pg_attrdef d ON d.oid = u.objid AND u.classid = 'pg_catalog.pg_attrdef'::regclass
                WHERE u.refobjid = c.oid AND d.adrelid IN (SELECT oid FROM wanted)))
 UNION ALL
SELECT 'type', n.nspname || '.' || t.typname, 0, t.typname::text,
       jsonb_build_object('schema', n.nspname, 'name', t.typname)
       || CASE t.typtype WHEN 'd' THEN jsonb_build_object(
              'default', t.typdefault, 'not_null', t.typnotnull,
              'checks', (SELECT jsonb_agg(k.conname ORDER BY k.conname) FROM pg_catalog.pg_constraint k
                          WHERE k.contypid = t.oid AND k.contype = 'c'))
          WHEN 'c' THEN jsonb_build_object(
              'attributes', (SELECT jsonb_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
                              WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)) ELSE '{}' END, ''
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
   AND (t.typtype IN ('e', 'd', 'r')
    OR (t.typtype = 'c' AND (SELECT c.relkind FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid) = 'c'))
 UNION ALL
SELECT 'parent', i.inhrelid || '.' || i.inhparent, i.inhrelid::bigint, p.relname::text,
       jsonb_build_object('schema', n.nspname, 'name', p.relname), ''
  FROM pg_catalog.pg_inherits i
  JOIN wanted c ON c.oid = i.inhrelid AND c.relkind = 'r'
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'r'
  JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace
 UNION ALL
SELECT 'schema', n.nspname, 0, n.nspname::text, jsonb_build_object('schema', n.nspname, 'name', n.nspname), ''
  FROM pg_catalog.pg_namespace n
 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
