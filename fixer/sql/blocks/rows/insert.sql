-- Insert a row if none matches, and keep in the journal what identifies it, and how many rows reference it by then.
WITH new AS (INSERT INTO {table} AS t {columns} SELECT {values}
  WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE {match}) RETURNING {mark} AS mark)
INSERT INTO {journal} (run, step, source, reason, "row", mark)
SELECT {run}, {step}, {label}, {reason}, {adopted}, mark FROM new
