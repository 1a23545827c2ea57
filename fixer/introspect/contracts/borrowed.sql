-- Statements that make what models may need of a database and do not make themselves: its schemas, collations, types,
-- sequences and functions, each with the name of what it makes. Made before their parts, some have to be tried again.
  WITH home AS MATERIALIZED (
       SELECT n.oid, n.nspname
         FROM pg_catalog.pg_namespace n
        WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'fixer_journal', 'fixer_quarantine')),
       of_extension AS MATERIALIZED (
       SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'),
       own AS MATERIALIZED (
       SELECT t.*, t.oid::regtype AS spelt, h.nspname
         FROM pg_catalog.pg_type t
         JOIN home h ON h.oid = t.typnamespace
        -- Base types come with extensions, and so do the types of extensions that are in the throw-away place.
        WHERE t.typtype IN ('e', 'd', 'c', 'r')
          AND (t.typtype <> 'c' OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')))
SELECT rank, home, name, statement
  FROM (SELECT 1 AS rank, nspname AS home, '' AS name, format('CREATE SCHEMA IF NOT EXISTS %I', nspname) AS statement
          FROM home
         UNION ALL
        SELECT 2, h.nspname, c.collname, format('CREATE COLLATION %I.%I (PROVIDER = icu, LOCALE = ''und'', DETERMINISTIC = %s)',
                                                h.nspname, c.collname, c.collisdeterministic::text)
          FROM pg_catalog.pg_collation c
          JOIN home h ON h.oid = c.collnamespace
         UNION ALL
        SELECT 3, nspname, typname, format('CREATE TYPE %s AS ENUM (%s)', spelt, (
               SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                 FROM pg_catalog.pg_enum e WHERE e.enumtypid = own.oid))
          FROM own WHERE typtype = 'e'
         UNION ALL
        SELECT 3, nspname, typname, format('CREATE TYPE %s AS (%s)', spelt, (
               SELECT string_agg(format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', '
                                 ORDER BY a.attnum)
                 FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = own.typrelid AND a.attnum > 0 AND NOT a.attisdropped))
          FROM own WHERE typtype = 'c'
         UNION ALL
        SELECT 3, nspname, typname, format('CREATE TYPE %s AS RANGE (SUBTYPE = %s)', spelt, (
               SELECT r.rngsubtype::regtype FROM pg_catalog.pg_range r WHERE r.rngtypid = own.oid))
          FROM own WHERE typtype = 'r'
         UNION ALL
        SELECT 4, nspname, typname, concat_ws(' ', format('CREATE DOMAIN %s AS %s', spelt,
                                                          pg_catalog.format_type(typbasetype, typtypmod)),
               CASE WHEN typcollation NOT IN (0, (SELECT b.typcollation FROM pg_catalog.pg_type b
                                                   WHERE b.oid = own.typbasetype))
                    THEN 'COLLATE ' || typcollation::regcollation END,
               'DEFAULT ' || pg_catalog.pg_get_expr(typdefaultbin, 0),
               CASE WHEN typnotnull THEN 'NOT NULL' END,
               (SELECT string_agg(format('CONSTRAINT %I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid)), ' '
                                  ORDER BY k.conname)
                  FROM pg_catalog.pg_constraint k WHERE k.contypid = own.oid AND k.contype = 'c'))
          FROM own WHERE typtype = 'd'
         UNION ALL
        SELECT 5, h.nspname, c.relname, format(
               'CREATE SEQUENCE %I.%I AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s %s CYCLE',
               h.nspname, c.relname, s.seqtypid::regtype, s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache,
               CASE WHEN s.seqcycle THEN '' ELSE 'NO' END)
          FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
          JOIN home h ON h.oid = c.relnamespace
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e'))
         UNION ALL
        -- Functions without their bodies, so that no code of the target's is run here.
        SELECT 6, h.nspname, p.proname,
               format('CREATE FUNCTION %I.%I(%s) RETURNS %s LANGUAGE plpgsql %s %s AS ''BEGIN RETURN NULL; END''',
                      h.nspname, p.proname, pg_catalog.pg_get_function_arguments(p.oid),
                      pg_catalog.pg_get_function_result(p.oid),
                      CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
                      CASE WHEN p.proisstrict THEN 'STRICT' ELSE '' END)
          FROM pg_catalog.pg_proc p
          JOIN home h ON h.oid = p.pronamespace
         WHERE p.prokind = 'f'
           AND NOT EXISTS (SELECT FROM of_extension e
                            WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid)) AS needed
 WHERE statement IS NOT NULL
 ORDER BY rank, home, name, statement
