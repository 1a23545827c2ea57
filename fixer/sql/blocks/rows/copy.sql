-- Copy rows of a table to its quarantine; the statement that moves what they reference deletes them.
INSERT INTO {quarantine} (run, step, source, reason, "row")
SELECT {run}, {step}, {label}, {reason}, {image} FROM {source} AS t WHERE {condition}
