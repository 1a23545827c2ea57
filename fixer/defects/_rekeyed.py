"""The sound databases of specimens whose keys replace older ones: by uuids, by other texts; and how they break."""

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

TEXTS = (
    "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey; ALTER TABLE authors ADD COLUMN code varchar(20);"
    "UPDATE authors SET code = 'A-' || id;"
    "ALTER TABLE books ALTER COLUMN author_id TYPE varchar(20) USING 'A-' || author_id;"
)
PETS = "ALTER TABLE pets DROP CONSTRAINT pets_owner_id_fkey, ALTER COLUMN owner_id TYPE text;"
COPIES = (
    "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey; ALTER TABLE books DROP CONSTRAINT books_pkey,"
    " DROP CONSTRAINT books_author_id_title_key, ALTER COLUMN id DROP DEFAULT; DROP SEQUENCE books_id_seq;"
    "ALTER TABLE books ALTER COLUMN id TYPE varchar(20) USING 'B-' || id;"
    "ALTER TABLE reviews ALTER COLUMN book_id TYPE varchar(20) USING 'B-' || book_id;"
    "INSERT INTO books SELECT b.* FROM books AS b, generate_series(1, 2) WHERE id IN ('B-3', 'B-5')"
)
