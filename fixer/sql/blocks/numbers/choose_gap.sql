-- Choose where to start: the first gap with ample room, else the widest.
    start := coalesce((
        SELECT f.start
          FROM unnest(gaps) AS u (gap),
               LATERAL (SELECT greatest(lower(u.gap), start)) AS f (start),
               LATERAL (SELECT (upper(u.gap) - f.start) / abs(pace)) AS r (room)
         WHERE r.room >= {rows}
         ORDER BY least(r.room, {ample}) DESC, f.start
         LIMIT 1), {otherwise});
    IF start IS NULL THEN
        RAISE sequence_generator_limit_exceeded USING MESSAGE = {complaint};
    END IF;
