-- Fail if something depends on {column} of {table} that the plan does not know.
DECLARE
    home regclass := {table};
    old smallint;
    odd text;
BEGIN
    SELECT attnum INTO old FROM pg_catalog.pg_attribute WHERE attrelid = home AND attname = {column};
    SELECT string_agg(what, ', ') INTO odd FROM (
        SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS what
          FROM pg_catalog.pg_depend d
         WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = home AND d.refobjsubid = old
           AND NOT coalesce(CASE d.classid
               WHEN 'pg_catalog.pg_constraint'::regclass THEN
                   (SELECT contype = 'n' OR (conrelid = home AND conname = ANY ({constraints}::name[]))
                        OR (contype = 'f' AND conname = ANY ({keys}::name[]))
                      FROM pg_catalog.pg_constraint WHERE oid = d.objid)
               WHEN 'pg_catalog.pg_class'::regclass THEN
                   (SELECT relkind = 'S' OR (relkind = 'i' AND relname = ANY ({constraints}::name[]))
                      FROM pg_catalog.pg_class WHERE oid = d.objid)
               WHEN 'pg_catalog.pg_attrdef'::regclass THEN
                   (SELECT adrelid = home AND adnum = old FROM pg_catalog.pg_attrdef WHERE oid = d.objid)
               END, false)
        UNION ALL
        SELECT format('the definition of %s', a.attname)
          FROM pg_catalog.pg_attribute a
          LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = home AND a.attnum = old
           AND (a.attnotnull, pg_catalog.pg_get_expr(d.adbin, d.adrelid))
               IS DISTINCT FROM ({not_null}, {default}::text)
        UNION ALL
        SELECT format('the definition of the index %s', w.name)
          FROM jsonb_to_recordset({indexes}) AS w (name text, keyed boolean, columns jsonb)
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_index i
                             JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
                            WHERE i.indrelid = home AND x.relname = w.name AND i.indisunique = w.keyed
                              AND i.indisvalid AND w.columns = (
                                  SELECT jsonb_agg(coalesce(a.attname, '') ORDER BY u.place)
                                    FROM unnest(i.indkey) WITH ORDINALITY AS u (number, place)
                                    LEFT JOIN pg_catalog.pg_attribute a
                                      ON a.attrelid = home AND a.attnum = u.number
                                   WHERE u.place <= i.indnkeyatts))
        UNION ALL
        SELECT format('trigger %s', t.tgname)
          FROM pg_catalog.pg_trigger t WHERE t.tgrelid = home AND NOT t.tgisinternal
           AND t.tgname > {sync}::name AND NOT starts_with(t.tgname::text, {syncs})
        UNION ALL
        SELECT format('inheritance of %s', inhrelid::regclass)
          FROM pg_catalog.pg_inherits WHERE home IN (inhparent, inhrelid)) AS found;
    IF odd IS NOT NULL THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('%s came about on %s.%I since the plan was made', odd, home, {column});
    END IF;
END
