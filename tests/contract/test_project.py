"""What a project's file says: tables that are excluded, findings that are accepted, hints for others' contracts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import psycopg2
import pytest

from fixer import api
from fixer.contract.project import of
from fixer.errors import ContractError
from lab.database import Database, lent_copy
from lab.laboratory import Laboratory
from lab.process import CLEAN, HOUSE, fixer

SCHEMA = """
CREATE SCHEMA audit;
CREATE TABLE audit."log.s" (id integer PRIMARY KEY, n integer);
CREATE TABLE public.users (id serial PRIMARY KEY, email text, CHECK (id > 0));
CREATE TABLE public.posts (
    id integer PRIMARY KEY, user_id integer REFERENCES users, log_id integer REFERENCES audit."log.s",
    seen_id integer REFERENCES audit."log.s", title text NOT NULL
);
"""
ROWS = """
INSERT INTO audit."log.s" VALUES (1, 1), (2, -2);
ALTER TABLE audit."log.s" ADD CONSTRAINT low CHECK (n > 0) NOT VALID;
INSERT INTO users (email) VALUES ('a@b'), ('c@d');
INSERT INTO posts VALUES (1, 1, 1, 1, 'x'), (2, 2, 2, 2, 'y');
"""
ORPHANS = """
SET session_replication_role = replica;
INSERT INTO posts VALUES (3, 1, 77, 1, 'z'), (4, 88, 1, 1, 'w');
RESET session_replication_role;
"""
WOUNDS = """
ALTER TABLE users ADD CONSTRAINT named CHECK (email LIKE '%@%') NOT VALID;
ALTER TABLE posts ADD CONSTRAINT titled CHECK (title <> '') NOT VALID;
"""


@pytest.fixture
def made(laboratory: Laboratory) -> Iterator[Database]:
    with lent_copy(laboratory, 18, "project", lambda database: database.run(SCHEMA + ROWS)) as database:
        yield database


def project(directory: Path, text: str) -> None:
    """Write the project's file."""
    (directory / "pyproject.toml").write_text(text, encoding="utf-8")


def said(ended: CompletedProcess[str]) -> dict[str, Any]:
    """Give the document of a command."""
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


def found(document: dict[str, Any]) -> dict[str, str]:
    """Give slug and object of each finding, with the reason for which it is accepted."""
    return {f"{f['slug']}:{f['object']}": f.get("accepted", {}).get("reason", "") for f in document["findings"]}


# ---- exclude


def test_an_excluded_table_is_neither_checked_nor_touched_and_keys_to_it_are_judged(
    made: Database, tmp_path: Path
) -> None:
    check = ("check", "--deep", "--format", "json", "--contract", "self", "--dsn", made.dsn)
    made.run(ORPHANS + WOUNDS)
    before = found(said(fixer(*check, cwd=tmp_path)))
    project(tmp_path, "[tool.pgmend]\nexclude = ['audit.*', 'public.spatial_*']\n")
    ended = fixer(*check, cwd=tmp_path)
    audit = made.run('SELECT *, xmin FROM audit."log.s" ORDER BY id')
    mended = fixer(
        *("apply", "--yes", "-q", "--deep", "--allow-hazards", "all", "--contract", "self", "--dsn", made.dsn),
        cwd=tmp_path,
    )

    assert before.keys() - found(said(ended)).keys() == {
        "unvalidated-check:audit.log.s.low",
        "broken-check:audit.log.s.low",
    }
    assert set(found(said(ended))) == {
        "orphan-rows:public.posts.log_id", "orphan-rows:public.posts.user_id",
        "unvalidated-check:public.users.named", "unvalidated-check:public.posts.titled",
    }  # fmt: skip
    file = tmp_path / "pyproject.toml"
    note = f"fixer: {file}: exclude in [tool.pgmend] covers no table by public.spatial_*.\n"
    assert (ended.returncode, ended.stderr) == (1, note)
    assert (mended.returncode, mended.stderr) == (0, note)
    assert made.run('SELECT *, xmin FROM audit."log.s" ORDER BY id') == audit
    assert found(said(fixer(*check, cwd=tmp_path))) == {}


def test_a_repair_that_would_change_an_excluded_table_takes_a_person_and_a_key_to_one_is_made(
    made: Database, tmp_path: Path
) -> None:
    (tmp_path / "schema.sql").write_text(SCHEMA)
    made.run("ALTER TABLE posts DROP CONSTRAINT posts_seen_id_fkey")
    made.run("SET session_replication_role = replica; INSERT INTO posts VALUES (4, 88, 1, 1, 'w')")
    made.run("CREATE TABLE kept (id integer REFERENCES posts ON DELETE CASCADE); INSERT INTO kept VALUES (1), (4)")
    project(tmp_path, "[tool.pgmend]\nexclude = ['audit.*', 'kept']\n")
    words = ("apply", "--yes", "-q", "--allow-hazards", "all", "--contract", "schema.sql", "--dsn", made.dsn)
    refused = fixer(*words, cwd=tmp_path)
    done = fixer(*words, "--skip", "orphan-rows", cwd=tmp_path)

    assert "it would change public.kept, which exclude in pyproject.toml leaves alone" in refused.stderr
    assert (refused.returncode, done.returncode, done.stderr) == (1, 1, "")
    assert made.run("SELECT id FROM kept ORDER BY id") == [(1,), (4,)]
    assert made.run("SELECT count(*) FROM pg_constraint WHERE conname = 'posts_seen_id_fkey'") == [(1,)]


# ---- accept


def test_an_accepted_finding_is_marked_and_fails_nothing_until_its_day_is_over(made: Database, tmp_path: Path) -> None:
    check = ("check", "--format", "json", "--contract", "self", "--dsn", made.dsn)
    made.run(WOUNDS)
    accept = """
[tool.pgmend]
exclude = ["audit.*"]
[[tool.pgmend.accept]]
finding = "unvalidated-*:public.users.*"
reason = "see  OPS-1"
until = {until}
[[tool.pgmend.accept]]
finding = "missing-index:posts.old"
reason = "it was there"
until = "2999-01-01"
"""
    project(tmp_path, accept.format(until="2999-12-31"))
    first = said(fixer(*check, cwd=tmp_path))
    text = fixer(*check[:1], *check[3:], cwd=tmp_path).stdout
    plan = fixer("plan", "--contract", "self", "--dsn", made.dsn, cwd=tmp_path)
    done = fixer("apply", "--yes", "-q", "--contract", "self", "--dsn", made.dsn, cwd=tmp_path)
    after = fixer(*check, cwd=tmp_path)
    project(tmp_path, accept.format(until="2001-12-31"))
    lapsed = fixer(*check, cwd=tmp_path)

    assert found(first) == {
        "unvalidated-check:public.users.named": "see OPS-1",
        "unvalidated-check:public.posts.titled": "",
    }
    assert not first["ok"]
    accepted = next(f for f in first["findings"] if "accepted" in f)
    assert accepted["accepted"] == {"reason": "see OPS-1", "until": "2999-12-31"}
    stale = [{"finding": "missing-index:posts.old", "reason": "it was there", "until": "2999-01-01"}]
    assert first["stale"] == stale
    assert "[unvalidated-check; accepted until 2999-12-31]" in text
    assert "stale: missing-index:posts.old is accepted, and this check does not find it" in text
    assert "left out: unvalidated-check:public.users.named, it is accepted: see OPS-1" in plan.stdout
    assert (done.returncode, done.stderr) == (0, "")
    assert (after.returncode, found(said(after)), said(after)["ok"]) == (
        0, {"unvalidated-check:public.users.named": "see OPS-1"}, True
    )  # fmt: skip
    assert (lapsed.returncode, found(said(lapsed))) == (1, {"unvalidated-check:public.users.named": ""})


# ---- hints

WANTED = """
CREATE TABLE public.users (
    id serial PRIMARY KEY, email text NOT NULL, mail text NOT NULL, code text NOT NULL, CHECK (id > 0)
);
CREATE TABLE public.posts (
    id integer PRIMARY KEY, author_id integer REFERENCES users, title text NOT NULL
);
"""
HINTS = """
[tool.pgmend.hints."public.users.mail"]
backfill = "'unknown'"
[tool.pgmend.hints."users.code"]
backfill = "make_code(id)"
[tool.pgmend.hints."public.posts.author_id"]
legacy_names = ["user_id"]
orphans = "null"
[tool.pgmend.hints."public.users"]
default_rows = [{id = 100, email = "root@here", mail = "m", code = {sql = "make_code(7)"}}]
"""


def test_hints_say_of_a_contract_in_sql_what_info_says_of_models(made: Database, tmp_path: Path) -> None:
    made.run("CREATE FUNCTION make_code(n integer) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'c' || n $$")
    made.run("SET session_replication_role = replica; INSERT INTO posts VALUES (4, 88, 1, 1, 'w')")
    (tmp_path / "schema.sql").write_text(WANTED)
    project(tmp_path, "[tool.pgmend]\n")
    named = ("--contract", "schema.sql", "--dsn", made.dsn)
    bare = fixer("check", *named, cwd=tmp_path)
    project(tmp_path, f"[tool.pgmend]\n{HINTS}")
    ended = fixer("apply", "--yes", "-q", "--allow-hazards", "all", *named, cwd=tmp_path)

    assert 'pyproject.toml [tool.pgmend.hints."public.users.mail"] backfill = …' in " ".join(bare.stdout.split())
    assert (ended.returncode, ended.stderr) == (0, "")
    assert made.run("SELECT id, email, mail, code FROM users ORDER BY id") == [
        (1, "a@b", "unknown", "c1"), (2, "c@d", "unknown", "c2"), (100, "root@here", "m", "c7"),
    ]  # fmt: skip
    assert made.run("SELECT id, author_id FROM posts ORDER BY id") == [(1, 1), (2, 2), (4, None)]


def test_the_suite_leaves_out_what_is_excluded_and_is_not_red_for_what_is_accepted(
    made: Database, tmp_path: Path
) -> None:
    (tmp_path / "schema.sql").write_text(
        SCHEMA.replace("title text NOT NULL", "title text NOT NULL CHECK (title <> '')")
    )
    hints = '[tool.pgmend.hints.users]\ndefault_rows = [{email = "root@here"}]\n'
    accepted = '[[tool.pgmend.accept]]\nfinding = "missing-check:posts.*"\nreason = "OPS-1"\n'
    project(tmp_path, f"[tool.pgmend]\nexclude = ['audit.*']\n{accepted}{hints}")
    words = ("--contract", "schema.sql", f"--dsn={made.dsn}", "-k", "check or default or good")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "--pyargs", "contracts", "-v", "-p", "no:cacheprovider", *words],
        cwd=tmp_path, env={**CLEAN, "PYTHONPATH": str(HOUSE)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    red = {line.split("::")[1].split()[0] for line in ended.stdout.splitlines() if "::" in line and " FAILED" in line}

    assert red == {"test_default_row_exists[users-root@here]"}, ended.stdout
    assert "log.s" not in ended.stdout
    assert "accepted (OPS-1): posts should have CHECK" in ended.stdout


MODELS = """
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Text, Table
metadata = MetaData()
Table("users", metadata, Column("id", Integer, primary_key=True), Column("email", Text, info={"backfill": "x"}))
Table("log.s", metadata, Column("id", Integer, primary_key=True), Column("n", Integer, nullable=False), schema="audit")
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'hints."public.users.emial".orphans = "null"',
            'public.users.emial"] is for no table or column of the contract: is it public.users.email?',
        ),
        ('hints."users.email".backfill = "\'y\'"', 'backfill in [tool.pgmend.hints."users.email"] contradicts info'),
        ('hints.users.orphans = "null"', 'orphans in [tool.pgmend.hints."users"] is no hint for a table'),
        ("hints.users.default_rows = [{nme = 1}]", "names nme, which is no column of it: is it email?"),
        ('hints.users.oldest_by = "emial"', "names emial, which is no column of it: is it email?"),
        ('hints.users.oldest_by = "email"', "names email, which is text: it should be a date, a timestamp or a number"),
        ('hints."users.id".oldest_by = "id"', 'oldest_by in [tool.pgmend.hints."users.id"] is no hint for a column'),
        ('hints."users.id".backfill = "1 +"', "1 + in the hints of [tool.pgmend] is no SQL expression"),
        ("exclude = ['*']", "exclude in [tool.pgmend] leaves no table of models:metadata"),
        ('accept = [{finding = "mising-index:x", reason = "y"}]', "names no class mising-index: is it missing-index?"),
        ('accept = [{finding = "missing-index:x", reason = ""}]', "reason in [[tool.pgmend.accept]] should be a text"),
        ('accept = [{finding = "a", reason = "b", until = "soon"}]', "should be a date as 2027-06-30, not soon"),
        ('accept = [{finding = "a", reason = "b", unitl = 1}]', "knows no unitl; it knows finding, reason, until"),
        ("exclude = 'audit'", "exclude in [tool.pgmend] should be a list of texts"),
        ('hints.users.legacy_name = ["a"]', 'hints."users"] knows no legacy_name; it knows'),
        ('hints.users.legacy_names = "a"', "should be a list of texts"),
        ('hints."users.id".orphans = "keep"', "should be one of quarantine, adopt, null, not keep"),
    ],
)
def test_what_is_said_wrong_is_told_with_file_and_key(made: Database, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    project(tmp_path, f"[tool.pgmend]\ncontract = 'models:metadata'\n{text}\n")
    ended = fixer("check", "--contract", "models:metadata", "--dsn", made.dsn, cwd=tmp_path)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert ended.stderr.startswith(f"fixer: {tmp_path / 'pyproject.toml'}: ")
    assert told in ended.stderr


def test_models_and_the_library_take_the_project_where_it_is_meant(
    made: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    project(tmp_path, "[tool.pgmend]\ncontract = 'models:metadata'\nexclude = ['audit.*']\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PGMEND_CONTRACT", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with closing(psycopg2.connect(made.dsn)) as connection:
        named, given = api.check(connection), api.check(connection, "models:metadata")

    assert {f.object for f in named.findings if f.breaks} == set()
    assert [f.object for f in given.findings if f.breaks] == ["audit.log.s.id", "audit.log.s.n"]


def test_the_file_of_the_nearest_directory_counts(tmp_path: Path) -> None:
    project(tmp_path, "[tool.pgmend]\nexclude = [3]\n")
    with pytest.raises(ContractError, match=r"each of exclude in .* should be a text"):
        of(tmp_path)
