-- Convert to the wanted numeric if all digits fit, else to an unbounded one.
BEGIN
    IF EXISTS (SELECT FROM {table} AS t WHERE {cell} IS NOT NULL AND NOT ({fits})) THEN
        {wide};
    ELSE
        {exact};
    END IF;
END
