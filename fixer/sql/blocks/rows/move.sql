-- Move rows from a table to its quarantine.
WITH moved AS (DELETE FROM {source} AS t WHERE {condition} RETURNING {image} AS image)
INSERT INTO {quarantine} (run, step, source, reason, "row")
SELECT {run}, {step}, {label}, {reason}, image FROM moved
