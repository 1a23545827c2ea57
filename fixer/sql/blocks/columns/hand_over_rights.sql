-- Give the column {to} the comment, grants and options of {column}.
DECLARE
    home regclass := {table};
    its record;
    wanted record;
    each record;
BEGIN
    -- From the minor releases of November 2026 on, the server notes a version of its own among the options.
    SELECT attacl, ARRAY (SELECT o FROM unnest(attoptions) AS o WHERE o NOT LIKE 'pg\_attver=%') AS attoptions,
           col_description(home, attnum) AS comment INTO its
      FROM pg_catalog.pg_attribute WHERE attrelid = home AND attname = {to};
    SELECT attacl, ARRAY (SELECT o FROM unnest(attoptions) AS o WHERE o NOT LIKE 'pg\_attver=%') AS attoptions,
           col_description(home, attnum) AS comment INTO wanted
      FROM pg_catalog.pg_attribute WHERE attrelid = home AND attname = {column};
    IF wanted.comment IS DISTINCT FROM its.comment THEN
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', home, {to}, wanted.comment);
    END IF;
    FOR each IN {gone} LOOP
        EXECUTE format('REVOKE %s (%I) ON %s FROM %s', each.deed, {to}, home, each.whom);
    END LOOP;
    FOR each IN {come} LOOP
        EXECUTE format('GRANT %s (%I) ON %s TO %s', each.deed, {to}, home, each.whom)
             || CASE WHEN each.further THEN ' WITH GRANT OPTION' ELSE '' END;
    END LOOP;
    IF cardinality(wanted.attoptions) > 0 AND wanted.attoptions IS DISTINCT FROM its.attoptions THEN
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', home, {to},
                       array_to_string(wanted.attoptions, ', '));
    END IF;
END
