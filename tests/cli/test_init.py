"""`fixer init`: what it finds in a project, and what it writes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from fixer.contract.project.found import candidates
from lab.database import Database
from lab.process import cramped, fixer

BASE = "from sqlalchemy.orm import DeclarativeBase as B\nclass Base(B):\n    pass\n"
USER = (
    "from .base import Base\nclass Plain(Base):\n    __abstract__ = True\nclass User(Plain):\n    __tablename__ = 'u'\n"
)
TABLE = "import sqlalchemy as sa\nfrom app import base\nlog = sa.Table('log', base.Base.metadata)\n"
FLASK = "from flask_sqlalchemy import SQLAlchemy\ndb = SQLAlchemy()\n"
METADATA = "from sqlalchemy import Column, Integer, MetaData, Table\nmetadata = MetaData()\n"
OF_METADATA = METADATA + 'Table("users", metadata, Column("id", Integer, primary_key=True))\n'
PROJECTS = {
    "a package that imports its models": (
        {"app/base.py": BASE, "app/user.py": USER, "app/log.py": TABLE, "app/__init__.py": "from . import log, user\n"},
        ["app.base:Base"],
    ),
    "a module that takes all by a star": (
        {
            "app/base.py": BASE, "app/user.py": USER, "app/log.py": TABLE,
            "app/all.py": "from app.user import *\nfrom app import log\n",
        },
        ["app.all:Base"],
    ),
    "models that no module imports together": (
        {"app/base.py": BASE, "app/user.py": USER, "app/log.py": TABLE},
        ["app.user:Base"],
    ),
    "below src, with tests beside it": (
        {"src/shop/models.py": OF_METADATA, "tests/models.py": OF_METADATA, ".venv/x.py": OF_METADATA},
        ["shop.models:metadata"],
    ),
    "Flask": (
        {"app/db.py": FLASK, "app/models.py": "from .db import db\nclass User(db.Model):\n    pass\n"},
        ["app.models:db"],
    ),
    "SQLModel": (
        {"hero.py": "from sqlmodel import SQLModel\nclass Hero(SQLModel, table=True):\n    pass\n"},
        ["hero:SQLModel"],
    ),
    "two, of which one has more tables": (
        {"a.py": OF_METADATA, "b.py": OF_METADATA + 'Table("t", metadata)\n', "c.py": METADATA},
        ["b:metadata", "a:metadata"],
    ),
    "a base without models, and SQL": ({"a.py": METADATA, "db/structure.sql": ""}, ["db/structure.sql", "a:metadata"]),
    "migrations": (
        {
            "alembic.ini": "[alembic]\nscript_location = %(here)s/moves\n",
            "moves/env.py": "", "db/migrations/1_a.sql": "", "db/migrations/1_a.down.sql": "",
        },
        ["db/migrations/", "alembic:moves"],
    ),
    "what is no Python": ({"a.py": "MetaData(", "b.py": "\0", "schema.sql": ""}, ["schema.sql"]),
    "nothing": ({"a.py": "x = 1\n"}, []),
}  # fmt: skip


def lay(place: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    if (place / ".venv").exists():
        (place / ".venv" / "pyvenv.cfg").touch()


@pytest.mark.parametrize("project", PROJECTS)
def test_what_a_project_may_be_judged_by_is_found_without_an_import(tmp_path: Path, project: str) -> None:
    files, specs = PROJECTS[project]
    lay(tmp_path, files)

    assert [each.spec for each in candidates(tmp_path)] == specs


def test_models_that_the_named_module_does_not_import_are_told(tmp_path: Path) -> None:
    lay(tmp_path, PROJECTS["models that no module imports together"][0])

    assert candidates(tmp_path)[0].what == "SQLAlchemy, 2 models in 2 modules; it does not import app.log"


def test_the_table_is_added_to_the_nearest_file_and_nothing_else_changes(tmp_path: Path) -> None:
    before = b'[project]\r\nname = "x" # \xc3\xbc'
    (tmp_path / "pyproject.toml").write_bytes(before)
    lay(tmp_path, {"models.py": OF_METADATA, "below/x": ""})
    dry = fixer("init", "--dry-run", cwd=tmp_path / "below")
    untouched = (tmp_path / "pyproject.toml").read_bytes()
    ended = fixer("init", "--format", "json", cwd=tmp_path / "below")
    again = fixer("init", cwd=tmp_path)

    assert (dry.returncode, dry.stdout) == (0, '[tool.pgmend]\ncontract = "models:metadata"\n')
    assert untouched == before
    assert (ended.returncode, json.loads(ended.stdout)["contract"]) == (0, "models:metadata")
    added = b'\r\n\r\n[tool.pgmend]\r\ncontract = "models:metadata"\r\n'
    assert (tmp_path / "pyproject.toml").read_bytes() == before + added
    assert (again.returncode, again.stderr) == (
        2,
        f"fixer: {tmp_path}/pyproject.toml has [tool.pgmend] already: change it there.\n",
    )


def test_a_database_is_checked_first_and_what_is_found_is_noted_if_asked(empty: Database, tmp_path: Path) -> None:
    lay(tmp_path, {"schema.sql": 'CREATE TABLE "a""b\\" (id integer PRIMARY KEY); CREATE TABLE c (id integer);'})
    named = empty.dsn.replace("://postgres@", "://postgres:top%20secret@")
    file = tmp_path / "pyproject.toml"
    found = fixer("init", named, cwd=tmp_path)
    first = file.read_text()
    file.unlink()
    accepted = fixer("init", named, "--accept", cwd=tmp_path)
    noted = tomllib.loads(file.read_text())["tool"]["pgmend"]
    checked = fixer("check", "--contract", "schema.sql", "--dsn", empty.dsn, cwd=tmp_path)

    assert (found.returncode, first) == (1, '[tool.pgmend]\ncontract = "schema.sql"\n')
    assert (accepted.returncode, checked.returncode) == (0, 0)
    assert [each["finding"] for each in noted["accept"]] == ['missing-table:public.a"b\\', "missing-table:public.c"]
    assert "secret" not in file.read_text() + found.stdout + accepted.stdout


@pytest.mark.parametrize(
    ("words", "files", "told"),
    [
        (["--contract", "postgresql://a:secret@b/c"], {}, "The contract has a password, which belongs in no file:"),
        (["--accept"], {}, "--accept notes what a check finds: name the database."),
        ([], {"manage.py": "import django"}, "This is a project of Django, whose models are no contract."),
        ([], {"pyproject.toml": "[tool"}, "pyproject.toml is not TOML:"),
        ([], {"pyproject.toml": "tool = {pgmend = {}}"}, "has [tool.pgmend] already: change it there."),
        ([], {"pyproject.toml": "tool = {}"}, "takes no table after what it has; write this where it fits:"),
        (["postgresql://127.0.0.1:1/x"], {"schema.sql": ""}, "nothing listens there"),
    ],
)
def test_what_cannot_be_noted_is_refused_and_nothing_is_written(
    tmp_path: Path, words: list[str], files: dict[str, str], told: str
) -> None:
    lay(tmp_path, files)
    ended = fixer("init", *words, cwd=tmp_path)

    assert ended.returncode == 2
    assert told in ended.stderr
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == files


def test_without_anything_a_database_is_its_own_contract(tmp_path: Path) -> None:
    ended = fixer("init", cwd=tmp_path)

    assert (ended.returncode, (tmp_path / "pyproject.toml").read_text()) == (0, '[tool.pgmend]\ncontract = "self"\n')


@pytest.mark.parametrize("before", [None, "#" * 1000])
def test_a_disk_that_fills_up_leaves_the_project_as_it_was(tmp_path: Path, before: str | None) -> None:
    file = tmp_path / "pyproject.toml"
    if before:
        file.write_text(before)
    ended = cramped(1020 if before else 20, "init", "--contract", "app:Base", cwd=tmp_path)

    assert ended.returncode == 2
    assert ended.stderr == f"fixer: {file} cannot be written: File too large.\n"
    assert (file.read_text() if file.exists() else None) == before
