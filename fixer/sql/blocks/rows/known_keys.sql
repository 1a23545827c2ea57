-- Fail if a foreign key that the plan does not know references {table}.
DECLARE
    odd text;
BEGIN
    SELECT string_agg(format('%I of %s', k.conname, k.conrelid::regclass), ', ') INTO odd
      FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE k.contype = 'f' AND k.conparentid = 0
       -- (A key that partitions inherit counts once, with their root.)
       AND (k.confrelid = {table}::regclass
            OR k.confrelid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree({table}::regclass) p))
       AND jsonb_build_array(n.nspname, c.relname, (
           SELECT jsonb_agg(jsonb_build_array(a.attname, b.attname)
                            ORDER BY a.attname::text COLLATE "C", b.attname::text COLLATE "C")
             FROM unnest(k.conkey, k.confkey) AS u (here, there)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.here
             JOIN pg_catalog.pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.there
       )) <> ALL ({known}::jsonb[]);
    IF odd IS NOT NULL THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('the foreign key %s came about since the plan was made', odd);
    END IF;
END
