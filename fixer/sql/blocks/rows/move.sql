-- Move rows from a table to its quarantine.
WITH {copied}moved AS (DELETE FROM {source} AS t WHERE {condition} RETURNING {image} AS image, {reason} AS reason)
INSERT INTO {quarantine} (run, step, source, reason, "row")
SELECT {run}, {step}, {label}, moved.reason, image FROM moved
