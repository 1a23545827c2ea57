-- Move a sequence forward, unless it is already there.
#variable_conflict use_variable
DECLARE
    generator text := {generator};
    pace bigint;
    way bigint;
    last bigint;
    origin bigint;
    next bigint;
    start bigint;
    lowest bigint;
    highest bigint;
    gaps int8range[];
BEGIN
    IF generator IS NULL THEN
        RETURN;
    END IF;
{reach}
    EXECUTE 'SELECT ' || way || ' * last_value + is_called::integer FROM ' || generator INTO next;
    start := greatest(next, {above}::bigint);
{room}
    IF start = next AND NOT {anchored} THEN
        RETURN;
    END IF;
    -- This changes nothing, but locks the sequence: from here on, no other session draws a number.
    EXECUTE 'ALTER SEQUENCE ' || generator || ' INCREMENT BY ' || pace;
    EXECUTE 'SELECT ' || way || ' * last_value, ' || way || ' * last_value + is_called::integer FROM '
        || generator INTO origin, next;
    start := greatest(next, start);
{choice}
    -- In steps of the increment, because other sequences may give the numbers in between.
    start := origin + (start - origin + abs(pace) - 1) / abs(pace) * abs(pace);
    IF start > origin + (next - origin) * abs(pace) THEN
        EXECUTE 'ALTER SEQUENCE ' || generator || ' RESTART WITH ' || way * (start - abs(pace));
        PERFORM nextval(generator::regclass);
    ELSIF {anchored} THEN
        EXECUTE 'ALTER SEQUENCE ' || generator || ' RESTART WITH ' || way * start;
    END IF;
END
