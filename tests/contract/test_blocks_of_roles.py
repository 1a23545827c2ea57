"""DO blocks of a contract that make roles, as dumps have them; and functions that only superusers write."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.database import Database
from lab.process import fixer

TABLE = "CREATE TABLE t (id integer PRIMARY KEY);"
BLOCKS = {
    "guarded": "IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'blk') THEN CREATE ROLE blk NOLOGIN; END IF;",
    "caught": "CREATE USER blk PASSWORD 'a;b'; EXCEPTION WHEN duplicate_object THEN NULL;",
    "quoted": """CREATE ROLE "blk;"; ALTER ROLE "blk;" SET search_path = public;""",
    "dynamic": "EXECUTE 'CREATE ROLE blk LOGIN'; EXECUTE format('ALTER ROLE %I NOLOGIN', 'blk');",
    "membership": "CREATE ROLE blk; CREATE ROLE blk_all; GRANT blk TO blk_all; REVOKE blk FROM blk_all;",
    "the server": "ALTER SYSTEM SET work_mem = '8MB'; COMMENT ON ROLE postgres IS 'x';",
}


def checked(database: Database, tmp_path: Path, script: str) -> tuple[int, str]:
    (tmp_path / "schema.sql").write_text(script)
    ended = fixer("check", database.dsn, "--contract", str(tmp_path / "schema.sql"))
    return ended.returncode, ended.stdout


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_that_makes_roles_stands_in_no_way(empty: Database, tmp_path: Path, block: str) -> None:
    empty.run(f"{TABLE} CREATE TABLE u (id integer PRIMARY KEY)")
    inside = f"CREATE TABLE u (id integer PRIMARY KEY); {BLOCKS[block]}"

    assert checked(empty, tmp_path, f"DO $$ BEGIN {inside} END $$; {TABLE}")[0] == 0
    empty.run("DROP TABLE u")
    assert checked(empty, tmp_path, f"DO $$ BEGIN {inside} END $$; {TABLE}")[0] == 1


def test_rights_that_a_block_gives_are_wanted(empty: Database, tmp_path: Path) -> None:
    empty.run(TABLE)
    grant = "GRANT SELECT ON t TO blk_reader; CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';"
    code, said = checked(empty, tmp_path, f"{TABLE} DO $$ BEGIN CREATE ROLE blk_reader; {grant} END $$;")

    assert ("blk_reader should exist" in said, "public.f()" in said, code) == (True, True, 1)


@pytest.mark.parametrize("written", ["{}", "DO $$ BEGIN {} END $$;"])
def test_a_function_in_c_is_left_out(empty: Database, tmp_path: Path, written: str) -> None:
    empty.run(TABLE)
    handler = "CREATE FUNCTION h() RETURNS language_handler AS '$libdir/plpgsql', 'plpgsql_call_handler' LANGUAGE c;"

    assert checked(empty, tmp_path, f"{written.format(handler)} {TABLE}")[0] == 0
