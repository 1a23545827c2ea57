"""Tables that are odd and sound: what their checks say, only a server understands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg


@dataclass
class Odd:
    """Odd tables, and what stands beside the models."""

    metadata: sa.MetaData = field(default_factory=sa.MetaData)
    beside: str = "SELECT 1"
    untried: tuple[str, ...] = ()  # tables into which no row can be put

    def table(self, name: str, *parts: Any, **words: Any) -> sa.Table:
        return sa.Table(name, self.metadata, sa.Column("id", sa.Integer, primary_key=True), *parts, **words)

    def bare(self, name: str, *parts: Any, **words: Any) -> sa.Table:
        return sa.Table(name, self.metadata, *parts, **words)


def column(name: str, kind: Any, *checks: str, required: bool = True, **words: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *map(sa.CheckConstraint, checks), nullable=not required, **words)


def check(condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition)


contracts = {name: Odd() for name in ("documents", "texts", "numbers", "times", "keys", "parents", "parts")}

# --- documents and lists

odd = contracts["documents"]
odd.table("plain", column("j", pg.JSONB), column("k", sa.JSON(none_as_null=True), required=False))
odd.table("unique", column("j", pg.JSONB, unique=True, required=False))
odd.table("lists", column("j", sa.ARRAY(sa.JSON), required=False), column("k", sa.ARRAY(pg.JSONB)))
odd.table("kinds", column("j", pg.JSONB, "j->>'kind' IN ('a', 'b')", "(j->>'n')::int > 0"))
odd.table("nested", column("j", pg.JSONB, "jsonb_typeof(j->'items') = 'array'"))
odd.table("sized", column("j", pg.JSONB, "jsonb_array_length(j) BETWEEN 1 AND 3"))
odd.table(
    "tags", column("t", sa.ARRAY(sa.Text), "array_length(t, 1) = 2"), column("n", sa.ARRAY(sa.Integer), "0 < ALL (n)")
)
odd.beside = """INSERT INTO plain (j, k) VALUES ('null', '{"a": 1.0, "a": 1}'), ('1e2', '1e2'), ('{}', NULL);
                INSERT INTO "unique" (j) VALUES ('null'), ('1.0')"""

# --- texts

odd = contracts["texts"]
odd.table("short", column("a", sa.String(1), unique=True), column("b", sa.CHAR(3), "b = upper(b)"))
odd.table(
    "aliases",
    column("a", sa.Text),
    pg.ExcludeConstraint((sa.text("lower(a)"), "="), using="btree", name="one_alias"),
)
odd.table("phones", column("p", sa.Text, r"p ~ '^\+[1-9][0-9]{6,14}$'", unique=True))
odd.table(
    "hashes",
    column("h", sa.LargeBinary, "octet_length(h) = 32", unique=True),
    column("x", sa.Text, "x ~ '^[0-9a-f]{64}$'"),
)
odd.table("links", column("u", sa.Text, "u LIKE 'https://%'"), column("v", sa.Text, "v SIMILAR TO '(a|b)+'"))
odd.table(
    "paths", column("p", sa.Text, "p ~ '^(/[a-z0-9_]+)+$'", unique=True), column("v", sa.Text, r"v !~ '\s'", "v <> ''")
)
odd.table(
    "names",
    column("n", sa.Text, "n = btrim(n) AND n <> '' AND length(n) <= 20"),
    sa.Index("one_name", sa.text("lower(n)"), unique=True),
)
email = pg.DOMAIN("email", sa.Text, check=sa.text("VALUE LIKE '%@%.%'"), not_null=True)
odd.table("mails", sa.Column("e", email, unique=True), sa.Column("all", sa.ARRAY(email)))
odd.table(
    "nets",
    column("i", pg.INET, "family(i) = 4"),
    column("n", pg.CIDR, "masklen(n) <= 24"),
    column("b", pg.BIT(8), "b <> B'00000000'"),
)

odd.table("words", column("w", sa.Text, "md5(w) = '54ef36ec71201fdf9d1423fd26f97f6b'"))
odd.table("unguessed", column("w", sa.Text, "md5(w) = '54ef36ec71201fdf9d1423fd26f97f6b'"))
odd.beside = "INSERT INTO words (w) VALUES ('open sesame')"
odd.untried = ("unguessed",)

# --- numbers

odd = contracts["numbers"]
odd.table("sums", column("a", sa.Integer), column("b", sa.Integer), column("c", sa.Integer), check("a + b = c"))
odd.table("rests", column("a", sa.Integer, "a % 7 = 3", unique=True))
odd.table(
    "parts",
    column("a", sa.Numeric(6, 2), "a = round(a, 1)"),
    column("b", sa.SmallInteger, "b <> 0"),
    sa.Column("q", sa.Numeric(8, 3), sa.Computed("a / b", persisted=True)),
)
odd.table(
    "areas",
    column("w", sa.SmallInteger, required=False),
    column("h", sa.SmallInteger, required=False),
    sa.Column("area", sa.SmallInteger, sa.Computed("w * h", persisted=True)),
    check("area < 1000"),
)
odd.table("roots", column("a", sa.Integer, "sqrt(a) = floor(sqrt(a))", "a >= 0"), column("r", sa.Float, "ln(r) < 5"))
odd.table(
    "ratios",
    column("a", sa.Integer),
    column("b", sa.Integer),
    check("a / b >= 1"),
    sa.Index("ratio", sa.text("(a / b)")),
)
odd.table("bounds", column("x", sa.Integer), column("y", sa.Integer), check("x + y < 100"))
odd.beside = "INSERT INTO bounds (x, y) VALUES (1, 2)"

# --- times and ranges

odd = contracts["times"]
odd.table("stays", column("a", sa.Date), column("b", sa.Date), check("b - a BETWEEN 1 AND 30"))
odd.table("months", column("m", sa.DateTime, "date_trunc('month', m) = m", unique=True))
odd.table("mondays", column("d", sa.Date, "extract(isodow FROM d) = 1", unique=True))
odd.table("hours", column("a", sa.Time), column("b", sa.Time), check("b - a >= interval '15 minutes'"))
odd.table("ranges", column("r", pg.INT4RANGE, "lower(r) >= 0", "NOT isempty(r)"), pg.ExcludeConstraint(("r", "&&")))
odd.table(
    "slots",
    column("a", sa.Integer),
    column("b", sa.Integer),
    pg.ExcludeConstraint((sa.text("int4range(a, b)"), "&&"), name="slot"),
)
odd.table(
    "spans",
    column("s", pg.TSTZRANGE, "upper(s) - lower(s) <= interval '1 day'"),
    column("i", sa.Interval, "i > interval '0'"),
)
odd.beside = "INSERT INTO slots (a, b) SELECT g, g + 1 FROM generate_series(1, 200) AS g"

# --- keys of which all or nearly all values are taken

odd = contracts["keys"]
mood = sa.Enum("glad", "sad", name="mood")
odd.table("flags", column("f", sa.Boolean, required=False), column("m", mood), sa.UniqueConstraint("m", "f"))
odd.table("single", column("f", sa.Boolean, unique=True))
odd.bare("p", sa.Column("id", sa.Integer, primary_key=True))
odd.table("one_null", sa.Column("p_id", sa.ForeignKey("p.id")), column("a", sa.Integer, required=False))
odd.table("both", column("a", sa.Integer), column("b", sa.Integer), sa.UniqueConstraint("a", "b", deferrable=True))
odd.table("states", column("m", mood, unique=True))
odd.table("of_states", sa.Column("m", sa.ForeignKey("states.m"), nullable=False), column("n", sa.Integer))
odd.beside = """
    INSERT INTO flags (f, m) VALUES (true, 'glad'), (false, 'glad'), (true, 'sad');
    INSERT INTO single (f) VALUES (true), (false);
    INSERT INTO states (m) VALUES ('glad'), ('sad');
    INSERT INTO p DEFAULT VALUES;
    INSERT INTO one_null (p_id) VALUES (NULL), (1)"""
odd.untried = ("single", "states")

# --- parents that are hard to make

odd = contracts["parents"]
odd.bare("countries", sa.Column("code", sa.CHAR(2), sa.CheckConstraint("code ~ '^[A-Z]{2}$'"), primary_key=True))
odd.bare(
    "cities",
    sa.Column("country", sa.ForeignKey("countries.code"), primary_key=True),
    sa.Column("name", sa.String(20), sa.CheckConstraint("name ~ '^[A-Z][a-z]+$'"), primary_key=True),
)
odd.table(
    "streets",
    column("country", sa.CHAR(2)),
    column("city", sa.String(20)),
    sa.ForeignKeyConstraint(["country", "city"], ["cities.country", "cities.name"]),
)
odd.table(
    "either",
    column("kind", sa.String(10)),
    sa.Column("street_id", sa.ForeignKey("streets.id")),
    sa.Column("node_id", sa.ForeignKey("nodes.id")),
    check(
        "(kind = 's' AND street_id IS NOT NULL AND node_id IS NULL)"
        " OR (kind = 'n' AND node_id IS NOT NULL AND street_id IS NULL)"
    ),
)
odd.table(
    "nodes",
    sa.Column("parent_id", sa.ForeignKey("nodes.id")),
    column("depth", sa.Integer),
    check("(parent_id IS NULL) = (depth = 0)"),
)
odd.table("always", column("n", sa.Integer, required=False))
odd.bare(
    "hen",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "egg_id",
        sa.ForeignKey("egg.id", use_alter=True, name="hen_egg", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
)
odd.bare(
    "egg",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "hen_id",
        sa.ForeignKey("hen.id", use_alter=True, name="egg_hen", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
)
odd.beside = """
    INSERT INTO hen (egg_id) VALUES (1);
    INSERT INTO egg (hen_id) VALUES (1);
    INSERT INTO countries VALUES ('DE'), ('FR')"""

# --- partitions

odd = contracts["parts"]
state = sa.Enum("new", "old", name="part_state")
odd.bare("none", column("id", sa.Integer), column("at", sa.DateTime), postgresql_partition_by="RANGE (at)")
odd.bare(
    "default_part",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.DateTime, primary_key=True, server_default=sa.text("now()")),
    postgresql_partition_by="RANGE (at)",
)
odd.bare("tenants", sa.Column("id", sa.Integer, primary_key=True), column("name", sa.Text))
odd.bare(
    "by_tenant",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tenant_id", sa.ForeignKey("tenants.id"), primary_key=True),
    column("x", sa.Integer, "x > 0"),
    postgresql_partition_by="LIST (tenant_id)",
)
odd.bare(
    "by_number",
    sa.Column("id", sa.BigInteger, primary_key=True),
    column("x", sa.Integer, required=False),
    postgresql_partition_by="RANGE (id)",
)
odd.bare(
    "by_identity",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    column("x", sa.Text),
    postgresql_partition_by="RANGE (id)",
)
odd.bare(
    "by_year", column("id", sa.Integer), column("d", sa.Date), postgresql_partition_by="RANGE (extract(year FROM d))"
)
odd.bare(
    "by_two",
    sa.Column("a", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("b", sa.Text, primary_key=True),
    postgresql_partition_by="RANGE (a, b)",
)
odd.bare(
    "by_state",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("state", state, primary_key=True),
    postgresql_partition_by="LIST (state)",
)
odd.table(
    "of_part",
    column("part_id", sa.Integer),
    column("state", state),
    sa.ForeignKeyConstraint(["part_id", "state"], ["by_state.id", "by_state.state"]),
)
odd.bare(
    "by_hash",
    sa.Column("a", pg.UUID, primary_key=True, server_default=sa.text("gen_random_uuid()")),
    postgresql_partition_by="HASH (a)",
)
odd.bare(
    "or_null",
    column("id", sa.Integer),
    column("live", sa.Boolean, required=False),
    postgresql_partition_by="LIST (live)",
)
odd.beside = """
    CREATE TABLE default_1 PARTITION OF default_part FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
    CREATE TABLE default_d PARTITION OF default_part DEFAULT;
    CREATE TABLE tenant_1 PARTITION OF by_tenant FOR VALUES IN (1, 2);
    CREATE TABLE number_1 PARTITION OF by_number FOR VALUES FROM (1) TO (1000);
    CREATE TABLE identity_1 PARTITION OF by_identity FOR VALUES FROM (1) TO (1000000);
    CREATE TABLE year_1 PARTITION OF by_year FOR VALUES FROM (2020) TO (2022);
    CREATE TABLE two_1 PARTITION OF by_two FOR VALUES FROM (1, 'a') TO (1, 'k');
    CREATE TABLE two_2 PARTITION OF by_two FOR VALUES FROM (5, MINVALUE) TO (7, MAXVALUE);
    CREATE TABLE state_n PARTITION OF by_state FOR VALUES IN ('new');
    CREATE TABLE hash_0 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE null_t PARTITION OF or_null FOR VALUES IN (true);
    CREATE TABLE null_n PARTITION OF or_null FOR VALUES IN (NULL);
    INSERT INTO tenants (name) VALUES ('a');
    INSERT INTO by_tenant VALUES (1, 1, 1)"""
odd.untried = ("none",)


def __getattr__(name: str) -> sa.MetaData:
    """Give the models of one kind as an attribute, as `contract_texts`."""
    kind = name.removeprefix("contract_")
    if kind == name or kind not in contracts:
        raise AttributeError(name)
    return contracts[kind].metadata
