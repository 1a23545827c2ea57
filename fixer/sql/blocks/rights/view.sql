-- Give every role the same rights on the view as on its table, and no more.
DECLARE
    source regclass := {table};
    made regclass := {view};
    each record;
BEGIN
    FOR each IN
        SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                             ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS whom
          FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
         WHERE c.oid = made AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', made, each.whom);
    END LOOP;
    FOR each IN
        SELECT g.cells, a.privilege_type AS deed, a.is_grantable AS further,
               CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                    ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS whom
          FROM (SELECT '' AS cells, relacl AS acl FROM pg_catalog.pg_class WHERE oid = source
                 UNION ALL
                SELECT format('(%I)', attname), attacl FROM pg_catalog.pg_attribute
                 WHERE attrelid = source AND NOT attisdropped) AS g, pg_catalog.aclexplode(g.acl) a
    LOOP
        EXECUTE format('GRANT %s %s ON %s TO %s', each.deed, each.cells, made, each.whom)
             || CASE WHEN each.further AND each.whom <> 'PUBLIC' THEN ' WITH GRANT OPTION' ELSE '' END;
    END LOOP;
END
