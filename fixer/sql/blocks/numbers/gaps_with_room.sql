-- For each gap from start on: the first number that the sequence can give there, and how many it can give.
(SELECT s.start, (upper(u.gap) - s.start + abs(pace) - 1) / abs(pace) AS room
           FROM unnest(gaps) AS u (gap),
                LATERAL (SELECT origin + (greatest(lower(u.gap), start) - origin + abs(pace) - 1)
                                         / abs(pace) * abs(pace)) AS s (start)) AS f
