"""A shop that is broken, and publishes what it holds."""

from __future__ import annotations

from contextlib import closing

import psycopg2
from sqlalchemy import CheckConstraint, Column, ForeignKey, MetaData, Numeric, String, text

import fixer
from fixer.runner.prune import prune
from lab.database import Database
from lab.examples.models import contract, integer, key
from lab.examples.models import text as words

EVERYTHING = ("all", "stops-subscribers")
ALL = "CREATE PUBLICATION p FOR ALL TABLES;"
SHOP = """
CREATE TABLE users (id serial PRIMARY KEY, email varchar(100) NOT NULL UNIQUE, name text NOT NULL DEFAULT 'x');
CREATE TABLE orders (id serial PRIMARY KEY, user_id integer NOT NULL REFERENCES users (id), symbol varchar(20) NOT NULL,
    qty numeric(12, 2) NOT NULL CHECK (qty > 0));
CREATE INDEX ON orders (user_id);
"""
ROWS = """
INSERT INTO users (email, name) SELECT 'u' || g || '@x', 'n' || g FROM generate_series(1, 20) g;
INSERT INTO orders (user_id, symbol, qty) SELECT 1 + g % 20, 'S' || g, g FROM generate_series(1, 60) g;
"""
BREAKS = """
ALTER TABLE users ALTER name DROP NOT NULL; UPDATE users SET name = NULL WHERE id < 3;
ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey; UPDATE orders SET user_id = 999 WHERE id < 4;
"""
PUT_BACK = """
WITH back AS (DELETE FROM fixer_quarantine.orders WHERE "row" ->> 'id' = '1' RETURNING "row")
INSERT INTO orders SELECT (jsonb_populate_record(NULL::orders, "row" || '{"user_id": 1}')).* FROM back RETURNING id
"""


def shop() -> MetaData:
    return contract(
        users=(
            key(),
            Column("email", String(100), nullable=False, unique=True),
            words("name", nullable=False, server_default=text("'x'"), info={"backfill": "filled"}),
        ),
        orders=(
            key(),
            integer("user_id", ForeignKey("users.id"), nullable=False, index=True),
            Column("symbol", String(20), nullable=False),
            Column("qty", Numeric(12, 2), CheckConstraint("qty > 0"), nullable=False),
        ),
    )


def repair(database: Database, wanted: MetaData | None = None, mode: str = "atomic") -> fixer.Run:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return fixer.apply(connection, wanted or shop(), mode=mode, allow_hazards=EVERYTHING)


def take_back(database: Database, run: int = 1) -> None:
    with closing(psycopg2.connect(database.dsn)) as connection:
        fixer.undo(connection, run)


def forget(database: Database, name: str = "postgres") -> int:
    with closing(psycopg2.connect(database.seen_by(name))) as connection:
        return prune(connection)


def planned(database: Database, wanted: MetaData | None = None, mode: str = "atomic") -> fixer.Plan:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return fixer.plan(connection, wanted or shop(), mode=mode)
