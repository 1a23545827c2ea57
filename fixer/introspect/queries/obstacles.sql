-- What acts on the rows of a table, or hinders its change: triggers of users, rules, policies, dependent views; what
-- is bound to a column so that its type cannot change, or depends on it and has to follow; and the triggers of foreign
-- keys that do not fire, whose foreign key is `key`; a partition's also with each key that its own comes from.
-- ../further/heirs.sql asks what partitions and heirs add to it. Asked only where relations.sql says that it may find
-- something: what is added here may have to be added there.
  WITH wanted AS MATERIALIZED (
       SELECT c.oid, c.relkind
         FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
          AND c.relkind IN ('r', 'p', 'v', 'm', 'f')),
       hanging AS MATERIALIZED (
       SELECT d.classid, d.objid, d.refobjid AS relation, d.refobjsubid AS number, r.ev_class AS ruled
         FROM pg_catalog.pg_depend d
         JOIN wanted c ON c.oid = d.refobjid
         LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
        WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
          AND d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_trigger'::regclass,
                            'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_proc'::regclass,
                            'pg_catalog.pg_publication_rel'::regclass, 'pg_catalog.pg_statistic_ext'::regclass)),
       holding AS MATERIALIZED (
       SELECT d.objid AS relation, d.objsubid AS number, coalesce(nullif(t.typrelid, 0), e.typrelid) AS held
         FROM pg_catalog.pg_depend d
         JOIN pg_catalog.pg_type t ON t.oid = d.refobjid
         LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_type'::regclass
          AND d.objsubid > 0
          AND EXISTS (SELECT FROM pg_catalog.pg_class h WHERE h.oid = d.objid AND h.relkind IN ('r', 'p', 'm', 'c'))),
       -- Statistics that would be of this role once a column has another type, with what lets it give them back.
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
-- Triggers of users; of those that fire before each row, which may be kept out: on which statements, whether always,
-- and what the function returns or whether it may refuse, as its source says without strings and comments. Of all that
-- fire for an INSERT: whether it raises an exception on the one way that it takes. Of those that fire after it, and
-- always: what the function does where it deletes and nothing in it is conditional, the transition table, and its own
-- search_path. Of those that fire before each new row: the columns that it sets, * for all at once; in a language other
-- than PL/pgSQL, those that its source or its arguments name (12, 13: internal, C).
SELECT 'trigger' AS kind, c.oid AS relation, g.tgname::text AS name,
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
               SELECT 'sets ' || coalesce(replace(substring(m.found[3] FROM '^"(.*)"$'), '""', '"'), lower(m.found[3]), '*')
                 FROM regexp_matches(b.body, '(\minto\s+(?:strict\s+)?|(^|;|\m(?:begin|then|else|loop)\M)\s*)?\mnew\M'
                                     || '(?:\s*\.\s*("(?:[^"]|"")*"|\w+))?(?:\s*(:?=))?', 'gi') AS m (found)
                WHERE g.tgtype & 71 = 7
                  AND (m.found[1] ILIKE 'into%' OR m.found[4] = ':=' OR m.found[4] = '=' AND m.found[2] IS NOT NULL)
                UNION ALL
               SELECT 'sets ' || a.attname
                 FROM pg_catalog.pg_proc f
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                WHERE g.tgtype & 71 = 7 AND b.body IS NULL AND f.oid = g.tgfoid
                  AND (a.attname = ANY (string_to_array(encode(g.tgargs, 'escape'), '\000'))
                       OR f.prolang::oid NOT IN (12, 13) AND position(a.attname IN f.prosrc) > 0)) AS columns,
       g.tgenabled::text AS enabled, 0::oid AS key, NULL::text[] AS table
  FROM pg_catalog.pg_trigger g
  JOIN wanted c ON c.oid = g.tgrelid
  LEFT JOIN LATERAL (
       SELECT regexp_replace(f.prosrc, '''[^'']*''|--[^\n]*|/\*([^*]|\*+[^*/])*\*+/', ' ', 'g') AS body,
              f.proconfig
         FROM pg_catalog.pg_proc f
         JOIN pg_catalog.pg_language l ON l.oid = f.prolang AND l.lanname = 'plpgsql'
        WHERE f.oid = g.tgfoid
       OFFSET 0) b ON g.tgtype & 67 = 3 OR g.tgtype & 68 = 4
 WHERE NOT g.tgisinternal
 UNION ALL
SELECT 'disabled', c.oid, g.tgname::text, ARRAY[]::text[],
       g.tgenabled::text, k.oid, ARRAY[n.nspname::text, c.relname::text]
  FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       WITH RECURSIVE above AS (
            SELECT g.tgconstraint AS oid
             UNION ALL
            SELECT u.conparentid FROM above a JOIN pg_catalog.pg_constraint u ON u.oid = a.oid WHERE u.conparentid <> 0)
       SELECT oid FROM above) k
 WHERE g.tgisinternal AND g.tgconstraint <> 0 AND g.tgenabled NOT IN ('O', 'A')
   -- Those of the whole never fire, and no new partition takes their state; but for what they do, since PostgreSQL 15,
   -- where an UPDATE moves a row that others reference to another partition.
   AND (c.relkind <> 'p' OR (g.tgfoid::regproc::text ~ 'RI_FKey_(noaction|restrict|cascade|setnull|setdefault)_upd'
                             AND current_setting('server_version_num')::int >= 150000))
 UNION ALL
SELECT 'rule', c.oid, r.rulename::text,
       ARRAY[CASE r.ev_type WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' ELSE 'DELETE' END
             || CASE WHEN r.ev_qual::text <> '<>' THEN ' WHERE ...' ELSE '' END
             || CASE WHEN r.is_instead THEN ' DO INSTEAD' ELSE ' DO ALSO' END
             || CASE WHEN pg_catalog.pg_get_ruledef(r.oid) ~ ' NOTHING;$' THEN ' NOTHING' ELSE ' ...' END],
       r.ev_enabled::text, 0, NULL
  FROM pg_catalog.pg_rewrite r
  JOIN wanted c ON c.oid = r.ev_class AND c.relkind IN ('r', 'p')
 WHERE r.ev_type <> '1'
 UNION ALL
-- What a policy permits, and whether it is for the application's role (y), or for others (n): that of this session
-- where the setting pgmend.role names none.
SELECT 'policy', c.oid, p.polname::text,
       CASE WHEN p.polpermissive
            THEN ARRAY (SELECT d.deed FROM (VALUES ('r', 'SELECT'), ('a', 'INSERT'), ('w', 'UPDATE'), ('d', 'DELETE'))
                                        AS d (cmd, deed)
                         WHERE p.polcmd::text IN ('*', d.cmd))
            ELSE ARRAY[]::text[] END,
       CASE WHEN EXISTS (SELECT FROM unnest(p.polroles) AS r (oid)
                          WHERE r.oid = 0 OR pg_catalog.pg_has_role(
                                coalesce(nullif(current_setting('pgmend.role', true), ''), current_user),
                                r.oid, 'USAGE')) THEN 'y' ELSE 'n' END, 0, NULL
  FROM pg_catalog.pg_policy p
  JOIN wanted c ON c.oid = p.polrelid
 UNION ALL
SELECT 'view', h.relation, v.oid::regclass::text, array_agg(DISTINCT a.attname::text), 'O', 0, NULL
  FROM hanging h
  JOIN pg_catalog.pg_class v ON v.oid = h.ruled AND v.oid <> h.relation AND v.relkind IN ('v', 'm')
  JOIN pg_catalog.pg_attribute a ON a.attrelid = h.relation AND a.attnum = h.number
 GROUP BY h.relation, v.oid
 UNION ALL
SELECT CASE h.classid WHEN 'pg_catalog.pg_statistic_ext'::regclass THEN 'dependent' ELSE 'bound' END,
       h.relation, pg_catalog.pg_describe_object(h.classid, h.objid, 0), array_agg(DISTINCT a.attname::text),
       coalesce(min(s.way), 'O'), 0, NULL
  FROM hanging h
  JOIN pg_catalog.pg_class c ON c.oid = h.relation AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_attribute a ON a.attrelid = h.relation AND a.attnum = h.number
  LEFT JOIN pg_catalog.pg_class v ON v.oid = h.ruled AND v.oid <> h.relation AND v.relkind IN ('v', 'm')
  LEFT JOIN theirs s ON h.classid = 'pg_catalog.pg_statistic_ext'::regclass AND s.oid = h.objid
 WHERE v.oid IS NULL
 GROUP BY h.classid, h.objid, h.relation
 UNION ALL
-- What depends on a key: a view that groups by it, or an ON CONFLICT that names it; on a partition's, whose key goes with
-- its root's.
SELECT 'needing', c.oid, pg_catalog.pg_describe_object(
           CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_catalog.pg_class'::regclass END,
           coalesce(r.ev_class, d.objid), 0),
       array_agg(DISTINCT coalesce(above.conname, k.conname)::text), 'O', 0, NULL
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_constraint k ON k.oid = d.refobjid AND k.contype IN ('p', 'u', 'x')
  LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
  LEFT JOIN pg_catalog.pg_constraint above ON above.oid = k.conparentid
  JOIN wanted c ON c.oid = coalesce(above.conrelid, k.conrelid)
 WHERE d.refclassid = 'pg_catalog.pg_constraint'::regclass
   AND d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_proc'::regclass)
 GROUP BY c.oid, d.classid, d.objid, r.oid, r.ev_class
 UNION ALL
-- By which columns a table is partitioned: their types stay, and its keys have them (none: an expression).
SELECT 'parted', t.partrelid, 'partition key',
       ARRAY (SELECT coalesce(a.attname::text, '') FROM unnest(t.partattrs::int2[]) AS u (num)
                LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.partrelid AND a.attnum = u.num), 'O', 0, NULL
  FROM pg_catalog.pg_partitioned_table t
  JOIN wanted c ON c.oid = t.partrelid
 UNION ALL
-- Publications that could not tell which row was changed or deleted: nothing can be, until a table says how. Of single
-- tables ../further/mute.sql asks the same, by their numbers: one question for both would be another round trip in
-- every reading, or another plan here. Last where it looks for what tells rows. And those that tell it by the primary
-- key alone (told), some of which publish certain columns or rows (n). From PostgreSQL 18 on with what it publishes of
-- generated columns, and also where all columns tell rows (f): if it leaves one out, nothing can be changed.
SELECT CASE WHEN i.indisprimary THEN 'told' ELSE 'mute' END, c.oid, p.pubname::text, ARRAY[]::text[],
       CASE WHEN i.indisprimary IS NOT TRUE THEN c.relreplident::text
            WHEN coalesce(to_jsonb(r) ->> 'prattrs', to_jsonb(r) ->> 'prqual') IS NOT NULL THEN 'n' ELSE 'O' END
       || v.generated, 0, NULL
  FROM pg_catalog.pg_publication p
 CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(p.pubname) g
 CROSS JOIN LATERAL (
       SELECT CASE WHEN current_setting('server_version_num')::integer < 180000 THEN ''
                   ELSE to_jsonb(p) ->> 'pubgencols' END AS generated) v
  JOIN wanted w ON w.oid = g.relid
  JOIN pg_catalog.pg_class c ON c.oid = w.oid AND c.relkind = 'r'
   AND (c.relreplident IN ('d', 'i', 'n') OR v.generated <> '')
  LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisvalid
        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
  LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = g.relid
 WHERE (p.pubupdate OR p.pubdelete) AND coalesce(i.indisprimary, true)
 GROUP BY 1, 2, 3, 5
 UNION ALL
-- Or until it lists the columns by which rows are told, and filters by no others: which it depends on once for its
-- list and once for its filter (both came with PostgreSQL 15).
SELECT 'mute', c.oid, p.pubname::text, array_agg(a.attname::text), min(c.relreplident::text), 0, NULL
  FROM pg_catalog.pg_publication p
  JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
  JOIN wanted w ON w.oid = r.prrelid
  JOIN pg_catalog.pg_class c ON c.oid = w.oid AND c.relkind = 'r'
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisvalid
        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
 CROSS JOIN LATERAL (
       SELECT nullif(to_jsonb(r) -> 'prattrs', 'null') AS columns,
              (SELECT count(*) FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_publication_rel'::regclass AND d.objid = r.oid
                  AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid
                  AND d.refobjsubid = a.attnum) AS times) AS named
 CROSS JOIN LATERAL (
       SELECT coalesce(named.columns @> to_jsonb(a.attnum), true) AS listed,
              coalesce(a.attnum = ANY (i.indkey::smallint[]), false) OR c.relreplident = 'f' AS telling) AS t
 WHERE (p.pubupdate OR p.pubdelete)
   AND CASE WHEN t.telling THEN NOT t.listed
            ELSE named.times > CASE WHEN named.columns IS NOT NULL AND t.listed THEN 1 ELSE 0 END END
 GROUP BY c.oid, p.pubname
 UNION ALL
-- Columns elsewhere that hold whole rows of the table.
SELECT 'bound', c.oid, pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, h.relation, h.number),
       ARRAY (SELECT a.attname::text FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), 'O', 0, NULL
  FROM holding h
  JOIN wanted c ON c.oid = h.held
 UNION ALL
-- A trigger that takes the whole row as so many columns as there are.
SELECT 'dependent', g.tgrelid, 'trigger ' || g.tgname,
       ARRAY (SELECT a.attname::text FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = g.tgrelid AND a.attnum > 0 AND NOT a.attisdropped), 'O', 0, NULL
  FROM pg_catalog.pg_trigger g
  JOIN wanted c ON c.oid = g.tgrelid
  JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
 WHERE NOT g.tgisinternal AND p.prosrc ~* '\m(new|old)\s*\)?\s*\.\s*\*|\mrow\s*\(\s*(new|old)\s*\)'
 UNION ALL
SELECT 'dependent', k.conrelid, 'comment on constraint ' || k.conname,
       ARRAY (SELECT a.attname::text FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)), 'O', 0, NULL
  FROM pg_catalog.pg_description d
  JOIN pg_catalog.pg_constraint k ON k.oid = d.objoid
  JOIN wanted c ON c.oid = k.conrelid
 WHERE d.classoid = 'pg_catalog.pg_constraint'::regclass
 UNION ALL
SELECT 'dependent', i.indrelid,
       CASE WHEN i.indisreplident THEN 'replica identity of index ' ELSE 'marks of index ' END || i.indexrelid::regclass,
       ARRAY (SELECT a.attname::text FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)), 'O', 0, NULL
  FROM pg_catalog.pg_index i
  JOIN wanted c ON c.oid = i.indrelid
 WHERE i.indisreplident OR i.indisclustered
    OR i.indexrelid IN (SELECT d.objoid FROM pg_catalog.pg_description d
                         WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0)
