-- Every index, with the key constraint that stands on it; its columns are numbers here, 0 for an expression.
-- A plain one has nothing in its definition but its columns; `older` answers for servers without the column.
SELECT i.indrelid AS relation,
       i.indexrelid AS oid,
       x.relname AS name,
       i.indkey AS columns,
       i.indnkeyatts AS keys,
       m.amname = 'btree' AND i.indexprs IS NULL AND i.indpred IS NULL AND x.reloptions IS NULL
         AND i.indnatts = i.indnkeyatts AND NOT i.indnullsnotdistinct AS plain,
       i.indclass AS classes,
       i.indcollation AS collations,
       i.indoption AS options,
       i.indisunique AS unique,
       i.indisprimary AS primary,
       k.oid IS NOT NULL AS constraint,
       i.indisvalid AND i.indisready AND i.indislive AS valid,
       coalesce(k.condeferrable, false) AS deferrable,
       coalesce(k.condeferred, false) AS deferred,
       i.indpred IS NOT NULL AS partial,
       i.indnullsnotdistinct AS nulls_not_distinct,
       CASE k.contype WHEN 'x' THEN pg_catalog.pg_get_constraintdef(k.oid) ELSE '' END AS exclusion,
       k.oid AS key
  FROM (VALUES (false)) AS older (indnullsnotdistinct)
 CROSS JOIN LATERAL (SELECT indexrelid, indrelid, indkey, indnatts, indnkeyatts, indexprs, indpred, indclass,
                            indcollation, indoption, indisunique, indisprimary, indisvalid, indisready, indislive,
                            indnullsnotdistinct
                       FROM pg_catalog.pg_index) i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = x.relam
  LEFT JOIN pg_catalog.pg_constraint k
    ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x') AND k.conrelid = i.indrelid
 WHERE x.relnamespace = ANY (ARRAY (SELECT n.oid FROM pg_catalog.pg_namespace n
                                 WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])))
