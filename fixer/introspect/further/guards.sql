-- The event triggers of the database's own that may refuse statements with one of these tags, each with its function:
-- they fire here, and their function raises an exception, or is written in a language whose source tells nothing.
-- Paste into psql after:  SET pgmend.tags = '{ALTER TABLE}';
SELECT e.evtname::text, f.oid::regproc::text
  FROM pg_catalog.pg_event_trigger e
  JOIN pg_catalog.pg_proc f ON f.oid = e.evtfoid
  JOIN pg_catalog.pg_language l ON l.oid = f.prolang
 WHERE e.evtenabled IN ('O', 'A') AND e.evtevent <> 'login'
   AND (e.evttags IS NULL OR e.evttags && current_setting('pgmend.tags')::text[])
   AND l.lanname NOT IN ('internal', 'c')
   AND (l.lanname <> 'plpgsql'
        OR regexp_replace(f.prosrc, '''[^'']*''|--[^\n]*|/\*([^*]|\*+[^*/])*\*+/', ' ', 'g')
           ~* '\mraise\M(?!\s+(notice|warning|info|log|debug)\M)')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_event_trigger'::regclass AND d.objid = e.oid AND d.deptype = 'e')
 ORDER BY e.evtname
