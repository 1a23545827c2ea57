"""The databases that are measured: made by the server itself from generate_series, the same every time."""

from __future__ import annotations

from psycopg2 import sql

from bench.harness import HERE, psql, run_sql

# One in so many: 0.1 % of the users and trades have a number that another has, half of them as identical
# copies; 0.1 % of the trades are orphans; 0.1 % hold NULL where a value fills it, 0.01 % where none does.
BROKEN = sql.SQL("""
CREATE TABLE users (
    id integer, username varchar(50), email varchar(255), password_hash varchar(255), full_name varchar(100),
    is_active boolean, trading_enabled boolean, role varchar(20), status varchar(20),
    initial_capital numeric(15,2), current_balance numeric(15,2), risk_tolerance varchar(20),
    max_daily_trades integer, max_position_size numeric(15,2), broker_client_id varchar(50),
    last_login timestamptz, created_at timestamptz, updated_at timestamptz);
INSERT INTO users
SELECT CASE WHEN g % 2000 = 7 THEN g - 1 ELSE g END, 'user' || g, 'u' || g || '@example.com', '!', NULL,
       CASE WHEN g % 1000 = 11 THEN NULL ELSE true END, true, 'trader',
       CASE WHEN g % 1000 = 17 THEN NULL ELSE 'active' END,
       100000, 100000 + g % 5000, 'medium', 50, 10000, NULL, NULL,
       timestamptz '2025-01-01 00:00+00' + g * interval '1 second', timestamptz '2025-01-01 00:00+00'
  FROM generate_series(1, {users}) AS g;
INSERT INTO users SELECT * FROM users WHERE id % 2000 = 100;
CREATE TABLE paper_trades (
    id integer, user_id integer, symbol varchar(50), action varchar(10), quantity integer, price numeric(15,2),
    "timestamp" timestamptz, status varchar(20), order_id varchar(50), strategy varchar(100),
    pnl numeric(15,2), created_at timestamptz);
INSERT INTO paper_trades
SELECT CASE WHEN g % 2000 = 9 THEN g - 1 ELSE g END,
       CASE WHEN g % 1000 = 3 THEN {users} + g ELSE u - (u % 2000 = 7)::integer END,
       CASE WHEN g % 10000 = 21 THEN NULL
            ELSE (ARRAY['RELIANCE', 'M&M', 'NIFTY26JAN24500CE', 'BANKNIFTY26JAN59100PE'])[g % 4 + 1] END,
       CASE WHEN g % 2 = 0 THEN 'BUY' ELSE 'SELL' END, g % 100 + 1, g % 1000 + 0.5,
       timestamptz '2025-01-01 00:00+00' + g * interval '1 second',
       CASE WHEN g % 1000 = 13 THEN NULL ELSE 'EXECUTED' END, NULL, NULL, 0,
       timestamptz '2025-01-01 00:00+00' + g * interval '1 second'
  FROM (SELECT g, (g::bigint * 7919 % {users})::integer + 1 AS u FROM generate_series(1, 2 * {users}) AS g) AS s;
INSERT INTO paper_trades SELECT * FROM paper_trades WHERE id % 2000 = 100;
""")


def broken(dsn: str, users: int) -> None:
    """Fill a database with users and twice as many trades, without any constraint, with faults in both."""
    run_sql(dsn, BROKEN.format(users=sql.Literal(users)), "VACUUM (ANALYZE)", "CHECKPOINT")


def healthy(dsn: str, users: int) -> None:
    """Fill a database in which the contract of trading holds with users and twice as many trades."""
    broken(dsn, users)
    psql(dsn, HERE / "handwritten.sql")
    run_sql(dsn, "DROP SCHEMA rescued CASCADE", "VACUUM (ANALYZE)", "CHECKPOINT")
