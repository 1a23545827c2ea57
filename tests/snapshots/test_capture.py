"""A captured database shows what its target shows: with all rows, with some, and masked; the target is only read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

import fixer
from contracts.trading import metadata
from fixer.connect import snapshot
from fixer.connect.servers import Server
from fixer.errors import SnapshotError, TargetError, UsageError
from lab.database import Database, lent, load, role, written
from lab.laboratory import Laboratory
from lab.process import HOUSE
from lab.process import fixer as command

TRADING = "contracts.trading:metadata"
SHIPPED = sorted(snapshot.find(HOUSE / "fixtures"))
SECRET = "hunter2-is-a-secret"
# Columns whose values must be in no file of a masked capture, and the default user, whom the contract names itself.
PERSONAL = ("email", "username", "full_name", "password_hash")
DEFAULT_USER = {"PAPER_TRADER_001", "paper_trader_001@example.invalid", "Paper Trader", "!"}


@pytest.fixture(params=SHIPPED)
def shipped(request: pytest.FixtureRequest, server: Server) -> Iterator[tuple[snapshot.Snapshot, Database]]:
    """Lend a database for each shipped snapshot."""
    with lent(server, None) as database:  # a copy of a database would not have its settings
        load(database, request.param)
        yield snapshot.find(HOUSE / "fixtures")[request.param], database


def capture(database: Database, place: Path, **options: object) -> snapshot.Snapshot:
    fixer.capture(database.dsn, place, TRADING, scratch=database.server.dsn, **options)  # type: ignore[arg-type]
    return snapshot.read(place)


def originals(database: Database) -> set[str]:
    """Return every value of the personal columns of all tables named users."""
    tables = database.run("SELECT c.oid::regclass::text FROM pg_class AS c WHERE relname ~ '^users' AND relkind = 'r'")
    found: set[str] = set()
    for (table,) in tables:
        for column in PERSONAL:
            found |= {value for (value,) in database.run(f"SELECT DISTINCT {column} FROM {table}") if value}
    return found - DEFAULT_USER


def left_in(place: Path, values: set[str]) -> list[str]:
    """Return the values that stand in a file of a directory, as SQL writes them or as they are."""
    texts = [file.read_text("utf-8") for file in place.iterdir()]
    spelt = [f"'{value.replace(chr(39), chr(39) * 2)}'" for value in values]
    inside = [value for value in values if len(value) > 8]
    return [value for value in (*spelt, *inside) if any(value in text for text in texts)]


def test_a_capture_shows_what_the_target_shows(shipped: tuple[snapshot.Snapshot, Database], tmp_path: Path) -> None:
    known, database = shipped
    before = written(database)
    got = capture(database, tmp_path / "it")

    assert got.findings == known.findings
    assert (got.quarantined, got.repairable) == (known.quarantined, known.repairable)
    assert got.hazards <= known.hazards
    assert written(database) == before


def test_a_masked_capture_shows_the_same_and_holds_no_original(
    shipped: tuple[snapshot.Snapshot, Database], tmp_path: Path
) -> None:
    known, database = shipped
    got = capture(database, tmp_path / "it", mask=True)

    assert left_in(tmp_path / "it", originals(database)) == []
    assert (got.findings, got.quarantined) == (known.findings, known.quarantined)


def test_a_sample_holds_few_rows_and_the_same_findings(
    shipped: tuple[snapshot.Snapshot, Database], tmp_path: Path
) -> None:
    known, database = shipped
    got = capture(database, tmp_path / "it", sample=10)

    assert got.findings == known.findings
    assert (tmp_path / "it" / "data.sql").stat().st_size < (known.path / "data.sql").stat().st_size


def test_an_older_server_is_captured_by_its_own_programs(laboratory: Laboratory, tmp_path: Path) -> None:
    """They know fewer keywords of libpq than psycopg2 does."""
    with lent(laboratory.server(16), "orphans-under-a-valid-key") as database:
        got = capture(database, tmp_path / "it")

    assert (got.findings, got.versions[0]) == ({"orphan-rows"}, 16)


def test_the_suite_runs_a_capture(broken: Database, tmp_path: Path) -> None:
    capture(broken, tmp_path / "it", mask=True, sample=5)
    words = ["--pyargs", "contracts", "--snapshots", str(tmp_path / "it"), "-k", "snapshot", "-o", "addopts="]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=HOUSE, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(HOUSE)},
    )  # fmt: skip

    assert (done.returncode, re.findall(r"\d+ passed", done.stdout)) == (0, ["3 passed"]), done.stdout


def test_masks_agree_across_tables_and_formats_stay_valid(server: Server, tmp_path: Path) -> None:
    with lent(server, "text-user-ids") as database, lent(server, None) as other:
        known = capture(database, tmp_path / "it", mask=True)
        with closing(psycopg2.connect(other.dsn)) as connection:
            snapshot.load(known, connection)

        joined = "SELECT count(*) FROM paper_trades JOIN users USING (user_id)"
        assert other.ask(joined) == database.ask(joined)
        emails = other.run("SELECT email FROM users")
        assert len({email for (email,) in emails}) == database.ask("SELECT count(*) FROM users")
        assert [
            e for (e,) in emails if not re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)*\.(test|org|com|invalid)", e)
        ] == []
        lengths = "SELECT array_agg(length(password_hash) ORDER BY 1) FROM (SELECT password_hash FROM users) AS u"
        sizes = "SELECT array_agg(n ORDER BY n) FROM (SELECT length(password_hash) AS n FROM users) AS u"
        assert other.ask(sizes) == database.ask(sizes), lengths
        assert other.ask("SELECT count(*) FROM users WHERE password_hash LIKE '$2b$12$%'") > 0


def test_a_hint_keeps_a_column(broken: Database, tmp_path: Path) -> None:
    capture(broken, tmp_path / "it", mask=True, mask_as=["users.email=keep"])
    emails = {email for (email,) in broken.run("SELECT email FROM users")}
    text = (tmp_path / "it" / "data.sql").read_text("utf-8")

    assert [email for email in emails if email not in text] == []


def test_a_hint_masks_codes_and_numbers(broken: Database, tmp_path: Path) -> None:
    hints = ["users.status=text", "users.max_daily_trades=personal"]
    done = fixer.capture(
        broken.dsn, tmp_path / "it", TRADING, scratch=broken.server.dsn, sample=10, mask=True, mask_as=hints
    )
    users = next(kinds for table, kinds in done.masked.items() if table.name == "users")

    assert (users["status"], users["max_daily_trades"]) == ("text", "personal")
    assert "'suspended'" not in (tmp_path / "it" / "data.sql").read_text("utf-8")


def test_a_hint_for_no_column_is_refused(broken: Database, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no column"):
        capture(broken, tmp_path / "it", mask=True, mask_as=["users.emial=personal"])
    assert [*tmp_path.iterdir()] == []


def test_without_rows_it_says_what_it_does_not_show(broken: Database, tmp_path: Path) -> None:
    done = fixer.capture(broken.dsn, tmp_path / "it", TRADING, scratch=broken.server.dsn, rows=False)

    assert done.lost == ("orphan-rows of public.paper_trades.user_id",)
    assert "INSERT" not in (tmp_path / "it" / "data.sql").read_text("utf-8")


def test_a_directory_that_holds_something_is_left_alone(broken: Database, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("here")

    with pytest.raises(UsageError, match="is there already"):
        capture(broken, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_a_capture_that_would_not_show_the_same_is_refused(broken: Database, tmp_path: Path) -> None:
    """An index that does not show a row is sound once it is built anew."""
    broken.run(
        "ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);"
        "UPDATE pg_index SET indisready = false WHERE indexrelid = 'users_email_key'::regclass;"
        "INSERT INTO users (id, user_id, username, email, password_hash) VALUES (99999, 'x', 'x', 'x@x.x', 'x');"
        "UPDATE pg_index SET indisready = true WHERE indexrelid = 'users_email_key'::regclass"
    )

    with pytest.raises(SnapshotError, match="lacks failing-unique"):
        capture(broken, tmp_path / "it")
    assert [*tmp_path.iterdir()] == []


def test_a_password_is_in_no_file(broken: Database, tmp_path: Path) -> None:
    broken.run(f"DO $$ BEGIN CREATE ROLE capturer LOGIN SUPERUSER PASSWORD '{SECRET}'; EXCEPTION WHEN duplicate_object"
               " THEN NULL; END $$")  # fmt: skip
    dsn = broken.dsn.replace("//postgres@", f"//capturer:{SECRET}@")
    done = command("capture", "-o", tmp_path / "it", "--dsn", dsn, "--scratch", broken.server.dsn, "-vv",
                   "--log-file", tmp_path / "log")  # fmt: skip
    files = [file for file in tmp_path.rglob("*") if file.is_file()]

    assert (done.returncode, len(files)) == (0, 4), done.stderr
    assert SECRET not in done.stdout + done.stderr + "".join(file.read_text("utf-8") for file in files)


def test_a_role_that_may_not_read_all_is_told(broken: Database, tmp_path: Path) -> None:
    with role(broken, "GRANT SELECT ON users TO {}") as name, pytest.raises(TargetError):
        fixer.capture(broken.seen_by(name), tmp_path / "it", metadata, scratch=broken.server.dsn)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Name the directory of the snapshot: -o DIR."),
        (["-o", "x", "--sample", "3", "--no-rows"], "A sample is of one row at least, and goes with rows."),
        (["-o", "x", "--mask-as", "users.email=keep"], "Hints for masks go with a mask."),
        (["-o", "x", "--mask", "--mask-as", "email=keep"], "should be TABLE.COLUMN=keep|text|personal."),
    ],
)
def test_wrong_words_are_told_in_a_sentence(broken: Database, tmp_path: Path, words: list[str], said: str) -> None:
    done = command(
        "capture", *words, "--dsn", broken.dsn, "--scratch", broken.server.dsn, "--contract", TRADING, cwd=tmp_path
    )

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_what_earlier_runs_kept_is_no_part_of_a_snapshot(empty: Database, tmp_path: Path) -> None:
    load(empty, "where-it-began")
    run = fixer.apply(empty.dsn, metadata, allow_hazards="all")
    taken = capture(empty, tmp_path / "taken")
    kept = [file.name for file in (tmp_path / "taken").iterdir() if "fixer_" in file.read_text("utf-8")]

    assert any(entry.quarantined for entry in run.ledger)
    assert (taken.findings, kept) == (frozenset(), [])
