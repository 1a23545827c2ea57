"""The contract of one table whose rows exclude each other: no two bookings overlap."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, MetaData, Table
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint

metadata = MetaData()
Table(
    "bookings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("guests", Integer, CheckConstraint("guests > 0", name="bookings_guests_check"), nullable=False),
    Column("during", TSTZRANGE, nullable=False),
    ExcludeConstraint(("during", "&&"), name="bookings_during_excl"),
)
