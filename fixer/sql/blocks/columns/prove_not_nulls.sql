-- Validate all NOT NULLs of a table that are NOT VALID, in one scan.
DECLARE
    proofs text;
BEGIN
    SELECT string_agg(format('VALIDATE CONSTRAINT %I', conname), ', ') INTO proofs
      FROM pg_catalog.pg_constraint
     WHERE conrelid = {table}::regclass AND contype = 'n' AND NOT convalidated;
    IF proofs IS NOT NULL THEN
        EXECUTE 'ALTER TABLE ' || {table} || ' ' || proofs;
    END IF;
END
