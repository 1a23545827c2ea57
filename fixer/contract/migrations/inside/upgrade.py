"""What `alembic upgrade` does, watched: which revision runs, where its versions are kept, which files were read."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any  # what SQLAlchemy and Alembic hand over

from fixer.contract.migrations.inside.doors import URL, Doors, url_like
from fixer.contract.migrations.inside.statements import words_of
from fixer.model.expression.patterns import pattern

_ASYNC = pattern(r"\b(?:async_engine_from_config|create_async_engine|AsyncEngine)\b")
_SYSTEM = ("/proc/", "/dev/", "/sys/", "/etc/", "/usr/", "/lib")


class Upgrade:
    """What `alembic upgrade` does, watched."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self.order = order
        self.step: Any = None
        self.contexts: list[Any] = []
        self.whole = False
        self.script: Any = None
        self.lent = Lent(order["place"]["user"])

    def run(self) -> None:
        """Run env.py with the steps from nothing to the revision."""
        from alembic.runtime.environment import EnvironmentContext
        from alembic.script import ScriptDirectory

        config = self._config()
        self.script = ScriptDirectory.from_config(config)
        self._give_url(config)
        revision = self.order["revision"]
        with EnvironmentContext(config, self.script, fn=self._steps, as_sql=False, destination_rev=revision):
            self.script.run_env()
        if self.lent:
            self.lent["connection"].commit()

    def locations(self) -> list[str]:
        """Return the directories of the revisions."""
        return [str(each) for each in self.script._version_locations]

    def _steps(self, heads: Any, context: Any) -> Iterator[Any]:
        self.contexts.append(context)
        self.whole = False
        for step in self.script._upgrade_revs(self.order["revision"], heads):
            self.step = step
            yield step
        self.whole = True

    def _config(self) -> Any:
        from alembic.config import CommandLine, Config
        from alembic.util import CommandError

        ini, toml = self.order["ini"], self.order["toml"]
        if toml and not hasattr(Config, "get_alembic_option"):
            raise CommandError("[tool.alembic] in pyproject.toml needs Alembic 1.16 or later")
        parser = CommandLine(prog="alembic").parser
        options = parser.parse_args([*(["-c", ini] if ini else []), "upgrade", "--", self.order["revision"]])
        config = Config(ini, cmd_opts=options, **({"toml_file": toml} if toml else {}))
        config.__dict__["attributes"] = self.lent
        if not config.file_config.has_section(config.config_ini_section):
            config.file_config.add_section(config.config_ini_section)
        said = getattr(config, "get_alembic_option", config.get_main_option)  # of Alembic 1.16 and later
        if self.order["script"] and not said("script_location"):
            config.set_main_option("script_location", self.order["script"].replace("%", "%%"))
        return config

    def _give_url(self, config: Any) -> None:
        """Let env.py find the place in its configuration, by the driver that it needs."""
        was = config.file_config.get(config.config_ini_section, "sqlalchemy.url", raw=True, fallback="")
        found, text = URL.match(was), ""
        with contextlib.suppress(OSError, UnicodeError):
            text = (Path(self.script.dir) / "env.py").read_text(encoding="utf-8")
        scheme = found["scheme"] if found else default_scheme()
        if _ASYNC.search(text) and scheme.partition("+")[2] in ("", "psycopg2"):
            scheme = "postgresql+asyncpg" if importlib.util.find_spec("asyncpg") else "postgresql+psycopg"
        config.set_main_option("sqlalchemy.url", url_like(was, self.order["place"]["user"], scheme))


def default_scheme() -> str:
    """Return a scheme without a driver where SQLAlchemy has its default one, else that of psycopg2."""
    import sqlalchemy

    driver = "psycopg2" if sqlalchemy.__version__.startswith(("1.", "2.0")) else "psycopg"
    return "postgresql" if importlib.util.find_spec(driver) else "postgresql+psycopg2"


class Lent(dict[str, Any]):
    """The attributes of a configuration: a connection is made for an env.py that cannot do without."""

    def __init__(self, user: str) -> None:
        super().__init__()
        self.user = user

    def __missing__(self, key: str) -> Any:
        from sqlalchemy import create_engine

        if key != "connection":
            raise KeyError(key)
        self[key] = create_engine(url_like("", self.user, "postgresql+psycopg2")).connect()
        return self[key]


def place_of(error: BaseException, upgrade: Upgrade) -> str:
    """Return words for the part of the user's code that failed: the revision, or else the file."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{os.path.relpath(error.filename)}, line {error.lineno},"
    frames, trace = [], error.__traceback__
    while trace:
        frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    if upgrade.step and not upgrade.whole:
        path = upgrade.step.revision.path
        line = next((f", line {line}" for file, line in reversed(frames) if file == path), "")
        return f"revision {upgrade.step.revision.revision} ({os.path.relpath(path)}{line})"
    if upgrade.whole:
        return "the end of the migrations"
    theirs = [each for each in frames if is_theirs(each[0]) and each[0] != __file__]
    return f"{os.path.relpath(theirs[-1][0])}, line {theirs[-1][1]}," if theirs else "env.py"


def is_theirs(file: str) -> bool:
    """Return whether a file belongs to the project, and not to what is installed."""
    homes = {sys.prefix, sys.base_prefix, *(str(Path(each).resolve()) for each in (sys.prefix, sys.base_prefix))}
    return file.startswith("/") and not (file.startswith(_SYSTEM) or any(file.startswith(f"{home}/") for home in homes))


def read_by(files: set[str]) -> Iterator[str]:
    """Yield the files of the project among those that were opened; a compiled one stands for its source."""
    for file in files:
        with contextlib.suppress(ValueError, NotImplementedError):
            file = importlib.util.source_from_cache(file) if file.endswith(".pyc") else file
        if is_theirs(file) and "/site-packages/" not in file and Path(file).is_file():
            yield file


def outcome(upgrade: Upgrade, doors: Doors) -> dict[str, object]:
    """Run the migrations, and return what became of them, to be sent."""
    try:
        upgrade.run()
    except BaseException as error:  # the user's code may raise anything
        return _failed(error, upgrade)
    if not upgrade.contexts:
        return {"failed": "env.py runs no migrations"}
    if not upgrade.whole:
        return {"failed": f"env.py hides an error of revision {upgrade.step.revision.revision}"}
    return {
        "last": upgrade.step.revision.revision if upgrade.step else "",
        "versions": [[each.version_table_schema, each.version_table] for each in upgrade.contexts],
        "files": sorted(read_by(doors.files)),
        "directories": sorted({str(Path(each).resolve()) for each in (upgrade.script.dir, *upgrade.locations())}),
    }


def _failed(error: BaseException, upgrade: Upgrade) -> dict[str, object]:
    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError

    if isinstance(error, CommandError):
        return {"failed": " ".join(str(error).split()).rstrip(".")}
    if isinstance(error, DBAPIError) and error.orig is not None:
        said, code = words_of(error.orig)
        said += f" ({code})" if code else ""
    elif isinstance(error, SyntaxError):
        said = f"{type(error).__name__}: {error.msg}"
    else:
        said = " ".join(f"{type(error).__name__}: {error}".partition("(Background on")[0].split()).rstrip(".:")
    return {"failed": f"{place_of(error, upgrade)} fails: {said}"}
