-- What has to be done by hand before a tool that looks at no row can add the constraints: rows that stand in the way
-- are set aside with their reason, or get a number or a value. No definition changes.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE SCHEMA rescued;
CREATE TABLE rescued.rows (
    source text NOT NULL, reason text NOT NULL, moved_at timestamptz NOT NULL DEFAULT now(), "row" jsonb NOT NULL);
CREATE FUNCTION pg_temp.clean(source text, above integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($q$
        CREATE TEMP TABLE change AS
        SELECT place, copy > 1 AS moves, %2$s + row_number() OVER (ORDER BY place) AS n
          FROM (SELECT t.ctid AS place, row_number() OVER (PARTITION BY t.id, t::text ORDER BY t.ctid) AS copy,
                       min(t.ctid) OVER (PARTITION BY t.id) <> t.ctid AS late
                  FROM %1$I t WHERE t.id IN (SELECT id FROM %1$I GROUP BY id HAVING count(*) > 1)) AS rival
         WHERE late$q$, source, above);
    EXECUTE format($q$
        WITH moved AS (DELETE FROM %1$I t USING change c WHERE t.ctid = c.place AND c.moves RETURNING t.*)
        INSERT INTO rescued.rows SELECT %1$L, 'an identical copy of a row that stays', now(), to_jsonb(moved) FROM moved
        $q$, source);
    EXECUTE format('UPDATE %I t SET id = c.n FROM change c WHERE t.ctid = c.place AND NOT c.moves', source);
    DROP TABLE change;
END $$;
-- Beyond what trades hold: a user who gets a new number must not get the trades of one who is gone.
SELECT pg_temp.clean('users', greatest((SELECT max(id) FROM users), (SELECT max(user_id) FROM paper_trades)));
SELECT pg_temp.clean('paper_trades', (SELECT max(id) FROM paper_trades));
UPDATE users SET is_active = coalesce(is_active, true), status = coalesce(status, 'active')
 WHERE is_active IS NULL OR status IS NULL;
UPDATE paper_trades SET status = 'EXECUTED' WHERE status IS NULL;
WITH moved AS (DELETE FROM paper_trades t WHERE t.symbol IS NULL RETURNING t.*)
INSERT INTO rescued.rows SELECT 'paper_trades', 'its symbol is NULL', now(), to_jsonb(moved) FROM moved;
WITH moved AS (DELETE FROM paper_trades t WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = t.user_id) RETURNING t.*)
INSERT INTO rescued.rows SELECT 'paper_trades', 'its user is not there', now(), to_jsonb(moved) FROM moved;
COMMIT;
