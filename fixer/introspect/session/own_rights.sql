-- What the session's role may do in the database and in the wanted schemas: only a repair needs to know.
-- Paste into psql after:  SET pgmend.schemas = '{public}';
SELECT has_database_privilege(current_database(), 'CREATE') AS can_create,
       -- The fixer's own schemas; what this role may not write of them: the schema, or a table of it.
       ARRAY (SELECT nspname::text FROM pg_catalog.pg_namespace
               WHERE nspname IN ('fixer_journal', 'fixer_quarantine')) AS journals,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(n.nspname, coalesce(c.relname, ''))), '[]')
          FROM pg_catalog.pg_namespace n
          LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
         WHERE n.nspname IN ('fixer_journal', 'fixer_quarantine')
           AND NOT (has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE')
                    AND (c.oid IS NULL OR (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                         AND has_table_privilege(c.oid, 'UPDATE'))))) AS shut,
       (SELECT rolinherit FROM pg_catalog.pg_roles WHERE rolname = current_user) AS inherits,
       ARRAY (SELECT r.rolname::text FROM pg_catalog.pg_roles r
               WHERE pg_has_role(r.oid, 'MEMBER') AND NOT pg_has_role(r.oid, 'USAGE')) AS unused,
       ARRAY (SELECT r.rolname::text FROM pg_catalog.pg_roles r WHERE r.rolsuper) AS superusers,
       -- The tables of which partitions or heirs, at any distance, belong to roles whose rights this one lacks, with
       -- each of those.
       (WITH RECURSIVE above AS (
             SELECT i.inhparent AS relation, c.relowner AS owner, c.oid AS part
               FROM pg_catalog.pg_inherits i
               JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
              WHERE c.relkind IN ('r', 'p', 'f') AND NOT pg_has_role(c.relowner, 'USAGE')
              UNION
             SELECT i.inhparent, a.owner, a.part
               FROM above a
               JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.relation)
        SELECT coalesce(jsonb_agg(jsonb_build_array(n.nspname, c.relname, pg_get_userbyid(a.owner),
                                                     h.nspname, p.relname)), '[]')
          FROM above a
          JOIN pg_catalog.pg_class p ON p.oid = a.part
          JOIN pg_catalog.pg_namespace h ON h.oid = p.relnamespace
          JOIN pg_catalog.pg_class c ON c.oid = a.relation
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) AS below,
       -- The languages, and whether this role may write functions in each; in those not trusted, only superusers may.
       (SELECT jsonb_object_agg(l.lanname, CASE WHEN l.lanpltrusted THEN has_language_privilege(l.oid, 'USAGE')
                                                ELSE r.rolsuper END)
          FROM pg_catalog.pg_language l
         CROSS JOIN pg_catalog.pg_roles r
         WHERE r.rolname = current_user) AS languages,
       -- Where new tables and indexes would go, and this role may put none.
       coalesce((SELECT t.spcname::text FROM pg_catalog.pg_tablespace t
                  WHERE t.spcname = current_setting('default_tablespace')
                    AND NOT has_tablespace_privilege(t.oid, 'CREATE')), '') AS tablespace,
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
       (SELECT pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = current_database()) AS database_owner
