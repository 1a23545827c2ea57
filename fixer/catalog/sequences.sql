-- Every sequence of the wanted schemas, or that a column there owns, with its position where it may be read.
SELECT n.nspname AS schema,
       c.relname AS name,
       pg_catalog.format_type(s.seqtypid, NULL) AS type,
       s.seqstart AS start,
       s.seqincrement AS increment,
       s.seqmin AS minimum,
       s.seqmax AS maximum,
       s.seqcycle AS cycle,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       o.owner_schema,
       o.owner_table,
       o.owner_column,
       has_sequence_privilege(c.oid, 'SELECT') AS readable,
       CASE WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE')
            THEN pg_catalog.pg_sequence_last_value(c.oid) END AS last_value
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
       SELECT tn.nspname AS owner_schema, tc.relname AS owner_table, a.attname AS owner_column
         FROM pg_catalog.pg_depend p
         JOIN pg_catalog.pg_class tc ON tc.oid = p.refobjid
         JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace
         JOIN pg_catalog.pg_attribute a ON a.attrelid = tc.oid AND a.attnum = p.refobjsubid
        WHERE p.classid = 'pg_catalog.pg_class'::regclass AND p.objid = c.oid
          AND p.refclassid = 'pg_catalog.pg_class'::regclass AND p.deptype IN ('a', 'i')
        LIMIT 1) o ON true
 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
    OR o.owner_schema = ANY (current_setting('pgmend.schemas')::text[])
