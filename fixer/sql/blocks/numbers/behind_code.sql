-- The rows `t`, each with the number of which its code may be made, if the sequence has yet to give it.
-- What stands before and after the number in a code, and how a sum or a product changes it, is found out once: codes
-- of numbers that differ in each digit agree in nothing else.
(SELECT n.*, CASE WHEN n.pgmend_digits BETWEEN {lowest} AND {highest} AND {way} * n.pgmend_digits >= {way} * ({next})
                  THEN n.pgmend_digits::bigint END AS pgmend_number
   FROM (SELECT t.*, CASE WHEN {sums} THEN trunc({way} * (11 + (d.digits - f.eleventh) / f.slope))
                          ELSE {way} * d.digits END AS pgmend_digits
           FROM {rows}
           LEFT JOIN (
                  WITH made AS MATERIALIZED (
                       SELECT ({one})::text AS one, ({two})::text AS two, ({few})::text AS few, ({more})::text AS more
                         FROM generate_series(1, {width}) AS s (w)
                        WHERE ({one})::text <> ({two})::text
                        ORDER BY s.w DESC LIMIT 1),
                       opened AS MATERIALIZED (
                       SELECT m.*, (SELECT coalesce(max(i), 0) FROM generate_series(1, length(m.one)) AS i
                                     WHERE left(m.one, i) = left(m.two, i)) AS before
                         FROM made AS m),
                       shaped AS MATERIALIZED (
                       SELECT o.*, (SELECT coalesce(max(i), 0) FROM generate_series(1, length(o.one) - o.before) AS i
                                     WHERE right(o.one, i) = right(o.two, i)) AS after
                         FROM opened AS o)
                SELECT s.before, left(s.one, s.before) AS opening, s.after, right(s.one, s.after) AS ending,
                       u.few AS eleventh, nullif((u.more - u.few) / 11, 0) AS slope
                  FROM shaped AS s
                 CROSS JOIN LATERAL (
                       SELECT CASE WHEN {sums} THEN substring(translate(
                                  substr(s.few, s.before + 1, greatest(0, length(s.few) - s.before - s.after)),
                                  ',. ', '') FROM '[0-9]+')::numeric ELSE 11 END,
                              CASE WHEN {sums} THEN substring(translate(
                                  substr(s.more, s.before + 1, greatest(0, length(s.more) - s.before - s.after)),
                                  ',. ', '') FROM '[0-9]+')::numeric ELSE 22 END) AS u (few, more)
                OFFSET 0) AS f
             ON left({column}::text, f.before) = f.opening AND right({column}::text, f.after) = f.ending
          CROSS JOIN LATERAL (SELECT substring(translate(
                    substr({column}::text, f.before + 1, greatest(0, length({column}::text) - f.before - f.after)),
                    ',. ', '') FROM '-?[0-9]+')::numeric) AS d (digits)
         OFFSET 0) AS n) AS t
