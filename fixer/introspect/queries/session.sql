-- Who is connected, and to what; and which names stand in several schemas of the search_path, whose schemas the setting
-- pgmend.own_path keeps.
-- Paste into psql after:  SET pgmend.schemas = '{public}';  SET pgmend.own_path = '{public}';
  WITH own AS MATERIALIZED (
       SELECT coalesce(nullif(current_setting('pgmend.own_path', true), '')::text[], current_schemas(false)::text[])
              AS path)
SELECT current_user AS role,
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS superuser,
       current_database() AS database,
       current_setting('server_version_num')::integer / 10000 AS version,
       -- What its transaction sees: nothing where that has written, as no snapshot says so, nor on a standby, where none
       -- names all that is under way.
       CASE WHEN pg_is_in_recovery() OR pg_current_xact_id_if_assigned() IS NOT NULL
            THEN '' ELSE pg_current_snapshot()::text END AS moment,
       pg_is_in_recovery() AS standby,
       current_setting('default_transaction_read_only')::boolean AS read_only,
       own.path AS search_path,
       ARRAY (SELECT nspname::text
                FROM pg_catalog.pg_namespace
               WHERE nspname = ANY (current_setting('pgmend.schemas')::text[])) AS schemas,
       ARRAY (SELECT ARRAY[first.schema, first.name]
                FROM (SELECT DISTINCT ON (c.relname)
                             n.nspname::text AS schema, c.relname::text AS name, c.relkind
                        FROM pg_catalog.pg_class c
                        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                       WHERE n.nspname = ANY (own.path) AND cardinality(own.path) > 1
                       ORDER BY c.relname, array_position(own.path, n.nspname::text)) AS first
               WHERE first.relkind IN ('r', 'p', 'v', 'm', 'f')) AS visible,
       coalesce(current_setting('pgmend.role', true), '') AS application,
       -- Whether the files of the server may say something of what follows.
       current_setting('default_transaction_read_only')::boolean
         OR current_setting('session_replication_role') = 'replica'
         OR current_setting('zero_damaged_pages')::boolean
         OR current_setting('ignore_checksum_failure')::boolean AS hindered,
       -- What sessions to come of this role, of the application's and of all get, of what may keep them from their work.
       (SELECT coalesce(jsonb_agg(jsonb_build_array(g.name, g.value, g.role, g.database)
                                  ORDER BY g.name, g.role, g.database), '[]')
          FROM (SELECT split_part(each.pair, '=', 1) AS name, substr(each.pair, strpos(each.pair, '=') + 1) AS value,
                       coalesce(r.rolname::text, '') AS role, coalesce(d.datname::text, '') AS database
                  FROM pg_catalog.pg_db_role_setting s
                  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
                  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
                 CROSS JOIN unnest(s.setconfig) AS each (pair)
                 WHERE (s.setdatabase = 0 OR d.datname = current_database())
                   AND (s.setrole = 0 OR r.rolname IN (session_user, current_setting('pgmend.role', true)))) AS g
         WHERE g.name IN ('default_transaction_read_only', 'session_replication_role', 'search_path', 'row_security',
                          'zero_damaged_pages', 'ignore_checksum_failure')) AS given
  FROM own
