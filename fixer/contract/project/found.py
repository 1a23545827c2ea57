"""What in a project may be its contract: models, migrations of Alembic, files of SQL. Nothing is imported or run."""

from __future__ import annotations

import configparser
import tomllib
from collections.abc import Iterator
from pathlib import Path

from fixer.contract.project.models import Models, models_in
from fixer.model.values import dataclass

_FILES = ("db/structure.sql", "structure.sql", "db/schema.sql", "schema.sql", "sql/schema.sql")
_DIRECTORIES = ("supabase/migrations", "db/migrations", "migrations")
_BACK = ("down.sql", "undo.sql")
DJANGO = (
    "This is a project of Django, whose models are no contract. Let `manage.py migrate` fill an empty database, and"
    " name that one: fixer check URL --contract postgresql://…"
)


@dataclass(frozen=True)
class Candidate:
    """A contract that a project may have, and what it is, in words."""

    spec: str
    what: str


def candidates(root: Path) -> list[Candidate]:
    """Return what may be the contract of a project, the best first."""
    models = models_in(root)
    with_tables = [Candidate(each.spec, _told(each)) for each in models if each.count]
    bare = [Candidate(each.spec, "SQLAlchemy, but no model of it was found") for each in models if not each.count]
    return [*with_tables, *_sql(root), *_alembic(root), *bare]


def is_django(root: Path) -> bool:
    """Return whether a project is one of Django."""
    try:
        return "django" in (root / "manage.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _told(found: Models) -> str:
    models = "one model" if found.count == 1 else f"{found.count} models"
    places = "one module" if found.modules == 1 else f"{found.modules} modules"
    beyond = f"; it does not import {', '.join(found.beyond)}" if found.beyond else ""
    return f"SQLAlchemy, {models} in {places}{beyond}"


def _sql(root: Path) -> Iterator[Candidate]:
    for name in _FILES:
        if (root / name).is_file():
            yield Candidate(name, "SQL")
    for name in _DIRECTORIES:
        files = [each for each in (root / name).glob("*.sql") if not each.name.endswith(_BACK)]
        if files:
            yield Candidate(f"{name}/", f"SQL, {len(files)} file{'s' * (len(files) > 1)}")


def _alembic(root: Path) -> Iterator[Candidate]:
    place = _script_location(root)
    if place and (root / place / "env.py").is_file():
        yield Candidate(f"alembic:{place}", "migrations of Alembic")


def _script_location(root: Path) -> str:
    """Return the directory of migrations that alembic.ini names, or [tool.alembic]; empty where neither does."""
    settings = configparser.RawConfigParser()
    try:
        settings.read(root / "alembic.ini", encoding="utf-8")
        said: object = settings.get("alembic", "script_location", fallback="")
        if not said and (root / "pyproject.toml").is_file():
            tools = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("tool", {})
            said = tools.get("alembic", {}).get("script_location", "") if isinstance(tools, dict) else ""
    except (configparser.Error, OSError, ValueError, AttributeError):
        return ""
    return str(said).replace("%(here)s", ".").removeprefix("./").rstrip("/")
