"""A copy has what a dump cannot carry, and the files of a capture load it in another order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

import fixer
from fixer.connect import snapshot
from fixer.connect.link import opened
from fixer.connect.servers import Server
from fixer.errors import ServerError
from fixer.snapshots import copying, moving
from lab.database import Database, lent, written

# What breaks a sound database, and a query that tells whether it is broken so.
ROLE = "DO $$ BEGIN CREATE ROLE copied_app; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
UNROLED = "DO $$ BEGIN IF to_regrole('copied_app') IS NOT NULL THEN DROP OWNED BY copied_app; END IF; END $$"
BREAKS = {
    "rows under a check that is not valid": (
        "ALTER TABLE a ADD CONSTRAINT low CHECK (n < 3) NOT VALID",
        "SELECT (SELECT convalidated FROM pg_constraint WHERE conname = 'low'), (SELECT max(n) FROM a)",
    ),
    "rows under a check that is called valid": (
        "ALTER TABLE a ADD CONSTRAINT low CHECK (n < 3) NOT VALID;"
        "UPDATE pg_constraint SET convalidated = true WHERE conname = 'low'",
        "SELECT (SELECT convalidated FROM pg_constraint WHERE conname = 'low'), (SELECT max(n) FROM a),"
        " (SELECT relchecks FROM pg_class WHERE oid = 'a'::regclass)",
    ),
    "NULL under NOT NULL": (
        "UPDATE a SET s = NULL WHERE n = 2;"
        "UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 'a'::regclass AND attname = 's'",
        "SELECT count(*), bool_and(attnotnull) FROM a, pg_attribute WHERE s IS NULL AND attrelid = 'a'::regclass"
        " AND attname = 's'",
    ),
    "values under a domain that forbids them": (
        "ALTER TABLE a ADD COLUMN d small DEFAULT 7; ALTER DOMAIN small ADD CONSTRAINT le CHECK (VALUE < 5) NOT VALID;"
        "UPDATE pg_constraint SET convalidated = true WHERE conname = 'le'",
        "SELECT max(d::integer), (SELECT convalidated::text || contype::text FROM pg_constraint WHERE conname = 'le')"
        " FROM a",
    ),
    "rows that repeat under a unique index": (
        "CREATE INDEX once ON a (m); UPDATE a SET m = 1 WHERE n < 3;"
        "UPDATE pg_index SET indisunique = true WHERE indexrelid = 'once'::regclass",
        "SELECT count(*), bool_and(indisunique AND indisvalid) FROM a, pg_index WHERE m + 0 = 1"
        " AND indexrelid = 'once'::regclass",
    ),
    "rows that exclude each other": (
        "ALTER TABLE a ADD CONSTRAINT apart EXCLUDE (r WITH =);"
        "UPDATE pg_index SET indisready = false WHERE indexrelid = 'apart'::regclass;"
        "INSERT INTO a (n, m, s, r) VALUES (90, 90, 'z', 1);"
        "UPDATE pg_index SET indisready = true WHERE indexrelid = 'apart'::regclass",
        "SELECT count(*), bool_and(indisready AND indisvalid) FROM a, pg_index WHERE r + 0 = 1"
        " AND indexrelid = 'apart'::regclass",
    ),
    "an index that is not valid": (
        "CREATE UNIQUE INDEX half ON a (m); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half'::regclass",
        "SELECT indisunique, indisvalid, indisready FROM pg_index WHERE indexrelid = 'half'::regclass",
    ),
    "orphans under a valid key, and its triggers asleep": (
        "ALTER TABLE b DISABLE TRIGGER ALL; INSERT INTO b VALUES (77)",
        "SELECT (SELECT count(*) FROM b WHERE a = 77), convalidated, (SELECT string_agg(tgenabled::text, '' ORDER BY 1)"
        " FROM pg_trigger WHERE tgrelid = 'b'::regclass) FROM pg_constraint WHERE conname = 'of'",
    ),
    "a trigger that never sleeps": (
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.s := ''!''; RETURN NEW; END';"
        "CREATE TRIGGER shout BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION shout();"
        "ALTER TABLE a ENABLE ALWAYS TRIGGER shout",
        "SELECT tgenabled, (SELECT min(s) FROM a) FROM pg_trigger WHERE tgname = 'shout'",
    ),
    "an event trigger that refuses": (
        "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';"
        "CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION no()",
        "SELECT count(*) FROM pg_event_trigger",
    ),
    "settings of the database, grants, and a view that holds rows": (
        f"{ROLE}; GRANT SELECT ON a TO copied_app; CREATE MATERIALIZED VIEW v AS SELECT * FROM a;"
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = \"$user\", public, b', current_database());"
        " EXECUTE format('ALTER DATABASE %I SET application_name = ''it''''s''', current_database()); END $$",
        "SELECT current_setting('search_path'), current_setting('application_name'), (SELECT count(*) FROM v),"
        " has_table_privilege('copied_app', 'a', 'SELECT')",
    ),
    "sequences, identities and odd names": (
        """CREATE TABLE "A b.c" (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "x'y" text, two integer
           GENERATED ALWAYS AS (1 + 1) STORED);
           INSERT INTO "A b.c" ("x'y") VALUES (E'tab\\t nl\\n back\\\\ '' "'), (NULL);
           SELECT setval('"A b.c_id_seq"', 500, false)""",
        """SELECT array_agg("x'y" ORDER BY id), max(id), (SELECT last_value::text || is_called FROM "A b.c_id_seq")
             FROM "A b.c" """,
    ),
}
SOUND = """
CREATE DOMAIN small AS integer;
CREATE TABLE a (n integer PRIMARY KEY, m integer, s text, r integer);
CREATE TABLE b (a integer CONSTRAINT "of" REFERENCES a);
INSERT INTO a SELECT n, n, 's' || n, n FROM generate_series(1, 5) AS n;
INSERT INTO b SELECT n FROM a;
"""


@pytest.fixture
def sound(server: Server) -> Iterator[Database]:
    with lent(server, None) as database:
        database.run(SOUND)
        yield database
        database.run(f"SET session_replication_role = replica; DROP EVENT TRIGGER IF EXISTS no; {UNROLED}")


@pytest.fixture
def other(server: Server) -> Iterator[Database]:
    with lent(server, None) as database:
        yield database
        database.run(f"SET session_replication_role = replica; DROP EVENT TRIGGER IF EXISTS no; {UNROLED}")


@pytest.mark.parametrize("swiftly", [False, True])
@pytest.mark.parametrize("name", BREAKS)
def test_a_copy_is_broken_as_its_original(sound: Database, other: Database, name: str, swiftly: bool) -> None:
    breaks, query = BREAKS[name]
    sound.run(breaks)
    before = written(sound)
    copy(sound, other, swiftly=swiftly)

    assert other.run(query) == sound.run(query)
    assert written(sound) == before


KINDS = """
CREATE TYPE mood AS ENUM ('x', 'y');
CREATE TABLE plain AS SELECT true AS o, 1::smallint AS s, 1.50::numeric AS n, 'NaN'::numeric AS nn, '-0'::float8 AS f,
    0.1::real AS r, E'a\tb\nc\\\\ü'::text AS t, 'v '::varchar(9) AS v, 'c'::char(3) AS c, date '-infinity' AS d,
    time '24:00' AS tt, timetz '12:00+05' AS tz, timestamp 'infinity' AS ts, now() AS tst,
    interval '1 mon -1 day' AS i, gen_random_uuid() AS u,
    '\\x00ff'::bytea AS b, '{"a": 1.00}'::json AS j, '{"a": 1.00}'::jsonb AS jb,
    inet '::1/64' AS ip, '{{1,NULL},{3,4}}'::integer[] AS a, NULL::text AS nothing;
CREATE TABLE other AS SELECT 'y'::mood AS m, '{x,y}'::mood[] AS ms, 'plain'::regclass AS r,
    '(1,2)'::point AS p, 'plain'::text AS t;
CREATE TABLE large AS SELECT n, repeat(md5(n::text), 5) AS t, NULL::text AS s FROM generate_series(1, 9000) AS n;
ALTER TABLE large ADD CONSTRAINT few CHECK (n < 5) NOT VALID;
UPDATE pg_constraint SET convalidated = true WHERE conname = 'few'
"""
CONTENT = """
SELECT (SELECT p::text FROM plain AS p), (SELECT o::text FROM other AS o),
       (SELECT sum(hashtext(l::text)) FROM large AS l),
       (SELECT convalidated FROM pg_constraint WHERE conname = 'few')
"""


@pytest.mark.parametrize("swiftly", [False, True])
def test_rows_of_all_kinds_and_sizes_come_over(sound: Database, other: Database, swiftly: bool) -> None:
    """Kinds whose numbers differ from database to database are among them, and rows that are refused at first."""
    sound.run(KINDS)
    copy(sound, other, swiftly=swiftly)

    assert other.run(CONTENT) == sound.run(CONTENT)


def test_a_disk_that_is_full_is_said_so(sound: Database, other: Database) -> None:
    sound.run(
        "CREATE FUNCTION fits() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_setting('session_replication_role') = 'replica' THEN"
        " RAISE 'no space left on device' USING ERRCODE = 'disk_full'; END IF; RETURN true; END $$;"
        "CREATE TABLE full_ (n integer CHECK (public.fits())); INSERT INTO full_ VALUES (1)"
    )
    with pytest.raises(ServerError) as raised:
        copy(sound, other, swiftly=False)

    assert str(raised.value) == (
        "The copy cannot hold the rows of public.full_: no space left on device (53100). Name a directory with more"
        " room in TMPDIR, or copy some rows of each table by --sample."
    )


def copy(sound: Database, other: Database, *, swiftly: bool) -> None:
    with opened(sound.dsn) as link, copying.read(link) as original, closing(psycopg2.connect(other.dsn)) as into:
        copying.copy(original, into, moving.FromTarget(original.reader, swiftly=swiftly))


@pytest.mark.parametrize("name", BREAKS)
def test_the_files_of_a_capture_load_what_was_broken(
    sound: Database, other: Database, tmp_path: Path, name: str
) -> None:
    breaks, query = BREAKS[name]
    sound.run(breaks)
    fixer.capture(sound.dsn, tmp_path / "it", "self", scratch=sound.server.dsn)
    with closing(psycopg2.connect(other.dsn)) as connection:
        snapshot.load(snapshot.read(tmp_path / "it"), connection)

    assert other.run(query) == sound.run(query)
