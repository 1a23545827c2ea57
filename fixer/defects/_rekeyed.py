"""The sound databases of specimens whose keys replace older ones: by uuids, by other texts."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text, Uuid, text


def by_uuid() -> MetaData:
    """Return a contract whose keys are uuids, in place of declared texts."""
    metadata = MetaData()
    made = text("gen_random_uuid()")
    new = Column("id", Uuid, primary_key=True, server_default=made, info={"legacy_keys": ["code"]})
    Table("owners", metadata, new, Column("code", Text, unique=True))
    Table("pets", metadata, Column("id", Integer, primary_key=True), Column("owner_id", ForeignKey("owners.id")))
    return metadata


OWNERS = "INSERT INTO owners (code) VALUES ('A'), ('B'); INSERT INTO pets (owner_id) SELECT id FROM owners;"


def by_text() -> MetaData:
    """Return a contract whose keys are texts, in place of other texts."""
    metadata = MetaData()
    new = Column("id", Text, primary_key=True, info={"legacy_keys": ["code"]})
    Table("groups", metadata, new, Column("code", Text, unique=True))
    columns = [Column("id", Integer, primary_key=True), Column("group_id", ForeignKey("groups.id"))]
    Table("members", metadata, *columns)
    return metadata


GROUPS = (
    "INSERT INTO groups VALUES ('one', 'a'), ('two', 'b'), ('three', 'a2');"
    "INSERT INTO members (group_id) VALUES ('one'), ('two'), ('two');"
)
