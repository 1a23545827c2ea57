"""A contract of a partitioned table, of which specimens are broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


def visits() -> sa.MetaData:
    """Return a contract of a partitioned table, one partition of which has rules of its own."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("sites", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
    sa.Table(
        "visits",
        metadata,
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("site", sa.Integer),
        sa.Column("co%de", sa.Text),
        postgresql_partition_by="RANGE (day)",
    )
    sa.event.listen(metadata, "after_create", sa.DDL(_PARTS.replace("%", "%%")))  # type: ignore[no-untyped-call]
    return metadata


_PARTS = """
CREATE TABLE "Visits 1" PARTITION OF visits (
    CONSTRAINT v_code UNIQUE ("co%de"), CONSTRAINT v_site FOREIGN KEY (site) REFERENCES sites ON DELETE CASCADE,
    CONSTRAINT v_day CHECK (site > day), site NOT NULL
) FOR VALUES FROM (0) TO (10);
CREATE UNIQUE INDEX v_lower ON "Visits 1" (lower("co%de")) WHERE day > 3;
CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM (10) TO (20)
"""


def keyed() -> str:
    """Return a contract in SQL whose partitions have keys of their own."""
    return """
CREATE TABLE shop (id integer, region text) PARTITION BY LIST (region);
CREATE TABLE shop_a PARTITION OF shop (PRIMARY KEY (id)) FOR VALUES IN ('a');
CREATE TABLE shop_b PARTITION OF shop (id NOT NULL) FOR VALUES IN ('b') PARTITION BY RANGE (id);
CREATE TABLE shop_b1 PARTITION OF shop_b FOR VALUES FROM (0) TO (10);
"""


VISITED = (
    "INSERT INTO sites SELECT 10 * g FROM generate_series(1, 3) AS g;"
    "INSERT INTO visits VALUES (1, 10, 'a'), (2, 20, 'B'), (11, 99, 'a'), (12, 5, 'a')"
)
