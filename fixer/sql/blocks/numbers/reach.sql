-- Read the increment and direction of a sequence, and the last number that it can give and its column can hold.
    SELECT s.seqincrement, sign(s.seqincrement),
           least(CASE WHEN s.seqincrement > 0 THEN s.seqmax ELSE -(s.seqmin + 1) END, (
               SELECT CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
                      ELSE 9223372036854775806 END
                 FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = {table}::regclass AND a.attname = {column}))
      INTO pace, way, last
      FROM pg_catalog.pg_sequence AS s WHERE s.seqrelid = generator::regclass;
