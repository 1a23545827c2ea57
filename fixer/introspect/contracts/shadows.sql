-- What somebody left in the schemas of the setting pgmend.schemas that a statement without schemas could mean instead of
-- PostgreSQL's own, or of the application's: functions and operators by their names. Superusers, the owners of the
-- database and of the schema, and the role itself are trusted.
  WITH path AS MATERIALIZED (
       SELECT n.oid, n.nspname, n.nspowner
         FROM pg_catalog.pg_namespace n
        WHERE n.nspname = ANY (current_setting('pgmend.schemas')::text[])),
       trusted AS MATERIALIZED (
       SELECT r.oid
         FROM pg_catalog.pg_roles r
        WHERE r.rolsuper OR r.rolname = current_user
           OR r.oid = (SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname = current_database())),
       named AS MATERIALIZED (
       SELECT 'function' AS kind, p.proname AS name, p.oid::regprocedure::text AS spelt, p.proowner AS owner,
              p.pronamespace AS home
         FROM pg_catalog.pg_proc p
        UNION ALL
       SELECT 'operator', o.oprname, o.oid::regoperator::text, o.oprowner, o.oprnamespace
         FROM pg_catalog.pg_operator o)
SELECT n.kind, n.spelt, pg_catalog.pg_get_userbyid(n.owner) AS owner
  FROM named n
  JOIN path s ON s.oid = n.home
 WHERE n.owner <> s.nspowner AND n.owner NOT IN (SELECT t.oid FROM trusted t)
   AND EXISTS (SELECT FROM named o
                WHERE o.kind = n.kind AND o.name = n.name
                  AND (o.home = 'pg_catalog'::regnamespace
                       OR o.home IN (SELECT h.oid FROM path h) AND o.owner IN (SELECT t.oid FROM trusted t)))
 ORDER BY n.kind, n.spelt
 LIMIT 1
