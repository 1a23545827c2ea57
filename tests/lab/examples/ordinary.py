"""Ordinary tables of many trades in one contract: a sound database of it, empty or with rows, is proved green."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

metadata = sa.MetaData()


def table(name: str, *parts: Any, **words: Any) -> sa.Table:
    return sa.Table(name, metadata, *parts, **words)


def column(name: str, kind: Any, *parts: Any, required: bool = True, **words: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *parts, nullable=not required, **words)


def serial() -> sa.Column[Any]:
    return sa.Column("id", sa.Integer, primary_key=True)


def check(condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition)


def now() -> sa.TextClause:
    return sa.text("now()")


MOMENT = sa.TIMESTAMP(timezone=True)
MONEY = sa.Numeric(12, 2)

# --- a shop

table(
    "customers",
    serial(),
    column("email", sa.String(120), check("email LIKE '%@%'"), check("lower(email) = email"), unique=True),
    column("country", sa.CHAR(2), check("country ~ '^[A-Z]{2}$'")),
    column("name", sa.Text, check("length(btrim(name)) > 0")),
    column("deleted_at", MOMENT, required=False),
    column("profile", pg.JSONB, check("jsonb_typeof(profile) = 'object'"), server_default=sa.text("'{}'")),
)
table(
    "products",
    serial(),
    column("sku", sa.String(12), check("sku ~ '^[A-Z]{3}-[0-9]{4,6}$'"), unique=True),
    column("price", MONEY, check("price >= 0")),
    column("quantity", sa.Integer, check("quantity BETWEEN 0 AND 100000")),
    column("worth", sa.Numeric(14, 2), sa.Computed("price * quantity", persisted=True), required=False),
    column("tags", sa.ARRAY(sa.Text), check("cardinality(tags) <= 5"), server_default=sa.text("'{}'")),
    column("details", sa.JSON, required=False),
    sa.Index("products_by_tag", "tags", postgresql_using="gin"),
)
table(
    "orders",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    column("customer_id", sa.ForeignKey("customers.id", ondelete="RESTRICT"), index=True),
    column("status", sa.Enum("new", "paid", "sent", name="order_status"), server_default="new"),
    column("paid_at", MOMENT, required=False),
    column("total", MONEY, check("total >= 0")),
    sa.CheckConstraint("(status = 'new') = (paid_at IS NULL)"),
)
table(
    "order_lines",
    sa.Column("order_id", sa.ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("line", sa.SmallInteger, check("line > 0"), primary_key=True, autoincrement=False),
    column("product_id", sa.ForeignKey("products.id")),
    column("quantity", sa.Integer, check("quantity > 0")),
    column("price", sa.Numeric(6, 2), check("price > 0")),
    column("amount", sa.Numeric(8, 2), sa.Computed("price * quantity", persisted=True), required=False),
)

# --- a blog

table(
    "posts",
    serial(),
    column("slug", sa.String(60), check("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'")),
    column("title", sa.String(200)),
    column("body", sa.Text),
    column("published", sa.Boolean, server_default=sa.text("false")),
    column("deleted_at", MOMENT, required=False),
    sa.Index("one_slug", "slug", unique=True, postgresql_where=sa.text("deleted_at IS NULL")),
)
table(
    "comments",
    serial(),
    column("post_id", sa.ForeignKey("posts.id", ondelete="CASCADE"), required=False),
    column("product_id", sa.ForeignKey("products.id", ondelete="CASCADE"), required=False),
    column("body", sa.Text, check("char_length(body) BETWEEN 1 AND 500")),
    sa.CheckConstraint("num_nonnulls(post_id, product_id) = 1"),
)
table(
    "pinned",
    column("place", sa.Enum("top", "side", "foot", name="pinned_place"), unique=True),
    sa.Column("post_id", sa.ForeignKey("posts.id"), primary_key=True),
)

# --- a hotel

table(
    "rooms",
    serial(),
    column("label", sa.String(1), unique=True),
    column("beds", sa.SmallInteger, check("beds IN (1, 2, 3)")),
    column("smoking", sa.Boolean),
    sa.UniqueConstraint("beds", "smoking", "label"),
)
table(
    "bookings",
    serial(),
    column("room_id", sa.ForeignKey("rooms.id")),
    column("arrives", sa.Date),
    column("leaves", sa.Date),
    sa.CheckConstraint("arrives < leaves"),
    pg.ExcludeConstraint(
        (sa.text("int4range(room_id, room_id, '[]')"), "&&"),
        (sa.text("daterange(arrives, leaves)"), "&&"),
        name="one_guest",
    ),
)
table(
    "closures",
    serial(),
    column("during", pg.TSTZRANGE, check("NOT isempty(during)")),
    pg.ExcludeConstraint(("during", "&&"), name="one_closure"),
)
table(
    "seasons",
    serial(),
    column("opens", sa.Date),
    column("closes", sa.Date, required=False),
    column("rate", sa.Float, check("rate > 0 AND rate < 10")),
    sa.Index("seasons_when", sa.text("daterange(opens, closes)"), postgresql_using="gist"),
)

# --- a ledger

table(
    "accounts",
    serial(),
    column("iban", sa.String(34), check("iban ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$'"), unique=True),
    column("kind", sa.String(9), check("kind IN ('asset', 'liability')")),
    column("share_a", sa.Integer),
    column("share_b", sa.Integer),
    sa.CheckConstraint("share_a + share_b = 100"),
)
table(
    "entries",
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    column("debit_id", sa.ForeignKey("accounts.id")),
    column("credit_id", sa.ForeignKey("accounts.id")),
    column("amount", MONEY, check("amount > 0")),
    column("booked", sa.Date, check("extract(year FROM booked) BETWEEN 2000 AND 2099"), server_default=now()),
    column("memo", sa.Text, required=False),
    column("reference", sa.Text, required=False),
    sa.CheckConstraint("debit_id <> credit_id"),
    sa.CheckConstraint("coalesce(memo, reference) IS NOT NULL"),
)

# --- tenants

table(
    "tenants",
    sa.Column("code", sa.String(8), check("code = lower(code)"), primary_key=True),
    column("domain", pg.DOMAIN("host_name", sa.Text, check=sa.text("VALUE ~ '^[a-z]+[.][a-z]+$'")), unique=True),
    column("plan", sa.Enum("free", "pro", name="plan"), server_default="free"),
    column("settings", pg.JSONB, check("settings ? 'theme'")),
)
table(
    "members",
    sa.Column("tenant", sa.ForeignKey("tenants.code", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    column("boss", sa.Integer, required=False),
    column("badge", pg.UUID, unique=True, server_default=sa.text("gen_random_uuid()")),
    column("owner", sa.Boolean, server_default=sa.text("false")),
    sa.ForeignKeyConstraint(["tenant", "boss"], ["members.tenant", "members.number"]),
    sa.Index("one_owner", "tenant", unique=True, postgresql_where=sa.text("owner")),
)

# --- measurements by month, events by hash, sales by region and month

table(
    "sensors",
    serial(),
    column("mac", pg.MACADDR, unique=True),
    column("address", pg.INET, required=False),
    column("flags", pg.BIT(4), server_default=sa.text("B'0000'")),
    column("every", sa.Interval, check("every >= interval '1 second'")),
)
table(
    "measurements",
    sa.Column("sensor_id", sa.ForeignKey("sensors.id"), primary_key=True),
    sa.Column("at", MOMENT, primary_key=True),
    column("celsius", sa.Float, check("celsius > -273.15")),
    column("quality", sa.SmallInteger, check("quality BETWEEN 0 AND 100"), required=False),
    postgresql_partition_by="RANGE (at)",
)
table(
    "events",
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    column("at", MOMENT, server_default=now()),
    column("payload", pg.JSONB),
    column("before", pg.JSONB(none_as_null=True), required=False),
    postgresql_partition_by="HASH (id)",
)
table(
    "sales",
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("region", sa.String(5), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    column("amount", MONEY, check("amount <> 0")),
    postgresql_partition_by="LIST (region)",
)

# --- an audit log, a tree, and what else there is

table(
    "audit",
    serial(),
    column("at", MOMENT, server_default=now()),
    column("old", pg.JSONB, required=False),
    column("new", pg.JSONB, required=False),
    column("changes", sa.ARRAY(pg.JSONB), required=False),
    column("steps", pg.JSONB, check("jsonb_array_length(steps) > 0"), required=False),
    sa.CheckConstraint("old IS NOT NULL OR new IS NOT NULL"),
)
table(
    "folders",
    serial(),
    column("parent_id", sa.ForeignKey("folders.id"), required=False),
    column("name", sa.String(40)),
    sa.CheckConstraint("parent_id <> id"),
    sa.UniqueConstraint("parent_id", "name", deferrable=True, initially="DEFERRED"),
)
table(
    "teams",
    serial(),
    column("captain_id", sa.ForeignKey("players.id", use_alter=True, name="captain"), required=False, unique=True),
    column("name", sa.String(30)),
    sa.CheckConstraint("name IS NOT NULL AND name <> ''"),
)
table("players", serial(), column("team_id", sa.ForeignKey("teams.id")), column("shirt", sa.SmallInteger))
table(
    "limits",
    serial(),
    column("x", sa.Integer),
    column("y", sa.Integer),
    column("valid", sa.Boolean, unique=True),
    sa.CheckConstraint("x + y < 100"),
)

# Partitions stand beside the models, made by SQL, as most people make them.
PARTITIONS = """
    CREATE TABLE measurements_2025_01 PARTITION OF measurements FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
    CREATE TABLE measurements_2025_02 PARTITION OF measurements FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
    CREATE TABLE events_0 PARTITION OF events FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE sales_north PARTITION OF sales FOR VALUES IN ('north', 'east');
    CREATE TABLE sales_south PARTITION OF sales FOR VALUES IN ('south') PARTITION BY RANGE (day);
    CREATE TABLE sales_south_new PARTITION OF sales_south FOR VALUES FROM ('2025-01-01') TO (MAXVALUE);
"""

# Rows in some of the tables: the labels of a small UNIQUE are all taken, and so are both booleans.
ROWS = """
    INSERT INTO customers (email, country, name)
        SELECT 'c' || g || '@example.org', 'DE', 'Customer ' || g FROM generate_series(1, 20) AS g;
    INSERT INTO products (sku, price, quantity) SELECT 'ABC-' || 1000 + g, g, g FROM generate_series(1, 20) AS g;
    INSERT INTO orders (customer_id, total) SELECT g, g FROM generate_series(1, 20) AS g;
    INSERT INTO order_lines (order_id, line, product_id, quantity, price)
        SELECT g, 1, g, g, g FROM generate_series(1, 20) AS g;
    INSERT INTO posts (slug, title, body) SELECT 'post-' || g, 'Post', 'Text' FROM generate_series(1, 5) AS g;
    INSERT INTO pinned VALUES ('top', 1), ('side', 2), ('foot', 3);
    INSERT INTO rooms (label, beds, smoking) SELECT chr(64 + g), 1 + g % 3, g % 2 = 0 FROM generate_series(1, 26) AS g;
    INSERT INTO bookings (room_id, arrives, leaves)
        SELECT 1, date '2025-01-01' + 2 * g, date '2025-01-02' + 2 * g FROM generate_series(1, 50) AS g;
    INSERT INTO accounts (iban, kind, share_a, share_b)
        SELECT 'DE89' || 1000000000 + g, 'asset', g, 100 - g FROM generate_series(1, 20) AS g;
    INSERT INTO entries (debit_id, credit_id, amount, memo) SELECT g, g + 1, g, 'memo' FROM generate_series(1, 10) AS g;
    INSERT INTO tenants (code, domain, settings) VALUES ('acme', 'acme.org', '{"theme": "dark"}');
    INSERT INTO members (tenant, number, boss) VALUES ('acme', 1, NULL), ('acme', 2, 1), ('acme', 3, 2);
    INSERT INTO sensors (mac, every)
        SELECT ('08:00:2b:01:02:0' || g)::macaddr, interval '1 hour' FROM generate_series(1, 9) AS g;
    INSERT INTO measurements
        SELECT 1, timestamptz '2025-01-05' + g * interval '1 h', 20, 50 FROM generate_series(1, 50) AS g;
    INSERT INTO events (payload) SELECT to_jsonb(g) FROM generate_series(1, 20) AS g;
    INSERT INTO sales (region, day, amount) SELECT 'south', date '2025-01-01' + g, g FROM generate_series(1, 20) AS g;
    INSERT INTO audit (new) VALUES ('null'), ('{"a": 1.0}'), ('1e2');
    INSERT INTO folders (name, parent_id) VALUES ('root', NULL), ('home', 1), ('me', 2);
    INSERT INTO limits (x, y, valid) VALUES (1, 2, true), (3, 4, false);
"""
