"""The sound databases of specimens whose keys replace older ones: by uuids, by other texts; and how they break."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


def by_uuid() -> sa.MetaData:
    """Return a contract whose keys are uuids, in place of declared texts."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    made = sa.text("gen_random_uuid()")
    new = sa.Column("id", sa.Uuid, primary_key=True, server_default=made, info={"legacy_keys": ["code"]})
    sa.Table("owners", metadata, new, sa.Column("code", sa.Text, unique=True))
    sa.Table(
        "pets",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner_id", sa.ForeignKey("owners.id")),
    )
    return metadata


OWNERS = "INSERT INTO owners (code) VALUES ('A'), ('B'); INSERT INTO pets (owner_id) SELECT id FROM owners;"


def by_text() -> sa.MetaData:
    """Return a contract whose keys are texts, in place of other texts."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    new = sa.Column("id", sa.Text, primary_key=True, info={"legacy_keys": ["code"]})
    sa.Table("groups", metadata, new, sa.Column("code", sa.Text, unique=True))
    columns = [sa.Column("id", sa.Integer, primary_key=True), sa.Column("group_id", sa.ForeignKey("groups.id"))]
    sa.Table("members", metadata, *columns)
    return metadata


GROUPS = (
    "INSERT INTO groups VALUES ('one', 'a'), ('two', 'b'), ('three', 'a2');"
    "INSERT INTO members (group_id) VALUES ('one'), ('two'), ('two');"
)


def staff() -> sa.MetaData:
    """Return a contract in which the keys of employees and managers are those of people: joined table inheritance."""
    import sqlalchemy as sa

    def is_a(above: str) -> sa.Column[int]:
        return sa.Column("id", sa.ForeignKey(f"{above}.id"), primary_key=True)

    metadata = sa.MetaData()
    sa.Table("people", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
    sa.Table("employees", metadata, is_a("people"), sa.Column("desk", sa.Text))
    sa.Table("managers", metadata, is_a("employees"))
    employee: sa.Column[int] = sa.Column("employee_id", sa.ForeignKey("employees.id"), nullable=False, unique=True)
    sa.Table("badges", metadata, sa.Column("id", sa.Integer, primary_key=True), employee)
    return metadata


def desks() -> sa.MetaData:
    """Return a contract whose keys count and are those of another table."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("rooms", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
    counts = sa.Column("id", sa.Integer, sa.Identity(), sa.ForeignKey("rooms.id"), primary_key=True)
    sa.Table("desks", metadata, counts, sa.Column("name", sa.Text))
    return metadata


DESKS = "INSERT INTO rooms (name) VALUES ('a'), ('b'), ('c'); INSERT INTO desks (name) VALUES ('d'), ('e')"
STAFF = (
    "INSERT INTO people (name) SELECT 'p' || n FROM generate_series(1, 6) AS n;"
    "INSERT INTO employees SELECT id, 'd' || id FROM people WHERE id > 1;"
    "INSERT INTO managers SELECT id FROM employees WHERE id > 4;"
    "INSERT INTO badges (employee_id) SELECT id FROM employees ORDER BY id DESC;"
)
UNTIED = (
    "ALTER TABLE managers DROP CONSTRAINT managers_id_fkey; ALTER TABLE badges DROP CONSTRAINT badges_employee_id_fkey;"
    "ALTER TABLE employees DROP CONSTRAINT employees_id_fkey;"
)
STAFF_OF_TEXTS = UNTIED + (
    "ALTER TABLE people ALTER id DROP DEFAULT; DROP SEQUENCE people_id_seq;"
    "ALTER TABLE people ALTER id TYPE text USING 'P-' || id; ALTER TABLE employees ALTER id TYPE text USING 'P-' || id;"
    "ALTER TABLE managers ALTER id TYPE text USING 'P-' || id;"
    "ALTER TABLE badges ALTER employee_id TYPE text USING 'P-' || employee_id;"
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
