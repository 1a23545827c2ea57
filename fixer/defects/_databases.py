"""The sound databases that specimens break: a library, and a company, tenants and tickets for what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


def library() -> sa.MetaData:
    """Return a contract of authors, their books, and reviews of these."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table(
        "authors",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, info={"legacy_keys": ["code"]}),
        sa.Column("name", sa.String(50), nullable=False, unique=True),
        sa.Column("country", sa.String(20), nullable=False, server_default="XX", info={"backfill": "XX"}),
        sa.Column("active", sa.Boolean, nullable=False, server_default=sa.text("true"), info={"backfill": False}),
        sa.Column("rating", sa.Numeric(6, 2)),
        sa.Column("joined", sa.TIMESTAMP(timezone=True), info={"timezone": "UTC"}),
        info={"legacy_names": ["writers"], "default_rows": [{"name": "Anonymous", "country": "ZZ"}]},
    )
    sa.Table(
        "books",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("author_id", sa.Integer, sa.ForeignKey("authors.id", ondelete="CASCADE"), nullable=False),
        sa.Column("editor_id", sa.Integer, sa.ForeignKey("authors.id"), nullable=False, info={"orphans": "adopt"}),
        sa.Column("reviewer_id", sa.Integer, sa.ForeignKey("authors.id"), info={"orphans": "null"}),
        sa.Column("title", sa.String(40), nullable=False, info={"legacy_names": ["heading"]}),
        sa.Column("price", sa.Numeric(10, 2), nullable=False),
        sa.Column("pages", sa.Integer, info={"backfill": 1}),
        sa.CheckConstraint("price > 0", name="books_price_check"),
        sa.UniqueConstraint("author_id", "title", name="books_author_id_title_key"),
        sa.Index("ix_books_editor_id", "editor_id"),
    )
    sa.Table(
        "reviews",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("book_id", sa.Integer, sa.ForeignKey("books.id", ondelete="CASCADE"), nullable=False),
        sa.Column("body", sa.Text),
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


def company() -> sa.MetaData:
    """Return a contract with a natural key, an identity, and a table that references itself."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table(
        "departments",
        metadata,
        sa.Column("code", sa.String(10), primary_key=True),
        sa.Column("title", sa.String(40), nullable=False),
    )
    sa.Table(
        "employees",
        metadata,
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("department_code", sa.String(10), sa.ForeignKey("departments.code"), nullable=False),
        sa.Column("manager_id", sa.Integer, sa.ForeignKey("employees.id", ondelete="CASCADE")),
        sa.Column(
            "salary", sa.Numeric(10, 2), sa.CheckConstraint("salary > 0", name="employees_salary_check"), nullable=False
        ),
    )
    return metadata


COMPANY_ROWS = """
INSERT INTO departments SELECT 'D' || n, 'department ' || n FROM generate_series(1, 3) AS n;
INSERT INTO employees (name, department_code, manager_id, salary)
SELECT 'employee ' || n, 'D' || 1 + n % 3, nullif(n / 2, 0), 100 * n FROM generate_series(1, 12) AS n;
"""


def tenancy() -> sa.MetaData:
    """Return a contract with keys over two columns: members of tenants, and tasks that may belong to a member."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table(
        "members",
        metadata,
        sa.Column("tenant_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(40), nullable=False),
    )
    sa.Table(
        "tasks",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("member_id", sa.Integer, info={"orphans": "null"}),
        sa.Column("title", sa.Text),
        sa.ForeignKeyConstraint(["tenant_id", "member_id"], ["members.tenant_id", "members.id"]),
    )
    return metadata


TENANCY_ROWS = """
INSERT INTO members (tenant_id, id, name) SELECT 1 + n % 2, n, 'member ' || n FROM generate_series(1, 6) AS n;
SELECT setval('members_id_seq', 6);
INSERT INTO tasks (tenant_id, member_id, title)
SELECT 1 + n % 2, 1 + (n - 1) % 6, 'task ' || n FROM generate_series(1, 12) AS n;
"""


def tickets() -> sa.MetaData:
    """Return a contract with a default that differs for each row, and a column that is generated from another."""
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql

    metadata = sa.MetaData()
    sa.Table(
        "tickets",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("seats", sa.Integer),
        sa.Column("price", sa.Integer, sa.Computed("seats * 10", persisted=True)),
        sa.Column("token", postgresql.UUID, nullable=False, unique=True, server_default=sa.text("gen_random_uuid()")),
    )
    return metadata


def bookings() -> sa.MetaData:
    """Return a contract with uniques that are partial, deferrable and over an expression."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table(
        "bookings",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("seat", sa.Integer, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("code", sa.String(10)),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("paid", sa.Boolean, nullable=False),
        sa.Column("gone", sa.TIMESTAMP(timezone=True)),
        sa.Column(
            "status",
            sa.String(20),
            sa.CheckConstraint("status IN ('new', 'paid', 'gone')", name="bookings_status_check"),
        ),
        sa.UniqueConstraint("place", name="bookings_place_key", deferrable=True, initially="DEFERRED"),
        sa.UniqueConstraint("code", name="bookings_code_key"),
        sa.Index("bookings_seat_key", "seat", unique=True, postgresql_where=sa.text("gone IS NULL AND paid")),
        sa.Index("bookings_owner_key", sa.text("lower(owner)"), unique=True),
        sa.CheckConstraint("seat BETWEEN 1 AND 500", name="bookings_seat_check"),
    )
    return metadata


BOOKING_ROWS = """
INSERT INTO bookings (seat, place, code, owner, paid, status)
SELECT n, n, nullif('C' || n, 'C3'), 'owner ' || n, n % 2 = 0, 'new' FROM generate_series(1, 6) AS n
"""

TICKET_ROWS = "INSERT INTO tickets (seats) SELECT n FROM generate_series(1, 5) AS n"


def shifts() -> sa.MetaData:
    """Return a contract with arrays, bits, times of day and spans."""
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql

    metadata = sa.MetaData()
    sa.Table(
        "shifts",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("starts", sa.Time),
        sa.Column("lasts", postgresql.INTERVAL),
        sa.Column("seen", sa.TIMESTAMP(timezone=True)),
        sa.Column("scores", sa.ARRAY(sa.Integer), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("marks", sa.ARRAY(sa.String(20))),
        sa.Column("flags", postgresql.BIT(16)),
        sa.Column("gaps", postgresql.BIT(16, varying=True)),
    )
    return metadata


SHIFT_ROWS = """
INSERT INTO shifts (starts, lasts, seen, scores, marks, flags, gaps)
SELECT make_time(n, 0, 0), make_interval(months => n), timestamptz '2026-01-01 00:00+00' + make_interval(hours => n),
       ARRAY[n, NULL], ARRAY['mark ' || n], (n * 256)::bit(16), repeat('1', n)::varbit
  FROM generate_series(1, 6) AS n;
"""


def parts() -> sa.MetaData:
    """Return a contract with a code that is padded with blanks, and names that are not."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table(
        "parts",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("code", sa.CHAR(12), nullable=False, unique=True),
        sa.Column("colour", sa.CHAR(8)),
        sa.Column("name", sa.String(40), nullable=False),
    )
    return metadata


PART_ROWS = "INSERT INTO parts (code, colour, name) SELECT 'P' || n, 'blue', 'part ' || n FROM generate_series(1, 5) n"


def loans() -> sa.MetaData:
    """Return a contract with three foreign keys on one column, of which two are equal."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("copies", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table("places", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        "loans",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("copy_id", sa.Integer),
        sa.Column("place_id", sa.Integer),
        sa.ForeignKeyConstraint(["copy_id"], ["copies.id"], name="plain"),
        sa.ForeignKeyConstraint(["copy_id"], ["copies.id"], name="cascading", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["copy_id"], ["copies.id"], name="plain_again"),
        sa.ForeignKeyConstraint(["place_id"], ["copies.id"], name="to_copies"),
        sa.ForeignKeyConstraint(["place_id"], ["places.id"], name="to_places"),
    )
    return metadata


LOAN_ROWS = """
INSERT INTO copies SELECT n FROM generate_series(1, 6) AS n;
INSERT INTO places SELECT n FROM generate_series(1, 6) AS n;
SELECT setval('copies_id_seq', 6), setval('places_id_seq', 6);
INSERT INTO loans (copy_id, place_id) SELECT 1 + n % 6, nullif(n % 4, 0) FROM generate_series(1, 12) AS n;
"""


def shelves() -> sa.MetaData:
    """Return a contract with columns that are computed from others of the row."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table(
        "shelves",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("area", sa.Integer, sa.Computed("width * depth", persisted=True), nullable=False),
        sa.Column("depth", sa.Integer),
        sa.Column("label", sa.Integer, nullable=False, unique=True, info={"backfill": sa.text("depth * 10 + width")}),
        sa.Column("width", sa.Integer, nullable=False, server_default=sa.text("5")),
        sa.CheckConstraint("area > 0", name="shelves_area_check"),
    )
    return metadata


SHELF_ROWS = "INSERT INTO shelves (depth, label) SELECT n, n FROM generate_series(1, 5) AS n"
