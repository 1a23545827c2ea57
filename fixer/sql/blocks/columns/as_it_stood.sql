-- Fail if something stands over {columns} that these {known} statements would not bring back as it is.
DECLARE
    odd text;
BEGIN
    PERFORM set_config('pgmend.standing', {columns}, true);
    SELECT name INTO odd FROM (
{standing}
    ) AS found (schema, "table", "column", level, kind, id, name, "drop", head, definition, rest, hindrance, calls)
     WHERE NOT (ARRAY["drop", array_to_string(ARRAY[head || definition] || rest, E';\n')] <@ {known}::text[])
     LIMIT 1;
    IF odd IS NOT NULL THEN
        RAISE EXCEPTION USING MESSAGE = format('The %s has changed since the plan was made: plan again.', odd);
    END IF;
END
