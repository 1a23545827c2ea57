-- Reserve numbers for {rows} rows, and move the sequence past them.
#variable_conflict use_variable
DECLARE
    generator text := {generator};
    pace bigint;
    way bigint;
    last bigint;
    above bigint;
    origin bigint;
    next bigint;
    start bigint;
    lowest bigint;
    highest bigint;
    gaps int8range[];
    lead bigint;
    size bigint;
    after bigint;
BEGIN
    IF generator IS NULL THEN
        RETURN;
    END IF;
{reach}
    above := (SELECT CASE WHEN pace > 0 THEN max({column}) + 1 ELSE 1 - min({column}) END
                FROM {table} AS t);
    EXECUTE 'SELECT ' || way || ' * last_value + is_called::integer FROM ' || generator INTO next;
    start := greatest(next, above);
{gaps}
    -- This changes nothing, but locks the sequence: from here on, no other session draws a number.
    EXECUTE 'ALTER SEQUENCE ' || generator || ' INCREMENT BY ' || pace;
    EXECUTE 'SELECT ' || way || ' * last_value, ' || way || ' * last_value + is_called::integer FROM '
        || generator INTO origin, next;
    start := greatest(next, start);
    lead := least(start - coalesce(above, start), {leap});
    SELECT f.start, least(greatest({rows}, f.room / 2), {rows} + {rows} / 10 + lead / 100) INTO start, size
      FROM {found}
     WHERE f.room >= {rows}
     ORDER BY least(f.room, {ample}) DESC, f.start
     LIMIT 1;
    IF start IS NULL THEN
        RAISE sequence_generator_limit_exceeded USING MESSAGE = {complaint};
    END IF;
    PERFORM set_config('pgmend.bottom', (way * start)::text, true),
            set_config('pgmend.number', (way * (start + size * abs(pace)))::text, true),
            set_config('pgmend.pace', pace::text, true);
    IF NOT {by_itself} THEN
        start := start + size * abs(pace) + lead;
        start := coalesce((
            SELECT f.start FROM {found}
             WHERE f.room > 0
             ORDER BY least(f.room, 1000) DESC, f.start
             LIMIT 1), start - lead);
    END IF;
    IF start > origin THEN
        EXECUTE 'ALTER SEQUENCE ' || generator || ' RESTART WITH ' || way * (start - abs(pace));
        PERFORM nextval(generator::regclass);
    END IF;
END
