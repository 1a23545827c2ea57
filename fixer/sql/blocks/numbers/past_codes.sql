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
    SELECT next + max(k.n) * pace INTO last
      FROM (SELECT least(2 * count(*) + 1000, ({most} - next) / pace) AS most FROM {table} AS t) AS c
     CROSS JOIN LATERAL generate_series(0, c.most) AS k (n)
     WHERE EXISTS (SELECT FROM {table} AS t WHERE {column} = ({code}));
    SELECT {way} * greatest({way} * last, max({way} * t.pgmend_number)) INTO last FROM {numbered} WHERE {behind};
    IF last IS NOT NULL THEN
        EXECUTE 'ALTER SEQUENCE ' || generator || ' RESTART WITH ' || last;
        PERFORM nextval(generator);
    END IF;
END
