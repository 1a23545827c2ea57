"""The snapshots: they load everywhere, they are broken exactly as they say, and they can be made anew."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from contracts.trading import metadata
from fixer.connect import snapshot
from fixer.connect.servers import Server
from fixer.errors import SnapshotError
from lab.laboratory import Laboratory

HOUSE = Path(__file__).resolve().parents[2]
SHIPPED = snapshot.find(HOUSE / "fixtures")
NEEDS_SUPERUSER = ["orphans-under-a-valid-key", "sequences-behind-after-restore"]

ORPHANS = "SELECT count(*) FROM paper_trades AS t WHERE NOT EXISTS (SELECT FROM users AS u WHERE u.id = t.user_id)"
ORPHANS_OF_OLD = ORPHANS.replace("users AS u", "users_old AS u")
ORPHANS_OF_SHADOW = ORPHANS.replace("users AS u", "trading.users AS u")
ORPHANS_BY_TEXT = ORPHANS.replace("u.id =", "u.user_id =")
DEFAULT_USERS = "SELECT count(*) FROM users WHERE username = 'PAPER_TRADER_001'"
WIDE_SYMBOLS = "SELECT count(*) > 100 FROM paper_trades WHERE length(symbol) > 20"
USERS, TRADES = "SELECT count(*) FROM users", "SELECT count(*) FROM paper_trades"
COPIES = """
    SELECT coalesce(sum(n - 1), 0)::int FROM
    (SELECT count(*) AS n FROM {0} AS r GROUP BY r HAVING count(*) > 1) AS g"""
TWICE = "SELECT count(*) FROM (SELECT {1} FROM {0} GROUP BY {1} HAVING count(*) > 1) AS g"
DIFFERING = """
    SELECT count(*) FROM (SELECT id FROM {0} AS r GROUP BY id HAVING count(DISTINCT r::text) > 1) AS g"""
DISABLED = "SELECT count(*) FROM pg_trigger WHERE tgenabled = 'D'"
VALID = """
    SELECT count(*) FROM pg_constraint
    WHERE conname = 'paper_trades_user_id_fkey' AND convalidated AND confrelid = '{0}'::regclass"""

FACTS: dict[str, list[tuple[str, Any]]] = {
    "default-user-cannot-be-created": [
        (USERS, 269),
        (TRADES, 1500),
        (DEFAULT_USERS, 0),
        ("SELECT count(*) FROM users WHERE status IS NULL", 24),
        ("SELECT max(length(username)) FROM users", 15),
        (ORPHANS, 0),
    ],
    "double-restore-duplicates": [
        (USERS, 332),
        (TRADES, 1648),
        (COPIES.format("users"), 25),
        (COPIES.format("paper_trades"), 40),
        (DIFFERING.format("users"), 7),
        (DIFFERING.format("paper_trades"), 8),
        (TWICE.format("users", "id"), 32),
        (TWICE.format("users", "username"), 25),
        (TWICE.format("users", "email"), 25),
        (TWICE.format("paper_trades", "id"), 48),
        (DEFAULT_USERS, 1),
        (ORPHANS, 0),
    ],
    "healthy": [(USERS, 260), (TRADES, 1500), (DEFAULT_USERS, 1), (ORPHANS, 0)],
    "must-be-refused": [
        (USERS, 259),
        (DEFAULT_USERS, 0),
        ("SELECT username FROM users WHERE email = 'paper_trader_001@example.invalid'", "papertrader1"),
        ("SELECT count(*) FROM paper_trades WHERE symbol <> ticker", 49),
        ("SELECT count(*) FROM paper_trades WHERE ticker IS NULL", 100),
    ],
    "orphans-under-a-valid-key": [
        (USERS, 259),
        (ORPHANS, 10),
        (VALID.format("users"), 1),
        (DISABLED, 0),
        ("SELECT current_setting('session_replication_role')", "origin"),
    ],
    "sequences-behind-after-restore": [
        (USERS, 310),
        (TRADES, 1700),
        (ORPHANS, 5),
        (VALID.format("users"), 1),
        (DISABLED, 2),
        ("SELECT last_value = 1 AND NOT is_called FROM users_id_seq", True),
        ("SELECT last_value FROM paper_trades_id_seq", 41),
        ("SELECT max(id) FROM users", 313),
        ("SELECT max(id) FROM paper_trades", 1700),
        (WIDE_SYMBOLS, True),
    ],
    "shadowed-users": [
        ("SELECT count(*) FROM public.users", 280),
        ("SELECT count(*) FROM trading.users", 207),
        ("SELECT count(*) FROM (TABLE trading.users EXCEPT TABLE public.users) AS alien", 0),
        (VALID.format("trading.users"), 1),
        (ORPHANS_OF_SHADOW, 0),
        (ORPHANS.replace("users AS u", "public.users AS u"), 0),
        ("SELECT current_schemas(false)", ["trading", "public"]),
    ],
    "sqlite-port": [
        (USERS, 250),
        (TRADES, 1500),
        (ORPHANS, 0),
        ("SELECT count(*) FROM users WHERE is_active NOT IN (0, 1) OR trading_enabled NOT IN (0, 1)", 0),
        ("SELECT count(*) FROM users WHERE created_at::timestamp <= updated_at::timestamp", 250),
        ("SELECT count(*) FROM paper_trades WHERE price::text::numeric(15, 2)::float <> price", 0),
        ("SELECT count(*) FROM paper_trades WHERE quantity <= 0 OR price <= 0", 0),
        ("SELECT count(*) FROM paper_trades WHERE action NOT IN ('BUY', 'SELL')", 0),
        (WIDE_SYMBOLS, True),
    ],
    "text-user-ids": [
        (USERS, 300),
        (TRADES, 1800),
        ("SELECT count(DISTINCT user_id) FROM users", 300),
        (ORPHANS_BY_TEXT, 0),
        ("SELECT count(*) FROM watchlists", 150),
        ("SELECT count(*) FROM users WHERE user_id ~ '^[0-9]+$'", 15),
        (DEFAULT_USERS, 1),
        (WIDE_SYMBOLS, True),
    ],
    "user-id-scar": [
        (USERS, 289),
        (TRADES, 1600),
        (DEFAULT_USERS, 0),
        ("SELECT count(DISTINCT user_id) FROM users", 289),
        ("SELECT confdeltype::text FROM pg_constraint WHERE conname = 'paper_trades_user_id_fkey'", "a"),
        (ORPHANS, 0),
    ],
    "users-old-left-behind": [
        (USERS, 268),
        ("SELECT count(*) FROM users_old", 255),
        ("SELECT count(*) FROM (SELECT id FROM users_old EXCEPT SELECT id FROM users) AS left_behind", 12),
        (VALID.format("users_old"), 1),
        (ORPHANS_OF_OLD, 0),
        (ORPHANS, 0),
        (DEFAULT_USERS, 1),
    ],
    "users-without-primary-key": [
        (USERS, 320),
        (TRADES, 2100),
        (ORPHANS, 7),
        (COPIES.format("users"), 0),
        (TWICE.format("users", "id"), 0),
        (TWICE.format("users", "username"), 0),
        (DEFAULT_USERS, 1),
        (WIDE_SYMBOLS, True),
    ],
    "where-it-began": [
        (USERS, 319),
        (TRADES, 2100),
        (ORPHANS, 7),
        (DEFAULT_USERS, 0),
        ("SELECT count(DISTINCT user_id) FROM users", 319),
    ],
}


@pytest.fixture(params=[16, 18])
def server(request: pytest.FixtureRequest, laboratory: Laboratory) -> Server:
    return laboratory.server(request.param)


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    name = server.create_database()
    yield server.database_dsn(name)
    server.drop_database(name)


@pytest.fixture
def note(tmp_path: Path) -> Callable[..., Path]:
    """Write a snapshot.toml, good but for some lines."""
    good = (HOUSE / "fixtures/users-without-primary-key/snapshot.toml").read_text("utf-8")

    def write(found: str = "", instead: str = "") -> Path:
        assert found in good
        (tmp_path / "snapshot.toml").write_text(good.replace(found, instead), "utf-8")
        return tmp_path

    return write


def connect(dsn: str) -> Any:
    return closing(psycopg2.connect(dsn))


def one(connection: Connection, question: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
        assert row is not None
        return row[0]


def psql(server: Server, dsn: str, *files: Path) -> None:
    assert server.bindir is not None
    words = [word for file in files for word in ("-f", str(file))]
    command = [server.bindir / "psql", "-X", "-q", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", *words, dsn]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def dump(server: Server, dsn: str) -> list[str]:
    """Give the schema, without the lines in which two dumps of one database differ."""
    assert server.bindir is not None
    done = subprocess.run([server.bindir / "pg_dump", "-s", dsn], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith("\\")]


def files_of(directory: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(directory)): file.read_bytes()
        for pattern in ("*/*.toml", "*/*.sql")
        for file in directory.glob(pattern)
    }


# ---- every snapshot


@pytest.mark.parametrize("name", SHIPPED)
def test_a_snapshot_is_broken_exactly_as_it_says(name: str, database: str) -> None:
    with connect(database) as connection:
        snapshot.load(SHIPPED[name], connection)
    with connect(database) as connection:
        found = [(question, one(connection, question)) for question, _ in FACTS[name]]

    assert FACTS[name] == found


@pytest.mark.parametrize("name", SHIPPED)
def test_psql_loads_what_the_loader_loads(name: str, server: Server, database: str) -> None:
    other = server.database_dsn(server.create_database())
    psql(server, database, *sorted(SHIPPED[name].path.glob("*.sql"), key=in_order))
    with connect(other) as connection:
        snapshot.load(SHIPPED[name], connection)

    assert dump(server, database) == dump(server, other)


def in_order(file: Path) -> int:
    return ["schema.sql", "data.sql", "after.sql"].index(file.name)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_owner_of_a_database_loads_it(name: str, server: Server) -> None:
    role = server.create_database()
    with connect(server.dsn) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role} LOGIN; ALTER DATABASE {role} OWNER TO {role}")
    files = sorted(SHIPPED[name].path.glob("*.sql"), key=in_order)

    psql(server, server.database_dsn(role, role), *files[: 2 if name in NEEDS_SUPERUSER else 3])


@pytest.mark.parametrize("name", ["healthy", "orphans-under-a-valid-key"])
def test_a_sound_catalogue_is_a_restored_dump_of_what_the_contract_builds(
    name: str, server: Server, database: str, tmp_path: Path
) -> None:
    fresh, restored = (server.database_dsn(server.create_database()) for _ in range(2))
    engine = create_engine(fresh.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool)
    metadata.create_all(engine)
    (tmp_path / "dump.sql").write_text("\n".join(dump(server, fresh)))
    psql(server, restored, tmp_path / "dump.sql")
    with connect(database) as connection:
        snapshot.load(SHIPPED[name], connection)

    assert dump(server, restored) == dump(server, database)


@pytest.mark.parametrize("name", SHIPPED)
def test_each_snapshot_but_the_control_needs_a_hazard_or_a_person(name: str) -> None:
    told = SHIPPED[name]

    assert (name == "healthy") == (told.repairable and not told.hazards)
    assert (name == "healthy") == (not told.findings)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_quarantined_is_what_has_no_place(name: str) -> None:
    facts = dict(FACTS[name])
    homeless = {
        "public.users": facts.get(COPIES.format("users"), 0),
        "public.paper_trades": facts.get(ORPHANS, 0) + facts.get(COPIES.format("paper_trades"), 0),
    }

    assert {table: rows for table, rows in homeless.items() if rows} == SHIPPED[name].quarantined


def test_the_snapshots_are_made_anew_to_the_byte(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-B", HOUSE / "fixtures/make.py", tmp_path], check=True)

    assert files_of(HOUSE / "fixtures") == files_of(tmp_path)


# ---- reading


def test_a_note_is_read_into_values(note: Callable[..., Path]) -> None:
    read = snapshot.read(note())

    assert (read.contract, read.schema, read.versions) == ("contracts.trading:metadata", "public", ())
    assert read.quarantined == {"public.paper_trades": 7}
    assert "missing-primary-key" in read.findings
    assert read.repairable


@pytest.mark.parametrize(
    ("found", "instead", "reason"),
    [
        ('schema = "public"\n', "", "lacks schema"),
        ('schema = "public"\n', 'scheme = "public"\n', "lacks schema"),
        ("repairable", 'colour = "red"\nrepairable', "has colour, which no snapshot has"),
        ("versions = []", 'versions = ["16"]', "should have a list of PostgreSQL majors as versions, has"),
        ("versions = []", "versions = [true]", "should have a list of PostgreSQL majors as versions, has"),
        ("= true", '= "true"', "should have true or false as repairable, has 'true'"),
        ("= 7", "= -7", "should have a table of row numbers as quarantined, has"),
        (
            'hazards = ["moves-rows"]',
            'hazards = "all"',
            "should have a list of hazards as hazards, has 'all'",
        ),
        ("= true", "= maybe", "is not TOML: "),
    ],
)
def test_a_bad_note_is_refused_with_one_sentence(
    note: Callable[..., Path], found: str, instead: str, reason: str
) -> None:
    path = note(found, instead)
    with pytest.raises(SnapshotError) as refusal:
        snapshot.read(path)

    assert str(refusal.value).startswith(f"{path / 'snapshot.toml'} {reason}")
    assert "\n" not in str(refusal.value)


def test_a_directory_without_a_note_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"snapshot\.toml cannot be read: No such file"):
        snapshot.read(tmp_path)


def test_a_directory_without_snapshots_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="holds no snapshot"):
        snapshot.find(tmp_path)


def test_the_shipped_snapshots_are_found_in_a_checkout_in_order() -> None:
    assert snapshot.find() == SHIPPED
    assert sorted(SHIPPED) == list(SHIPPED) == sorted(FACTS)


def test_an_installed_package_finds_the_snapshots_inside_it(
    monkeypatch: pytest.MonkeyPatch, note: Callable[..., Path], tmp_path: Path
) -> None:
    package, inside = tmp_path / "site-packages/fixer", tmp_path / "site-packages/fixer/fixtures/mine"
    inside.mkdir(parents=True)
    (tmp_path / "site-packages/fixtures").mkdir()
    (note() / "snapshot.toml").rename(inside / "snapshot.toml")
    monkeypatch.setattr(snapshot, "__file__", str(package / "connect" / "snapshot.py"))

    assert list(snapshot.find()) == ["mine"]


# ---- loading


def test_a_snapshot_without_its_rows_is_refused(note: Callable[..., Path], database: str) -> None:
    (note() / "schema.sql").write_text("CREATE TABLE public.t ()")
    with (
        connect(database) as connection,
        pytest.raises(SnapshotError, match=r"data\.sql cannot be read: No such file"),
    ):
        snapshot.load(snapshot.read(note()), connection)


@pytest.mark.parametrize("autocommit", [False, True])
def test_what_does_not_load_leaves_nothing_behind(note: Callable[..., Path], database: str, autocommit: bool) -> None:
    path = note()
    (path / "schema.sql").write_text("CREATE TABLE public.t (a text)")
    (path / "data.sql").write_text("INSERT INTO public.t VALUES ('100%s :b');\nINSERT INTO public.u VALUES (1);")
    with connect(database) as connection:
        connection.autocommit = autocommit
        with pytest.raises(SnapshotError, match=r'data\.sql does not load: relation "public.u" .*42P01'):
            snapshot.load(snapshot.read(path), connection)

        assert (0, autocommit) == (
            one(connection, "SELECT count(*) FROM pg_tables WHERE tablename = 't'"),
            connection.autocommit,
        )


@pytest.mark.parametrize("autocommit", [False, True])
def test_settings_of_a_file_end_with_it(note: Callable[..., Path], database: str, autocommit: bool) -> None:
    path = note()
    (path / "schema.sql").write_text("SELECT set_config('search_path', '', false); CREATE TABLE public.t (a text)")
    (path / "data.sql").write_text("INSERT INTO t VALUES ('100%s :b')")
    with connect(database) as connection:
        connection.autocommit = autocommit
        snapshot.load(snapshot.read(path), connection)

        assert one(connection, "SELECT a FROM t") == "100%s :b"


TRICKY = r"""SET client_encoding = 'UTF8'; -- it's; a comment
/* one; 'more */ INSERT INTO public.t VALUES ('a;''b'), (E'c\';d'''), ('e\'), ('ü;'), ($x$ ; ' $y$ $x$), ($$;$$);
CREATE TABLE public."odd; "" name" ("$a$" text); INSERT INTO public."odd; "" name" VALUES ('last;
');"""


def test_a_large_file_is_loaded_in_pieces_of_whole_statements() -> None:
    assert [*snapshot.pieces(TRICKY.encode(), 1)] == [
        piece.encode()
        for piece in (
            "SET client_encoding = 'UTF8';",
            TRICKY[TRICKY.index(" -- it's") : TRICKY.index("\nCREATE")],
            TRICKY[TRICKY.index("\nCREATE") : TRICKY.index(' INSERT INTO public."odd')],
            TRICKY[TRICKY.index(' INSERT INTO public."odd') :],
            "",
        )
    ]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE FUNCTION f() RETURNS integer BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3;",
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3;",
        "SET standard_conforming_strings = off; SELECT 'a\\';b';",
        "/* one /* ' */ ; ' */ SELECT 1; SELECT 2;",
    ],
)
def test_what_is_not_sure_to_be_whole_is_not_parted(text: str) -> None:
    assert b"".join(snapshot.pieces(text.encode(), 1)) == text.encode()
    assert len([*filter(bytes.strip, snapshot.pieces(text.encode(), 1))]) == 1


@pytest.mark.parametrize("last", ["", "INSERT INTO public.u VALUES (1);"])
def test_a_large_file_loads_whole_or_not_at_all(note: Callable[..., Path], database: str, last: str) -> None:
    path = note()
    (path / "schema.sql").write_text("CREATE TABLE public.t (a text)")
    line = f"INSERT INTO public.t VALUES ('it''s; {'x' * 1000}');\n"
    (path / "data.sql").write_text(line * (snapshot.LARGE // len(line) + 1) + last)
    with connect(database) as connection:
        if last:
            with pytest.raises(SnapshotError, match=r'data\.sql does not load: relation "public.u" .*42P01'):
                snapshot.load(snapshot.read(path), connection)
        else:
            snapshot.load(snapshot.read(path), connection)

        found = one(connection, "SELECT count(*) FROM pg_tables WHERE tablename = 't'")
        assert found == (0 if last else 1)
        assert last or one(connection, "SELECT count(*) FROM t") == snapshot.LARGE // len(line) + 1
