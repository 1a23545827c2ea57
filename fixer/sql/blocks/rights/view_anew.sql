-- Replace a view; if its columns change, create it anew, with the owner, the comment and the grants that it has.
DECLARE
    view regclass := {view};
    its record;
    each record;
BEGIN
    EXECUTE {replace};
EXCEPTION WHEN invalid_table_definition THEN
    IF EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = view AND attnum > 0
                  AND (attacl IS NOT NULL OR atthasdef OR col_description(view, attnum) IS NOT NULL)) THEN
        RAISE EXCEPTION 'columns of % have grants, comments or defaults, which would be lost', view;
    END IF;
    SELECT relowner::regrole AS owner, coalesce(relacl, acldefault('r', relowner)) AS acl, relacl IS NOT NULL AS chosen,
           obj_description(view, 'pg_class') AS comment INTO its
      FROM pg_catalog.pg_class WHERE oid = view;
    EXECUTE format('DROP VIEW %s', view);
    EXECUTE {create};
    view := {view};
    IF its.owner <> current_user::regrole THEN
        EXECUTE format('ALTER VIEW %s OWNER TO %s', view, its.owner);
    END IF;
    IF its.comment IS NOT NULL THEN
        EXECUTE format('COMMENT ON VIEW %s IS %L', view, its.comment);
    END IF;
    IF its.chosen OR (SELECT relacl IS NOT NULL FROM pg_catalog.pg_class WHERE oid = view) THEN
        FOR each IN
            SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS whom
              FROM pg_catalog.pg_class c, pg_catalog.aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
             WHERE c.oid = view GROUP BY a.grantee
        LOOP
            EXECUTE format('REVOKE ALL ON %s FROM %s', view, each.whom);
        END LOOP;
        FOR each IN
            SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS whom, a.is_grantable,
                   string_agg(a.privilege_type, ', ' ORDER BY a.place) AS deeds
              FROM pg_catalog.aclexplode(its.acl)
                   WITH ORDINALITY AS a (grantor, grantee, privilege_type, is_grantable, place)
             GROUP BY a.grantee, a.is_grantable ORDER BY min(a.place)
        LOOP
            EXECUTE format('GRANT %s ON %s TO %s', each.deeds, view, each.whom)
                 || CASE WHEN each.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END;
        END LOOP;
    END IF;
END
