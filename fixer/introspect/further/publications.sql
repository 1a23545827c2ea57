-- Which publications publish these tables, or will once they are made, and whether a subscriber of this database is
-- known. Whatever else reads a slot of pgoutput counts as one: what it asks for is not in the catalogue.
-- Paste into psql after:  SET pgmend.tables = '[{"schema": "public", "name": "users"}]';
  WITH wanted AS MATERIALIZED (
       SELECT w.schema, w.name, c.oid
         FROM jsonb_to_recordset(current_setting('pgmend.tables')::jsonb) AS w (schema text, name text)
         LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
         LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name),
       telling AS MATERIALIZED (
       SELECT p.oid, p.pubname, p.puballtables
         FROM pg_catalog.pg_publication p
        WHERE p.pubinsert OR p.pubupdate OR p.pubdelete),
       -- What is published by leaves is written through their root.
       published AS MATERIALIZED (
       SELECT p.pubname, g.relid
         FROM telling p
        CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(p.pubname) g
        UNION
       SELECT p.pubname, pg_catalog.pg_partition_root(g.relid)
         FROM telling p
        CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(p.pubname) g),
       -- By what they depend on, since the catalogue of publications of schemas came with PostgreSQL 15.
       coming AS MATERIALIZED (
       SELECT p.pubname, NULL::text AS schema
         FROM telling p
        WHERE p.puballtables
        UNION ALL
       SELECT p.pubname, n.nspname::text
         FROM telling p
         JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_publication'::regclass AND d.refobjid = p.oid
          AND d.classid = to_regclass('pg_catalog.pg_publication_namespace')
         JOIN pg_catalog.pg_depend e ON e.classid = d.classid AND e.objid = d.objid
          AND e.refclassid = 'pg_catalog.pg_namespace'::regclass
         JOIN pg_catalog.pg_namespace n ON n.oid = e.refobjid)
SELECT w.schema, w.name, w.oid IS NOT NULL AS made, t.pubname::text AS publication,
       EXISTS (SELECT FROM pg_catalog.pg_replication_slots s
                WHERE s.slot_type = 'logical' AND s.plugin = 'pgoutput' AND s.database = current_database()) AS heard
  FROM wanted w
  JOIN (SELECT pubname, relid, NULL::text AS schema, false AS to_come FROM published
         UNION ALL
        SELECT pubname, NULL, schema, true FROM coming) t
    ON CASE WHEN t.to_come THEN w.oid IS NULL AND coalesce(t.schema = w.schema, true) ELSE t.relid = w.oid END
 ORDER BY 1, 2, 4
