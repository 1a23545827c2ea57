-- Allows NULL in a column of a table and of its heirs, but not in heirs that have it in their primary key.
-- Before PostgreSQL 18 these would refuse it for all of them.
DECLARE
    holder regclass;
BEGIN
    IF current_setting('server_version_num')::integer >= 180000
       OR (SELECT c.relkind FROM pg_catalog.pg_class c WHERE c.oid = {table}::regclass) = 'p' THEN
        EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', {table}::regclass, {column});
        RETURN;
    END IF;
    FOR holder IN
        WITH RECURSIVE below AS (
             SELECT {table}::regclass::oid AS oid
              UNION
             SELECT i.inhrelid FROM below b JOIN pg_catalog.pg_inherits i ON i.inhparent = b.oid)
        SELECT b.oid
          FROM below b
          JOIN pg_catalog.pg_attribute a ON a.attrelid = b.oid AND a.attname = {column} AND a.attnotnull
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_index i
                            WHERE i.indrelid = b.oid AND i.indisprimary AND a.attnum = ANY (i.indkey))
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE ONLY %s ALTER COLUMN %I DROP NOT NULL', holder, {column});
    END LOOP;
END
