-- Move a sequence past the last number of whose code a row is there, never back.
#variable_conflict use_variable
DECLARE
    generator regclass := {generator};
    pace bigint;
    next bigint;
    last bigint;
BEGIN
    LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE;
    SELECT s.seqincrement INTO pace FROM pg_catalog.pg_sequence AS s WHERE s.seqrelid = generator;
    -- This changes nothing, but locks the sequence: from here on, no other session draws a number.
    EXECUTE 'ALTER SEQUENCE ' || generator || ' INCREMENT BY ' || pace;
    SELECT s.last_value + s.is_called::integer * pace INTO next FROM {sequence} AS s;
    SELECT max(k.n) INTO last
      FROM (SELECT count(*) AS rows FROM {table} AS t) AS c
     CROSS JOIN LATERAL generate_series(0, 2 * c.rows + 1000) AS k (n)
     WHERE EXISTS (SELECT FROM {table} AS t WHERE {column} = ({code}));
    IF last IS NOT NULL THEN
        EXECUTE 'ALTER SEQUENCE ' || generator || ' RESTART WITH ' || next + last * pace;
        PERFORM nextval(generator);
    END IF;
END
