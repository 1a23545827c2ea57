-- The last number from {next} on whose code the row has, as far as its digits show it; NULL without one.
-- What stands before and after the number in a code, and how a sum or a product changes it, is found out once: codes
-- of numbers that differ in each digit agree in nothing else. A number that is found is tried.
(WITH made AS MATERIALIZED (
    SELECT ({one})::text AS one, ({two})::text AS two, ({few})::text AS few, ({more})::text AS more
      FROM generate_series(1, {width}) AS s (w)
     WHERE ({one})::text <> ({two})::text
     ORDER BY s.w DESC LIMIT 1),
start AS MATERIALIZED (
    SELECT m.*, (SELECT coalesce(max(i), 0) FROM generate_series(1, length(m.one)) AS i
                  WHERE left(m.one, i) = left(m.two, i)) AS before
      FROM made AS m),
shape AS MATERIALIZED (
    SELECT s.*, left(s.one, s.before) AS opening,
           (SELECT coalesce(max(i), 0) FROM generate_series(1, length(s.one) - s.before) AS i
             WHERE right(s.one, i) = right(s.two, i)) AS after
      FROM start AS s),
way AS MATERIALIZED (
    SELECT s.*, right(s.one, s.after) AS ending, nullif((u.more - u.few) / 11, 0) AS slope, u.few AS eleventh
      FROM shape AS s
     CROSS JOIN LATERAL (
           SELECT CASE WHEN {sums} THEN substring(translate(substr(s.few, s.before + 1, greatest(
                      0, length(s.few) - s.before - s.after)), ',. ', '') FROM '[0-9]+')::numeric ELSE 11 END,
                  CASE WHEN {sums} THEN substring(translate(substr(s.more, s.before + 1, greatest(
                      0, length(s.more) - s.before - s.after)), ',. ', '') FROM '[0-9]+')::numeric ELSE 22 END
         ) AS u (few, more))
SELECT max({way} * w.n)
  FROM (SELECT CASE WHEN c.n BETWEEN {lowest} AND {highest} AND {way} * c.n >= {way} * ({next}) THEN c.n::bigint END
          FROM (SELECT trunc({way} * (11 + (substring(translate(
                           substr({column}::text, f.before + 1, greatest(0, length({column}::text) - f.before - f.after)),
                           ',. ', '') FROM '-?[0-9]+')::numeric - f.eleventh) / f.slope))
                  FROM way AS f
                 WHERE left({column}::text, f.before) = f.opening
                   AND right({column}::text, f.after) = f.ending) AS c (n)) AS w (n)
 WHERE mod(w.n - ({next}), {pace}) = 0 AND {column} = ({code}))
