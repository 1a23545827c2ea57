-- Fail if {rows} holds any, which came in since the plan was made.
BEGIN
    IF EXISTS (SELECT FROM {rows}) THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('%s came in since the plan was made, whose %s a person has to decide about: plan again',
                'rows of ' || {table}, {column});
    END IF;
END
