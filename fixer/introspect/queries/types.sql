-- The types in the setting pgmend.types, a JSON array of {type, modifier, collation}, as PostgreSQL spells them; where
-- they do not come with it, with their schemas; and whether another equality than PostgreSQL's own may be theirs.
SELECT w.type,
       w.modifier,
       w.collation,
       pg_catalog.format_type(t.oid, w.modifier) AS spelt,
       CASE WHEN w.collation <> t.typcollation
            THEN w.collation::regcollation::text END AS collated,
       -- Of an enum, or of the elements of an array of one.
       CASE WHEN 'e' IN (t.typtype, i.typtype)
            THEN ARRAY (SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
                         WHERE e.enumtypid IN (t.oid, i.oid) ORDER BY e.enumsortorder) END AS labels,
       nullif(n.nspname, 'pg_catalog') AS home,
       quote_ident(n.nspname) || '.' AS prefix,
       -- The type below a domain, what it gives to a row that leaves its column out (PostgreSQL copies that from the
       -- domain below), and what it and those between demand of its values.
       CASE WHEN t.typtype = 'd'
            THEN (WITH RECURSIVE d AS (
                       SELECT t.oid, t.typbasetype AS below, t.typtypmod AS modifier, t.typnotnull AS filled, 1 AS depth
                        UNION ALL
                       SELECT b.oid, b.typbasetype, b.typtypmod, b.typnotnull, d.depth + 1
                         FROM d
                         JOIN pg_catalog.pg_type b ON b.oid = d.below AND b.typtype = 'd')
                  SELECT ARRAY[(SELECT pg_catalog.format_type(d.below, d.modifier) FROM d ORDER BY d.depth DESC LIMIT 1)]
                         || CASE WHEN t.typdefault IS NULL THEN ARRAY[]::text[] ELSE ARRAY['DEFAULT ' || t.typdefault] END
                         || CASE WHEN (SELECT bool_or(d.filled) FROM d) THEN ARRAY['NOT NULL'] ELSE ARRAY[]::text[] END
                         || ARRAY (SELECT pg_catalog.pg_get_constraintdef(k.oid)
                                     FROM d
                                     JOIN pg_catalog.pg_constraint k ON k.contypid = d.oid AND k.contype = 'c'
                                    ORDER BY d.depth, k.conname)) END AS domain,
       EXISTS (SELECT FROM pg_catalog.pg_collation k
                WHERE k.oid = w.collation AND NOT k.collisdeterministic) AS loose,
       -- The version of its collation that is recorded, and that of today's libraries, where they differ. Version 15
       -- gives no version of today for the collation of the database.
       (SELECT ARRAY[r.version, v.today]
          FROM pg_catalog.pg_collation k
         CROSS JOIN LATERAL (SELECT CASE k.collprovider WHEN 'd'
                                    THEN (SELECT to_jsonb(d) ->> 'datcollversion' FROM pg_catalog.pg_database d
                                           WHERE d.datname = current_database())
                                    ELSE k.collversion END AS version) r
         CROSS JOIN LATERAL (SELECT CASE WHEN r.version IS NOT NULL
                                    THEN pg_catalog.pg_collation_actual_version(k.oid) END AS today) v
         WHERE k.oid = w.collation AND r.version <> coalesce(v.today, CASE
               WHEN current_setting('server_version_num')::integer < 160000 THEN r.version ELSE '' END)) AS aged,
       t.oid >= 16384 AND t.typtype IN ('b', 'd') AND t.typelem = 0 AS foreign
  FROM jsonb_to_recordset(current_setting('pgmend.types')::jsonb) AS w (type oid, modifier integer, "collation" oid)
  JOIN pg_catalog.pg_type t ON t.oid = w.type
  LEFT JOIN pg_catalog.pg_type i ON i.oid = t.typelem AND i.typarray = t.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
