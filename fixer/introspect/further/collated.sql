-- Unique indexes in the setting pgmend.schemas that are ordered by a collation of the system's libraries or of ICU,
-- whose update may order texts otherwise; C, POSIX and PostgreSQL's own ones never change.
SELECT n.nspname AS schema, c.relname AS name, x.relname AS index
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN (SELECT to_jsonb(d) AS facts FROM pg_catalog.pg_database d WHERE d.datname = current_database()) AS here
 WHERE i.indisunique
   AND n.nspname = ANY (current_setting('pgmend.schemas')::text[])
   AND EXISTS (SELECT FROM unnest(i.indcollation) AS u (oid)
                 JOIN pg_catalog.pg_collation k ON k.oid = u.oid
                WHERE CASE CASE k.collprovider WHEN 'd' THEN coalesce(facts ->> 'datlocprovider', 'c')
                           ELSE k.collprovider::text END
                      WHEN 'i' THEN true
                      WHEN 'c' THEN CASE k.collprovider WHEN 'd' THEN facts ->> 'datcollate' ELSE k.collcollate::text END
                                    NOT IN ('C', 'POSIX')
                      ELSE false END)
