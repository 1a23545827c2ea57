-- Drops the default of a column that is about to be dropped, in partitions and heirs as well.
-- A column that is an heir's own stays, and so does its default.
DECLARE
    holder regclass;
BEGIN
    FOR holder IN
        WITH RECURSIVE below AS (
             SELECT {table}::regclass::oid AS oid
              UNION
             SELECT i.inhrelid FROM below b JOIN pg_catalog.pg_inherits i ON i.inhparent = b.oid)
        SELECT b.oid
          FROM below b
          JOIN pg_catalog.pg_attribute a ON a.attrelid = b.oid AND a.attname = {column} AND a.atthasdef
         WHERE b.oid = {table}::regclass OR NOT a.attislocal
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE ONLY %s ALTER COLUMN %I DROP DEFAULT', holder, {column});
    END LOOP;
END
