-- Statements that make stand-ins of extensions, in order: their types, functions, casts, operators and operator classes
-- by name and shape, but not by what they do. They suffice where no row is: only constants may be spelt otherwise.
  WITH member AS MATERIALIZED (
       SELECT d.classid, d.objid
         FROM pg_catalog.pg_depend d
         JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
        WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
          AND e.extname = ANY (current_setting('pgmend.extensions')::text[])),
       base AS MATERIALIZED (
       SELECT t.*, t.oid::regtype AS spelt, n.nspname, 'pgmend_in_' || t.typname AS input, 'pgmend_out_' || t.typname AS output
         FROM member m
         JOIN pg_catalog.pg_type t ON t.oid = m.objid AND m.classid = 'pg_type'::regclass
         JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typtype = 'b' AND t.typcategory <> 'A'),
       routine AS MATERIALIZED (
       SELECT p.*, n.nspname,
              -- What no other language takes.
              p.prorettype = ANY (f.foreign) OR p.proargtypes::oid[] && f.foreign AS low,
              -- Bounds of partitions are compared as they are made.
              EXISTS (SELECT FROM pg_catalog.pg_amproc a
                        JOIN pg_catalog.pg_opfamily o ON o.oid = a.amprocfamily
                        JOIN pg_catalog.pg_am m ON m.oid = o.opfmethod AND m.amname = 'btree'
                       WHERE a.amproc = p.oid AND a.amprocnum = 1) AS compares
         FROM member m
         JOIN pg_catalog.pg_proc p ON p.oid = m.objid AND m.classid = 'pg_proc'::regclass
         JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        CROSS JOIN (SELECT array_agg(t.oid) AS foreign FROM pg_catalog.pg_type t
                     WHERE t.oid IN ('cstring'::regtype, 'internal'::regtype, '"any"'::regtype)
                        OR t.typname LIKE '%\_handler' AND t.typtype = 'p') AS f
        WHERE p.prokind = 'f')
SELECT rank, statement
  FROM (SELECT 1 AS rank, format('CREATE SCHEMA IF NOT EXISTS %I', n.nspname) AS statement
          FROM pg_catalog.pg_extension e
          JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = ANY (current_setting('pgmend.extensions')::text[])
         UNION ALL
        -- Languages in which code is taken as it is, and is not run; wrappers that reach nothing.
        SELECT 1, format('CREATE TRUSTED LANGUAGE %I HANDLER pg_catalog.plpgsql_call_handler', l.lanname)
          FROM member m
          JOIN pg_catalog.pg_language l ON l.oid = m.objid AND m.classid = 'pg_language'::regclass
         UNION ALL
        SELECT 1, format('CREATE FOREIGN DATA WRAPPER %I; GRANT USAGE ON FOREIGN DATA WRAPPER %I TO PUBLIC', w.fdwname, w.fdwname)
          FROM member m
          JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = m.objid AND m.classid = 'pg_foreign_data_wrapper'::regclass
         UNION ALL
        SELECT 2, format('CREATE TYPE %s', spelt) FROM base
         UNION ALL
        SELECT 3, format('CREATE FUNCTION %I.%I(cstring) RETURNS %s LANGUAGE internal IMMUTABLE STRICT AS ''textin''',
                         nspname, input, spelt) FROM base
         UNION ALL
        SELECT 3, format('CREATE FUNCTION %I.%I(%s) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS ''textout''',
                         nspname, output, spelt) FROM base
         UNION ALL
        SELECT 4, format('CREATE TYPE %s (INPUT = %I.%I, OUTPUT = %I.%I, INTERNALLENGTH = variable, STORAGE = extended,'
                         ' CATEGORY = %L, PREFERRED = %s, COLLATABLE = %s, DELIMITER = %L%s)',
                         spelt, nspname, input, nspname, output, typcategory, typispreferred::text, (typcollation <> 0)::text, typdelim,
                         CASE WHEN typmodin <> 0 THEN ', TYPMOD_IN = pg_catalog.varchartypmodin,'
                              ' TYPMOD_OUT = pg_catalog.varchartypmodout' ELSE '' END) FROM base
         UNION ALL
        SELECT 4, CASE t.typtype
                  WHEN 'd' THEN format('CREATE DOMAIN %s AS %s', t.oid::regtype, format_type(t.typbasetype, t.typtypmod))
                  WHEN 'e' THEN format('CREATE TYPE %s AS ENUM (%s)', t.oid::regtype, (
                       SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                         FROM pg_catalog.pg_enum e
                        WHERE e.enumtypid = t.oid))
                  ELSE format('CREATE TYPE %s AS (%s)', t.oid::regtype, (
                       SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
                         FROM pg_catalog.pg_attribute a
                        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)) END
          FROM member m
          JOIN pg_catalog.pg_type t ON t.oid = m.objid AND m.classid = 'pg_type'::regclass
          LEFT JOIN pg_catalog.pg_class r ON r.oid = t.typrelid
         WHERE t.typtype IN ('d', 'e') OR r.relkind = 'c'
         UNION ALL
        SELECT 5, format('CREATE FUNCTION %I.%I(%s) RETURNS %s LANGUAGE %s %s %s AS %L',
                         nspname, proname, pg_catalog.pg_get_function_arguments(oid),
                         pg_catalog.pg_get_function_result(oid),
                         CASE WHEN low THEN 'internal' ELSE 'plpgsql' END,
                         CASE provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
                         CASE WHEN proisstrict THEN 'STRICT' ELSE '' END,
                         CASE WHEN low THEN 'textin' WHEN compares THEN 'BEGIN RETURN bttextcmp($1::text, $2::text); END'
                              ELSE 'BEGIN RETURN NULL; END' END) FROM routine
         UNION ALL
        -- What stands for a function in C would read what is no text: nobody calls it.
        SELECT 6, format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', oid::regprocedure) FROM routine WHERE low
         UNION ALL
        SELECT 6, format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', c.contypid::regtype, c.conname, pg_get_constraintdef(c.oid))
          FROM member m
          JOIN pg_catalog.pg_constraint c ON c.contypid = m.objid AND m.classid = 'pg_type'::regclass AND c.contype = 'c'
         UNION ALL
        SELECT 6, format('CREATE TEXT SEARCH DICTIONARY %I.%I (TEMPLATE = pg_catalog.simple)', n.nspname, d.dictname)
          FROM member m
          JOIN pg_catalog.pg_ts_dict d ON d.oid = m.objid AND m.classid = 'pg_ts_dict'::regclass
          JOIN pg_catalog.pg_namespace n ON n.oid = d.dictnamespace
         UNION ALL
        SELECT 6, format('CREATE TEXT SEARCH CONFIGURATION %I.%I (COPY = pg_catalog.simple)', n.nspname, c.cfgname)
          FROM member m
          JOIN pg_catalog.pg_ts_config c ON c.oid = m.objid AND m.classid = 'pg_ts_config'::regclass
          JOIN pg_catalog.pg_namespace n ON n.oid = c.cfgnamespace
         UNION ALL
        SELECT 6, format('CREATE CAST (%s AS %s) %s%s', c.castsource::regtype, c.casttarget::regtype,
                         CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || c.castfunc::regprocedure
                                           WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END,
                         CASE c.castcontext WHEN 'i' THEN ' AS IMPLICIT' WHEN 'a' THEN ' AS ASSIGNMENT' ELSE '' END)
          FROM member m
          JOIN pg_catalog.pg_cast c ON c.oid = m.objid AND m.classid = 'pg_cast'::regclass
         UNION ALL
        SELECT 7, format('CREATE OPERATOR %I.%s (FUNCTION = %s, %sRIGHTARG = %s)', n.nspname, o.oprname, o.oprcode::regproc,
                         CASE WHEN o.oprleft <> 0 THEN format('LEFTARG = %s, ', o.oprleft::regtype) ELSE '' END,
                         o.oprright::regtype)
          FROM member m
          JOIN pg_catalog.pg_operator o ON o.oid = m.objid AND m.classid = 'pg_operator'::regclass
          JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
         WHERE o.oprcode <> 0
         UNION ALL
        SELECT 8, format('CREATE OPERATOR CLASS %I.%I %sFOR TYPE %s USING %I AS %s', n.nspname, c.opcname,
                         CASE WHEN c.opcdefault THEN 'DEFAULT ' ELSE '' END, c.opcintype::regtype, a.amname,
                         concat_ws(', ', i.items, CASE WHEN c.opckeytype <> 0
                                                       THEN format('STORAGE %s', c.opckeytype::regtype) END))
          FROM member m
          JOIN pg_catalog.pg_opclass c ON c.oid = m.objid AND m.classid = 'pg_opclass'::regclass
          JOIN pg_catalog.pg_namespace n ON n.oid = c.opcnamespace
          JOIN pg_catalog.pg_am a ON a.oid = c.opcmethod
         CROSS JOIN LATERAL (
               SELECT string_agg(item, ', ') AS items
                 FROM (SELECT format('OPERATOR %s %s%s', o.amopstrategy, o.amopopr::regoperator,
                                     CASE WHEN o.amoppurpose = 'o' THEN (
                                          SELECT format(' FOR ORDER BY %I.%I', fn.nspname, f.opfname)
                                            FROM pg_catalog.pg_opfamily f
                                            JOIN pg_catalog.pg_namespace fn ON fn.oid = f.opfnamespace
                                           WHERE f.oid = o.amopsortfamily) ELSE '' END)
                         FROM pg_catalog.pg_amop o
                        WHERE o.amopfamily = c.opcfamily AND o.amoplefttype = c.opcintype
                        UNION ALL
                       SELECT format('FUNCTION %s (%s, %s) %s', p.amprocnum, p.amproclefttype::regtype,
                                     p.amprocrighttype::regtype, p.amproc::regprocedure)
                         FROM pg_catalog.pg_amproc p
                        WHERE p.amprocfamily = c.opcfamily AND p.amproclefttype = c.opcintype) AS x (item)) AS i
         WHERE i.items IS NOT NULL) AS made
 ORDER BY rank, statement
