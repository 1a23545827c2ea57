-- The types of users' own that columns of the wanted schemas need, those first that others are made of; but enums that
-- columns alone need. If pgmend.lone is set, also those of any schema that no such column needs. Each with the statement that
-- creates it, and the functions that this calls. Paste into psql after:
--   SET search_path = pg_catalog, pg_temp;  SET pgmend.schemas = '{public}';  SET pgmend.lone = 'on';
  WITH RECURSIVE reached AS (
       SELECT a.atttypid AS oid, 0 AS depth, true AS held
         FROM pg_catalog.pg_attribute a
         JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
          AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
        UNION
       SELECT t.oid, 0, false
         FROM pg_catalog.pg_type t
         JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
        WHERE current_setting('pgmend.lone', true) = 'on' AND t.oid >= 16384 AND t.typtype IN ('e', 'd', 'c', 'r')
          AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'fixer_journal', 'fixer_quarantine')
          AND (t.typtype <> 'c' OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                            JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
                            JOIN pg_catalog.pg_namespace h ON h.oid = c.relnamespace
                           WHERE h.nspname = ANY (current_setting('pgmend.schemas')::text[])
                             AND a.atttypid IN (t.oid, t.typarray) AND a.attnum > 0 AND NOT a.attisdropped)
        UNION
       SELECT made.of, reached.depth + 1, reached.held AND made.of = t.typelem
         FROM reached
         JOIN pg_catalog.pg_type t ON t.oid = reached.oid
         LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid OR to_jsonb(r) ->> 'rngmultitypid' = t.oid::text
         LEFT JOIN pg_catalog.pg_attribute b ON b.attrelid = t.typrelid AND b.attnum > 0 AND NOT b.attisdropped
        CROSS JOIN LATERAL unnest(ARRAY[
              t.typbasetype, t.typelem, r.rngsubtype, b.atttypid,
              CASE WHEN r.rngtypid <> t.oid THEN r.rngtypid END]) AS made (of)
        WHERE made.of >= 16384),
       own AS MATERIALIZED (
       SELECT t.*, n.nspname, format('%I.%I', n.nspname, t.typname) AS spelt, reached.depth, reached.held
         FROM (SELECT oid, max(depth) AS depth, bool_and(held) AS held FROM reached GROUP BY oid) AS reached
         JOIN pg_catalog.pg_type t ON t.oid = reached.oid
         JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname !~ '^pg_' AND t.typtype IN ('e', 'd', 'c', 'r')
          AND (t.typtype <> 'c' OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                           WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'))
SELECT own.nspname AS schema,
       own.typname AS name,
       CASE own.typtype
       WHEN 'e' THEN format('CREATE TYPE %s AS ENUM (%s)', spelt, (
            SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
              FROM pg_catalog.pg_enum e WHERE e.enumtypid = own.oid))
       WHEN 'c' THEN format('CREATE TYPE %s AS (%s)', spelt, (
            SELECT string_agg(concat(quote_ident(a.attname), ' ', pg_catalog.format_type(a.atttypid, a.atttypmod),
                                     CASE WHEN a.attcollation <> t.typcollation
                                          THEN ' COLLATE ' || a.attcollation::regcollation END),
                              ', ' ORDER BY a.attnum)
              FROM pg_catalog.pg_attribute a
              JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
             WHERE a.attrelid = own.typrelid AND a.attnum > 0 AND NOT a.attisdropped))
       WHEN 'r' THEN (
            SELECT concat('CREATE TYPE ', spelt, ' AS RANGE (SUBTYPE = ', pg_catalog.format_type(r.rngsubtype, NULL),
                          ', SUBTYPE_OPCLASS = ' || CASE WHEN NOT o.opcdefault
                                                         THEN format('%I.%I', h.nspname, o.opcname) END,
                          ', COLLATION = ' || CASE WHEN r.rngcollation <> s.typcollation
                                                   THEN r.rngcollation::regcollation END,
                          ', SUBTYPE_DIFF = ' || CASE WHEN r.rngsubdiff <> 0
                                                      THEN format('%I.%I', g.nspname, f.proname) END,
                          ', MULTIRANGE_TYPE_NAME = ' || (
                             SELECT format('%I.%I', k.nspname, m.typname)
                               FROM pg_catalog.pg_type m
                               JOIN pg_catalog.pg_namespace k ON k.oid = m.typnamespace
                              WHERE m.oid::text = to_jsonb(r) ->> 'rngmultitypid'), ')')
              FROM pg_catalog.pg_range r
              JOIN pg_catalog.pg_type s ON s.oid = r.rngsubtype
              JOIN pg_catalog.pg_opclass o ON o.oid = r.rngsubopc
              JOIN pg_catalog.pg_namespace h ON h.oid = o.opcnamespace
              LEFT JOIN pg_catalog.pg_proc f ON f.oid = r.rngsubdiff
              LEFT JOIN pg_catalog.pg_namespace g ON g.oid = f.pronamespace
             WHERE r.rngtypid = own.oid AND r.rngcanonical = 0) -- which is written in C
       ELSE concat_ws(' ', format('CREATE DOMAIN %s AS %s', spelt, pg_catalog.format_type(typbasetype, typtypmod)),
            CASE WHEN typcollation <> (SELECT b.typcollation FROM pg_catalog.pg_type b WHERE b.oid = own.typbasetype)
                 THEN 'COLLATE ' || typcollation::regcollation END,
            'DEFAULT ' || pg_catalog.pg_get_expr(typdefaultbin, 0),
            CASE WHEN typnotnull THEN 'NOT NULL' END,
            (SELECT string_agg(format('CONSTRAINT %I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid)), ' '
                               ORDER BY k.conname)
               FROM pg_catalog.pg_constraint k WHERE k.contypid = own.oid AND k.contype = 'c' AND k.convalidated))
       END AS statement,
       ARRAY (SELECT DISTINCT d.refobjid::regprocedure::text
                FROM pg_catalog.pg_depend d
                LEFT JOIN pg_catalog.pg_constraint k ON k.oid = d.objid AND d.classid = 'pg_constraint'::regclass
               WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid >= 16384
                 AND (k.contypid = own.oid OR (d.classid = 'pg_type'::regclass AND d.objid = own.oid))) AS calls
  FROM own
 WHERE typtype <> 'e' OR NOT held -- by a column, or by an array in one
 ORDER BY own.depth DESC, own.nspname, own.typname
