"""`fixer check URL` without anything else: what a stranger reads about his database."""

from __future__ import annotations

from pathlib import Path

from lab.database import Database
from lab.process import fixer

SELF = {"PGMEND_CONTRACT": "self"}
MADE = """
CREATE TABLE users (id integer PRIMARY KEY);
CREATE TABLE trades (id integer PRIMARY KEY, user_id integer REFERENCES users);
CREATE TABLE a1 (x integer); CREATE TABLE a2 (x integer); CREATE TABLE a3 (x integer); CREATE TABLE "a 4" (x integer);
"""


def test_the_first_screen_says_what_is_wrong_and_what_comes_next(empty: Database, tmp_path: Path) -> None:
    empty.run(MADE)
    sound = fixer("check", empty.dsn, cwd=tmp_path, env=SELF)
    every = fixer("check", "-v", "--deep", "--contract", "self", empty.dsn, cwd=tmp_path, env=SELF).stdout
    nothing = fixer("plan", empty.dsn, cwd=tmp_path, env=SELF).stdout
    empty.run("ALTER TABLE trades DISABLE TRIGGER ALL")
    broken = fixer("check", empty.dsn, cwd=tmp_path, env=SELF)
    empty.run("ALTER TABLE trades DROP CONSTRAINT trades_user_id_fkey")
    (tmp_path / "pyproject.toml").write_text('[tool.pgmend]\ncontract = "self"\n')
    in_project = fixer("check", empty.dsn, cwd=tmp_path, env=SELF).stdout

    assert sound.stdout.splitlines()[0].endswith("  against  its own catalogue")
    assert sound.stdout.splitlines()[1:] == [
        "",
        "  ✓ 1 primary keys",
        "    · a 4 has no key: nothing tells its rows apart  [missing-primary-key]",
        "      3 more like it: a1, a2, a3  (-v lists them)",
        "  ✓ 2 foreign keys",
        "  ✓ 4 structure",
        "  ✓ 5 operation",
        "",
        "The database is as its own catalogue says, in 6 tables.",
        f"Read all rows as well with: fixer check --deep '{empty.dsn}'",
        f"Write down what it should be with: fixer init '{empty.dsn}'",
    ]
    assert every.count("has no key") == 4
    assert every.splitlines()[-1] == "The database is as its own catalogue says, in 6 tables."
    assert nothing.splitlines()[-1] == "Nothing to do: the database is as its own catalogue says."
    assert (sound.returncode, broken.returncode) == (0, 1)
    assert broken.stdout.splitlines()[-2:] == [
        "1 finding, so the database is not as its own catalogue says: 1 can be repaired automatically.",
        f"See the repair with: fixer plan '{empty.dsn}'",
    ]
    assert "fixer init" not in in_project


def test_an_empty_plan_names_the_warnings_that_are_for_a_person(empty: Database, tmp_path: Path) -> None:
    (tmp_path / "contract.sql").write_text("CREATE TABLE t (id integer PRIMARY KEY, c text);")
    empty.run("CREATE TABLE t (id integer PRIMARY KEY, c text CHECK (c <> 'x'))")
    done = fixer("apply", "--dsn", empty.dsn, "--contract", str(tmp_path / "contract.sql"), "--yes")

    assert done.returncode == 0
    assert "Nothing to do: the contract holds. There is 1 warning for a person: `fixer check` shows it." in done.stdout
