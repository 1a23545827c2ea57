"""The rows of contracts.rows, proved on a real database: the good go in, the bad are refused as they say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql as pg

from contracts import rows, trading
from contracts.rows.laws.keys import keys_of
from fixer.connect import servers
from fixer.errors import ContractError

SOME = settings(
    deadline=None,
    max_examples=25,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
FEW = settings(SOME, max_examples=10)
TWO = settings(SOME, max_examples=2)

nasty = sa.MetaData()


class Point(sa.types.UserDefinedType[Any]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "point"


class Trimmed(sa.TypeDecorator[str]):
    impl = sa.String(30)
    cache_ok = True


def table(name: str, *parts: Any, **words: Any) -> sa.Table:
    return sa.Table(name, nasty, *parts, **words)


def column(name: str, kind: Any, *parts: Any, required: bool = True, **words: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *parts, nullable=not required, **words)


def serial() -> sa.Column[Any]:
    return sa.Column("id", sa.Integer, primary_key=True)


MOOD = sa.Enum("glad", "it's so-so", "100% :sad", name="Mood")

table(
    'Order "by"',
    sa.Column("select", sa.BigInteger, primary_key=True),
    column("100%", sa.String(5), sa.CheckConstraint("\"100%\" <> '%s'", name="percent")),
    column("a:b", sa.String(1), sa.CheckConstraint("\"a\\:b\" <> '\\:x'")),
    column('quo"te', sa.Integer, sa.CheckConstraint('"quo""te" % 1 = 0', name="opaque")),
    column("Mixed Case", MOOD, key="mixed"),
    sa.UniqueConstraint("100%", name="100% unique"),
)
table(
    "whole",
    serial(),
    column("Some %", sa.Text, required=False),
    column("more", sa.Integer, sa.CheckConstraint("whole.* IS NOT NULL", name="full"), required=False),
    sa.CheckConstraint("(whole IS NULL) = false"),
)
table("tenants", sa.Column("code", sa.CHAR(3), primary_key=True), column("name", sa.Text, required=False))
for thing in ("customers", "products"):
    table(
        thing,
        sa.Column("tenant", sa.ForeignKey("tenants.code"), primary_key=True),
        sa.Column("number", sa.SmallInteger, primary_key=True),
    )
table(
    "deals",
    serial(),
    column("tenant", sa.ForeignKey("tenants.code")),
    column("customer", sa.SmallInteger),
    column("product", sa.SmallInteger, required=False),
    sa.ForeignKeyConstraint(["tenant", "customer"], ["customers.tenant", "customers.number"]),
    sa.ForeignKeyConstraint(["tenant", "product"], ["products.tenant", "products.number"]),
    sa.UniqueConstraint("tenant", "customer", "product"),
)
table(
    "employees",
    serial(),
    column("boss_id", sa.ForeignKey("employees.id"), required=False),
    column("badge", sa.Numeric(12, 0), unique=True),
    column("pin", sa.Integer, server_default=sa.text("7"), unique=True),
    sa.CheckConstraint("boss_id <> id", name="own boss"),
)
table("nodes", serial(), column("root_id", sa.ForeignKey("nodes.id", deferrable=True, initially="DEFERRED")))
table(
    "teams",
    serial(),
    column("captain_id", sa.ForeignKey("players.id", use_alter=True, name="captain"), required=False),
)
table("players", serial(), column("team_id", sa.ForeignKey("teams.id")), column("shirt", sa.SmallInteger))
table("persons", sa.Column("id", sa.Uuid, primary_key=True), column("name", Trimmed))
table("profiles", sa.Column("person_id", sa.ForeignKey("persons.id"), primary_key=True))
table("groups", sa.Column("name", sa.String(2), primary_key=True))
table(
    "memberships",
    sa.Column("person_id", sa.ForeignKey("persons.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("group", sa.ForeignKey("groups.name"), primary_key=True),
    column("seat", sa.Integer, required=False),
    column("hall", sa.Date),
    sa.UniqueConstraint("seat", "hall", deferrable=True, initially="DEFERRED"),
)
table(
    "papers",
    sa.Column("id", pg.UUID, primary_key=True, server_default=sa.text("gen_random_uuid()")),
    column("b", pg.JSONB),
    column("j", sa.JSON, required=False),
    column("numbers", sa.ARRAY(sa.Integer)),
    column("texts", sa.ARRAY(sa.Text)),
    column("square", sa.ARRAY(sa.Numeric(9, 2), dimensions=2)),
    column("moods", sa.ARRAY(MOOD)),
    column("keys", sa.ARRAY(sa.Uuid)),
    column("days", sa.ARRAY(sa.Date)),
    column("moments", sa.ARRAY(sa.TIMESTAMP(timezone=True))),
    column("spans", sa.ARRAY(sa.Interval)),
    column("blobs", sa.ARRAY(sa.LargeBinary)),
    column("flags", sa.ARRAY(sa.Boolean)),
    column("trees", sa.ARRAY(pg.JSONB)),
    column("blob", sa.LargeBinary),
    column("moment", sa.DateTime),
    column("zoned", sa.DateTime(timezone=True)),
    column("rough", pg.TIMESTAMP(precision=0)),
    column("clock", sa.Time),
    column("zoned_clock", sa.Time(timezone=True)),
    column("span", sa.Interval),
    column("real", sa.REAL),
    column("double", sa.Double),
    column("place", Point, required=False),
    column("bits", pg.BIT(5)),
    column("address", pg.INET, unique=True),
    column("net", pg.CIDR),
    column("mac", pg.MACADDR),
    column("mac8", pg.MACADDR8),
    column("oid", pg.OID),
    column("money", pg.MONEY),
    column("vector", pg.TSVECTOR),
    column("query", pg.TSQUERY),
    column("range", pg.INT4RANGE),
    column("zoned_range", pg.TSTZRANGE),
    column("letters", pg.CITEXT().with_variant(sa.Text(), "postgresql")),
    column("domain", pg.DOMAIN("small", sa.Integer, check=sa.text("VALUE BETWEEN 1 AND 9"), not_null=True)),
)
table(
    "numbers",
    sa.Column("n", sa.Numeric(8, 3), primary_key=True),
    column("small", sa.SmallInteger),
    column("big", sa.BigInteger, unique=True),
    column("fraction", sa.Numeric(5, 5)),
    column("wide", sa.Numeric(30, 10)),
    column("free", sa.Numeric),
    column("whole", sa.Numeric(3)),
)
table(
    "checked",
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    column("above", sa.Integer, sa.CheckConstraint("above > 0 AND above <= 1000")),
    column("under", sa.Numeric(6, 2), sa.CheckConstraint("(0 > (under))::boolean IS NOT NULL AND under < -0.5")),
    column("between", sa.Numeric(9, 4), sa.CheckConstraint('"between" BETWEEN -1.5 AND 1.5::numeric')),
    column("listed", sa.String(9), sa.CheckConstraint("checked.listed IN ('A', 'it''s', 'x:y')")),
    column("any", sa.Text, sa.CheckConstraint("(\"any\")::text = ANY ((ARRAY['a'::varchar, 'b'])::text[])")),
    column("braces", sa.Text, sa.CheckConstraint("braces = ANY ('{a,b}'::text[])")),
    column("other", sa.SmallInteger, sa.CheckConstraint("other NOT IN (0, 1, 2)")),
    column("long", sa.String(40), sa.CheckConstraint("length(long) >= 35")),
    column("sized", sa.CHAR(8), sa.CheckConstraint("char_length(sized) IN (3, 5)")),
    column("filled", sa.Text, sa.CheckConstraint("filled <> '' AND length(filled) < 5")),
    column("present", sa.Text, sa.CheckConstraint("present IS NOT NULL"), required=False),
    column("maybe", sa.Integer, sa.CheckConstraint("maybe IS NULL OR maybe >= 18"), required=False),
    column("agreed", sa.Boolean, sa.CheckConstraint("agreed")),
    column("refused", sa.Boolean, sa.CheckConstraint("NOT refused")),
    column("since", sa.Date, sa.CheckConstraint("since >= DATE '2020-02-29'")),
    column("moment", sa.DateTime(timezone=True), sa.CheckConstraint("moment < '2030-01-01 00:00:00+05:30'")),
    column("ratio", sa.Float, sa.CheckConstraint("ratio >= 0.1 AND ratio < 1")),
    column("mood", MOOD, sa.CheckConstraint("mood <> 'glad'")),
    column("label", sa.Enum("x", "y", native_enum=False, create_constraint=True, name="label")),
    column("expressed", sa.Integer),
    column("starts", sa.DateTime),
    column("ends", sa.DateTime, required=False),
    column("low", sa.Integer),
    column("middle", sa.Integer),
    column("high", sa.Numeric(12, 2)),
    column("code", sa.Text, sa.CheckConstraint("code ~ '^[A-Z]{2}$'", name="shape"), info={"examples": ["AB"]}),
    column("doubled", sa.BigInteger, sa.Computed("above::bigint * 2", persisted=True), required=False),
    sa.CheckConstraint(sa.column("expressed") >= 5, name="expressed"),
    sa.CheckConstraint("starts < ends", name="order"),
    sa.CheckConstraint("low <= middle AND middle < high", name="chain"),
)
table(
    "indexed",
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    column("email", sa.String(60)),
    column("owner", sa.Integer),
    column("main", sa.Boolean),
    column("lane", sa.BigInteger),
    column("gone", sa.DateTime, required=False),
    column("slot", sa.Integer, required=False),
    sa.Index("one_email", sa.text("lower(email)"), unique=True),
    sa.Index("one_main", "owner", unique=True, postgresql_where=sa.text("main AND gone IS NULL")),
    sa.Index("one_slot", "slot", unique=True, postgresql_nulls_not_distinct=True),
    pg.ExcludeConstraint(("lane", "="), using="btree", name="one_lane"),
)
sa.Index("one_email_again", sa.func.upper(nasty.tables["indexed"].c.email), unique=True)
table("empty", serial())
table("notes", serial(), column("body", pg.JSONB), column("tags", sa.ARRAY(MOOD)))
table("states", sa.Column("code", sa.Text, primary_key=True))
table(
    "tickets",
    serial(),
    column("state", sa.String(6), sa.ForeignKey("states.code"), sa.CheckConstraint("state IN ('open', 'closed')")),
    column("note", sa.String(5), sa.ForeignKey("states.code"), required=False),
)

TABLES = [*trading.metadata.tables.values(), *nasty.tables.values()]
BAD = [bad for each in TABLES for bad in rows.bad_ways(each)]
NULLS = [bad for bad in BAD if bad.kind == "null"]
EDGES = [bad for each in TABLES for bad in rows.edges(each)]
OPAQUE = {"opaque", "shape", "own boss", "checked_under_check", "whole_check"}


def ids(bad: rows.Bad) -> str:
    return f"{bad.table.name}-{bad}"


@pytest.fixture(scope="module")
def cursor() -> Iterator[Any]:
    """A cursor on a database with both contracts, in a transaction that nobody commits."""
    with servers.embedded() as server:
        dsn = server.database_dsn(server.create_database())
        engine = sa.create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(dsn))
        trading.metadata.create_all(engine)
        nasty.create_all(engine)
        engine.dispose()
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as found:
            found.execute("SAVEPOINT fresh")
            yield found


def insert(cursor: Any, example: tuple[rows.Insertion, ...]) -> list[rows.Row]:
    """Insert into a database as fresh as before."""
    cursor.execute("ROLLBACK TO SAVEPOINT fresh")
    return rows.insert(cursor, example, "public")


def refusal(cursor: Any, example: tuple[rows.Insertion, ...]) -> tuple[str | None, str]:
    """Insert all but the last, which must go in, then the last, and tell how it is refused."""
    insert(cursor, example[:-1])
    try:
        insert(cursor, example)
    except psycopg2.Error as error:
        return error.diag.constraint_name, str(error.pgcode)
    return None, "00000"


# ---- on the database


@pytest.mark.parametrize("table", TABLES, ids=str)
@given(data=st.data())
@SOME
def test_every_good_example_goes_in(cursor: Any, table: sa.Table, data: st.DataObject) -> None:
    example = data.draw(rows.example_for(table))

    assert len(insert(cursor, example)) == len(example)


@pytest.mark.parametrize("bad", NULLS, ids=ids)
@given(data=st.data())
@TWO
def test_every_null_is_refused_where_a_value_is_required(cursor: Any, bad: rows.Bad, data: st.DataObject) -> None:
    _, state = refusal(cursor, data.draw(rows.bad_example(bad)))

    assert state == "23502"


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad not in NULLS], ids=ids)
@given(data=st.data())
@FEW
def test_every_bad_way_is_refused_as_it_says(cursor: Any, bad: rows.Bad, data: st.DataObject) -> None:
    example = data.draw(rows.bad_example(bad))
    _, state = refusal(cursor, example)

    assert state == bad.sqlstate


@pytest.mark.parametrize("bad", [b for b in BAD if b.table.metadata is trading.metadata and b.kind != "null"], ids=ids)
@given(data=st.data())
@FEW
def test_a_bad_row_is_refused_by_the_constraint_it_breaks(cursor: Any, bad: rows.Bad, data: st.DataObject) -> None:
    constraint, _ = refusal(cursor, data.draw(rows.bad_example(bad)))

    assert constraint == bad.name


@pytest.mark.parametrize("bad", EDGES, ids=ids)
@given(data=st.data())
@FEW
def test_every_edge_is_refused_as_it_says(cursor: Any, bad: rows.Bad, data: st.DataObject) -> None:
    _, state = refusal(cursor, data.draw(rows.bad_example(bad)))

    assert state == bad.sqlstate


@pytest.mark.parametrize("table", TABLES, ids=str)
@given(data=st.data())
@FEW
def test_good_changes_are_accepted(cursor: Any, table: sa.Table, data: st.DataObject) -> None:
    example, change = data.draw(rows.example_for(table, size=1)), data.draw(rows.changes(table))
    insert(cursor, example)
    if change:
        cursor.execute(update(table, change))

        assert cursor.rowcount >= 1


def update(table: sa.Table, change: rows.Row) -> psycopg2.sql.Composed:
    pairs = [
        psycopg2.sql.SQL("{} = {}").format(psycopg2.sql.Identifier(name), psycopg2.sql.Literal(value))
        for name, value in change.items()
    ]
    return psycopg2.sql.SQL("UPDATE {} SET {}").format(
        psycopg2.sql.Identifier(table.name), psycopg2.sql.SQL(", ").join(pairs)
    )


def test_a_row_that_a_trigger_swallows_is_told(cursor: Any) -> None:
    insert(cursor, ())
    cursor.execute("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    cursor.execute('CREATE TRIGGER t BEFORE INSERT ON "empty" FOR EACH ROW EXECUTE FUNCTION swallow()')

    with pytest.raises(rows.Swallowed, match="empty"):
        rows.insert(cursor, [rows.Insertion(nasty.tables["empty"], {})], "public")


@pytest.mark.parametrize(
    ("trigger", "kept"),
    {
        "-- none": ["a", "b", "c"],
        "IF (SELECT count(*) FROM new) > 1 THEN RAISE EXCEPTION 'one at a time'; END IF;": ["a", "b", "c"],
        "IF EXISTS (SELECT FROM new WHERE name = 'b') THEN RAISE EXCEPTION 'no b'; END IF;": ["a"],
    }.items(),
    ids=["none", "of one row a statement", "of no b"],
)
def test_rows_go_in_together_as_one_by_one(cursor: Any, trigger: str, kept: list[str]) -> None:
    insert(cursor, ())
    cursor.execute(
        "CREATE TABLE coins (id integer GENERATED ALWAYS AS IDENTITY, name text, worth integer DEFAULT 7);"
        f"CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {trigger} \n RETURN NULL; END $$;"
        "CREATE TRIGGER t AFTER INSERT ON coins REFERENCING NEW TABLE AS new EXECUTE FUNCTION look();"
        "SAVEPOINT made"
    )
    worth = sa.Column("worth", sa.Integer, server_default="7")
    table = sa.Table(
        "coins", sa.MetaData(), sa.Column("id", sa.Integer, sa.Identity(always=True)), sa.Column("name", sa.Text), worth
    )
    family = [rows.Insertion(table, row) for row in ({"id": 90, "name": "a"}, {"name": "b", "worth": 1}, {"name": "c"})]
    told = []
    for together in (False, True):
        cursor.execute("ROLLBACK TO SAVEPOINT made; ALTER TABLE coins ALTER id RESTART")
        returned = list[rows.Row]()
        with suppress(psycopg2.Error):
            rows.insert(cursor, family, "public", returned, rows.Way(together=together))
        told.append([(row["name"], row["worth"]) for row in returned])

    assert told[0] == told[1]
    assert [name for name, _ in told[1]] == kept


def test_what_triggers_keep_out_of_rows_that_go_in_together_is_told(cursor: Any) -> None:
    insert(cursor, ())
    cursor.execute(
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN CASE WHEN new.name = 'b' THEN NULL ELSE new END; END $$;"
        "CREATE TABLE coins (name text);"
        "CREATE TRIGGER t BEFORE INSERT ON coins FOR EACH ROW EXECUTE FUNCTION swallow()"
    )
    table, returned = sa.Table("coins", sa.MetaData(), sa.Column("name", sa.Text)), list[rows.Row]()

    with pytest.raises(rows.Swallowed, match="coins"):
        rows.insert(
            cursor, [rows.Insertion(table, {"name": n}) for n in "abc"], "public", returned, rows.Way(together=True)
        )
    assert returned == [{"name": "a"}]


def test_a_ref_carries_documents_and_arrays(cursor: Any) -> None:
    notes = nasty.tables["notes"]
    first = {"body": rows.Document({"a": [1, None]}), "tags": rows.Array(["it's so-so", None])}
    second = {name: rows.Ref(0, name) for name in first}
    returned = insert(cursor, (rows.Insertion(notes, first), rows.Insertion(notes, second)))

    assert returned[1] | {"id": 0} == returned[0] | {"id": 0}


def test_a_text_with_nul_is_refused_before_it_is_sent(cursor: Any) -> None:
    row = {"code": "abc", "name": rows.NUL_TEXT}

    with pytest.raises(ValueError, match="NUL"):
        insert(cursor, (rows.Insertion(nasty.tables["tenants"], row),))


# ---- without it


def test_the_bad_ways_of_paper_trades_are_all_there() -> None:
    required = ["id", "user_id", "symbol", "action", "quantity", "price", "timestamp", "status", "created_at"]
    found = [(bad.kind, *bad.columns) for bad in rows.bad_ways(trading.paper_trades)]

    assert found == [
        *(("null", name) for name in required),
        ("orphan", "user_id"),
        ("duplicate", "id"),
        ("check", "action"),
        ("check", "quantity"),
        ("check", "price"),
    ]


def test_every_check_but_the_opaque_is_derived() -> None:
    found = {name for each in TABLES for name in rows.underived_checks(each)}

    assert found == OPAQUE


def test_every_key_of_the_nasty_contract_can_be_repeated() -> None:
    found = {bad.name for bad in BAD if bad.kind == "duplicate" and bad.table.name in ("indexed", "deals")}

    assert found == {
        "deals_pkey",
        "deals_tenant_customer_product_key",
        "indexed_pkey",
        "one_email",
        "one_email_again",
        "one_main",
        "one_slot",
    }


@pytest.mark.parametrize(
    ("kind", "check", "good", "bad"),
    [
        (sa.Integer, "c > 5", [6], [5]),
        (sa.Numeric(15, 2), "c > 0", [Decimal("0.01")], [Decimal(0)]),
        (sa.Numeric(5, 1), "2 >= c AND c >= 1.95", [Decimal("2.0")], [Decimal("1.9")]),
        (sa.Text, "c IN ('BUY', 'SELL')", ["BUY", "SELL"], []),
        (sa.Date, "c BETWEEN '2024-01-01' AND '2024-01-02'", [date(2024, 1, 1), date(2024, 1, 2)], []),
        (sa.DateTime, "c = '2024-01-01 10:00'", [datetime(2024, 1, 1, 10)], []),
        (sa.Boolean, "NOT c", [False], [True]),
    ],
)
def test_a_check_bounds_what_is_good_to_the_smallest_step(
    kind: Any, check: str, good: list[Any], bad: list[Any]
) -> None:
    metadata = sa.MetaData()
    table = sa.Table("t", metadata, sa.Column("c", kind, sa.CheckConstraint(check), nullable=False))
    seen = sample(rows.values(table.c.c))

    assert set(good) <= seen
    assert seen.isdisjoint(bad)


def sample(strategy: st.SearchStrategy[Any]) -> set[Any]:
    """Return many values of a strategy."""
    seen: set[Any] = set()

    @settings(SOME, max_examples=100)
    @given(strategy)
    def look(value: Any) -> None:
        seen.add(value)

    look()
    return seen


def test_text_reaches_its_edges() -> None:
    lengths = {len(value) for value in sample(rows.values(trading.users.c.password_hash))}

    assert {0, 255} <= lengths


def test_examples_of_a_column_are_mixed_in_where_they_fit() -> None:
    info = {"examples": ["BANKNIFTY26JAN59100PE", "far too long for a column of twenty-one"]}
    table = sa.Table("t", sa.MetaData(), sa.Column("symbol", sa.String(21), nullable=False, info=info))
    seen = sample(rows.values(table.c.symbol))

    assert seen & set(info["examples"]) == {"BANKNIFTY26JAN59100PE"}


@given(value=rows.values(trading.users.c.username))
@SOME
def test_text_is_what_postgresql_can_hold(value: str) -> None:
    assert "\0" not in value.encode().decode()


@given(example=rows.example_for(trading.paper_trades, size=5))
@SOME
def test_the_last_row_is_of_the_table_and_parents_come_first(example: tuple[rows.Insertion, ...]) -> None:
    refs = [(i, ref.index) for i, each in enumerate(example) for ref in each.row.values() if isinstance(ref, rows.Ref)]

    assert example[-1].table is trading.paper_trades
    assert all(parent < child for child, parent in refs)


def test_examples_are_made_quickly_the_simplest_first_and_the_same_each_time() -> None:
    found, again = (rows.quickly(rows.example_for(trading.users, size=3), 40) for _ in range(2))
    cells = [cell for family in found for each in family for cell in each.row.values()]

    assert [sorted(each.row) for each in found[0]] == [sorted(each.row) for each in again[0]]
    assert found[0][0].row.keys() == {
        "username",
        "email",
        "password_hash",
        "full_name",
        "id",
        "broker_client_id",
        "last_login",
    }
    assert {len(family) for family in found} == {1, 2, 3}
    assert {Decimal("9999999999999.99"), Decimal("-9999999999999.99"), -(2**31), 2**31 - 1, True, False} <= {*cells}
    assert {20, 50, 255} <= {len(cell) for cell in cells if isinstance(cell, str)}


@given(change=rows.changes(trading.users))
@SOME
def test_a_change_touches_no_key(change: rows.Row) -> None:
    assert change
    assert not change.keys() & {"id", "username", "email"}


def test_a_row_takes_its_foreign_keys_from_the_parents() -> None:
    seen = sample(rows.rows(trading.paper_trades, parents={"user_id": 7}).map(lambda row: row["user_id"]))

    assert seen == {7}


def test_a_row_without_its_parents_is_an_error() -> None:
    with pytest.raises(ContractError, match=r"paper_trades\.user_id needs a value"):
        rows.rows(trading.paper_trades)


def test_an_unknown_type_is_named() -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("place", Point, nullable=False))

    with pytest.raises(ContractError, match=r"t\.place has the type"):
        rows.values(table.c.place)


@given(row=rows.rows(nasty.tables["papers"]))
@FEW
def test_an_unknown_type_that_may_be_null_is_left_out(row: rows.Row) -> None:
    assert "place" not in row


def test_parents_that_need_each_other_are_an_error() -> None:
    metadata = sa.MetaData()
    for name, other in [("hen", "egg"), ("egg", "hen")]:
        key = sa.ForeignKey(f"{other}.id", use_alter=True, name=f"{name}_key")
        sa.Table(name, metadata, serial(), sa.Column(f"{other}_id", key, nullable=False))

    with pytest.raises(ContractError, match="no first row can be inserted"):
        sample(rows.example_for(metadata.tables["hen"]))


def test_an_equality_of_expressions_under_an_exclusion_keeps_rows_apart() -> None:
    parts = (column("mail", sa.Text), pg.ExcludeConstraint((sa.text("lower(mail)"), "="), using="btree", name="one"))
    table = sa.Table("mails", sa.MetaData(), serial(), *parts)

    assert ("mail",) in [each.columns for each in keys_of(table)]
