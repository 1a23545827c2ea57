"""Contracts with sequences of their own, of which specimens are broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


def labels() -> sa.MetaData:
    """Return a contract with a sequence of its own options that two tables call, one of which is partitioned."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Sequence('La.b"el', start=1000, increment=10, metadata=metadata)
    made = sa.text("""lpad(nextval('"La.b""el"')::text, 6, '0')""")
    sa.Table(
        "labels", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("of", sa.Text, server_default=made)
    )
    at = sa.Column("at", sa.Integer, primary_key=True, autoincrement=False)
    code = sa.Column("code", sa.Text, server_default=made)
    sa.Table("tags", metadata, at, code, postgresql_partition_by="RANGE (at)")
    return metadata


def sold_tickets() -> sa.MetaData:
    """Return a contract with two columns that count by sequences of their own, which none owns."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    ids, places = (
        sa.Sequence("Ids%", metadata=metadata),
        sa.Sequence("places", start=1000, increment=10, metadata=metadata),
    )
    place = sa.Column("place", sa.BigInteger, places, server_default=places.next_value(), nullable=False)
    sa.Table(
        "tickets", metadata, sa.Column("id", sa.Integer, ids, server_default=ids.next_value(), primary_key=True), place
    )
    sa.Sequence("for.the app", start=7, increment=-1, maxvalue=7, minvalue=-90, metadata=metadata)  # it alone asks it
    return metadata


def parcels() -> sa.MetaData:
    """Return a contract with a sequence from which the application numbers a column, and one of which it says no more.

    No default calls them.
    """
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Sequence("papers", start=1000, metadata=metadata)
    ids = sa.Sequence('Par"cels %', increment=-2, start=-1, metadata=metadata)
    sa.Table("parcels", metadata, sa.Column("id", sa.BigInteger, ids, primary_key=True))
    return metadata


def seats() -> sa.MetaData:
    """Return a contract with a table that counts, from which another INHERITs, and from that in turn another."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    key, place = sa.Column("id", sa.Integer, primary_key=True), sa.Column("place", sa.Text, nullable=False)
    above = sa.Table("se%ats", metadata, key, place)
    for name, parent in (("boxes", "se%ats"), ("stalls", "boxes")):
        own = sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)
        heir = sa.Table(name, metadata, own, sa.Column(f"of_{name}", sa.Integer), postgresql_inherits=parent)
        heir.add_is_dependent_on(above)
        above = heir
    return metadata


SEATED = """
INSERT INTO "se%ats" (place) SELECT 'a' FROM generate_series(1, 3);
INSERT INTO boxes (id, place) VALUES (nextval('"se%ats_id_seq"'), 'b'); INSERT INTO stalls (place) VALUES ('c');
"""


def by_steps() -> sa.MetaData:
    """Return a contract with a key that is numbered by tens, and one that is numbered by ones."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("orders", metadata, sa.Column("id", sa.Integer, sa.Identity(increment=10), primary_key=True))
    sa.Table("lines", metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


def downwards() -> sa.MetaData:
    """Return a contract whose numbers descend."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("events", metadata, sa.Column("id", sa.Integer, sa.Identity(start=-1, increment=-1), primary_key=True))
    return metadata


def by_twos() -> sa.MetaData:
    """Return a contract whose numbers leave room for those of another server."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("events", metadata, sa.Column("id", sa.Integer, sa.Identity(increment=2), primary_key=True))
    return metadata


def in_turn() -> sa.MetaData:
    """Return a contract whose numbers start over."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("slots", metadata, sa.Column("id", sa.Integer, sa.Identity(maxvalue=3, cycle=True), primary_key=True))
    return metadata
