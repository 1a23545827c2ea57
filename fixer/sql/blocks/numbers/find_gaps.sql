-- Find the gaps between the numbers that references hold, from start to last.
    lowest := least(way * start, way * last);
    highest := greatest(way * start, way * last);
    gaps := (
        SELECT array_agg(int8range(g.held + 1, g.after) ORDER BY g.held)
          FROM (SELECT h.held, lead(h.held, 1, last + 1) OVER (ORDER BY h.held) AS after
                  FROM ({held}) AS h (held)) AS g
         WHERE g.after > g.held + 1);
