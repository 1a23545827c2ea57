-- Which of these functions and operators have a namesake of the database's own that would be called in their place,
-- once an argument of one type is of another.
-- Paste into psql after:  SET pgmend.calls = '[{"call": "function public.f(text)", "old": "text", "new": "integer"}]';
  WITH called AS (
       SELECT w.call, w.old, w.new, to_regtype(w.old)::oid AS before, to_regtype(w.new)::oid AS after,
              CASE WHEN w.call LIKE 'function %' THEN to_regprocedure(substr(w.call, 10))::oid END AS function,
              CASE WHEN w.call LIKE 'operator %' THEN to_regoperator(substr(w.call, 10))::oid END AS operator
         FROM jsonb_to_recordset(current_setting('pgmend.calls')::jsonb) AS w (call text, old text, new text)),
       namesakes AS (
       SELECT c.*, f.proargtypes::oid[] AS now, o.proargtypes::oid[] AS instead,
              'function ' || o.oid::regprocedure AS other
         FROM called c
         JOIN pg_catalog.pg_proc f ON f.oid = c.function
         JOIN pg_catalog.pg_proc o ON (o.proname, o.pronamespace, o.pronargs) = (f.proname, f.pronamespace, f.pronargs)
              AND o.oid <> f.oid AND o.oid >= 16384
        UNION ALL
       SELECT c.*, ARRAY[f.oprleft, f.oprright], ARRAY[o.oprleft, o.oprright], 'operator ' || o.oid::regoperator
         FROM called c
         JOIN pg_catalog.pg_operator f ON f.oid = c.operator
         JOIN pg_catalog.pg_operator o ON (o.oprname, o.oprnamespace) = (f.oprname, f.oprnamespace)
              AND o.oid <> f.oid AND o.oid >= 16384),
       casts AS (
       SELECT k.castsource AS source, k.casttarget AS target FROM pg_catalog.pg_cast k WHERE k.castcontext = 'i')
SELECT n.call, n.old, n.new,
       (array_agg(n.other ORDER BY n.after = ANY (n.instead) DESC, n.other))[1] -- of the new type itself, if there is one
  FROM namesakes n
 WHERE NOT EXISTS (
       SELECT FROM unnest(n.now, n.instead) AS a (is_, would)
        WHERE NOT (a.is_ = a.would
                   OR (a.is_ = n.before OR (n.before, a.is_) IN (SELECT source, target FROM casts))
                  AND (a.would = n.after
                       OR (n.after, a.would) IN (SELECT source, target FROM casts)
                      AND a.is_ <> n.after AND (n.after, a.is_) NOT IN (SELECT source, target FROM casts))))
 GROUP BY n.call, n.old, n.new
