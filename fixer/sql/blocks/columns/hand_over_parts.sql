-- Move statistics target, owned sequences and the name of the NOT NULL from {column} to {beside}.
DECLARE
    home regclass := {table};
    old smallint;
    new smallint;
    held name;
    own boolean;
    each record;
BEGIN
    SELECT attnum INTO old FROM pg_catalog.pg_attribute WHERE attrelid = home AND attname = {column};
    SELECT attnum INTO new FROM pg_catalog.pg_attribute WHERE attrelid = home AND attname = {beside};
    FOR each IN
        SELECT nullif(attstattarget, -1) AS target FROM pg_catalog.pg_attribute
         WHERE attrelid = home AND attnum = old AND nullif(attstattarget, -1) IS NOT NULL
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', home, {beside}, each.target);
    END LOOP;
    FOR each IN
        SELECT objid::regclass AS counter FROM pg_catalog.pg_depend
         WHERE classid = 'pg_catalog.pg_class'::regclass AND refclassid = 'pg_catalog.pg_class'::regclass
           AND refobjid = home AND refobjsubid = old AND deptype = 'a'
           AND objid IN (SELECT seqrelid FROM pg_catalog.pg_sequence)
    LOOP
        EXECUTE format('ALTER SEQUENCE %s OWNED BY %s.%I', each.counter, home, {beside});
    END LOOP;
    SELECT conname, connoinherit INTO held, own FROM pg_catalog.pg_constraint
     WHERE conrelid = home AND contype = 'n' AND conkey = ARRAY[old];
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', home, {column});
    IF held IS NOT NULL THEN
        FOR each IN
            SELECT conname FROM pg_catalog.pg_constraint
             WHERE conrelid = home AND contype = 'n' AND conkey = ARRAY[new]
        LOOP
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', home, each.conname, held);
            IF own THEN
                EXECUTE format('ALTER TABLE %s ALTER CONSTRAINT %I NO INHERIT', home, held);
            END IF;
        END LOOP;
    END IF;
END
