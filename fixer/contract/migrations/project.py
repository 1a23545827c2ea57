"""Where a project keeps its migrations: alembic.ini, [tool.alembic] in pyproject.toml, or a script directory alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fixer.errors import ContractError, option
from fixer.model.values import dataclass

PREFIX = "alembic:"
_INI, _TOML, _ENV = "alembic.ini", "pyproject.toml", "env.py"


@dataclass(frozen=True)
class Project:
    """The files that configure Alembic, if any; the script directory where they do not name it; where it runs."""

    home: Path
    ini: Path | None = None
    toml: Path | None = None
    script: Path | None = None


def parts_of(contract: str) -> tuple[Path, str]:
    """Return the path and the revision that alembic:DIR@REVISION names, all heads where it names none.

    Names of files and revisions may both have an @, so the longest path that exists counts.
    """
    text = contract.removeprefix(PREFIX)
    ends = [place for place, sign in enumerate(text) if sign == "@"]
    for end in [len(text), *reversed(ends)]:
        path = Path(text[:end] or ".")
        if path.exists():
            return path, text[end + 1 :].strip() or "heads"
    named, _, revision = text.partition("@")
    return Path(named), revision.strip() or "heads"


def project_at(path: Path) -> Project:
    """Return the project that a path means: a file of configuration, or the directory that has one or env.py.

    Raises ContractError if it is none.
    """
    if path.is_file():
        configured = _in_toml(path) if path.suffix == ".toml" else _in_ini(path)
        if configured is None:
            raise ContractError(f"{path} does not configure Alembic: it has no {_section(path)}.")
        named = Project(path.parent, toml=path) if path.suffix == ".toml" else Project(path.parent, ini=path)
        return _with_script(named, path.parent, configured)
    if not path.is_dir():
        raise ContractError(f"There is no directory {path}: correct {option('contract')}.")
    if at_once := _configured(path):
        return at_once
    if not (path / _ENV).is_file():
        raise ContractError(
            f"{path} is no project of Alembic: no alembic.ini with [alembic], no pyproject.toml, no env.py."
        )
    for above in path.resolve().parents:
        found = _configured(above)
        if found and found.script and found.script.resolve() == path.resolve():
            return found
    return Project(Path(), script=path.resolve())


def _section(path: Path) -> str:
    return "[tool.alembic]" if path.suffix == ".toml" else "[alembic]"


def _configured(directory: Path) -> Project | None:
    """Return the project that the files of a directory configure, if they do."""
    ini, toml = directory / _INI, directory / _TOML
    of_ini, of_toml = _in_ini(ini), _in_toml(toml)
    if of_ini is None and of_toml is None:
        return None
    found = Project(directory, ini if ini.is_file() else None, toml if of_toml is not None else None)
    return _with_script(found, directory, of_ini or of_toml or "")


def _with_script(project: Project, directory: Path, location: str) -> Project:
    """Return a project with the directory of its scripts, and the one where it runs so that this is found."""
    script = directory if not location and (directory / _ENV).is_file() else None
    if location and ":" not in location:
        places = [home for home in (directory, Path()) if (home / location).is_dir()]
        home = places[0] if places else directory
        return Project(home.absolute(), _whole(project.ini), _whole(project.toml), (home / location).absolute())
    if location and (directory / location.rpartition(":")[2]).is_dir():
        script = directory / location.rpartition(":")[2]
    return Project(directory.absolute(), _whole(project.ini), _whole(project.toml), script and script.absolute())


def _whole(path: Path | None) -> Path | None:
    return path and path.absolute()


def _in_ini(path: Path) -> str | None:
    """Return where a file says that the scripts are; empty if it does not, None if it does not configure Alembic."""
    from configparser import Error, RawConfigParser

    reader = RawConfigParser()
    try:
        if not path.is_file() or not reader.read(path, encoding="utf-8") or not reader.has_section("alembic"):
            return None
    except (Error, UnicodeError) as error:
        raise ContractError(f"{path} is no ini file: {' '.join(str(error).split())}.") from None
    return _here(reader.get("alembic", "script_location", fallback=""), path)


def _in_toml(path: Path) -> str | None:
    import tomllib

    try:
        tools = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}) if path.is_file() else {}
    except ValueError as error:
        raise ContractError(f"{path} is not TOML: {error}.") from None
    found = tools.get("alembic") if isinstance(tools, dict) else None
    return _here(str(found.get("script_location", "")), path) if isinstance(found, dict) else None


def _here(location: str, path: Path) -> str:
    return location.strip().replace("%(here)s", str(path.absolute().parent)).replace("%%", "%")


def files_in(directory: Path) -> Iterator[Path]:
    """Yield the files of a directory and those below it in order of name, without what Python compiles of them."""
    for path in sorted(directory.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path
