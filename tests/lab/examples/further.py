"""Further tables that are sound, though what they say of their rows is seldom said."""

from __future__ import annotations

import sqlalchemy as sa

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
