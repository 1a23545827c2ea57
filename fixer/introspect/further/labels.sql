-- The labels of the enums, or of the elements of the arrays, in the setting pgmend.types, a JSON array of names in SQL,
-- and NULL for what is no type.
-- Types in schemas that the role may not use are left out. Paste into psql after:
--   SET pgmend.types = '["public.mood"]';
SELECT w.spelt,
       CASE WHEN t.oid IS NOT NULL
            THEN ARRAY (SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
                         WHERE e.enumtypid IN (t.oid, i.oid) ORDER BY e.enumsortorder) END
  FROM jsonb_array_elements_text(current_setting('pgmend.types')::jsonb) AS w (spelt)
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = (parse_ident(w.spelt, false))[1]
  LEFT JOIN pg_catalog.pg_type t
    ON t.oid = CASE WHEN n.oid IS NOT NULL AND has_schema_privilege(n.oid, 'USAGE') THEN to_regtype(w.spelt) END
  LEFT JOIN pg_catalog.pg_type i ON i.oid = t.typelem AND i.typarray = t.oid
 WHERE (t.oid IS NULL AND (n.oid IS NULL OR has_schema_privilege(n.oid, 'USAGE'))) OR 'e' IN (t.typtype, i.typtype)
