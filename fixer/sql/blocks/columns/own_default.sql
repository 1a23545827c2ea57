-- Create the function that calls a default under the session's own search_path.
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION pg_temp.%I() RETURNS {type} LANGUAGE plpgsql SET search_path = %s AS %L', {name}, (
        SELECT coalesce(string_agg(quote_ident(u.name), ', ' ORDER BY u.place), quote_literal(''))
          FROM unnest(current_setting('pgmend.own_path')::text[]) WITH ORDINALITY AS u (name, place)), {body});
END
