"""The contract suite is green on every sound database, whatever stands in it, and red where a rule is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

from contracts import rows, trading
from contracts.proof.advice.facts import facts_of
from contracts.proof.databases.place import Given
from contracts.proof.writing.inserting import insert
from contracts.proof.writing.transactions import example, rolled_back
from fixer.connect.servers import Server
from fixer.defects._databases import SHELF_ROWS, shelves
from lab.examples import further, kept, listened, oddities, ordinary, triggered
from lab.laboratory import OWNER, Laboratory
from lab.proof import Proof, place_of

Make = Callable[..., str]
GOOD = "good_rows_go_in_change_and_go_out"
ALIKE = "rows_alike_outside_their_keys_go_in"
SQL_NULL = """
    CREATE FUNCTION sql_null() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.before := nullif(NEW.before, ''null''); RETURN NEW; END';
    CREATE TRIGGER sql_null BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION sql_null()"""
MADE = {"": ordinary.PARTITIONS, "rows": ordinary.PARTITIONS + ordinary.ROWS}


@pytest.fixture
def make(laboratory: Laboratory) -> Iterator[Make]:
    """Makes a database as create_all makes it, with what stands beside the models, and gives its DSN."""
    made: list[tuple[Server, str]] = []

    def new(metadata: sa.MetaData, *statements: str, version: int = 18, role: str = "postgres") -> str:
        server = laboratory.server(version)
        name = server.create_database()
        made.append((server, name))
        run(server.database_dsn(name), f"GRANT CREATE ON SCHEMA public TO {OWNER}")
        dsn = server.database_dsn(name, role)
        engine = sa.create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(dsn))
        metadata.create_all(engine)
        engine.dispose()
        run(dsn, *statements)
        return dsn

    yield new
    for server, name in made:
        server.drop_database(name)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each item write fewer examples than a user's would."""
    monkeypatch.setattr(Given, "examples", (4, 2))


def run(dsn: str, *statements: str) -> None:
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def numbers(dsn: str) -> dict[str, int | None]:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT sequencename, last_value FROM pg_sequences")
        return dict(cursor.fetchall())


def prove(dsn: str, contract: str, directory: Path, names: str = "") -> Proof:
    with place_of(dsn, contract, directory) as place:
        return Proof(place, names)


# --- sound databases are green


@pytest.mark.parametrize(
    ("version", "role", "rows"),
    [(16, "postgres", ""), (16, OWNER, "rows"), (18, "postgres", "rows"), (18, OWNER, "")],
)
def test_twenty_ordinary_tables_are_green(make: Make, tmp_path: Path, version: int, role: str, rows: str) -> None:
    dsn = make(ordinary.metadata, MADE[rows], version=version, role=role)
    proof = prove(dsn, "lab.examples.ordinary:metadata", tmp_path)

    assert proof.red == {}
    assert len(proof.green) > 450


def test_rules_that_listeners_add_are_kept(make: Make, tmp_path: Path) -> None:
    proof = prove(make(listened.metadata), "lab.examples.listened:metadata", tmp_path)

    assert proof.red == {}
    assert proof.untried == {}
    assert f"{GOOD}[paints]" in proof.green


def test_what_has_no_values_left_is_said_and_not_red(make: Make, tmp_path: Path) -> None:
    dsn = make(ordinary.metadata, MADE["rows"])
    proof = prove(dsn, "lab.examples.ordinary:metadata", tmp_path, r"good_rows.*\[(limits|pinned|rooms)\]")

    assert proof.red == {}
    assert set(proof.untried.values()) == {
        "no row of limits was found that obeys UNIQUE (valid), whose values are all taken",
        "no row of pinned was found that obeys UNIQUE (place), whose values are all taken",
    }


def test_one_good_row_takes_a_number_from_its_sequence_and_no_other_row_does(make: Make, tmp_path: Path) -> None:
    dsn = make(ordinary.metadata, MADE["rows"])
    before = numbers(dsn)
    names = "bad_row.*(null|orphan|duplicate)-|good_rows.*comments|alike.*comments|nul_is.*comments"
    prove(dsn, "lab.examples.ordinary:metadata", tmp_path, names)
    after = numbers(dsn)

    moved = {name: (after[name] or 0) - (before[name] or 0) for name in before if before[name] != after[name]}
    assert moved == {"comments_id_seq": 1}


def test_a_sequence_that_is_behind_stays_where_it_is(make: Make, tmp_path: Path) -> None:
    dsn = make(ordinary.metadata, "INSERT INTO customers (id, email, country, name) VALUES (2, 'a@b.org', 'DE', 'a')")
    before = numbers(dsn)
    proof = prove(dsn, "lab.examples.ordinary:metadata", tmp_path, r"\[customers\b")

    assert set(proof.red) == {"generator_is_ahead[customers.id]"}
    assert numbers(dsn) == before


def test_no_example_and_no_advice_sees_rows_of_an_example_that_is_over(make: Make, tmp_path: Path) -> None:
    family = rows.quickly(rows.example_for(trading.users, size=1), 1)[0]
    with (
        place_of(make(trading.metadata), "contracts.trading:metadata", tmp_path) as place,
        rolled_back(place) as cursor,
    ):
        for _ in range(2):
            with example(place):
                insert(cursor, family, place)
            with facts_of(place).cursor() as asking:
                asking.execute("SELECT count(*) FROM public.users")
                assert asking.fetchone() == (0,)
        for _ in range(2):  # whose keys would repeat
            with example(place):
                insert(cursor, family, place)


@pytest.mark.parametrize("name", [*oddities.contracts])
def test_odd_tables_are_green(make: Make, tmp_path: Path, name: str) -> None:
    odd = oddities.contracts[name]
    proof = prove(make(odd.metadata, odd.beside), f"lab.examples.oddities:contract_{name}", tmp_path)

    assert proof.red == {}
    assert {item for item in proof.untried if "good_rows" in item} == {f"{GOOD}[{table}]" for table in odd.untried}


def test_what_is_seldom_said_is_green(make: Make, tmp_path: Path) -> None:
    proof = prove(make(further.metadata), "lab.examples.further:metadata", tmp_path)

    assert (proof.red, proof.untried) == ({}, {})


def test_what_triggers_of_applications_keep_up_is_green(make: Make, tmp_path: Path) -> None:
    assert prove(make(kept.metadata, kept.TRIGGERS), "lab.examples.kept:metadata", tmp_path).red == {}


@pytest.mark.parametrize(
    "deed", ["NEW.n := 0", "NEW.made := upper(NEW.made)", "NEW.at := NEW.at - interval '1 hour'", "NEW.made := NULL"]
)
def test_what_other_triggers_change_is_red(make: Make, tmp_path: Path, deed: str) -> None:
    dsn = make(
        kept.metadata, kept.TRIGGERS.replace("NEW.at := now();", "").replace("RETURN NEW", f"{deed}; RETURN NEW")
    )

    assert f"{GOOD}[kept]" in prove(dsn, "lab.examples.kept:metadata", tmp_path).red


@pytest.mark.parametrize("moment", ["INSERT", "UPDATE"])
def test_what_triggers_of_the_contract_change_is_said_and_not_red(make: Make, tmp_path: Path, moment: str) -> None:
    contract, function = tmp_path / "schema.sql", "RETURNS trigger LANGUAGE plpgsql AS"
    contract.write_text(
        f"""CREATE TABLE "Mai.l" (id serial PRIMARY KEY, address text NOT NULL);
        CREATE FUNCTION tidy() {function} 'BEGIN NEW.address := ''tidy''; RETURN NEW; END';
        CREATE TRIGGER "Tidy %" BEFORE {moment} ON "Mai.l" FOR EACH ROW EXECUTE FUNCTION tidy();"""
    )
    proof = prove(make(sa.MetaData(), contract.read_text()), str(contract), tmp_path, GOOD)

    assert proof.red == {}
    assert proof.untried[f"{GOOD}[Mai.l]"].startswith("the trigger Tidy % of public.Mai.l, which the contract has")


def test_what_triggers_of_listeners_change_is_not_red(make: Make, tmp_path: Path) -> None:
    dsn = make(triggered.metadata, triggered.ACTS.format("rogue"))

    assert set(prove(dsn, "lab.examples.triggered:metadata", tmp_path, GOOD).red) == {f"{GOOD}[rogue]"}


def test_what_triggers_change_in_a_database_that_is_its_own_contract_is_not_red(make: Make, tmp_path: Path) -> None:
    dsn = make(kept.metadata, kept.TRIGGERS.replace("RETURN NEW", "NEW.n := 0; RETURN NEW"))

    assert prove(dsn, "self", tmp_path, GOOD).red == {}


def test_a_table_without_columns_is_green(make: Make, tmp_path: Path) -> None:
    proof = prove(make(sa.MetaData(), "CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES"), "self", tmp_path)

    assert (proof.red, proof.untried) == ({}, {})
    assert "nothing_unknown_is_demanded[bare]" in proof.green


def test_domains_of_items_and_of_arrays_are_obeyed_where_no_models_tell_them(make: Make, tmp_path: Path) -> None:
    dsn = make(
        sa.MetaData(),
        "CREATE DOMAIN code AS text CHECK (VALUE ~ '^[A-Z]{3}$');"
        "CREATE DOMAIN few AS integer[] CHECK (cardinality(VALUE) < 2);"
        "CREATE DOMAIN said AS integer NOT NULL CHECK (VALUE > 5);"
        "CREATE DOMAIN single AS code[] CHECK (cardinality(VALUE) = 1);"
        "CREATE TABLE marks (id integer PRIMARY KEY, codes code[] NOT NULL, few few, said said[] UNIQUE, one single)",
    )

    assert prove(dsn, "self", tmp_path).red == {}


EXPRESSIONS = """
    CREATE TABLE e (id integer PRIMARY KEY, t text, d jsonb, n integer);
    CREATE INDEX ON e ((t::integer)); CREATE INDEX ON e (n) WHERE 10 / nullif(n, 3) > 0;
    CREATE UNIQUE INDEX ON e ((d ->> 'key'));
    CREATE UNIQUE INDEX ON e (nullif(t, '') text_pattern_ops DESC)"""
PERIODS = """
    CREATE TABLE p (id int4range, v daterange, PRIMARY KEY (id, v WITHOUT OVERLAPS));
    CREATE TABLE c (id int4range, v datemultirange, p int4range, w daterange,
        UNIQUE (id, v WITHOUT OVERLAPS), FOREIGN KEY (p, PERIOD w) REFERENCES p (id, PERIOD v))"""


@pytest.mark.parametrize("made", [EXPRESSIONS, PERIODS], ids=["expressions of indexes", "periods"])
def test_what_indexes_ask_of_rows_is_obeyed_where_no_models_tell_it(make: Make, tmp_path: Path, made: str) -> None:
    assert prove(make(sa.MetaData(), made), "self", tmp_path).red == {}


@pytest.mark.parametrize(
    ("wound", "item"),
    [
        ("DROP INDEX e_expr_idx", "bad_row_is_refused[e-duplicate-d]"),
        ("ALTER TABLE p DROP CONSTRAINT p_pkey CASCADE", "primary_key_holds[p]"),
    ],
)
def test_what_indexes_refuse_no_longer_is_red(make: Make, tmp_path: Path, wound: str, item: str) -> None:
    (contract := tmp_path / "schema.sql").write_text(EXPRESSIONS + ";" + PERIODS)
    proof = prove(make(sa.MetaData(), contract.read_text(), wound), str(contract), tmp_path)

    assert item in proof.red


# --- and wounds are red


@pytest.mark.parametrize(
    ("wound", "item"),
    [
        ("ALTER TABLE products DROP CONSTRAINT products_price_check", "bad_row_is_refused[products-check-price]"),
        ("ALTER TABLE customers ALTER name DROP NOT NULL", "bad_row_is_refused[customers-null-name]"),
        ("ALTER TABLE measurements ALTER celsius DROP NOT NULL", "bad_row_is_refused[measurements-null-celsius]"),
        ("ALTER TABLE orders DISABLE TRIGGER ALL", "bad_row_is_refused[orders-orphan-customer_id]"),
        ("ALTER TABLE measurements DISABLE TRIGGER ALL", "bad_row_is_refused[measurements-orphan-sensor_id]"),
        ("ALTER TABLE customers DROP CONSTRAINT customers_email_key", "bad_row_is_refused[customers-duplicate-email]"),
        ("ALTER TABLE sales DROP CONSTRAINT sales_pkey", "bad_row_is_refused[sales-duplicate-id,region,day]"),
        ("ALTER TABLE customers ADD CHECK (email LIKE '%.org')", f"{GOOD}[customers]"),
        ("ALTER TABLE limits ADD CHECK (x + y < 3)", f"{GOOD}[limits]"),
        ("ALTER TABLE limits ADD UNIQUE (x)", f"{ALIKE}[limits]"),
        ("ALTER TABLE customers ADD UNIQUE (name)", f"{ALIKE}[customers]"),
        ("CREATE UNIQUE INDEX ON comments (lower(body))", f"{ALIKE}[comments]"),
        ("ALTER TABLE measurements_2025_01 ALTER quality SET NOT NULL", f"{GOOD}[measurements]"),
        (SQL_NULL, f"{GOOD}[events]"),
        ("DROP TABLE limits", f"{GOOD}[limits]"),
        ("DROP TABLE limits; CREATE VIEW limits AS SELECT 1 AS id", f"{ALIKE}[limits]"),
    ],
)
def test_a_wound_is_red(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wound: str, item: str) -> None:
    monkeypatch.setattr(Given, "examples", (20, 8))
    table = item.partition("[")[2].rstrip("]").partition("-")[0]
    proof = prove(
        make(ordinary.metadata, ordinary.PARTITIONS, wound),
        "lab.examples.ordinary:metadata",
        tmp_path,
        rf"row.*\[{table}\b",
    )

    assert item in proof.red


def test_a_null_may_be_refused_for_what_is_computed_from_it(make: Make, tmp_path: Path) -> None:
    with place_of(make(shelves(), SHELF_ROWS), "fixer.defects._databases:shelves", tmp_path) as place:
        proof = Proof(place, "bad_row")

    assert "bad_row_is_refused[shelves-null-width]" in proof.green
    assert proof.red == {}
