"""Contracts with domains and types of their own, of which specimens are broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


def weights(many: bool = True) -> sa.MetaData:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql

    metadata = sa.MetaData()
    weight = postgresql.DOMAIN("weight", sa.Integer, check="VALUE > 0", not_null=True)
    weights = sa.Table("weights", metadata, sa.Column("id", sa.Integer, primary_key=True))
    weights.append_column(sa.Column("one", weight))
    if many:
        weights.append_column(sa.Column("many", sa.ARRAY(weight)))
    return metadata


def amounts() -> sa.MetaData:
    """Return a contract with a domain over numbers of many digits."""
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql

    metadata, amount = sa.MetaData(), postgresql.DOMAIN("am%ount", sa.Numeric(20, 4))
    key = sa.Column("id", sa.Integer, primary_key=True)
    sa.Table("paid", metadata, key, sa.Column("sum", amount))
    return metadata


def prices() -> sa.MetaData:
    """Return a contract with a domain that has a default."""
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql

    metadata, price = sa.MetaData(), postgresql.DOMAIN("pri%ce", sa.Integer, default=sa.text("4"))
    key = sa.Column("id", sa.Integer, primary_key=True)
    sa.Table("priced", metadata, key, sa.Column("price", price, nullable=False))
    return metadata


def parcels() -> str:
    """Return a contract in SQL with types of its own, since models declare none by themselves."""
    return """
CREATE DOMAIN "w%eight" AS integer CHECK (VALUE > 0);
CREATE TYPE size AS (wide integer, "hi""gh" integer);
CREATE TABLE parcels (id integer PRIMARY KEY, weight "w%eight", measured size);
"""


def lone_types() -> str:
    """Return a contract in SQL with types that no column holds, and an enum that only a domain is made of."""
    return """
CREATE TYPE "mo%od" AS ENUM ('a', 'b');
CREATE TYPE unused AS ENUM ('x', 'it''s {y}');
CREATE DOMAIN mooded AS "mo%od" NOT NULL;
CREATE DOMAIN lone AS integer DEFAULT 3 NOT NULL CHECK (VALUE > 0) CHECK (VALUE <> 7);
CREATE TYPE pair AS (a integer, b "mo%od");
CREATE TYPE floats AS RANGE (SUBTYPE = double precision);
CREATE TABLE days (id integer PRIMARY KEY, mood mooded);
"""


def toned() -> str:
    """Return a contract in SQL with an enum, and a domain over it whose default names one of its labels."""
    return """
CREATE TYPE tone AS ENUM ('low', 'high');
CREATE DOMAIN toned AS tone DEFAULT 'high';
CREATE TABLE goods (id integer PRIMARY KEY);
"""


SENT = "INSERT INTO parcels VALUES (1, 2, (3, 4)), (2, NULL, NULL)"


def scores() -> str:
    """Return a contract in SQL with domains that columns of two tables hold."""
    return """
CREATE DOMAIN "Sco%re" AS integer DEFAULT 3 NOT NULL CONSTRAINT "not {%} high" CHECK (VALUE < 100) CHECK (VALUE > 0);
CREATE DOMAIN moment AS timestamptz DEFAULT now();
CREATE TABLE games (id integer PRIMARY KEY, home "Sco%re", away "Sco%re", at moment);
CREATE TABLE rounds (day date PRIMARY KEY, best "Sco%re") PARTITION BY RANGE (day);
CREATE TABLE rounds_1 PARTITION OF rounds FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
"""


SCORED = "INSERT INTO games VALUES (1, 2, 3); INSERT INTO rounds VALUES ('2026-03-03', 99)"


def ratings() -> str:
    """Return a contract in SQL with a domain that may be NULL, in a table and in partitions."""
    return """
CREATE DOMAIN rating AS integer CONSTRAINT "from 1 to 9, VALUE" CHECK (VALUE BETWEEN 1 AND 9);
CREATE TABLE shows (id integer PRIMARY KEY, seen rating DEFAULT 3);
CREATE TABLE days (day date PRIMARY KEY, best rating) PARTITION BY RANGE (day);
CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
"""


RATED = "INSERT INTO shows VALUES (1, 2); INSERT INTO days VALUES ('2026-03-03', 9)"
