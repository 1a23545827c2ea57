-- Each gap from start on: its first number on the pace of the generator, and how many there are.
(SELECT s.start, (upper(u.gap) - s.start + abs(pace) - 1) / abs(pace) AS room
           FROM unnest(gaps) AS u (gap),
                LATERAL (SELECT origin + (greatest(lower(u.gap), start) - origin + abs(pace) - 1)
                                         / abs(pace) * abs(pace)) AS s (start)) AS f
