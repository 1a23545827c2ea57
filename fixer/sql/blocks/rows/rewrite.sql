-- Rewrite cells, and keep in the journal an image of each row, and what identifies the row afterwards.
WITH old AS MATERIALIZED (SELECT t.tableoid AS part, t.ctid AS place, {image} AS image
  FROM {table} AS t WHERE {condition}),
new AS (UPDATE {table} AS t SET {cells} FROM old WHERE t.tableoid = old.part AND t.ctid = old.place
  RETURNING old.image, {mark} AS mark)
INSERT INTO {journal} (run, step, source, reason, "row", mark)
SELECT {run}, {step}, {label}, {reason}, image, {kept} FROM new
