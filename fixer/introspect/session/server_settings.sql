-- What the server's own files say to every session, of what may keep sessions from their work.
SELECT p.name,
       p.setting
  FROM pg_catalog.pg_settings p
 WHERE p.source IN ('configuration file', 'command line', 'environment variable')
   AND p.name IN ('default_transaction_read_only', 'session_replication_role', 'search_path', 'row_security',
                  'zero_damaged_pages', 'ignore_checksum_failure')
 ORDER BY p.name
