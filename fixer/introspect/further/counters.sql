-- The sequences of other schemas that defaults call, with the column that owns each. Types and owners are spelt in full.
SELECT n.nspname AS schema,
       c.relname AS name,
       pg_catalog.format_type(s.seqtypid, NULL) AS type,
       s.seqstart AS start,
       s.seqincrement AS increment,
       s.seqmin AS minimum,
       s.seqmax AS maximum,
       s.seqcycle AS cycle,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       ARRAY [tn.nspname, t.relname, a.attname]::text[] AS owned_by,
       has_schema_privilege(n.oid, 'USAGE') AND has_sequence_privilege(c.oid, 'SELECT') AS readable,
       CASE WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE')
             AND (c.relpersistence = 'p' OR NOT pg_catalog.pg_is_in_recovery())
            THEN pg_catalog.pg_sequence_last_value(c.oid) END AS last_value,
       c.relpersistence AS persistence,
       pg_has_role(c.relowner, 'USAGE') AS owned,
       s.seqcache AS cache
  FROM pg_catalog.json_to_recordset(current_setting('pgmend.counters')::json) AS w (schema text, name text)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
  JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
  LEFT JOIN pg_catalog.pg_depend o ON o.objid = c.oid AND o.classid = 'pg_catalog.pg_class'::regclass
   AND o.refclassid = 'pg_catalog.pg_class'::regclass AND o.deptype IN ('a', 'i')
  LEFT JOIN pg_catalog.pg_class t ON t.oid = o.refobjid
  LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = o.refobjid AND a.attnum = o.refobjsubid
