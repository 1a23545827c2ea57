-- Who is connected, to what, with which rights; and which names stand in several schemas of the search_path, whose
-- schemas the setting pgmend.own_path keeps.
-- Paste into psql after:  SET pgmend.schemas = '{public}';  SET pgmend.own_path = '{public}';
  WITH own AS MATERIALIZED (
       SELECT coalesce(nullif(current_setting('pgmend.own_path', true), '')::text[], current_schemas(false)::text[])
              AS path)
SELECT current_user AS role,
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS superuser,
       current_database() AS database,
       current_setting('server_version_num')::integer / 10000 AS version,
       has_database_privilege(current_database(), 'CREATE') AS can_create,
       (SELECT count(*) = 2
          FROM pg_catalog.pg_namespace
         WHERE nspname IN ('fixer_journal', 'fixer_quarantine')
           AND has_schema_privilege(oid, 'CREATE')) AS journaled,
       pg_is_in_recovery() AS standby,
       current_setting('default_transaction_read_only')::boolean AS read_only,
       own.path AS search_path,
       ARRAY (SELECT nspname::text
                FROM pg_catalog.pg_namespace
               WHERE nspname = ANY (current_setting('pgmend.schemas')::text[])) AS schemas,
       ARRAY (SELECT nspname::text
                FROM pg_catalog.pg_namespace
               WHERE nspname = ANY (current_setting('pgmend.schemas')::text[])
                 AND has_schema_privilege(oid, 'CREATE')) AS creatable,
       (SELECT coalesce(jsonb_object_agg(n.nspname, pg_get_userbyid(n.nspowner)), '{}')
          FROM pg_catalog.pg_namespace n
         WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
           AND NOT pg_has_role(n.nspowner, 'USAGE')) AS others,
       -- To whom this role may give what it creates; of each, the schemas where it may create, and '' for the database.
       -- A superuser may give anything to anybody.
       CASE WHEN (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN '{}'
       ELSE (SELECT coalesce(jsonb_object_agg(r.rolname, ARRAY (
                           SELECT ''
                            WHERE has_database_privilege(r.oid, current_database(), 'CREATE')
                            UNION ALL
                           SELECT n.nspname::text
                             FROM pg_catalog.pg_namespace n
                            WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
                              AND has_schema_privilege(r.oid, n.oid, 'CREATE'))), '{}')
               FROM pg_catalog.pg_roles r
              WHERE r.oid IN (SELECT c.relowner
                                FROM pg_catalog.pg_class c
                                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                               WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])
                                 AND c.relkind IN ('r', 'p'))
                AND pg_has_role(r.oid, 'USAGE')
                AND pg_has_role(r.oid, CASE WHEN current_setting('server_version_num')::integer < 160000
                                            THEN 'MEMBER' ELSE 'SET' END)) END AS takers,
       (SELECT pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = current_database()) AS database_owner,
       ARRAY (SELECT ARRAY[first.schema, first.name]
                FROM (SELECT DISTINCT ON (c.relname)
                             n.nspname::text AS schema, c.relname::text AS name, c.relkind
                        FROM pg_catalog.pg_class c
                        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                       WHERE n.nspname = ANY (own.path) AND cardinality(own.path) > 1
                       ORDER BY c.relname, array_position(own.path, n.nspname::text)) AS first
               WHERE first.relkind IN ('r', 'p', 'v', 'm', 'f')) AS visible,
       coalesce(current_setting('pgmend.role', true), '') AS application
  FROM own
