-- What people do who meet these errors: the trades are dropped and the table is made anew; of the users, the
-- first row of each number is kept, in a new table. The errors are gone, and so are the rows.
BEGIN;
SET LOCAL client_min_messages = warning;
DROP TABLE paper_trades;
ALTER TABLE users RENAME TO users_broken;
CREATE TABLE users (
    id serial CONSTRAINT users_pkey PRIMARY KEY,
    username varchar(50) NOT NULL CONSTRAINT users_username_key UNIQUE,
    email varchar(255) NOT NULL CONSTRAINT users_email_key UNIQUE,
    password_hash varchar(255) NOT NULL, full_name varchar(100),
    is_active boolean NOT NULL DEFAULT true, trading_enabled boolean NOT NULL DEFAULT true,
    role varchar(20) NOT NULL DEFAULT 'trader', status varchar(20) NOT NULL DEFAULT 'active',
    initial_capital numeric(15,2) NOT NULL DEFAULT 100000, current_balance numeric(15,2) NOT NULL DEFAULT 100000,
    risk_tolerance varchar(20) NOT NULL DEFAULT 'medium', max_daily_trades integer NOT NULL DEFAULT 50,
    max_position_size numeric(15,2) NOT NULL DEFAULT 10000, broker_client_id varchar(50), last_login timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
INSERT INTO users
SELECT DISTINCT ON (id) id, username, email, password_hash, full_name, coalesce(is_active, true), trading_enabled,
       role, coalesce(status, 'active'), initial_capital, current_balance, risk_tolerance, max_daily_trades,
       max_position_size, broker_client_id, last_login, created_at, updated_at
  FROM users_broken ORDER BY id
    ON CONFLICT DO NOTHING;
DROP TABLE users_broken;
SELECT setval('users_id_seq', max(id)) FROM users;
INSERT INTO users (username, email, password_hash, full_name)
VALUES ('PAPER_TRADER_001', 'paper_trader_001@example.invalid', '!', 'Paper Trader');
CREATE TABLE paper_trades (
    id serial CONSTRAINT paper_trades_pkey PRIMARY KEY,
    user_id integer NOT NULL CONSTRAINT paper_trades_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    symbol varchar(20) NOT NULL, action varchar(10) NOT NULL, quantity integer NOT NULL, price numeric(15,2) NOT NULL,
    "timestamp" timestamptz NOT NULL DEFAULT now(), status varchar(20) NOT NULL DEFAULT 'EXECUTED',
    order_id varchar(50), strategy varchar(100), pnl numeric(15,2) DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT paper_trades_action_check CHECK (action IN ('BUY', 'SELL')),
    CONSTRAINT paper_trades_quantity_check CHECK (quantity > 0),
    CONSTRAINT paper_trades_price_check CHECK (price > 0));
CREATE INDEX ix_paper_trades_user_id ON paper_trades (user_id);
CREATE INDEX ix_paper_trades_symbol ON paper_trades (symbol);
CREATE INDEX ix_paper_trades_timestamp ON paper_trades ("timestamp");
CREATE INDEX ix_paper_trades_user_id_timestamp ON paper_trades (user_id, "timestamp");
COMMIT;
