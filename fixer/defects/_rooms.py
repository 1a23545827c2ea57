"""The sound database that specimens about exclusion constraints break: rooms, and the hours in which they are taken."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, MetaData, Table, text
from sqlalchemy.dialects.postgresql import INT4RANGE, ExcludeConstraint


def rooms() -> MetaData:
    """Return a contract with exclusions over ranges, expressions, several of them, and numbers; one is deferrable."""
    metadata = MetaData()
    hours, days = Column("hours", INT4RANGE, nullable=False), Column("days", INT4RANGE)
    opens, shuts = text("int4range(opens, shuts)"), Column("shuts", Integer)
    place = Column("place", Integer, nullable=False)
    Table(
        "rooms",
        metadata,
        Column("id", Integer, primary_key=True),
        hours,
        days,
        Column("opens", Integer),
        shuts,
        place,
        Column("closed", Boolean, nullable=False, server_default=text("false")),
        ExcludeConstraint((hours, "&&"), name="rooms_free", where=text("NOT closed")),
        ExcludeConstraint((opens, "&&"), name="rooms_open"),
        ExcludeConstraint((days, "&&"), (opens, "&&"), name="rooms_days"),
        ExcludeConstraint((place, "="), name="rooms_place", using="btree", deferrable=True, initially="DEFERRED"),
    )
    return metadata


ROOM_ROWS = """
INSERT INTO rooms (hours, days, opens, shuts, place, closed)
SELECT int4range(n, n + 1), CASE WHEN n < 5 THEN int4range(2 * n, 2 * n + 2) END, 10 * n, 10 * n + 10, n, n > 4
  FROM generate_series(1, 6) AS n
"""
ASLEEP = "ALTER TABLE rooms DISABLE TRIGGER ALL;"  # that of the deferrable one; only a superuser may
