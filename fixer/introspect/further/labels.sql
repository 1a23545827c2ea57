-- The labels of the enums in the setting pgmend.types, a JSON array of names in SQL, and NULL for what is no type. Paste
-- into psql after:
--   SET pgmend.types = '["public.mood"]';
SELECT w.spelt,
       CASE WHEN t.oid IS NOT NULL
            THEN ARRAY (SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
                         WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) END
  FROM jsonb_array_elements_text(current_setting('pgmend.types')::jsonb) AS w (spelt)
  LEFT JOIN pg_catalog.pg_type t ON t.oid = to_regtype(w.spelt)
 WHERE t.oid IS NULL OR t.typtype = 'e'
