"""Throw-away databases on a server that a person named: gone afterwards, whatever happens, and no other is touched."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Column, DateTime, ForeignKey, Integer, MetaData, Table, Text, event, text

import fixer as pgmend
from fixer.connect import servers
from fixer.connect.servers import Server
from fixer.connect.target import resolve
from fixer.contract import load
from fixer.contract.project import scratch_named
from fixer.contract.scratch import Scratch
from fixer.errors import TargetError
from lab.database import Database, all_of, ask, lent, role, written
from lab.laboratory import VERSIONS, Laboratory
from lab.process import Begun, begun, fixer, wait_for

# What names roles that are on no server, and a schema.
SCHEMA = """
CREATE SCHEMA "App.%";
CREATE TABLE "App.%"."T.%" (id bigserial PRIMARY KEY, a text NOT NULL DEFAULT 'x', CHECK (a <> ''));
ALTER TABLE "App.%"."T.%" OWNER TO "Some.%body";
GRANT SELECT ON "App.%"."T.%" TO "Rea""der";
COMMENT ON SCHEMA "App.%" IS 'x';
"""
POLICY = """
ALTER TABLE "App.%"."T.%" ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON "App.%"."T.%" TO "Rea""der" USING (true);
"""
ON_SERVER = """
SELECT coalesce(string_agg(name, ' ' ORDER BY name), '')
  FROM (SELECT datname AS name FROM pg_database UNION ALL SELECT rolname FROM pg_roles) AS n
 WHERE name ~ '^pgmend_scratch|^Some|^Rea|^pgmend_contract'
"""
MAKER, BOSS = "LOGIN CREATEDB", "LOGIN CREATEDB CREATEROLE"


@pytest.fixture(scope="module")
def other() -> Iterator[Server]:
    """Lend a server of another major version than that of the target, which no other test uses meanwhile."""
    with servers.embedded(16) as server:
        yield server


@pytest.fixture(autouse=True)
def _forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep contracts for one test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "schema.sql").write_text(SCHEMA)
    return tmp_path


CODE = ("missing-grant", "missing-policy", "missing-row-security")


def checked(database: Database, scratch: str, place: Path, **env: str) -> tuple[int, dict[str, str], str]:
    """Give the exit code of a check against schema.sql, its findings and what it says of errors."""
    words = ("check", "--format", "json", "--contract", "schema.sql", "--dsn", database.dsn)
    given = ("--scratch", scratch) if scratch else ()
    ended = fixer(*words, *given, cwd=place, env={"XDG_CACHE_HOME": str(place), **env})
    every = {each["slug"]: each["object"] for each in json.loads(ended.stdout).get("findings", [])}
    found = {slug: name for slug, name in every.items() if slug not in CODE}  # the target has no role of the contract
    return ended.returncode, found, ended.stderr


def refused(database: Database, scratch: str, place: Path) -> str:
    """Give what a check says of the first part that is refused."""
    words = ("--contract", "schema.sql", "--scratch", scratch, "--dsn", database.dsn)
    ended = fixer("check", "--format", "json", *words, cwd=place, env={"XDG_CACHE_HOME": str(place)})
    assert ended.returncode == 1, ended.stderr
    found = json.loads(ended.stdout)["findings"]
    return str(next(each["message"] for each in found if each["slug"] == "refused-definition"))


# ---- made, and gone


@pytest.mark.parametrize("words", ["LOGIN SUPERUSER", BOSS, f"{BOSS} NOINHERIT"])
def test_a_named_server_lends_a_database_and_is_left_as_it_was(
    empty: Database, other: Server, place: Path, words: str
) -> None:
    (place / "schema.sql").write_text(SCHEMA + POLICY)
    empty.run(SCHEMA.partition("ALTER TABLE")[0] + 'ALTER TABLE "App.%"."T.%" DROP CONSTRAINT "T.%_a_check"')
    before, stamps = all_of(empty), written(empty)
    with lent(other, None) as home, role(home, words=words) as who:
        found = checked(empty, home.seen_by(who), place)
        again = checked(empty, "postgresql://nobody@nowhere.invalid/", place)

    assert found[:2] == (1, {"missing-check": "App.%.T.%.T.%_a_check"}), found[2]
    assert ask(other.dsn, ON_SERVER) == ""
    assert (all_of(empty), written(empty)) == (before, stamps)
    assert again[0] == 2  # what one server made is not taken for what another would


def test_a_role_that_may_create_none_runs_the_contract_itself(empty: Database, other: Server, place: Path) -> None:
    empty.run(SCHEMA.partition("ALTER TABLE")[0])
    with lent(other, None) as home, role(home, words=MAKER) as who:
        found = checked(empty, home.seen_by(who), place)
        (place / "schema.sql").write_text(SCHEMA + POLICY)
        said = refused(empty, home.seen_by(who), place)

    assert found == (0, {}, "")
    assert f'"Rea"der" does not exist (42704). The role {who} may not create it on the server of --scratch' in said
    assert "create it there, or name a role that has CREATEROLE" in said
    assert ask(other.dsn, ON_SERVER) == ""


def test_what_is_the_servers_is_never_run_even_by_a_role_that_may(other: Server, place: Path) -> None:
    (place / "schema.sql").write_text(
        "DROP DATABASE IF EXISTS kept;\nDROP /**/ DATABASE kept;\n\\connect kept\nCREATE DATABASE pgmend_scratch_x;\n"
        "CREATE ROLE pgmend_scratch_r; ALTER DATABASE kept SET work_mem = '1MB'; DROP OWNED BY CURRENT_USER;\n"
        "DO $$ BEGIN CREATE ROLE pgmend_scratch_s; ALTER DATABASE kept SET work_mem = '1MB'; END $$;\n"
        "COMMENT ON DATABASE kept IS 'x';\nCREATE TABLE t (id integer PRIMARY KEY);"
    )
    comment = "SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = 'kept'"
    with lent(other, None) as target, role(target, words=MAKER) as who:
        target.run("CREATE TABLE t (id integer PRIMARY KEY)")
        ask(target.seen_by(who), "CREATE DATABASE kept")
        found = checked(target, target.seen_by(who), place)
        there = ask(other.dsn, comment)
        other.drop_database("kept")

    assert (found, there) == ((0, {}, ""), "")
    assert ask(other.dsn, ON_SERVER) == ""


def test_the_server_of_the_target_lends_one_where_it_is_named(other: Server, place: Path) -> None:
    with lent(other, None) as target:
        target.run(SCHEMA.partition("ALTER TABLE")[0])

        assert checked(target, target.dsn, place) == (0, {}, "")
        assert ask(other.dsn, ON_SERVER) == ""


def test_sql_has_no_rights_on_a_server_that_is_named(empty: Database, other: Server, place: Path) -> None:
    mark = place / "mark"
    (place / "schema.sql").write_text(f"CREATE TABLE t (id integer);\nCOPY t TO PROGRAM 'touch {mark}';")
    code, _, said = checked(empty, other.dsn, place)

    assert (code, mark.exists()) == (2, False)
    assert said.startswith("fixer: schema.sql, line 2: permission denied to COPY")
    assert ask(other.dsn, ON_SERVER) == ""


def test_listeners_and_equal_names_are_made_on_the_named_server(empty: Database, other: Server) -> None:
    metadata, versions = MetaData(), list[int]()
    Table("t", metadata, Column("id", Integer, primary_key=True), Column("a", Text, server_default=text("app.code()")))
    Table("t", metadata, Column("id", Integer, primary_key=True), schema="app")
    event.listen(
        metadata,
        "after_create",
        lambda _, connection, **__: versions.append(connection.scalar(text("SHOW server_version_num"))),
    )
    empty.run("CREATE SCHEMA app; CREATE FUNCTION app.code() RETURNS text LANGUAGE sql AS 'SELECT 1::text'")
    pgmend.apply(resolve(empty.dsn, {}), metadata, scratch=other.dsn)

    assert pgmend.check(resolve(empty.dsn, {}), metadata, scratch=other.dsn).ok
    assert {int(each) // 10000 for each in versions} == {16}


def test_models_go_to_the_named_server_where_the_target_takes_no_temporary_tables(
    empty: Database, other: Server
) -> None:
    metadata = MetaData()
    Table("t", metadata, Column("id", Integer, primary_key=True), Column("a", Text, server_default="x"))
    empty.run(f"CREATE TABLE t (id serial PRIMARY KEY, a text); REVOKE TEMPORARY ON DATABASE {empty.name} FROM PUBLIC")
    with role(empty, "GRANT SELECT ON t TO {}") as who:
        target = resolve(empty.seen_by(who), {})
        found = pgmend.check(target, metadata, scratch=other.dsn).findings
        with pytest.raises(TargetError, match="nothing listens there"):
            pgmend.check(target, metadata, scratch="postgresql://me@127.0.0.1:1/")

    assert [finding.slug for finding in found] == ["missing-default"]


def test_models_of_which_a_part_is_refused_go_to_the_named_server_alone(
    empty: Database, other: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lending, lent_by = Scratch.lend, list[Scratch]()
    monkeypatch.setattr(Scratch, "lend", lambda self, version: lent_by.append(self) or lending(self, version))
    metadata = MetaData()
    Table("t", metadata, Column("id", Integer, primary_key=True), Column("m", Integer))
    Table("u", metadata, Column("t", Integer, ForeignKey("t.m", name="to_m"), primary_key=True))
    empty.run(
        f"CREATE TABLE t (id serial PRIMARY KEY, m int); CREATE TABLE u (t serial PRIMARY KEY);"
        f" REVOKE TEMPORARY ON DATABASE {empty.name} FROM PUBLIC"
    )
    with role(empty, "GRANT SELECT ON t, u TO {}") as who:
        found = pgmend.check(resolve(empty.seen_by(who), {}), metadata, scratch=other.dsn).findings

    assert [each.object for each in found if each.slug == "refused-definition"] == ["public.u.to_m"]
    assert {str(each) for each in lent_by} == {str(Scratch.of(other.dsn))}


@contextmanager
def sleeping(database: Database, scratch: str, place: Path) -> Iterator[tuple[str, Begun]]:
    """Lend the name of a throw-away database in which a contract sleeps, and its process."""
    (place / "slow.sql").write_text(SCHEMA + POLICY + "SELECT pg_sleep(60);")
    words = ("check", "--contract", "slow.sql", "--scratch", scratch, "--dsn", database.dsn)
    sleeper = "SELECT max(datname) FROM pg_stat_activity WHERE datname ~ '^pgmend_scratch' AND query ~ 'pg_sleep.60'"
    with begun(*words, cwd=place, env={"XDG_CACHE_HOME": str(place)}) as process:
        wait_for(lambda: ask(scratch, sleeper))
        yield ask(scratch, sleeper), process
        process.kill()


def test_ctrl_c_leaves_nothing(empty: Database, other: Server, place: Path) -> None:
    with sleeping(empty, other.dsn, place) as (_, process):
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()

        assert (process.returncode, said) == (130, "fixer: Interrupted. Nothing was changed.\n")
    assert ask(other.dsn, ON_SERVER) == ""


def test_what_a_killed_run_left_goes_and_what_is_others_stays(empty: Database, other: Server, place: Path) -> None:
    alike = [f"pgmend_scratch_{os.urandom(8).hex()}" for _ in range(3)]  # of a person, lived in, of another name
    alike[2] += "x"
    empty.run(SCHEMA.partition("ALTER TABLE")[0])
    with sleeping(empty, other.dsn, place) as (name, process):
        process.kill()
        process.wait()
        its = f"FROM pg_stat_activity WHERE '{name}' IN (datname, application_name)"
        ask(other.dsn, f"SELECT count(pg_terminate_backend(pid)) {its}")
        wait_for(lambda: ask(other.dsn, f"SELECT count(*) = 0 {its}"))
    for each in alike:
        ask(other.dsn, f"CREATE DATABASE {each}")
    for each in alike[1:]:
        ask(other.dsn, f"COMMENT ON DATABASE {each} IS 'pgmend: throw-away, made by the session {each}'")
    ask(other.dsn, f"COMMENT ON DATABASE {alike[0]} IS 'mine'")
    half = f"pgmend_scratch_{os.urandom(8).hex()}"  # killed before its comment was written, which that of its role is
    ask(other.dsn, f"CREATE DATABASE {half}")
    mark = f"pgmend: throw-away, made by the session {half}"
    ask(other.dsn, f"CREATE ROLE {half}; COMMENT ON ROLE {half} IS '{mark}'")
    left = ask(other.dsn, ON_SERVER)
    with closing(psycopg2.connect(other.database_dsn(alike[1]))):
        found = checked(empty, other.dsn, place)
        then = ask(other.dsn, ON_SERVER)
    found_again = checked(empty, other.database_dsn("template1"), place)

    assert (found, found_again) == ((0, {}, ""), (0, {}, ""))
    assert left.split() == sorted([*alike, half, half, name, name, 'Rea"der', "Some.%body"])
    assert then.split() == sorted(alike)
    assert ask(other.dsn, ON_SERVER).split() == sorted([alike[0], alike[2]])
    for each in (alike[0], alike[2]):
        other.drop_database(each)


def test_many_at_once_have_names_of_their_own(empty: Database, other: Server, place: Path) -> None:
    """All need one role that is not there."""
    (place / "schema.sql").write_text(SCHEMA + POLICY)
    empty.run(SCHEMA.partition("ALTER TABLE")[0])
    words = ("check", "-q", "--contract", "schema.sql", "--scratch", other.dsn, "--dsn", empty.dsn)
    runs = [begun(*words, cwd=place, env={"XDG_CACHE_HOME": str(place / str(n))}) for n in range(5)]
    ended = [(run.communicate(), run.returncode) for run in runs]

    assert ended == [(("", ""), 1)] * len(runs)  # for the target lacks the policy
    assert ask(other.dsn, ON_SERVER) == ""


# ---- what is refused


def test_what_lends_no_database_is_said(empty: Database, other: Server, place: Path) -> None:
    with lent(other, None) as home, role(home, words="LOGIN") as who:
        dsn = home.seen_by(who)
        denied = checked(empty, dsn, place)[2]
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    said = {
        "closed": checked(empty, f"postgresql://me:secret@127.0.0.1:{port}/", place)[2],
        "nonsense": checked(empty, "nonsense", place)[2],
        "pooler": checked(empty, f"{other.dsn}&pgbouncer=true", place)[2],
        "docker": checked(empty, "docker:postgres:18", place, DOCKER_HOST="unix:///nowhere/docker.sock")[2],
        "variable": checked(empty, "", place, PGMEND_SCRATCH="mysql://x")[2],
    }

    assert denied.startswith(f"fixer: The role {who} may not create a database on the server postgresql://{who}@")
    assert denied.endswith(f'of --scratch: let a superuser run ALTER ROLE "{who}" CREATEDB;\n')
    assert "the connection was refused, nothing listens there" in said["closed"]
    assert "secret" not in said["closed"]
    assert said["nonsense"].startswith("fixer: --scratch is neither a URL (postgresql://user@host:port/database)")
    assert said["pooler"].endswith(" of --scratch is behind a pooler: name the server's direct port.\n")
    assert said["docker"].startswith("fixer: This contract needs a throw-away database, and no Docker engine answers")
    assert said["docker"].endswith("where USER has CREATEDB, or --scratch docker:IMAGE.\n")
    assert "starts with mysql://, which is not PostgreSQL" in said["variable"]
    assert ask(other.dsn, ON_SERVER) == ""


@contextmanager
def answering(version: str) -> Iterator[int]:
    """Lend the port of what says that it is PostgreSQL of this version, and no more."""

    def said(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!i", len(body) + 4) + body

    known = {"server_version": version, "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "integer_datetimes": "on",
             "standard_conforming_strings": "on"}  # fmt: skip
    greeting = said(b"R", struct.pack("!i", 0))
    greeting += b"".join(said(b"S", f"{key}\0{value}\0".encode()) for key, value in known.items()) + said(b"Z", b"I")

    def serve() -> None:
        client, _ = listening.accept()
        with client:
            while len(asked := client.recv(4096)) == 8:  # whether it speaks TLS or GSSAPI
                client.sendall(b"N")
            client.sendall(greeting)
            while asked:
                asked = client.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        yield listening.getsockname()[1]
        server.join(timeout=10)


def test_a_server_that_is_too_old_is_said(empty: Database, place: Path) -> None:
    with answering("12.22") as port:
        code, _, said = checked(empty, f"postgresql://me@127.0.0.1:{port}/", place)

    assert code == 2
    assert said.endswith(" of --scratch runs PostgreSQL 12: name one of version 13 or later.\n")


def test_what_a_project_and_the_environment_say_of_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pgmend]\nscratch = "docker:postgres:18"')

    assert scratch_named({}, tmp_path) == "docker:postgres:18"
    assert scratch_named({"PGMEND_SCRATCH": "postgresql://h/"}, tmp_path) == "postgresql://h/"
    assert scratch_named({}, Path("/")) is None
    with pytest.raises(TargetError, match=r"^--scratch is neither a URL"):
        load("self", "nonsense")


# ---- other versions, and extensions

EXPRESSIONS = """
CREATE FUNCTION public.fn(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT t';
CREATE DOMAIN public.mail AS text CHECK (trim(VALUE) <> '') CHECK (position('@' IN VALUE) > 1) NOT NULL;
CREATE DOMAIN public.past AS timestamp CHECK (extract(year FROM VALUE) > 2000) CHECK (extract(year FROM VALUE) > -3);
CREATE TABLE public.plain (
    id integer PRIMARY KEY, a text DEFAULT substring('abc' FROM 1 FOR 2), b text DEFAULT trim(BOTH 'x' FROM 'xax'),
    c numeric DEFAULT extract(epoch FROM now()), d timestamp DEFAULT (now() AT TIME ZONE 'UTC'), e text DEFAULT 'x',
    f text DEFAULT overlay('abc' PLACING 'z' FROM 1), g boolean DEFAULT ('a' IS NORMALIZED), h int DEFAULT -1,
    i double precision DEFAULT date_part('epoch', now()), j timestamptz DEFAULT timezone('UTC', now()::timestamp)
);
CREATE TABLE public."Odd.%" (
    "a.%" text, b integer, "at" timestamp, tz timestamptz, m public.mail, p public.past[], r tsrange,
    y integer GENERATED ALWAYS AS (extract(year FROM "at")) STORED,
    u timestamp GENERATED ALWAYS AS (tz AT TIME ZONE 'UTC') STORED,
    CHECK (char_length(trim("a.%")) > 0), CHECK (extract(month FROM "at") BETWEEN 1 AND 12),
    CHECK (extract(hour FROM "at") <> 3 OR "a.%" = '(3)::numeric'), CHECK ("at" AT TIME ZONE 'UTC' > tz),
    CHECK (public.fn("a.%") <> trim("a.%")), CHECK (("at", "at") OVERLAPS ("at", "at")),
    CHECK ("a.%" IS NFC NORMALIZED),
    EXCLUDE USING gist (r WITH &&) WHERE (extract(hour FROM "at") > 3)
);
CREATE INDEX ON public."Odd.%" (extract(year FROM "at"), trim("a.%") DESC) WHERE position('x' IN "a.%") > 2;
CREATE UNIQUE INDEX ON public."Odd.%" (b, substring("a.%" FROM 1 FOR 1));
CREATE TABLE public.parted ("at" timestamp, k text) PARTITION BY RANGE (extract(year FROM "at"));
CREATE TABLE public.part PARTITION OF public.parted FOR VALUES FROM (2020) TO (2021);
"""
# What has a type that the target does not have yet.
TO_COME = """
CREATE TYPE public.state AS ENUM ('new', 'old');
CREATE TABLE public.comes (a text, s public.state DEFAULT 'new', CHECK (trim(a) <> ''));
"""


@pytest.mark.parametrize(
    ("version", "scratch"),
    [(16, 18), (18, 16), *((old, 18) for old in (13, 15, 17) if old in VERSIONS)],
)
def test_both_sides_are_spelt_alike_whatever_the_versions(
    laboratory: Laboratory, place: Path, version: int, scratch: int
) -> None:
    (place / "schema.sql").write_text(EXPRESSIONS)
    with lent(laboratory.server(version), None) as database:
        database.run(EXPRESSIONS)
        found = checked(database, laboratory.server(scratch).dsn, place)
        (place / "schema.sql").write_text(f"{EXPRESSIONS}{TO_COME}")
        database.run("CREATE TABLE comes (a text CHECK (trim(a) <> ''))")
        more = checked(database, laboratory.server(scratch).dsn, place)
        database.run('DROP TABLE "Odd.%"; ALTER TABLE plain ALTER a DROP DEFAULT, ALTER c SET DEFAULT 3')
        words = ("--contract", "schema.sql", "--scratch", laboratory.server(scratch).dsn, "--dsn", database.dsn)
        ended = fixer("apply", "--yes", "-q", "--allow-hazards", "all", *words, cwd=place)

        assert found == (0, {}, "")
        assert more == (1, {"missing-column": "public.comes.s"}, "")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert checked(database, laboratory.server(scratch).dsn, place) == (0, {}, "")


def test_another_database_of_another_version_is_spelt_alike(laboratory: Laboratory, tmp_path: Path) -> None:
    with lent(laboratory.server(min(VERSIONS)), None) as database, lent(laboratory.server(18), None) as contract:
        database.run(EXPRESSIONS)
        contract.run(EXPRESSIONS)
        ended = fixer("check", "--contract", contract.dsn, "--dsn", database.dsn, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")


MOMENTS = """
CREATE DOMAIN public.late AS timestamptz CHECK (VALUE > '2020-01-02 00:00:00+00');
CREATE TABLE public.t (
    a timestamptz DEFAULT '2020-01-02 00:00:00+00', b date DEFAULT '2020-02-03', c interval DEFAULT '1 day 02:00',
    d public.late, CHECK (a > '2020-01-02 00:00:00+00'), CHECK (b > '2020-03-04'), CHECK (c < '2 months 3 days')
);
CREATE INDEX ON public.t (a) WHERE a > '2021-02-03 00:00:00+00';
CREATE TABLE public.p (a timestamptz, b date) PARTITION BY RANGE (a, b);
CREATE TABLE public.p1 PARTITION OF public.p
    FOR VALUES FROM ('2020-01-02 00:00:00+00', '2020-02-03') TO ('2020-02-03 00:00:00+00', '2020-03-04');
"""


def test_moments_are_spelt_alike_in_whatever_zone_and_style_a_session_is(
    laboratory: Laboratory, other: Server, place: Path
) -> None:
    (place / "schema.sql").write_text(f"SET datestyle = 'SQL, DMY'; SET timezone = 'Asia/Tokyo';\n{MOMENTS}")
    metadata = MetaData()
    Table("t", metadata, Column("a", DateTime(timezone=True), server_default="2020-01-02 00:00:00+00"))
    with lent(other, None) as database, lent(laboratory.server(18), None) as contract:
        database.run(MOMENTS)
        contract.run(f"{MOMENTS}; ALTER DATABASE {contract.name} SET timezone = 'America/Lima'")
        for setting in ("timezone = 'Europe/Berlin'", "intervalstyle = 'iso_8601'", "timezone = 'UTC'"):
            database.run(f"ALTER DATABASE {database.name} SET {setting}")
            named = checked(database, other.dsn, place)
            ended = fixer("check", "-q", "--contract", contract.dsn, "--dsn", database.dsn, cwd=place)

            of_models = pgmend.check(resolve(database.dsn, {}), metadata)  # as kept, or not

            assert (named, ended.stderr, ended.returncode) == ((0, {}, ""), "", 0), setting
            assert "different-default" not in {each.slug for each in of_models.findings}, setting


@pytest.mark.skipif(13 not in VERSIONS, reason="needs PostgreSQL 13")
def test_a_server_that_keeps_no_extract_is_refused_for_a_later_target(laboratory: Laboratory, place: Path) -> None:
    with lent(laboratory.server(18), None) as database:
        code, _, said = checked(database, laboratory.server(13).dsn, place)

    assert code == 2
    assert "runs PostgreSQL 13, which does not keep EXTRACT and the like as the target's 18 does" in said


# An extension of points, a language and a wrapper that no server has.
GHOST = """
CREATE SCHEMA ghosts;
CREATE TYPE ghosts.place;
CREATE FUNCTION ghosts.in(cstring) RETURNS ghosts.place LANGUAGE internal IMMUTABLE STRICT AS 'point_in';
CREATE FUNCTION ghosts.out(ghosts.place) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'point_out';
CREATE TYPE ghosts.place (INPUT = ghosts.in, OUTPUT = ghosts.out, INTERNALLENGTH = 16, ALIGNMENT = double);
CREATE FUNCTION ghosts.cmp(ghosts.place, ghosts.place) RETURNS integer LANGUAGE sql IMMUTABLE STRICT
    AS 'SELECT bttextcmp($1::text, $2::text)';
CREATE FUNCTION ghosts.lt(ghosts.place, ghosts.place) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT
    AS 'SELECT $1::text < $2::text';
CREATE OPERATOR ghosts.< (FUNCTION = ghosts.lt, LEFTARG = ghosts.place, RIGHTARG = ghosts.place);
CREATE OPERATOR CLASS ghosts.ops DEFAULT FOR TYPE ghosts.place USING btree
    AS OPERATOR 1 ghosts.<, FUNCTION 1 ghosts.cmp(ghosts.place, ghosts.place);
CREATE TRUSTED LANGUAGE ghostly HANDLER plpgsql_call_handler;
CREATE FOREIGN DATA WRAPPER "far.%";
SET allow_system_table_mods = on;
INSERT INTO pg_extension SELECT 99999, 'ghost', 10, oid, false, '1' FROM pg_namespace WHERE nspname = 'ghosts';
INSERT INTO pg_depend SELECT m.class, m.id, 0, 'pg_extension'::regclass, 99999, 0, 'e' FROM (
    SELECT 'pg_type'::regclass, 'ghosts.place'::regtype::oid UNION ALL
    SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = 'ghosts'::regnamespace UNION ALL
    SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oprnamespace = 'ghosts'::regnamespace UNION ALL
    SELECT 'pg_opclass'::regclass, oid FROM pg_opclass WHERE opcnamespace = 'ghosts'::regnamespace UNION ALL
    SELECT 'pg_language'::regclass, oid FROM pg_language WHERE lanname = 'ghostly' UNION ALL
    SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper WHERE fdwname = 'far.%'
) AS m (class, id);
RESET allow_system_table_mods;
"""
HAUNTED = """
CREATE TABLE public.t (
    a ghosts.place DEFAULT '(1.0, 2)', b ghosts.place[] DEFAULT ARRAY['(1,2)'::ghosts.place], c text,
    CHECK (a::text <> ('(3.50,  4)'::ghosts.place)::text)
);
CREATE INDEX ON public.t (a) WHERE a::text <> ('( 5,6)'::ghosts.place)::text;
CREATE TABLE public.p (a ghosts.place) PARTITION BY LIST (a);
CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES IN ('(1,2)', '(3,4)');
CREATE TABLE public.p2 PARTITION OF public.p FOR VALUES IN ('(5,6)');
CREATE FUNCTION public.f() RETURNS trigger LANGUAGE ghostly AS 'this is no code';
CREATE SERVER nowhere FOREIGN DATA WRAPPER "far.%";
CREATE FOREIGN TABLE public.far (a integer) SERVER nowhere;
"""


def test_what_stand_ins_do_not_know_is_spelt_by_the_target(empty: Database, other: Server, place: Path) -> None:
    """In a schema of the extension's own, which the contract creates as well, as pg_dump writes it."""
    (place / "schema.sql").write_text(f"CREATE SCHEMA ghosts;\n{HAUNTED}")
    empty.run(GHOST + HAUNTED)

    assert checked(empty, "", place) == (0, {}, "")
    assert checked(empty, other.dsn, place) == (0, {}, "")


def test_what_no_stand_in_is_for_is_said_with_the_way_out(empty: Database, other: Server, place: Path) -> None:
    (place / "schema.sql").write_text(f"CREATE SCHEMA ghosts;\n{HAUNTED}")
    empty.run(GHOST)
    with lent(other, None) as home, role(home, words=MAKER) as who:
        why = refused(empty, home.seen_by(who), place)

    assert "does not exist (42704). The throw-away database cannot have what the target has of ghost" in why
    assert "--scratch postgresql://USER@HOST, where USER has CREATEDB" in why
