-- Grant USAGE on the sequence of {table} to every role that may insert into the table, or into columns of it.
DECLARE
    inserter text;
BEGIN
    FOR inserter IN
        SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                             ELSE quote_ident(pg_get_userbyid(a.grantee)) END
          FROM (SELECT relacl AS acl FROM pg_catalog.pg_class WHERE oid = {table}::regclass
                 UNION ALL
                SELECT attacl FROM pg_catalog.pg_attribute
                 WHERE attrelid = {table}::regclass AND NOT attisdropped) AS g, pg_catalog.aclexplode(g.acl) a
         WHERE a.privilege_type = 'INSERT'
    LOOP
        EXECUTE 'GRANT USAGE ON SEQUENCE ' || {generator} || ' TO ' || inserter;
    END LOOP;
END
