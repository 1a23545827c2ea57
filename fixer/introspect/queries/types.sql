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
       -- The type below a domain, and what the domain and those between demand of its values; of an array of one, too.
       CASE WHEN 'd' IN (t.typtype, i.typtype)
            THEN (WITH RECURSIVE d AS (
                       SELECT o.oid, o.typbasetype AS below, o.typtypmod AS modifier, o.typnotnull AS filled, 1 AS depth
                         FROM pg_catalog.pg_type o
                        WHERE o.oid = CASE t.typtype WHEN 'd' THEN t.oid ELSE i.oid END
                        UNION ALL
                       SELECT b.oid, b.typbasetype, b.typtypmod, b.typnotnull, d.depth + 1
                         FROM d
                         JOIN pg_catalog.pg_type b ON b.oid = d.below AND b.typtype = 'd')
                  SELECT ARRAY[(SELECT pg_catalog.format_type(d.below, d.modifier) FROM d ORDER BY d.depth DESC LIMIT 1)
                               || CASE t.typtype WHEN 'd' THEN '' ELSE '[]' END]
                         || CASE WHEN (SELECT bool_or(d.filled) FROM d) THEN ARRAY['NOT NULL'] ELSE ARRAY[]::text[] END
                         || ARRAY (SELECT pg_catalog.pg_get_constraintdef(k.oid)
                                     FROM d
                                     JOIN pg_catalog.pg_constraint k ON k.contypid = d.oid AND k.contype = 'c'
                                    ORDER BY d.depth, k.conname)) END AS domain,
       coalesce(pg_catalog.pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault), '') AS supplied,
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
       'e' IN (t.typtype, i.typtype) AND NOT pg_has_role(t.typowner, 'USAGE') AS closed,
       t.oid >= 16384 AND t.typtype IN ('b', 'd') AND t.typelem = 0 AS foreign
  FROM jsonb_to_recordset(current_setting('pgmend.types')::jsonb) AS w (type oid, modifier integer, "collation" oid)
  JOIN pg_catalog.pg_type t ON t.oid = w.type
  LEFT JOIN pg_catalog.pg_type i ON i.oid = t.typelem AND i.typarray = t.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
