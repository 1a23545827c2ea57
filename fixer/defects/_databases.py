"""The sound databases that specimens break: a library, and a company, tenants and tickets for what it lacks."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    CHAR,
    TIMESTAMP,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Time,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import BIT, INTERVAL, UUID


def library() -> MetaData:
    """Return a contract of authors, their books, and reviews of these."""
    metadata = MetaData()
    Table(
        "authors",
        metadata,
        Column("id", Integer, primary_key=True, info={"legacy_keys": ["code"]}),
        Column("name", String(50), nullable=False, unique=True),
        Column("country", String(20), nullable=False, server_default="XX", info={"backfill": "XX"}),
        Column("active", Boolean, nullable=False, server_default=text("true"), info={"backfill": False}),
        Column("rating", Numeric(6, 2)),
        Column("joined", TIMESTAMP(timezone=True), info={"timezone": "UTC"}),
        info={
            "legacy_names": ["writers"],
            "default_rows": [{"name": "Anonymous", "country": "ZZ"}],
        },
    )
    Table(
        "books",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("author_id", Integer, ForeignKey("authors.id", ondelete="CASCADE"), nullable=False),
        Column("editor_id", Integer, ForeignKey("authors.id"), nullable=False, info={"orphans": "adopt"}),
        Column("reviewer_id", Integer, ForeignKey("authors.id"), info={"orphans": "null"}),
        Column("title", String(40), nullable=False, info={"legacy_names": ["heading"]}),
        Column("price", Numeric(10, 2), nullable=False),
        Column("pages", Integer, info={"backfill": 1}),
        CheckConstraint("price > 0", name="books_price_check"),
        UniqueConstraint("author_id", "title", name="books_author_id_title_key"),
        Index("ix_books_editor_id", "editor_id"),
    )
    Table(
        "reviews",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("book_id", Integer, ForeignKey("books.id", ondelete="CASCADE"), nullable=False),
        Column("body", Text),
    )
    return metadata


ROWS = """
INSERT INTO authors (name, country, rating, joined)
SELECT CASE n WHEN 1 THEN 'Anonymous' ELSE 'author ' || n END, CASE n WHEN 1 THEN 'ZZ' ELSE 'IN' END,
       n / 4.0, timestamptz '2026-01-01 00:00+00' + n * interval '1 hour'
  FROM generate_series(1, 12) AS n;
INSERT INTO books (author_id, editor_id, reviewer_id, title, price, pages)
SELECT 1 + n % 12, 1 + n % 5, nullif(n % 7, 0), 'title ' || n, n + 0.25, 10 * n
  FROM generate_series(1, 24) AS n;
INSERT INTO reviews (book_id, body) SELECT 1 + n % 24, 'review ' || n FROM generate_series(1, 48) AS n;
"""


def company() -> MetaData:
    """Return a contract with a natural key, an identity, and a table that references itself."""
    metadata = MetaData()
    Table(
        "departments",
        metadata,
        Column("code", String(10), primary_key=True),
        Column("title", String(40), nullable=False),
    )
    Table(
        "employees",
        metadata,
        Column("id", Integer, Identity(), primary_key=True),
        Column("name", String(40), nullable=False),
        Column("department_code", String(10), ForeignKey("departments.code"), nullable=False),
        Column("manager_id", Integer, ForeignKey("employees.id", ondelete="CASCADE")),
        Column("salary", Numeric(10, 2), CheckConstraint("salary > 0", name="employees_salary_check"), nullable=False),
    )
    return metadata


COMPANY_ROWS = """
INSERT INTO departments SELECT 'D' || n, 'department ' || n FROM generate_series(1, 3) AS n;
INSERT INTO employees (name, department_code, manager_id, salary)
SELECT 'employee ' || n, 'D' || 1 + n % 3, nullif(n / 2, 0), 100 * n FROM generate_series(1, 12) AS n;
"""


def tenancy() -> MetaData:
    """Return a contract with keys over two columns: members of tenants, and tasks that may belong to a member."""
    metadata = MetaData()
    Table(
        "members",
        metadata,
        Column("tenant_id", Integer, primary_key=True, autoincrement=False),
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("name", String(40), nullable=False),
    )
    Table(
        "tasks",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("tenant_id", Integer, nullable=False),
        Column("member_id", Integer, info={"orphans": "null"}),
        Column("title", Text),
        ForeignKeyConstraint(["tenant_id", "member_id"], ["members.tenant_id", "members.id"]),
    )
    return metadata


TENANCY_ROWS = """
INSERT INTO members (tenant_id, id, name) SELECT 1 + n % 2, n, 'member ' || n FROM generate_series(1, 6) AS n;
SELECT setval('members_id_seq', 6);
INSERT INTO tasks (tenant_id, member_id, title)
SELECT 1 + n % 2, 1 + (n - 1) % 6, 'task ' || n FROM generate_series(1, 12) AS n;
"""


def tickets() -> MetaData:
    """Return a contract with a default that differs for each row, and a column that is generated from another."""
    metadata = MetaData()
    Table(
        "tickets",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("seats", Integer),
        Column("price", Integer, Computed("seats * 10", persisted=True)),
        Column("token", UUID, nullable=False, unique=True, server_default=text("gen_random_uuid()")),
    )
    return metadata


def bookings() -> MetaData:
    """Return a contract with uniques that are partial, deferrable and over an expression."""
    metadata = MetaData()
    Table(
        "bookings",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("seat", Integer, nullable=False),
        Column("place", Integer, nullable=False),
        Column("code", String(10)),
        Column("owner", String(40), nullable=False),
        Column("paid", Boolean, nullable=False),
        Column("gone", TIMESTAMP(timezone=True)),
        Column(
            "status", String(20), CheckConstraint("status IN ('new', 'paid', 'gone')", name="bookings_status_check")
        ),
        UniqueConstraint("place", name="bookings_place_key", deferrable=True, initially="DEFERRED"),
        UniqueConstraint("code", name="bookings_code_key"),
        Index("bookings_seat_key", "seat", unique=True, postgresql_where=text("gone IS NULL AND paid")),
        Index("bookings_owner_key", text("lower(owner)"), unique=True),
        CheckConstraint("seat BETWEEN 1 AND 500", name="bookings_seat_check"),
    )
    return metadata


BOOKING_ROWS = """
INSERT INTO bookings (seat, place, code, owner, paid, status)
SELECT n, n, nullif('C' || n, 'C3'), 'owner ' || n, n % 2 = 0, 'new' FROM generate_series(1, 6) AS n
"""

TICKET_ROWS = "INSERT INTO tickets (seats) SELECT n FROM generate_series(1, 5) AS n"


def shifts() -> MetaData:
    """Return a contract with arrays, bits, times of day and spans."""
    metadata = MetaData()
    Table(
        "shifts",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("starts", Time),
        Column("lasts", INTERVAL),
        Column("seen", TIMESTAMP(timezone=True)),
        Column("scores", ARRAY(Integer), nullable=False, server_default=text("'{}'")),
        Column("marks", ARRAY(String(20))),
        Column("flags", BIT(16)),
        Column("gaps", BIT(16, varying=True)),
    )
    return metadata


SHIFT_ROWS = """
INSERT INTO shifts (starts, lasts, seen, scores, marks, flags, gaps)
SELECT make_time(n, 0, 0), make_interval(months => n), timestamptz '2026-01-01 00:00+00' + make_interval(hours => n),
       ARRAY[n, NULL], ARRAY['mark ' || n], (n * 256)::bit(16), repeat('1', n)::varbit
  FROM generate_series(1, 6) AS n;
"""


def parts() -> MetaData:
    """Return a contract with a code that is padded with blanks, and names that are not."""
    metadata = MetaData()
    Table(
        "parts",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("code", CHAR(12), nullable=False, unique=True),
        Column("colour", CHAR(8)),
        Column("name", String(40), nullable=False),
    )
    return metadata


PART_ROWS = "INSERT INTO parts (code, colour, name) SELECT 'P' || n, 'blue', 'part ' || n FROM generate_series(1, 5) n"


def loans() -> MetaData:
    """Return a contract with three foreign keys on one column, of which two are equal."""
    metadata = MetaData()
    Table("copies", metadata, Column("id", Integer, primary_key=True))
    Table("places", metadata, Column("id", Integer, primary_key=True))
    Table(
        "loans",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("copy_id", Integer),
        Column("place_id", Integer),
        ForeignKeyConstraint(["copy_id"], ["copies.id"], name="plain"),
        ForeignKeyConstraint(["copy_id"], ["copies.id"], name="cascading", ondelete="CASCADE"),
        ForeignKeyConstraint(["copy_id"], ["copies.id"], name="plain_again"),
        ForeignKeyConstraint(["place_id"], ["copies.id"], name="to_copies"),
        ForeignKeyConstraint(["place_id"], ["places.id"], name="to_places"),
    )
    return metadata


LOAN_ROWS = """
INSERT INTO copies SELECT n FROM generate_series(1, 6) AS n;
INSERT INTO places SELECT n FROM generate_series(1, 6) AS n;
SELECT setval('copies_id_seq', 6), setval('places_id_seq', 6);
INSERT INTO loans (copy_id, place_id) SELECT 1 + n % 6, nullif(n % 4, 0) FROM generate_series(1, 12) AS n;
"""


def shelves() -> MetaData:
    """Return a contract with columns that are computed from others of the row."""
    metadata = MetaData()
    Table(
        "shelves",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("area", Integer, Computed("width * depth", persisted=True), nullable=False),
        Column("depth", Integer),
        Column("label", Integer, nullable=False, unique=True, info={"backfill": text("depth * 10 + width")}),
        Column("width", Integer, nullable=False, server_default=text("5")),
        CheckConstraint("area > 0", name="shelves_area_check"),
    )
    return metadata


SHELF_ROWS = "INSERT INTO shelves (depth, label) SELECT n, n FROM generate_series(1, 5) AS n"


def ring() -> MetaData:
    """Return a contract whose foreign keys form a circle: badges belong to teams, which badges lead."""
    metadata = MetaData()
    Table("offices", metadata, Column("id", Integer, primary_key=True))
    lead = ForeignKey("badges.id", name="teams_lead_id_fkey", use_alter=True)
    columns = [Column("office_id", ForeignKey("offices.id"), nullable=False), Column("lead_id", Integer, lead)]
    Table("teams", metadata, Column("id", Integer, primary_key=True), *columns)
    columns = [Column("id", Integer, primary_key=True), Column("team_id", ForeignKey("teams.id"), nullable=False)]
    Table("badges", metadata, *columns)
    return metadata


RING_ROWS = """
INSERT INTO offices SELECT FROM generate_series(1, 2);
INSERT INTO teams (office_id) SELECT 1 FROM generate_series(1, 5);
INSERT INTO badges (team_id) VALUES (1), (2), (4), (5);
UPDATE teams SET lead_id = CASE id WHEN 2 THEN 1 WHEN 3 THEN 2 WHEN 5 THEN 3 END;
"""
