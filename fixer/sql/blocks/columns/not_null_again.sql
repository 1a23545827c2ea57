-- Forbid NULL in a column, under the name that its NOT NULL had.
DECLARE
    made text;
BEGIN
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', {table}, {column});
    SELECT k.conname INTO made
      FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
     WHERE k.conrelid = {table}::regclass AND k.contype = 'n' AND a.attname = {column};
    IF made <> {name} THEN
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', {table}, made, {name});
    END IF;
    IF {comment} IS NOT NULL THEN
        EXECUTE format('COMMENT ON CONSTRAINT %I ON %s IS %L', {name}, {table}, {comment});
    END IF;
END
