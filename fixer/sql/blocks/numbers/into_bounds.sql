-- Change a sequence, and let it go on anew if it stands before its new bounds.
#variable_conflict use_variable
DECLARE
    stands bigint;
BEGIN
    -- This changes nothing, but locks the sequence: from here on, no other session draws a number.
    {lock};
    SELECT s.last_value INTO stands FROM {name} AS s;
    IF {before} THEN
        {anew};
    ELSE
        {change};
    END IF;
END
