-- The types in the setting pgmend.types, a JSON array of {type, modifier, collation}, as PostgreSQL spells them.
SELECT w.type,
       w.modifier,
       w.collation,
       pg_catalog.format_type(t.oid, w.modifier) AS spelt,
       CASE WHEN w.collation <> t.typcollation
            THEN w.collation::regcollation::text END AS collated,
       CASE WHEN t.typtype = 'e'
            THEN ARRAY (SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
                         WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) END AS labels
  FROM jsonb_to_recordset(current_setting('pgmend.types')::jsonb) AS w (type oid, modifier integer, "collation" oid)
  JOIN pg_catalog.pg_type t ON t.oid = w.type
