-- NOT NULL constraints that no version before 18 has: NOT VALID, so that their columns may hold NULL, or NO INHERIT.
-- Those that are NOT VALID come with their own table, and with each that it is a partition or an heir of (`below` names
-- the table then): its NOT NULL says nothing of these rows, although PostgreSQL believes it.
  WITH RECURSIVE open AS (
       SELECT k.conrelid AS below, k.conrelid AS relation, k.conname, a.attname,
              NOT k.convalidated AS unproved, k.connoinherit AS alone
         FROM pg_catalog.pg_constraint k
         JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
        WHERE k.contype = 'n' AND (NOT k.convalidated OR k.connoinherit)
        UNION
       SELECT o.below, i.inhparent, o.conname, o.attname, o.unproved, false
         FROM open o
         JOIN pg_catalog.pg_inherits i ON i.inhrelid = o.relation
        WHERE o.unproved)
SELECT n.nspname AS schema, c.relname AS relation, o.attname AS name, o.conname AS constraint, o.unproved, o.alone,
       CASE WHEN o.below <> o.relation THEN ARRAY[bn.nspname::text, b.relname::text] END AS below
  FROM open o
  JOIN pg_catalog.pg_class c ON c.oid = o.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class b ON b.oid = o.below
  JOIN pg_catalog.pg_namespace bn ON bn.oid = b.relnamespace
 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
 ORDER BY 1, 2, 3, 7
