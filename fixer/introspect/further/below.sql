-- What partitions and heirs of these relations have of their own, or keep under another name: what a change of their
-- roots may take from them. What comes from a root is known by the name that it has there. Paste into psql after:
-- SET search_path = pg_catalog;  SET pgmend.relations = '{16384}';
WITH RECURSIVE tree AS (
     SELECT i.inhrelid AS oid
       FROM pg_catalog.pg_inherits i
      WHERE i.inhparent = ANY (current_setting('pgmend.relations')::oid[])
      UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON t.oid = i.inhparent),
below AS (
     SELECT c.oid, c.relname, c.relnamespace
       FROM pg_catalog.pg_class c
      WHERE c.oid IN (SELECT oid FROM tree) AND c.relkind IN ('r', 'p')
        AND c.oid <> ALL (current_setting('pgmend.relations')::oid[])),
keys_up AS (
     SELECT k.oid, k.conparentid AS up
       FROM pg_catalog.pg_constraint k
      WHERE k.conrelid IN (SELECT oid FROM below) AND k.conparentid <> 0
      UNION SELECT u.oid, k.conparentid FROM keys_up u JOIN pg_catalog.pg_constraint k ON k.oid = u.up
      WHERE k.conparentid <> 0),
indexes_up AS (
     SELECT i.indexrelid AS oid, h.inhparent AS up
       FROM pg_catalog.pg_index i
       JOIN pg_catalog.pg_inherits h ON h.inhrelid = i.indexrelid
      WHERE i.indrelid IN (SELECT oid FROM below)
      UNION SELECT u.oid, h.inhparent FROM indexes_up u JOIN pg_catalog.pg_inherits h ON h.inhrelid = u.up),
triggers_up AS (
     SELECT g.oid, g.tgparentid AS up
       FROM pg_catalog.pg_trigger g
      WHERE g.tgrelid IN (SELECT oid FROM below) AND g.tgparentid <> 0 AND g.tgconstraint = 0
      UNION SELECT u.oid, g.tgparentid FROM triggers_up u JOIN pg_catalog.pg_trigger g ON g.oid = u.up
      WHERE g.tgparentid <> 0),
marks AS (
     SELECT i.indexrelid AS oid, i.indrelid, x.relname,
            jsonb_build_object('comment', pg_catalog.obj_description(x.oid, 'pg_class'), 'options', x.reloptions,
                               'clustered', i.indisclustered, 'identity', i.indisreplident, 'statistics',
                               (SELECT jsonb_agg(jsonb_build_array(a.attnum, a.attstattarget) ORDER BY a.attnum)
                                  FROM pg_catalog.pg_attribute a
                                 WHERE a.attrelid = x.oid AND a.attstattarget >= 0)) AS detail
       FROM pg_catalog.pg_index i
       JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      WHERE i.indrelid IN (SELECT oid FROM below) AND i.indisvalid)
SELECT 'below table' AS kind, c.oid::text AS id, c.oid::bigint AS of, c.relname::text AS name,
       jsonb_build_object('schema', n.nspname, 'name', c.relname) AS detail
  FROM below c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 UNION ALL
SELECT 'below column', c.oid || '.' || a.attname, c.oid::bigint, a.attname::text,
       jsonb_build_object('storage', a.attstorage, 'own_storage', a.attstorage <> t.typstorage,
                          'compression', to_jsonb(a) ->> 'attcompression',
                          'statistics', nullif((to_jsonb(a) ->> 'attstattarget')::integer, -1),
                          'own_not_null', own.not_null)
  FROM below c
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 CROSS JOIN LATERAL (
       SELECT a.attnotnull AND EXISTS (
              SELECT FROM pg_catalog.pg_inherits h
                JOIN pg_catalog.pg_attribute r ON r.attrelid = h.inhparent AND r.attname = a.attname
               WHERE h.inhrelid = c.oid AND NOT r.attnotnull)) own (not_null)
 WHERE a.attstorage <> t.typstorage OR to_jsonb(a) ->> 'attcompression' <> ''
    OR (to_jsonb(a) ->> 'attstattarget')::integer >= 0 OR own.not_null
 UNION ALL
SELECT 'below constraint', k.conrelid || '.' || coalesce(r.conrelid || '.' || r.conname || ' above', k.conname),
       k.conrelid::bigint, k.conname::text,
       jsonb_build_object(
           'type', k.contype, 'definition', pg_catalog.pg_get_constraintdef(k.oid),
           'over', jsonb_build_array(k.conkey, k.confrelid::bigint, k.confkey),
           'comment', pg_catalog.obj_description(k.oid, 'pg_constraint'),
           'inherited', r.oid IS NOT NULL OR k.coninhcount > 0, 'index', m.detail)
  FROM pg_catalog.pg_constraint k
  LEFT JOIN (keys_up u JOIN pg_catalog.pg_constraint r ON r.oid = u.up AND r.conparentid = 0) ON u.oid = k.oid
  LEFT JOIN marks m ON m.oid = k.conindid AND k.contype IN ('p', 'u', 'x')
 WHERE k.conrelid IN (SELECT oid FROM below) AND k.contype IN ('c', 'f', 'n', 'p', 'u', 'x')
   AND (k.conparentid = 0 OR (k.confrelid = r.confrelid AND k.conrelid <> r.conrelid))
 UNION ALL
SELECT 'below index', m.indrelid || '.' || coalesce(r.indrelid || '.' || y.relname || ' above', m.relname),
       m.indrelid::bigint, m.relname::text,
       m.detail || jsonb_build_object('definition', pg_catalog.pg_get_indexdef(m.oid), 'inherited', r.indexrelid IS NOT NULL)
  FROM marks m
  LEFT JOIN (indexes_up u
             JOIN pg_catalog.pg_index r ON r.indexrelid = u.up
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = u.up)
             JOIN pg_catalog.pg_class y ON y.oid = r.indexrelid) ON u.oid = m.oid
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = m.oid AND k.contype IN ('p', 'u', 'x'))
 UNION ALL
SELECT 'below statistics', n.nspname || '.' || s.stxname, s.stxrelid::bigint, s.stxname::text,
       jsonb_build_object('schema', n.nspname, 'name', s.stxname, 'definition', pg_catalog.pg_get_statisticsobjdef(s.oid),
                          'owner', pg_catalog.pg_get_userbyid(s.stxowner),
                          'comment', pg_catalog.obj_description(s.oid, 'pg_statistic_ext'),
                          'target', nullif((to_jsonb(s) ->> 'stxstattarget')::integer, -1))
  FROM pg_catalog.pg_statistic_ext s
  JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
 WHERE s.stxrelid IN (SELECT oid FROM below)
 UNION ALL
SELECT 'below trigger', g.tgrelid || '.' || g.tgname, g.tgrelid::bigint, g.tgname::text,
       jsonb_build_object('enabled', g.tgenabled)
  FROM pg_catalog.pg_trigger g
 WHERE EXISTS (SELECT FROM triggers_up u -- enabled otherwise than above
                 JOIN pg_catalog.pg_trigger a ON a.oid = u.up AND a.tgenabled <> g.tgenabled
                WHERE u.oid = g.oid)
