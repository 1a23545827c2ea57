-- Which of these types have no operator class for an access method, by which an index over them could be built.
-- Paste into psql after:  SET pgmend.pairs = '[{"method": "spgist", "type": "uuid"}]';
SELECT w.method, w.type
  FROM jsonb_to_recordset(current_setting('pgmend.pairs')::jsonb) AS w (method text, type text)
  JOIN pg_catalog.pg_am m ON m.amname = w.method
  JOIN pg_catalog.pg_type t ON t.oid = to_regtype(w.type)
 WHERE NOT EXISTS (
       SELECT FROM pg_catalog.pg_opclass o
         JOIN pg_catalog.pg_type i ON i.oid = o.opcintype
        WHERE o.opcmethod = m.oid AND o.opcdefault
          AND (i.oid IN (t.oid, t.typbasetype)
               OR EXISTS (SELECT FROM pg_catalog.pg_cast c
                           WHERE c.castsource IN (t.oid, t.typbasetype) AND c.casttarget = i.oid AND c.castmethod = 'b')
               OR (i.typname, t.typtype::text) IN (('anyenum', 'e'), ('anyrange', 'r'), ('anymultirange', 'm'),
                                                   ('record', 'c'))
               OR (i.typname = 'anyarray' AND t.typcategory = 'A')))
