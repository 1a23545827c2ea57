-- Every sequence, with the column that owns it: they always lie in one schema. Types and owners are numbers here.
SELECT n.nspname AS schema,
       c.relname AS name,
       s.seqtypid AS type,
       o.refobjid AS relation,
       o.refobjsubid AS number,
       o.deptype AS ownership,
       s.seqstart AS start,
       s.seqincrement AS increment,
       s.seqmin AS minimum,
       s.seqmax AS maximum,
       s.seqcycle AS cycle,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       has_sequence_privilege(c.oid, 'SELECT') AS readable,
       -- NULL if it has given none since it was set back. A standby cannot open what is UNLOGGED.
       CASE WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE')
             AND (c.relpersistence = 'p' OR NOT pg_catalog.pg_is_in_recovery())
            THEN pg_catalog.pg_sequence_last_value(c.oid) END AS last_value,
       c.relpersistence AS persistence,
       pg_has_role(c.relowner, 'USAGE') AS owned,
       s.seqcache AS cache
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_depend o ON o.objid = c.oid AND o.classid = 'pg_catalog.pg_class'::regclass
   AND o.refclassid = 'pg_catalog.pg_class'::regclass AND o.deptype IN ('a', 'i')
 WHERE c.relnamespace = ANY (ARRAY (SELECT n.oid FROM pg_catalog.pg_namespace n
                                 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])))
