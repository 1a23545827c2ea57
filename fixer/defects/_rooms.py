"""The sound databases that specimens about rows that exclude each other break: rooms, and when they are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


def rooms() -> sa.MetaData:
    """Return a contract with exclusions over ranges, expressions, several of them, and numbers; one is deferrable."""
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql

    metadata = sa.MetaData()
    hours, days = sa.Column("hours", postgresql.INT4RANGE, nullable=False), sa.Column("days", postgresql.INT4RANGE)
    opens, shuts = sa.text("int4range(opens, shuts)"), sa.Column("shuts", sa.Integer)
    place = sa.Column("place", sa.Integer, nullable=False)
    sa.Table(
        "rooms",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        hours,
        days,
        sa.Column("opens", sa.Integer),
        shuts,
        place,
        sa.Column("closed", sa.Boolean, nullable=False, server_default=sa.text("false")),
        postgresql.ExcludeConstraint((hours, "&&"), name="rooms_free", where=sa.text("NOT closed")),
        postgresql.ExcludeConstraint((opens, "&&"), name="rooms_open"),
        postgresql.ExcludeConstraint((days, "&&"), (opens, "&&"), name="rooms_days"),
        postgresql.ExcludeConstraint(
            (place, "="), name="rooms_place", using="btree", deferrable=True, initially="DEFERRED"
        ),
    )
    return metadata


ROOM_ROWS = """
INSERT INTO rooms (hours, days, opens, shuts, place, closed)
SELECT int4range(n, n + 1), CASE WHEN n < 5 THEN int4range(2 * n, 2 * n + 2) END, 10 * n, 10 * n + 10, n, n > 4
  FROM generate_series(1, 6) AS n
"""
ASLEEP = "ALTER TABLE rooms DISABLE TRIGGER ALL;"  # that of the deferrable one; only a superuser may


def stays() -> str:
    """Return a contract with keys WITHOUT OVERLAPS, which PostgreSQL has from version 18 on."""
    return """
        CREATE TABLE stays (
            room int4range NOT NULL, valid daterange NOT NULL, guest text, PRIMARY KEY (room, valid WITHOUT OVERLAPS));
        CREATE TABLE prices (
            id integer PRIMARY KEY, room int4range NOT NULL, valid daterange NOT NULL,
            CONSTRAINT prices_room UNIQUE (room, valid WITHOUT OVERLAPS));"""


STAYING = """
INSERT INTO stays
SELECT int4range(n % 3, n % 3 + 1), daterange('2026-01-01'::date + n, '2026-01-02'::date + n), 'g' || n
  FROM generate_series(1, 6) AS n;
INSERT INTO prices SELECT n, int4range(n, n + 1), daterange('2026-01-01'::date + n, NULL) FROM generate_series(1, 4) n
"""
