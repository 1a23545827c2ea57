-- The best script that we could write by hand for a database that stays in use: each lock is short, whatever reads
-- all rows does so beside them, rows that leave go into a table of their own with their reason. It knows its faults
-- beforehand, looks for no others, and cannot be taken back.
SET client_min_messages = warning;
SET lock_timeout = '5s';
\ir clean_rows.sql

CREATE UNIQUE INDEX CONCURRENTLY users_pkey ON users (id);
CREATE UNIQUE INDEX CONCURRENTLY users_username_key ON users (username);
CREATE UNIQUE INDEX CONCURRENTLY users_email_key ON users (email);
CREATE UNIQUE INDEX CONCURRENTLY paper_trades_pkey ON paper_trades (id);
CREATE INDEX CONCURRENTLY ix_paper_trades_user_id ON paper_trades (user_id);
CREATE INDEX CONCURRENTLY ix_paper_trades_symbol ON paper_trades (symbol);
CREATE INDEX CONCURRENTLY ix_paper_trades_timestamp ON paper_trades ("timestamp");
CREATE INDEX CONCURRENTLY ix_paper_trades_user_id_timestamp ON paper_trades (user_id, "timestamp");

-- The price moves into a new column of the right type, batch by batch; a trigger fills it for rows that come.
ALTER TABLE paper_trades ADD COLUMN price_new numeric(15,2);
CREATE FUNCTION follow_price() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN NEW.price_new := NEW.price::numeric(15,2); RETURN NEW; END$$;
CREATE TRIGGER follow_price BEFORE INSERT OR UPDATE ON paper_trades FOR EACH ROW EXECUTE FUNCTION follow_price();
DO $$
DECLARE
    low integer := (SELECT min(id) FROM paper_trades);
    high integer := (SELECT max(id) FROM paper_trades);
BEGIN
    WHILE low <= high LOOP
        UPDATE paper_trades SET price_new = price::numeric(15,2)
         WHERE id >= low AND id < low + 5000 AND price_new IS NULL;
        COMMIT;
        low := low + 5000;
    END LOOP;
END $$;

ALTER TABLE users
    ADD CONSTRAINT users_filled CHECK (
        id IS NOT NULL AND username IS NOT NULL AND email IS NOT NULL AND password_hash IS NOT NULL
        AND is_active IS NOT NULL AND trading_enabled IS NOT NULL AND role IS NOT NULL AND status IS NOT NULL
        AND initial_capital IS NOT NULL AND current_balance IS NOT NULL AND risk_tolerance IS NOT NULL
        AND max_daily_trades IS NOT NULL AND max_position_size IS NOT NULL
        AND created_at IS NOT NULL AND updated_at IS NOT NULL) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_filled;
ALTER TABLE paper_trades
    ADD CONSTRAINT trades_filled CHECK (
        id IS NOT NULL AND user_id IS NOT NULL AND symbol IS NOT NULL AND action IS NOT NULL AND quantity IS NOT NULL
        AND price_new IS NOT NULL AND "timestamp" IS NOT NULL AND status IS NOT NULL AND created_at IS NOT NULL)
        NOT VALID,
    ADD CONSTRAINT paper_trades_action_check CHECK (action IN ('BUY', 'SELL')) NOT VALID,
    ADD CONSTRAINT paper_trades_quantity_check CHECK (quantity > 0) NOT VALID,
    ADD CONSTRAINT paper_trades_price_check CHECK (price_new > 0) NOT VALID;
ALTER TABLE paper_trades VALIDATE CONSTRAINT trades_filled, VALIDATE CONSTRAINT paper_trades_action_check,
    VALIDATE CONSTRAINT paper_trades_quantity_check, VALIDATE CONSTRAINT paper_trades_price_check;

CREATE SEQUENCE users_id_seq AS integer OWNED BY users.id;
CREATE SEQUENCE paper_trades_id_seq AS integer OWNED BY paper_trades.id;
SELECT setval('users_id_seq', greatest((SELECT max(id) FROM users), (SELECT max(user_id) FROM paper_trades)));
SELECT setval('paper_trades_id_seq', max(id)) FROM paper_trades;

-- From here on only the catalogue changes.
ALTER TABLE users
    ALTER id SET DEFAULT nextval('users_id_seq'),
    ALTER is_active SET DEFAULT true, ALTER trading_enabled SET DEFAULT true, ALTER role SET DEFAULT 'trader',
    ALTER status SET DEFAULT 'active', ALTER initial_capital SET DEFAULT 100000,
    ALTER current_balance SET DEFAULT 100000, ALTER risk_tolerance SET DEFAULT 'medium',
    ALTER max_daily_trades SET DEFAULT 50, ALTER max_position_size SET DEFAULT 10000,
    ALTER created_at SET DEFAULT now(), ALTER updated_at SET DEFAULT now(),
    ALTER id SET NOT NULL, ALTER username SET NOT NULL, ALTER email SET NOT NULL, ALTER password_hash SET NOT NULL,
    ALTER is_active SET NOT NULL, ALTER trading_enabled SET NOT NULL, ALTER role SET NOT NULL,
    ALTER status SET NOT NULL, ALTER initial_capital SET NOT NULL, ALTER current_balance SET NOT NULL,
    ALTER risk_tolerance SET NOT NULL, ALTER max_daily_trades SET NOT NULL, ALTER max_position_size SET NOT NULL,
    ALTER created_at SET NOT NULL, ALTER updated_at SET NOT NULL;
ALTER TABLE users
    DROP CONSTRAINT users_filled,
    ADD CONSTRAINT users_pkey PRIMARY KEY USING INDEX users_pkey,
    ADD CONSTRAINT users_username_key UNIQUE USING INDEX users_username_key,
    ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key;
BEGIN;
ALTER TABLE paper_trades
    ALTER id SET NOT NULL, ALTER user_id SET NOT NULL, ALTER symbol SET NOT NULL, ALTER action SET NOT NULL,
    ALTER quantity SET NOT NULL, ALTER price_new SET NOT NULL, ALTER "timestamp" SET NOT NULL,
    ALTER status SET NOT NULL, ALTER created_at SET NOT NULL;
ALTER TABLE paper_trades
    DROP CONSTRAINT trades_filled,
    ALTER id SET DEFAULT nextval('paper_trades_id_seq'), ALTER "timestamp" SET DEFAULT now(),
    ALTER status SET DEFAULT 'EXECUTED', ALTER pnl SET DEFAULT 0, ALTER created_at SET DEFAULT now(),
    ADD CONSTRAINT paper_trades_pkey PRIMARY KEY USING INDEX paper_trades_pkey;
DROP TRIGGER follow_price ON paper_trades;
ALTER TABLE paper_trades DROP COLUMN price;
ALTER TABLE paper_trades RENAME COLUMN price_new TO price;
COMMIT;
DROP FUNCTION follow_price();
BEGIN;
LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE;  -- in the order in which the application takes them
ALTER TABLE paper_trades ADD CONSTRAINT paper_trades_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE NOT VALID;
COMMIT;
ALTER TABLE paper_trades VALIDATE CONSTRAINT paper_trades_user_id_fkey;
INSERT INTO users (username, email, password_hash, full_name)
VALUES ('PAPER_TRADER_001', 'paper_trader_001@example.invalid', '!', 'Paper Trader');
