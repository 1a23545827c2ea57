-- The best script that we could write by hand for the database that bench/data.py breaks: it does what
-- `fixer apply --mode atomic` does there, with the same constraints at the end. One transaction; rows that leave
-- go into a table of their own with their reason, rows that change leave their image there; nothing is deleted.
-- It knows its faults beforehand, so it looks for no others, and counts nothing afterwards.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL row_security = off;
SET LOCAL max_parallel_maintenance_workers = 2;
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL work_mem = '256MB';
SET LOCAL enable_hashagg = off;  -- to group ten million numbers by a hash takes five times as long as to sort them
LOCK TABLE users, paper_trades IN ACCESS EXCLUSIVE MODE;  -- in the order in which the application takes them
ALTER TABLE paper_trades ALTER price TYPE numeric(15,2) USING price::numeric(15,2);  -- nothing where it is that

CREATE SCHEMA rescued;
CREATE TABLE rescued.rows (
    source text NOT NULL, reason text NOT NULL, moved_at timestamptz NOT NULL DEFAULT now(), "row" jsonb NOT NULL);

CREATE SEQUENCE users_id_seq AS integer OWNED BY users.id;
CREATE SEQUENCE paper_trades_id_seq AS integer OWNED BY paper_trades.id;
-- Beyond what trades hold: a user who gets a new number must not get the trades of one who is gone.
SELECT setval('users_id_seq', greatest((SELECT max(id) FROM users), (SELECT max(user_id) FROM paper_trades)));
SELECT setval('paper_trades_id_seq', max(id)) FROM paper_trades;

-- Numbers of users that repeat are found by sorting them alone; only their rows are fetched and compared.
CREATE TEMP TABLE repeated ON COMMIT DROP AS SELECT id FROM users GROUP BY id HAVING count(*) > 1;
ANALYZE repeated;
CREATE TEMP TABLE rival ON COMMIT DROP AS
SELECT t.ctid AS place, row_number() OVER (PARTITION BY t.id, t::text ORDER BY t.ctid) AS copy,
       min(t.ctid) OVER (PARTITION BY t.id) <> t.ctid AS late
  FROM users t WHERE t.ctid = ANY (ARRAY (SELECT t.ctid FROM users t WHERE t.id IN (SELECT id FROM repeated)));
CREATE TEMP TABLE change ON COMMIT DROP AS
SELECT place, copy > 1 AS moves FROM rival WHERE late;
ANALYZE change;
WITH moved AS (DELETE FROM users t USING change c WHERE t.ctid = c.place AND c.moves RETURNING t.*)
INSERT INTO rescued.rows SELECT 'users', 'an identical copy of a row that stays', now(), to_jsonb(moved) FROM moved;
WITH old AS MATERIALIZED (SELECT t.ctid AS place, to_jsonb(t) AS image
                            FROM users t JOIN change c ON t.ctid = c.place WHERE NOT c.moves),
kept AS (INSERT INTO rescued.rows SELECT 'users', 'before its number changed', now(), image FROM old)
UPDATE users t SET id = nextval('users_id_seq') FROM change c WHERE t.ctid = c.place AND NOT c.moves;
DROP TABLE repeated, rival, change;
CREATE TEMP TABLE change ON COMMIT DROP AS
SELECT t.ctid AS place, to_jsonb(t) AS image FROM users t WHERE t.is_active IS NULL OR t.status IS NULL;
ANALYZE change;
INSERT INTO rescued.rows SELECT 'users', 'before its NULLs were filled', now(), image FROM change;
UPDATE users t SET is_active = coalesce(is_active, true), status = coalesce(status, 'active') FROM change c WHERE t.ctid = c.place;
DROP TABLE change;

-- Numbers of paper_trades that repeat are found by sorting them alone; only their rows are fetched and compared.
CREATE TEMP TABLE repeated ON COMMIT DROP AS SELECT id FROM paper_trades GROUP BY id HAVING count(*) > 1;
ANALYZE repeated;
CREATE TEMP TABLE rival ON COMMIT DROP AS
SELECT t.ctid AS place, row_number() OVER (PARTITION BY t.id, t::text ORDER BY t.ctid) AS copy,
       min(t.ctid) OVER (PARTITION BY t.id) <> t.ctid AS late
  FROM paper_trades t WHERE t.ctid = ANY (ARRAY (SELECT t.ctid FROM paper_trades t WHERE t.id IN (SELECT id FROM repeated)));
CREATE TEMP TABLE change ON COMMIT DROP AS
SELECT place, copy > 1 AS moves FROM rival WHERE late;
ANALYZE change;
WITH moved AS (DELETE FROM paper_trades t USING change c WHERE t.ctid = c.place AND c.moves RETURNING t.*)
INSERT INTO rescued.rows SELECT 'paper_trades', 'an identical copy of a row that stays', now(), to_jsonb(moved) FROM moved;
WITH moved AS (DELETE FROM paper_trades t WHERE t.symbol IS NULL RETURNING t.*)
INSERT INTO rescued.rows SELECT 'paper_trades', 'its symbol is NULL', now(), to_jsonb(moved) FROM moved;
WITH old AS MATERIALIZED (SELECT t.ctid AS place, to_jsonb(t) AS image
                            FROM paper_trades t JOIN change c ON t.ctid = c.place WHERE NOT c.moves),
kept AS (INSERT INTO rescued.rows SELECT 'paper_trades', 'before its number changed', now(), image FROM old)
UPDATE paper_trades t SET id = nextval('paper_trades_id_seq') FROM change c WHERE t.ctid = c.place AND NOT c.moves;
DROP TABLE repeated, rival, change;
CREATE TEMP TABLE change ON COMMIT DROP AS
SELECT t.ctid AS place, to_jsonb(t) AS image FROM paper_trades t WHERE t.status IS NULL;
ANALYZE change;
INSERT INTO rescued.rows SELECT 'paper_trades', 'before its NULLs were filled', now(), image FROM change;
UPDATE paper_trades t SET status = 'EXECUTED' FROM change c WHERE t.ctid = c.place;
DROP TABLE change;

-- One scan proves all NOT NULLs of a table.
ALTER TABLE users
    ALTER id SET DEFAULT nextval('users_id_seq'),
    ALTER is_active SET DEFAULT true, ALTER trading_enabled SET DEFAULT true, ALTER role SET DEFAULT 'trader',
    ALTER status SET DEFAULT 'active', ALTER initial_capital SET DEFAULT 100000,
    ALTER current_balance SET DEFAULT 100000, ALTER risk_tolerance SET DEFAULT 'medium',
    ALTER max_daily_trades SET DEFAULT 50, ALTER max_position_size SET DEFAULT 10000,
    ALTER created_at SET DEFAULT now(), ALTER updated_at SET DEFAULT now(),
    ALTER username SET NOT NULL, ALTER email SET NOT NULL, ALTER password_hash SET NOT NULL,
    ALTER is_active SET NOT NULL, ALTER trading_enabled SET NOT NULL, ALTER role SET NOT NULL,
    ALTER status SET NOT NULL, ALTER initial_capital SET NOT NULL, ALTER current_balance SET NOT NULL,
    ALTER risk_tolerance SET NOT NULL, ALTER max_daily_trades SET NOT NULL, ALTER max_position_size SET NOT NULL,
    ALTER created_at SET NOT NULL, ALTER updated_at SET NOT NULL,
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE users ADD CONSTRAINT users_username_key UNIQUE (username);
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);
INSERT INTO users (username, email, password_hash, full_name)
VALUES ('PAPER_TRADER_001', 'paper_trader_001@example.invalid', '!', 'Paper Trader');

-- The index comes first: with it, orphans are found and the foreign key is proved by merging two indexes.
CREATE INDEX ix_paper_trades_user_id ON paper_trades (user_id);
SET LOCAL enable_hashjoin = off;
CREATE TEMP TABLE nobody ON COMMIT DROP AS
SELECT DISTINCT t.user_id FROM paper_trades t
 WHERE t.user_id IS NOT NULL AND NOT EXISTS (SELECT FROM users u WHERE u.id = t.user_id);
ANALYZE nobody;
WITH moved AS (DELETE FROM paper_trades t USING nobody n WHERE t.user_id = n.user_id RETURNING t.*)
INSERT INTO rescued.rows SELECT 'paper_trades', 'its user is not there', now(), to_jsonb(moved) FROM moved;

CREATE INDEX ix_paper_trades_symbol ON paper_trades (symbol);
CREATE INDEX ix_paper_trades_timestamp ON paper_trades ("timestamp");
CREATE INDEX ix_paper_trades_user_id_timestamp ON paper_trades (user_id, "timestamp");
ALTER TABLE paper_trades
    ALTER id SET DEFAULT nextval('paper_trades_id_seq'),
    ALTER "timestamp" SET DEFAULT now(), ALTER status SET DEFAULT 'EXECUTED', ALTER pnl SET DEFAULT 0,
    ALTER created_at SET DEFAULT now(),
    ALTER user_id SET NOT NULL, ALTER symbol SET NOT NULL, ALTER action SET NOT NULL, ALTER quantity SET NOT NULL,
    ALTER price SET NOT NULL, ALTER "timestamp" SET NOT NULL, ALTER status SET NOT NULL,
    ALTER created_at SET NOT NULL,
    ADD CONSTRAINT paper_trades_action_check CHECK (action IN ('BUY', 'SELL')),
    ADD CONSTRAINT paper_trades_quantity_check CHECK (quantity > 0),
    ADD CONSTRAINT paper_trades_price_check CHECK (price > 0),
    ADD CONSTRAINT paper_trades_pkey PRIMARY KEY (id);
ALTER TABLE paper_trades ADD CONSTRAINT paper_trades_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
COMMIT;
