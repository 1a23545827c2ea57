-- Definitions, as PostgreSQL spells them: of the indexes in the setting pgmend.indexes, of the checks in pgmend.checks;
-- and the words that are quoted as names.
SELECT 'index' AS kind,
       w.oid,
       substring(d.definition FROM position(' USING ' || m.amname || ' (' IN d.definition) + 1) AS definition
  FROM unnest(current_setting('pgmend.indexes')::oid[]) w (oid)
  JOIN pg_catalog.pg_class x ON x.oid = w.oid
  JOIN pg_catalog.pg_am m ON m.oid = x.relam
 CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_indexdef(w.oid) AS definition OFFSET 0) d
 UNION ALL
SELECT 'check', k.oid, pg_catalog.pg_get_expr(k.conbin, k.conrelid)
  FROM unnest(current_setting('pgmend.checks')::oid[]) w (oid)
  JOIN pg_catalog.pg_constraint k ON k.oid = w.oid
 UNION ALL
SELECT 'word', 0, w.word
  FROM pg_catalog.pg_get_keywords() w
 WHERE w.catcode <> 'U'
