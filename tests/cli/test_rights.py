"""The command line, as roles that lack a right, and on a standby."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

import psycopg2
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import DOMAIN

from fixer import check
from fixer.connect import _supervise, servers, snapshot
from fixer.connect.servers import Server
from fixer.connect.target import resolve
from fixer.model.finding import UNREADABLE as UNREADABLE_ROWS
from lab.database import HEALTHY, STORY, Database, lent, role
from lab.laboratory import Laboratory
from lab.process import fixer, running


def reading(*more: str) -> list[str]:
    return ["GRANT USAGE ON SCHEMA public TO {}", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", *more]


@pytest.mark.parametrize(("name", "exit_code"), [(HEALTHY, 0), (STORY, 1)])
def test_check_needs_no_more_than_select(server: Server, name: str, exit_code: int) -> None:
    with lent(server, name) as database, role(database, *reading()) as reader:
        database.run(f"REVOKE TEMPORARY ON DATABASE {database.name} FROM PUBLIC")
        ended = fixer("check", "--deep", "--dsn", database.seen_by(reader))

        assert (exit_code, "") == (ended.returncode, ended.stderr)


def test_apply_as_a_reader_says_what_the_owner_may_run(broken: Database) -> None:
    with role(broken, *reading()) as reader:
        before = broken.dump()
        ended = fixer("apply", "--yes", "--allow-hazards", "all", "--dsn", broken.seen_by(reader))

        assert "GRANT " in ended.stderr
        assert (2, before) == (ended.returncode, broken.dump())


def test_a_plan_says_what_apply_would_ask_the_owner_to_run(broken: Database) -> None:
    with role(broken, *reading()) as reader:
        planned = fixer("plan", "--dsn", broken.seen_by(reader)).stdout
        refused = fixer("apply", "--yes", "--allow-hazards", "all", "--dsn", broken.seen_by(reader)).stderr

        asked = re.findall(r"GRANT [^;]*;", refused)
        assert asked != []
        assert re.findall(r"GRANT [^;]*;", planned) == asked


def test_what_apply_asks_the_owner_to_run_is_enough(broken: Database) -> None:
    with role(broken, *reading()) as reader:
        words = ("apply", "--yes", "--allow-hazards", "all", "--dsn", broken.seen_by(reader))
        broken.run(" ".join(re.findall(r"(?:ALTER|GRANT) [^;]*;", fixer(*words).stderr)))

        assert (fixer(*words, "--format", "json").returncode, "") == (0, "")


def test_an_owner_who_may_not_create_in_the_database_is_told(broken: Database) -> None:
    owners = "ALTER TABLE users OWNER TO {}; ALTER TABLE paper_trades OWNER TO {}; GRANT CREATE ON SCHEMA public TO {}"
    with role(broken, owners) as owner:
        before = broken.dump()
        ended = fixer("apply", "--yes", "--allow-hazards", "all", "--dsn", broken.seen_by(owner))

        assert "GRANT CREATE ON DATABASE" in ended.stderr
        assert (2, before) == (ended.returncode, broken.dump())


OURS = "ALTER TABLE users OWNER TO {}; ALTER TABLE paper_trades OWNER TO {}; GRANT ALL ON SCHEMA public TO {};"
JOURNALS = {
    "nothing": OURS,
    "the schemas alone": OURS + "GRANT USAGE, CREATE ON SCHEMA fixer_journal TO {}",
    "membership without inheritance": "ALTER ROLE {} NOINHERIT; GRANT {owner} TO {};"
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}; GRANT USAGE ON SCHEMA public TO {}",
}


@pytest.mark.parametrize("given", JOURNALS)
@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_what_a_run_needs_of_a_journal_that_others_made_is_said_and_is_enough(
    broken: Database, given: str, mode: str
) -> None:
    options = ("--mode", mode, "--allow-hazards", "all")
    with role(broken, f"GRANT CREATE ON DATABASE {broken.name} TO {{}}") as owner, role(broken) as other:
        broken.run(OURS.replace("{}", owner))
        assert fixer("apply", "--yes", *options, "--dsn", broken.seen_by(owner)).returncode == 0
        broken.run("ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_user_id_fkey")
        broken.run(JOURNALS[given].replace("{owner}", owner).replace("{}", other))
        planned = fixer("plan", *options[:2], "--format", "json", "--dsn", broken.seen_by(other)).stdout
        broken.run(" ".join(re.findall(r"(?:ALTER ROLE|GRANT) [^;]*;", "".join(json.loads(planned)["needs"]))))

        done = fixer("apply", "--yes", *options, "--dsn", broken.seen_by(other))
        assert (done.returncode, done.stderr if done.returncode else "") == (0, "")


def test_a_role_without_any_right_reads_no_traceback(healthy: Database) -> None:
    with role(healthy) as stranger:
        assert fixer("check", "--dsn", healthy.seen_by(stranger)).returncode in (1, 2)


def test_a_read_only_database_is_checked_and_not_repaired(broken: Database) -> None:
    broken.run(f"ALTER DATABASE {broken.name} SET default_transaction_read_only = on")
    before = broken.dump()
    codes = [
        fixer(*words, "--dsn", broken.dsn).returncode
        for words in (["check"], ["apply", "--yes", "--allow-hazards", "all"])
    ]

    assert ([1, 1], before) == (codes, broken.dump())


UNREADABLE = {
    "a reader without SELECT": (reading("REVOKE SELECT ON users FROM {}"), ["GRANT SELECT"]),
    "a reader under policies": (
        reading("ALTER TABLE users ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON users USING (true)"),
        ["ALTER ROLE"],
    ),
    "an owner under policies": (
        reading(
            "ALTER TABLE users OWNER TO {}",
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE users FORCE ROW LEVEL SECURITY",
            "CREATE POLICY p ON users USING (true)",
        ),
        ["ALTER TABLE"],
    ),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_lets_a_role_read_all_rows_is_said_and_is_enough(healthy: Database, case: str) -> None:
    grants, words = UNREADABLE[case]
    with role(healthy, *grants) as reader:
        reasons = "; ".join(unreadable(healthy, reader))
        ways = set(re.findall(r'(?:GRANT|ALTER)(?:[^;"]|"[^"]*")*', reasons))
        healthy.run("; ".join(ways))

        assert words == sorted({" ".join(way.split()[: len(words[0].split())]) for way in ways})
        assert unreadable(healthy, reader) == []


def unreadable(database: Database, role: str) -> list[str]:
    """Give the ways out of the findings for rows that a role may not read."""
    with closing(psycopg2.connect(database.seen_by(role))) as connection:
        found = check(connection, deep=True).findings
    return [str(each.repair.refusal) for each in found if each.slug == UNREADABLE_ROWS]


@pytest.fixture(scope="module")
def standby() -> Iterator[str]:
    """Give the DSN of a broken database on a server in recovery."""
    _, bindir = servers._choose(18)
    guise = _supervise.choose_guise(bindir, servers.GUISES)
    with _supervise.home(guise) as place:
        data = place / "data"
        dsn = f"postgresql://postgres@/postgres?host={quote(str(place), safe='')}"
        initdb = _supervise.spawn(
            [str(bindir / "initdb"), "-D", str(data), "-U", "postgres", "--no-sync"], place, guise, -3
        )
        assert initdb.wait() == 0
        command = [
            str(bindir / "postgres"),
            "-D",
            str(data),
            "-k",
            str(place),
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
        ]
        with running(command, place, guise), closing(psycopg2.connect(dsn)) as connection:
            snapshot.load(snapshot.find()[STORY], connection)
        os.close(os.open(data / "standby.signal", os.O_CREAT, 0o600))
        if guise == "nobody":
            os.chown(data / "standby.signal", _supervise.nobody().pw_uid, -1)
        with running(command, place, guise):
            yield dsn


def test_a_standby_is_checked(standby: str) -> None:
    ended = fixer("check", "--deep", "--dsn", standby)

    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_standby_is_not_repaired(standby: str) -> None:
    ended = fixer("apply", "--yes", "--allow-hazards", "all", "--dsn", standby)

    assert "standby" in ended.stderr
    assert ended.returncode == 2


@pytest.mark.parametrize("away", ["the tables", "a type to come"])
def test_a_schema_that_the_role_may_not_use_comes_with_the_statement_that_opens_it(
    laboratory: Laboratory, away: str
) -> None:
    wanted = MetaData(schema="ap.p")
    Table("k", wanted, Column("id", Integer, primary_key=True), Column("e", DOMAIN("em", Text, schema="do%m")))
    with lent(laboratory.server(18), None) as database, role(database) as who:
        database.run(
            'CREATE SCHEMA "ap.p"; CREATE SCHEMA "do%m"; CREATE DOMAIN "do%m".em AS text;'
            'CREATE TABLE "ap.p".k (id serial); INSERT INTO "ap.p".k VALUES (1)'
        )
        closed = "ap.p" if away == "the tables" else "do%m"
        database.run(f'ALTER TABLE "ap.p".k OWNER TO {who}; GRANT USAGE ON SCHEMA "ap.p", "do%m" TO {who}')
        database.run(f'REVOKE USAGE ON SCHEMA "{closed}" FROM {who}')
        said = [each.message for each in check(resolve(database.seen_by(who)), wanted).findings]
        way = f'GRANT USAGE ON SCHEMA "{closed}" TO "{who}"'
        database.run(way)
        opened = [each.message for each in check(resolve(database.seen_by(who)), wanted).findings]

        assert way in "\n".join(said)
        assert "could not be read" not in "\n".join(opened)
