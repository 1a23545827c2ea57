-- An INSERT without column names put the value {kept} into the old column: move it to the new one, or reject the row.
BEGIN
    IF ({understood}) THEN
        IF ({absent}) THEN
            {new} := {value};
        END IF;
        IF ({new} IS NOT DISTINCT FROM {value}) THEN
            RETURN new;
        END IF;
    END IF;
    RAISE integrity_constraint_violation USING
        MESSAGE = format('the value %s for %I.%I came in by its place, which is that of %I now',
            {kept}, tg_table_name, {column}, {aside}),
        HINT = 'Name the columns in INSERT.';
END
