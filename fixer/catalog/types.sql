-- The types in the setting pgmend.types, a JSON array of {type, modifier, collation}, as PostgreSQL spells them; where
-- they do not come with it, with their schemas, and with the operators by which their indexes compare them.
SELECT w.type,
       w.modifier,
       w.collation,
       pg_catalog.format_type(t.oid, w.modifier) AS spelt,
       CASE WHEN w.collation <> t.typcollation
            THEN w.collation::regcollation::text END AS collated,
       CASE WHEN t.typtype = 'e'
            THEN ARRAY (SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
                         WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) END AS labels,
       nullif(n.nspname, 'pg_catalog') AS home,
       quote_ident(n.nspname) || '.' AS prefix,
       CASE WHEN t.oid >= 16384
            THEN (SELECT 'OPERATOR(' || quote_ident(s.nspname) || '.' || o.oprname || ')'
                    FROM pg_catalog.pg_opclass c
                    JOIN pg_catalog.pg_amop a ON a.amopfamily = c.opcfamily AND a.amopmethod = c.opcmethod
                     AND a.amoplefttype = c.opcintype AND a.amoprighttype = c.opcintype AND a.amopstrategy = 3
                    JOIN pg_catalog.pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'
                    JOIN pg_catalog.pg_operator o ON o.oid = a.amopopr
                    JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace AND s.nspname <> 'pg_catalog'
                   WHERE c.opcdefault
                     AND c.opcintype = (WITH RECURSIVE base AS (
                                             SELECT t.oid, t.typbasetype
                                              UNION ALL
                                             SELECT b.oid, b.typbasetype
                                               FROM base d JOIN pg_catalog.pg_type b ON b.oid = d.typbasetype)
                                        SELECT base.oid FROM base WHERE base.typbasetype = 0)) END AS equality
  FROM jsonb_to_recordset(current_setting('pgmend.types')::jsonb) AS w (type oid, modifier integer, "collation" oid)
  JOIN pg_catalog.pg_type t ON t.oid = w.type
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
