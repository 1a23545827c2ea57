"""Further tables that are sound, though what they say of their rows is seldom said."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

metadata = sa.MetaData()
sa.Table(
    "tenants",
    metadata,
    sa.Column("tenant", sa.Integer, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
)
sa.Table(  # a value in each column of the second key, or in none: and the tenant always has one
    "together",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tenant", sa.Integer, nullable=False),
    sa.Column("loose", sa.Integer),
    sa.Column("tight", sa.Integer),
    sa.ForeignKeyConstraint(["tenant", "loose"], ["tenants.tenant", "tenants.n"]),
    sa.ForeignKeyConstraint(["tenant", "tight"], ["tenants.tenant", "tenants.n"], match="FULL"),
)
sa.Table(
    "all_or_none",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tenant", sa.Integer),
    sa.Column("n", sa.Integer, unique=True),
    sa.ForeignKeyConstraint(["tenant", "n"], ["tenants.tenant", "tenants.n"], match="FULL"),
)
sa.Table(  # a length beside a form
    "forms",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("a", sa.Text, sa.CheckConstraint(r"a ~ '^[A-Z]{3}-\d{4}$'"), nullable=False, unique=True),
    sa.Column("b", sa.Text, sa.CheckConstraint("b ~ '^[a-z]*$'")),
    sa.CheckConstraint("char_length(a) = 8"),
    sa.CheckConstraint("length(b) IN (3, 5)"),
)
sa.Table(  # columns that the models know by other names
    "renamed",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, key="number"),
    sa.Column("state", sa.String(8), nullable=False, key="_state"),
)
sa.Table(  # columns that take no NULL, though they say that they would
    "nulls",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True, nullable=True),
    sa.Column("tenant", sa.Integer, nullable=True, primary_key=True),
    sa.Column("text", pg.DOMAIN("never_null", sa.Text(), not_null=True), unique=True),
    sa.Column("n", sa.Integer),
    sa.ForeignKeyConstraint(["tenant", "n"], ["tenants.tenant", "tenants.n"]),
)
sa.Table(  # intervals that keep their coarser fields alone
    "spans",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("years", pg.INTERVAL(fields="YEAR TO MONTH"), nullable=False),
    sa.Column("days", pg.INTERVAL(fields="day"), nullable=False, unique=True),
    sa.Column("hours", pg.INTERVAL(fields="DAY TO HOUR"), nullable=False),
    sa.Column("minutes", pg.ARRAY(pg.INTERVAL(fields="HOUR TO MINUTE")), nullable=False),
    sa.Column("thousandths", pg.INTERVAL(precision=3, fields="DAY TO SECOND"), nullable=False),
    sa.Column("whole", sa.Interval(second_precision=0), nullable=False),
)
