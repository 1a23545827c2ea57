-- The first value of a default that no row of the table has yet.
-- It names a column of the row, so that each row draws its own.
(WITH RECURSIVE drawn (value, times) AS (
    SELECT ({value})::{type}, 1 WHERE {column} IS NULL
     UNION ALL
    SELECT ({value})::{type}, d.times + 1
      FROM drawn AS d
     WHERE d.times <= (SELECT count(*) FROM {table} AS a) AND EXISTS (SELECT FROM {table} AS x WHERE x.{name} = d.value)
) SELECT d.value FROM drawn AS d ORDER BY d.times DESC LIMIT 1)
