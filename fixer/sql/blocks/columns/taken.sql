-- Create the function that refuses a number that a row has, for this session only.
BEGIN
    CREATE OR REPLACE FUNCTION pg_temp.pgmend_taken(why text) RETURNS jsonb LANGUAGE plpgsql AS
    'BEGIN RAISE unique_violation USING MESSAGE = why; END';
END
