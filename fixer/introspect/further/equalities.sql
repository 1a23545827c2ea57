-- By which operators the indexes of the types in the setting pgmend.types, a JSON array of {type}, compare their values,
-- where that is not one of PostgreSQL's own; of a domain by those of the type that it is made of.
  WITH RECURSIVE base AS (
       SELECT t.oid AS type, t.oid, t.typbasetype
         FROM (SELECT DISTINCT w.type
                 FROM jsonb_to_recordset(current_setting('pgmend.types')::jsonb) AS w (type oid)) AS w
         JOIN pg_catalog.pg_type t ON t.oid = w.type AND t.oid >= 16384
        UNION ALL
       SELECT d.type, b.oid, b.typbasetype
         FROM base d
         JOIN pg_catalog.pg_type b ON b.oid = d.typbasetype)
SELECT w.type, 'OPERATOR(' || quote_ident(s.nspname) || '.' || o.oprname || ')' AS equality
  FROM base w
  JOIN pg_catalog.pg_opclass c ON c.opcintype = w.oid AND c.opcdefault
  JOIN pg_catalog.pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'
  JOIN pg_catalog.pg_amop a ON a.amopfamily = c.opcfamily AND a.amopmethod = c.opcmethod
   AND a.amoplefttype = c.opcintype AND a.amoprighttype = c.opcintype AND a.amopstrategy = 3
  JOIN pg_catalog.pg_operator o ON o.oid = a.amopopr
  JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace AND s.nspname <> 'pg_catalog'
 WHERE w.typbasetype = 0
