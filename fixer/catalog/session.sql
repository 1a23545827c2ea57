-- Who is connected, to what, with which rights; and which names stand in several schemas of the search_path.
-- Paste into psql after:  SET pgmend.schemas = '{public}';
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
       current_schemas(false)::text[] AS search_path,
       ARRAY (SELECT nspname::text
                FROM pg_catalog.pg_namespace
               WHERE nspname = ANY (current_setting('pgmend.schemas')::text[])) AS schemas,
       ARRAY (SELECT nspname::text
                FROM pg_catalog.pg_namespace
               WHERE nspname = ANY (current_setting('pgmend.schemas')::text[])
                 AND has_schema_privilege(oid, 'CREATE')) AS creatable,
       ARRAY (SELECT ARRAY[n.nspname::text, c.relname::text]
                FROM pg_catalog.pg_class c
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = ANY (current_schemas(false))
                 AND cardinality(current_schemas(false)) > 1
                 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                 AND pg_catalog.pg_table_is_visible(c.oid)) AS visible
