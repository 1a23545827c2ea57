-- Fail if several parents share a text.
DECLARE
    shared text;
BEGIN
    shared := ({shared});
    IF shared IS NOT NULL THEN
        RAISE cardinality_violation USING
            MESSAGE = format({text} || ' should tell rows apart, several rows share %L', shared);
    END IF;
END
