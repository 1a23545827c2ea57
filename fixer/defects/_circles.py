"""The contract of tables whose references go round in a circle, with rows for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


def ring() -> sa.MetaData:
    """Return a contract whose foreign keys form a circle: badges belong to teams, which badges lead."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("offices", metadata, sa.Column("id", sa.Integer, primary_key=True))
    lead = sa.ForeignKey("badges.id", name="teams_lead_id_fkey", use_alter=True)
    columns = [
        sa.Column("office_id", sa.ForeignKey("offices.id"), nullable=False),
        sa.Column("lead_id", sa.Integer, lead),
    ]
    sa.Table("teams", metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    columns = [
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("team_id", sa.ForeignKey("teams.id"), nullable=False),
    ]
    sa.Table("badges", metadata, *columns)
    return metadata


RING_ROWS = """
INSERT INTO offices SELECT FROM generate_series(1, 2);
INSERT INTO teams (office_id) SELECT 1 FROM generate_series(1, 5);
INSERT INTO badges (team_id) VALUES (1), (2), (4), (5);
UPDATE teams SET lead_id = CASE id WHEN 2 THEN 1 WHEN 3 THEN 2 WHEN 5 THEN 3 END;
"""
