"""Further tables that are sound, with keys that say more than that a parent must exist."""

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
