-- Every default or generating expression, with the sequence that it calls. Where it names no column it is spelt without
-- its table: to open one costs more than all the rest.
SELECT d.adrelid AS relation,
       d.adnum AS number,
       pg_catalog.pg_get_expr(d.adbin, CASE WHEN strpos(d.adbin::text, '{VAR ') > 0 THEN d.adrelid ELSE 0 END)
         AS expression,
       s.schema AS sequence_schema,
       s.name AS sequence_name
  FROM pg_catalog.pg_attrdef d
  JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
  LEFT JOIN (SELECT p.objid, sn.nspname AS schema, sc.relname AS name
               FROM pg_catalog.pg_depend p
               JOIN pg_catalog.pg_class sc ON sc.oid = p.refobjid AND sc.relkind = 'S'
               JOIN pg_catalog.pg_namespace sn ON sn.oid = sc.relnamespace
              WHERE p.classid = 'pg_catalog.pg_attrdef'::regclass
                AND p.refclassid = 'pg_catalog.pg_class'::regclass) s ON s.objid = d.oid
 WHERE c.relnamespace = ANY (ARRAY (SELECT n.oid FROM pg_catalog.pg_namespace n
                                 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])))
