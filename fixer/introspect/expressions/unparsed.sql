-- Lets the validators of SQL and PL/pgSQL read the functions in the setting pgmend.bodies, a JSON array of
-- {oid, paths}, with each of its search_paths until one goes; keeps in the setting pgmend.unparsed what each says that
-- goes with none: [oid, message]. A validator reads a body and names what it finds there; it runs nothing of it. Each
-- reading is undone, so that no lock stays. What may not be read, or waits for others, is not judged.
-- Paste into psql after:  SET pgmend.bodies = '[{"oid": 16384, "paths": ["public"]}]';
DO $pgmend$
DECLARE
    each record;
    path text;
    said text;
    found jsonb := '[]';
BEGIN
    PERFORM set_config('check_function_bodies', 'on', true);
    FOR each IN
        SELECT b.oid, b.paths, v.proname AS validator
          FROM jsonb_to_recordset(current_setting('pgmend.bodies')::jsonb) AS b (oid oid, paths text[])
          JOIN pg_catalog.pg_proc p ON p.oid = b.oid
          JOIN pg_catalog.pg_language l ON l.oid = p.prolang
          JOIN pg_catalog.pg_proc v ON v.oid = l.lanvalidator
         WHERE v.pronamespace = 'pg_catalog'::regnamespace
    LOOP
        said := NULL;
        FOREACH path IN ARRAY each.paths LOOP
            BEGIN
                PERFORM set_config('search_path', path, true), set_config('lock_timeout', '100ms', true);
                EXECUTE format('SELECT pg_catalog.%I(%s)', each.validator, each.oid);
                RAISE EXCEPTION USING ERRCODE = 'PGM00';
            EXCEPTION
                WHEN undefined_table OR undefined_column OR undefined_function OR undefined_object
                     OR invalid_schema_name OR invalid_function_definition THEN
                    said := coalesce(said, SQLERRM);
                WHEN OTHERS THEN
                    said := NULL;
                    EXIT;
            END;
        END LOOP;
        IF said IS NOT NULL THEN
            found := found || jsonb_build_array(jsonb_build_array(each.oid::bigint, said));
        END IF;
    END LOOP;
    PERFORM set_config('pgmend.unparsed', found::text, true);
END $pgmend$;
SELECT e ->> 0, e ->> 1 FROM jsonb_array_elements(current_setting('pgmend.unparsed')::jsonb) AS e
