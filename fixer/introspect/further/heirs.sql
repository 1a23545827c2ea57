-- What partitions and heirs have of their own, which hinders the change of their root; asked only where a table of the
-- wanted schemas has some. The first columns are those of ../queries/obstacles.sql.
-- Paste into psql after:  SET pgmend.schemas = '{public}';
  WITH RECURSIVE wanted AS MATERIALIZED (
       SELECT c.oid
         FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
          AND c.relkind IN ('r', 'p', 'f')),
       above AS (  -- of an heir, every table that it has columns from
       SELECT c.oid, c.relispartition AS partition,
              coalesce(pg_catalog.pg_partition_root(c.oid)::oid, i.inhparent) AS root
         FROM pg_catalog.pg_inherits i
         JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f')
        UNION
       SELECT a.oid, false, i.inhparent
         FROM above a
         JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.root
        WHERE NOT a.partition),
       under AS MATERIALIZED (
       SELECT a.oid, a.partition, a.root
         FROM above a
        WHERE a.root IN (SELECT oid FROM wanted)),
       pointing AS MATERIALIZED (
       SELECT k.conname, k.conrelid, k.confrelid
         FROM pg_catalog.pg_constraint k
        WHERE k.contype = 'f' AND k.conparentid = 0),
       theirs AS (
       SELECT e.oid,
              CASE WHEN r.may THEN format('GRANT CREATE ON SCHEMA %I TO %I', h.nspname, o.rolname)
                   ELSE format('ALTER STATISTICS %I.%I OWNER TO %I', h.nspname, e.stxname, current_user) END AS way
         FROM pg_catalog.pg_statistic_ext e
         JOIN pg_catalog.pg_namespace h ON h.oid = e.stxnamespace
         JOIN pg_catalog.pg_roles o ON o.oid = e.stxowner AND o.rolname <> current_user
        CROSS JOIN LATERAL (
              SELECT CASE WHEN current_setting('server_version_num')::integer >= 160000
                          THEN pg_catalog.pg_has_role(o.oid, 'SET') ELSE pg_catalog.pg_has_role(o.oid, 'MEMBER') END
                     AS may) r
        WHERE NOT (SELECT u.rolsuper FROM pg_catalog.pg_roles u WHERE u.rolname = current_user)
          AND NOT (r.may AND has_schema_privilege(o.oid, h.oid, 'CREATE')))
-- What a partition or an heir has of its own, which acts on rows that are written through its root: triggers, or states
-- of triggers, and foreign keys that point at it alone, where it lies in another schema.
SELECT 'below' AS kind, u.root AS relation, format('trigger %s of %s', g.tgname, g.tgrelid::regclass) AS name,
       ARRAY (SELECT 'on ' || e.deed FROM (VALUES (4, 'INSERT'), (8, 'DELETE'), (16, 'UPDATE')) AS e (bit, deed)
                WHERE g.tgtype & 67 = 3 AND g.tgtype & e.bit > 0
                UNION ALL
               SELECT 'refuses'
                WHERE g.tgqual IS NULL AND g.tgtype & 68 = 4 AND b.body !~* '\mexception\s+when\M' AND b.body ~*
                      '^((?!\m(if|case|loop|exit|return)\M).)*\mraise\M(?!\s+(notice|warning|info|log|debug)\M)'
                UNION ALL
               SELECT 'when' WHERE g.tgqual IS NOT NULL
                UNION ALL
               SELECT 'raises' WHERE b.body ~* '\mraise\M(?!\s+(notice|warning|info|log|debug)\M)'
                UNION ALL
               SELECT 'returns ' || lower(btrim(m.found[1], ' ()'))
                 FROM regexp_matches(b.body, '\mreturn\M\s*([^;]*[^;\s])\s*;', 'gi') AS m (found)
                UNION ALL
               SELECT 'does ' || b.body
                WHERE g.tgqual IS NULL AND g.tgtype & 70 = 4 AND b.body ~* '\mdelete\s+from\M'
                  AND b.body !~* '\m(if|case|loop|execute|exit|exception\s+when)\M'
                UNION ALL
               SELECT 'new rows ' || quote_ident(g.tgnewtable) WHERE g.tgnewtable IS NOT NULL
                UNION ALL
               SELECT c FROM unnest(b.proconfig) AS s (c) WHERE c LIKE 'search\_path=%'
                UNION ALL
               SELECT 'at ' || a.relid FROM pg_catalog.pg_partition_ancestors(g.tgrelid) AS a (relid)) AS columns,
       g.tgenabled::text AS enabled
  FROM under u
  JOIN pg_catalog.pg_trigger g ON g.tgrelid = u.oid AND g.tgtype & 1 = 1
  LEFT JOIN LATERAL (
       SELECT regexp_replace(f.prosrc, '''[^'']*''|--[^\n]*|/\*([^*]|\*+[^*/])*\*+/', ' ', 'g') AS body,
              f.proconfig
         FROM pg_catalog.pg_proc f
         JOIN pg_catalog.pg_language l ON l.oid = f.prolang AND l.lanname = 'plpgsql'
        WHERE f.oid = g.tgfoid
       OFFSET 0) b ON g.tgtype & 67 = 3 OR g.tgtype & 68 = 4
  LEFT JOIN pg_catalog.pg_constraint k ON k.oid = g.tgconstraint
  LEFT JOIN pg_catalog.pg_trigger p ON p.oid = g.tgparentid
 WHERE coalesce(k.contype, 't') = 't' AND g.tgenabled IS DISTINCT FROM coalesce(p.tgenabled, 'D')
 UNION ALL
SELECT 'below', u.root, format('foreign key %s of %s', k.conname, k.conrelid::regclass), ARRAY[]::text[], 'O'
  FROM under u
  JOIN pointing k ON k.confrelid = u.oid
 WHERE u.partition AND u.oid NOT IN (SELECT oid FROM wanted)
 UNION ALL
-- And what would become one with a key, an index or a check of its root, and go with it; each with its partition, a
-- check with its expression as well.
SELECT 'apart', u.root, format('index %s', x.oid::regclass),
       ARRAY[coalesce(k.contype::text, CASE WHEN i.indisunique THEN 'unique' ELSE 'index' END)
             || regexp_replace(pg_catalog.pg_get_indexdef(x.oid), '^.*? USING ', ' USING ')],
       jsonb_build_array(u.oid::regclass)::text
  FROM under u
  JOIN pg_catalog.pg_index i ON i.indrelid = u.oid
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid AND NOT x.relispartition
  LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.oid AND k.conrelid = u.oid AND k.contype IN ('p', 'u', 'x')
 WHERE u.partition
 UNION ALL
SELECT 'apart', u.root, format('check %s of %s', k.conname, u.oid::regclass), ARRAY['check ' || k.conname],
       jsonb_build_array(u.oid::regclass, pg_catalog.pg_get_expr(k.conbin, k.conrelid))::text
  FROM under u
  JOIN pg_catalog.pg_constraint k ON k.conrelid = u.oid AND k.contype = 'c' AND k.coninhcount = 0
 UNION ALL
-- Foreign keys of a partition alone that are NOT ENFORCED (PostgreSQL 18), each with the table that it references
-- and the statement that drops it.
SELECT 'loose', u.root, format('foreign key %s of %s', k.conname, u.oid::regclass),
       ARRAY (SELECT a.attname::text FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = u.oid AND a.attnum = ANY (k.conkey)),
       jsonb_build_array(k.confrelid::regclass,
                         format('ALTER TABLE %s DROP CONSTRAINT %I', u.oid::regclass, k.conname))::text
  FROM under u
  JOIN pg_catalog.pg_constraint k ON k.conrelid = u.oid AND k.contype = 'f' AND k.conparentid = 0
        AND to_jsonb(k) ->> 'conenforced' = 'false'
 WHERE u.partition
 UNION ALL
-- By which columns a partition is partitioned further: as ../queries/obstacles.sql asks of the root.
SELECT 'parted', u.root, 'partition key of ' || u.oid::regclass,
       ARRAY (SELECT coalesce(a.attname::text, '') FROM unnest(t.partattrs::int2[]) AS n (num)
                LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.partrelid AND a.attnum = n.num), 'O'
  FROM under u
  JOIN pg_catalog.pg_partitioned_table t ON t.partrelid = u.oid
 UNION ALL
-- Defaults other than the root's, which another type of the column would put in their place.
SELECT 'bound', u.root, 'default of ' || u.oid::regclass, array_agg(a.attname::text), 'O'
  FROM under u
  JOIN pg_catalog.pg_attribute a ON a.attrelid = u.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_attribute b ON b.attrelid = u.root AND b.attname = a.attname AND NOT b.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_attrdef e ON e.adrelid = b.attrelid AND e.adnum = b.attnum
 WHERE (a.atthasdef OR b.atthasdef) AND a.attgenerated = ''
   AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM pg_catalog.pg_get_expr(e.adbin, e.adrelid)
 GROUP BY u.root, u.oid
 UNION ALL
-- NOT NULL constraints of heirs that bear another name than the root's: from PostgreSQL 18 on, another type of the column
-- makes the root's anew and fails at theirs.
SELECT 'bound', u.root, format('NOT NULL %s, which is %s in %s,', o.conname, k.conname, u.oid::regclass),
       ARRAY[a.attname::text], 'O'
  FROM under u
  JOIN pg_catalog.pg_constraint k ON k.conrelid = u.oid AND k.contype = 'n'
  JOIN pg_catalog.pg_attribute a ON a.attrelid = u.oid AND a.attnum = k.conkey[1]
  JOIN pg_catalog.pg_attribute b ON b.attrelid = u.root AND b.attname = a.attname AND NOT b.attisdropped
  JOIN pg_catalog.pg_constraint o ON o.conrelid = u.root AND o.contype = 'n' AND o.conkey[1] = b.attnum
 WHERE NOT u.partition AND k.conname <> o.conname
 UNION ALL
-- Columns that an heir alone generates of those of the root. Before PostgreSQL 15, the column itself depends on them.
SELECT 'bound', u.root, format('generated column %s of %s', g.attname, u.oid::regclass), array_agg(a.attname::text), 'O'
  FROM under u
  JOIN pg_catalog.pg_attribute g ON g.attrelid = u.oid AND g.attgenerated <> '' AND NOT g.attisdropped
       AND g.attname NOT IN (SELECT b.attname FROM pg_catalog.pg_attribute b
                              WHERE b.attrelid = u.root AND NOT b.attisdropped)
  JOIN pg_catalog.pg_attrdef f ON f.adrelid = u.oid AND f.adnum = g.attnum
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = u.oid
       AND (d.classid, d.objid, d.objsubid) IN (('pg_catalog.pg_attrdef'::regclass, f.oid, 0),
                                                ('pg_catalog.pg_class'::regclass, u.oid, g.attnum))
  JOIN pg_catalog.pg_attribute a ON a.attrelid = u.oid AND a.attnum = d.refobjsubid AND a.attnum <> g.attnum
 WHERE NOT u.partition
 GROUP BY u.root, u.oid, g.attname
 UNION ALL
-- Columns that an heir has from another table as well: that one's type would have to change in the same statement.
SELECT 'bound', u.root, format('inheritance of %s from %s', u.oid::regclass, i.inhparent::regclass),
       array_agg(a.attname::text), 'O'
  FROM under u
  JOIN pg_catalog.pg_inherits i ON i.inhrelid = u.oid AND i.inhparent <> u.root
       AND NOT EXISTS (SELECT FROM above p WHERE p.oid = i.inhparent AND p.root = u.root)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = u.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_attribute b ON b.attrelid = u.root AND b.attname = a.attname AND NOT b.attisdropped
  JOIN pg_catalog.pg_attribute c ON c.attrelid = i.inhparent AND c.attname = a.attname AND NOT c.attisdropped
 WHERE NOT u.partition
   -- Through a table that is in between, the column comes from the root, too.
   AND NOT EXISTS (SELECT FROM above p WHERE p.oid = u.root AND p.root = i.inhparent)
 GROUP BY u.root, u.oid, i.inhparent
 UNION ALL
-- Partitions that a crash of the server empties, each with its schema.
SELECT 'unlogged', u.root, c.relname::text, ARRAY[]::text[], n.nspname::text
  FROM under u
  JOIN pg_catalog.pg_class c ON c.oid = u.oid AND c.relkind = 'r' AND c.relpersistence = 'u'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE u.partition
 UNION ALL
-- Columns of heirs that may hold NULL although the root's may not, which PostgreSQL 17 and older let happen; each with
-- the schema of the heir.
SELECT 'open', u.root, c.relname::text, ARRAY[a.attname::text], n.nspname::text
  FROM under u
  JOIN pg_catalog.pg_attribute a ON a.attrelid = u.oid AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.attnotnull
  JOIN pg_catalog.pg_attribute b ON b.attrelid = u.root AND b.attname = a.attname AND b.attnotnull
  JOIN pg_catalog.pg_class c ON c.oid = u.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT u.partition AND current_setting('server_version_num')::integer < 180000
 UNION ALL
-- Publications that could not tell which row of a partition was changed or deleted; and those that tell it by its
-- primary key alone (told), with the partitions.
SELECT CASE WHEN i.indisprimary THEN 'told' ELSE 'mute' END, u.root, p.pubname::text,
       array_remove(array_agg(CASE WHEN i.indisprimary THEN c.oid::regclass::text END), NULL),
       CASE WHEN i.indisprimary IS NOT TRUE THEN c.relreplident::text
            WHEN coalesce(to_jsonb(r) ->> 'prattrs', to_jsonb(r) ->> 'prqual') IS NOT NULL THEN 'n' ELSE 'O' END
       || v.generated
  FROM pg_catalog.pg_publication p
 CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(p.pubname) g
 CROSS JOIN LATERAL (
       SELECT CASE WHEN current_setting('server_version_num')::integer < 180000 THEN ''
                   ELSE to_jsonb(p) ->> 'pubgencols' END AS generated) v
  JOIN (SELECT a.relid, b.oid, b.root
          FROM under b
         CROSS JOIN LATERAL pg_catalog.pg_partition_ancestors(b.oid) a
         WHERE b.partition AND EXISTS (SELECT FROM pg_catalog.pg_publication)) u ON u.relid = g.relid
  JOIN pg_catalog.pg_class c ON c.oid = u.oid AND c.relkind = 'r'
   AND (c.relreplident IN ('d', 'i', 'n') OR v.generated <> '')
  LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisvalid
        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
  LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = g.relid
 WHERE (p.pubupdate OR p.pubdelete) AND coalesce(i.indisprimary, true)
 GROUP BY 1, 2, 3, 5
 UNION ALL
-- Statistics of partitions and heirs over columns, each with what lets this role give them back: as
-- ../queries/obstacles.sql asks of the root.
SELECT 'dependent', u.root, format('statistics object %s of %s', e.stxname, u.oid::regclass),
       array_agg(DISTINCT a.attname::text), coalesce(min(s.way), 'O')
  FROM under u
  JOIN pg_catalog.pg_statistic_ext e ON e.stxrelid = u.oid
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_statistic_ext'::regclass AND d.objid = e.oid
       AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = u.oid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = u.oid AND a.attnum = d.refobjsubid
  LEFT JOIN theirs s ON s.oid = e.oid
 GROUP BY u.root, u.oid, e.oid, e.stxname
 UNION ALL
-- Indexes that were never finished, of a table in such a family: another type of their columns builds them, and any
-- rewriting of a table that holds rows builds all of its own.
SELECT 'unbuilt', b.root, format('index %s of %s', x.relname, b.oid::regclass),
       array_agg(DISTINCT a.attname::text),
       jsonb_build_array(
           CASE WHEN x.relkind = 'I' THEN 'attach to it an index of each partition that has none, or run '
                ELSE format('run REINDEX INDEX %s, or ', x.oid::regclass) END
           || CASE WHEN k.oid IS NULL THEN format('DROP INDEX %s', x.oid::regclass)
                   ELSE format('ALTER TABLE ONLY %s DROP CONSTRAINT %I', b.oid::regclass, k.conname) END,
           x.relkind <> 'I')::text
  FROM (SELECT u.oid, u.root FROM under u UNION SELECT w.oid, w.oid FROM wanted w) b
  JOIN pg_catalog.pg_class c ON c.oid = b.oid
   AND (b.oid <> b.root OR c.relkind = 'p' OR c.relhassubclass
        OR b.oid IN (SELECT h.inhrelid FROM pg_catalog.pg_inherits h))
  JOIN pg_catalog.pg_index i ON i.indrelid = b.oid AND NOT i.indisvalid
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.oid AND k.contype IN ('p', 'u', 'x') AND k.conrelid = b.oid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = b.oid AND a.attnum > 0 AND NOT a.attisdropped
   AND (a.attnum = ANY (i.indkey) OR EXISTS (
       SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = x.oid
          AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = b.oid AND d.refobjsubid = a.attnum))
 GROUP BY b.root, b.oid, x.oid, x.relname, x.relkind, k.oid, k.conname
