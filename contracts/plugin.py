"""The pytest plugin: options, markers, fixtures, and the summary of the five points.

It is loaded into every pytest session of an environment in which pgmend is installed, so it imports
nothing heavy, and does nothing where the contract suite does not run.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from contracts.proof.databases.session import Session
    from fixer.connect.target import Target

TITLES = {1: "primary keys", 2: "foreign keys", 3: "default users", 4: "structure", 5: "operation"}
POINT, TARGET, NOTE = "pgmend.point", "pgmend.target", "pgmend.note"  # the properties of an item

_SESSION: pytest.StashKey[Session] = pytest.StashKey()
_WORDS = {"contracts", "pgmend"}  # a command line with one of these is meant for this plugin


# --- options ----------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options, unless this is just any session: theirs may have options of the same names."""
    if pluginmanager.get_name(sys.modules[__name__]) != "pgmend":
        _add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: Sequence[str]) -> None:
    """Add the options where the command line or the ini file speaks of us."""
    plugin = early_config.pluginmanager.get_name(sys.modules[__name__])
    words = {word for arg in [*args, *early_config.getini("testpaths")] for word in re.split(r"[^\w-]+", arg)}
    if plugin == "pgmend" and words & _WORDS:
        _add_options(parser)


def _add_options(parser: pytest.Parser) -> None:
    add = parser.getgroup("pgmend", "pgmend: the five points of a database").addoption
    add("--dsn", dest="pgmend_dsn", action="append", default=[], metavar="DSN",
        help="a database to prove; repeatable; without it, the snapshots are proved")  # fmt: skip
    add("--dsn-file", dest="pgmend_dsn_file", metavar="FILE", help="a file with one DSN a line")
    add("--contract", dest="pgmend_contract", default="contracts.trading:metadata", metavar="MODULE:ATTR",
        help="MetaData, a declarative base, or a callable that returns one (default: %(default)s)")  # fmt: skip
    add("--schema", dest="pgmend_schema", default="public", metavar="NAME",
        help="where the tables of the contract stand (default: %(default)s)")  # fmt: skip
    add("--snapshots", dest="pgmend_snapshots", metavar="DIR", help="other snapshots than those that ship")
    add("--deep", dest="pgmend_deep", action="store_true", help="read rows even where the catalogue vouches for them")
    add("--writes", dest="pgmend_writes", default="rollback", metavar="rollback|none",
        help="points 3 and 5 write in transactions that are rolled back (the default), or not at all")  # fmt: skip
    add("--role", dest="pgmend_role", metavar="ROLE", help="behave as the application's role does")
    add("--server", dest="pgmend_server", default="embedded", metavar="embedded|docker|DSN",
        help="where the snapshots are loaded (default: %(default)s)")  # fmt: skip
    add("--pg-version", dest="pgmend_version", type=int, metavar="N", help="the PostgreSQL major of that server")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    for number, title in TITLES.items():
        config.addinivalue_line("markers", f"point{number}: {title} (pgmend)")


def session_of(config: pytest.Config) -> Session:
    """Return what this session knows of its targets."""
    from contracts.proof.databases.session import Session

    if _SESSION not in config.stash:
        config.stash[_SESSION] = Session(config.option, **_meeting_point(config))
    return config.stash[_SESSION]


def _meeting_point(config: pytest.Config) -> dict[str, Any]:
    """Return where the processes of this session share what is made once; the controller chooses."""
    known = getattr(config, "workerinput", {}).get("pgmend")
    if known is None:
        known = vars(config).setdefault("_pgmend", {
            "owner": os.getpid(),
            "directory": str(Path(tempfile.gettempdir()) / f"pgmend-{os.getpid()}-{secrets.token_hex(6)}"),
        })  # fmt: skip
    return dict(known)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist where all meet."""
    node.workerinput["pgmend"] = _meeting_point(node.config)


# --- the session ------------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)  # after hypothesis has begun, before xdist starts its workers
def pytest_sessionstart(session: pytest.Session) -> None:
    """Look at the targets before anything runs, so that one sentence says what is in the way."""
    config = session.config
    if hasattr(config, "workerinput"):
        return
    _refuse_empty(config)
    if not _is_asked(config):
        return
    import psycopg2

    from fixer.connect.redact import redact
    from fixer.errors import PgmendError

    try:
        session_of(config).prepare()
    except (PgmendError, psycopg2.Error) as error:
        refusal = pytest.UsageError(redact(" ".join(str(error).split())))
    else:
        return
    raise refusal


def _refuse_empty(config: pytest.Config) -> None:
    """Raise UsageError where one of our options is given and empty."""
    for option in ("dsn", "dsn_file", "contract", "schema", "snapshots", "role", "server"):
        value = getattr(config.option, f"pgmend_{option}", None)
        if any(each is not None and not each.strip() for each in (value if isinstance(value, list) else [value])):
            from fixer.errors import EMPTY

            raise pytest.UsageError(EMPTY.format(f"--{option.replace('_', '-')}"))


def _is_asked(config: pytest.Config) -> bool:
    """Tell whether an option asks for more than the plain run of the snapshots."""
    option = config.option
    if not hasattr(option, "pgmend_dsn"):
        return False
    given = (option.pgmend_dsn, option.pgmend_dsn_file, option.pgmend_snapshots, option.pgmend_version)
    return any(given) or option.pgmend_writes != "rollback" or option.pgmend_server != "embedded"


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Name the targets, without their passwords."""
    if _SESSION not in config.stash:
        return []
    return [f"pgmend: {place.title}" for place in config.stash[_SESSION].targets]


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    if _SESSION in config.stash:
        config.stash[_SESSION].close()
    if hasattr(config, "_pgmend"):
        import shutil

        shutil.rmtree(_meeting_point(config)["directory"], ignore_errors=True)


# --- fixtures ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pgmend_targets(pytestconfig: pytest.Config) -> tuple[Target, ...]:
    """The databases that --dsn names."""
    return tuple(place.target() for place in session_of(pytestconfig).targets)


@pytest.fixture(scope="session")
def pgmend_target(pgmend_targets: tuple[Target, ...]) -> Target:
    """The one database that --dsn names."""
    if len(pgmend_targets) != 1:
        pytest.skip(f"needs one --dsn, was given {len(pgmend_targets)}")
    return pgmend_targets[0]


# --- the summary ------------------------------------------------------------------------------------


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of the five points, target by target."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    notes: dict[str, None] = {}
    untried: Counter[str] = Counter()
    for outcome, report in _reports(terminalreporter):
        known = dict(getattr(report, "user_properties", ()))  # a report of collection has none
        if POINT not in known or (outcome == "passed" and report.when != "call"):
            continue
        counts.setdefault((known[TARGET], str(known[POINT])), Counter())[outcome] += 1
        untried.update(_why_untried(report) if outcome == "skipped" else ())
        notes |= {str(text): None for name, text in report.user_properties if name == NOTE}
    if not counts:
        return
    terminalreporter.section("the five points")
    for target in dict.fromkeys(target for target, _ in counts):
        terminalreporter.write_line(target)
        for number, title in TITLES.items():
            count = counts.get((target, str(number)), Counter())
            terminalreporter.write_line(_row(number, title, count), **{_color(count): True})
    for reason, number in untried.items():
        terminalreporter.write_line(f"not tried, {number} item{'s' * (number > 1)}: {reason}", yellow=True)
    for note in notes:
        terminalreporter.write_line(note)


def _why_untried(report: Any) -> Iterator[str]:
    """Yield why an item was skipped, unless the command line asked for it."""
    _, _, reason = report.longrepr if isinstance(report.longrepr, tuple | list) else ("", 0, str(report.longrepr))
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith("--writes"):
        yield reason


def _reports(terminalreporter: pytest.TerminalReporter) -> Iterator[tuple[str, Any]]:
    for outcome, key in (("passed", "passed"), ("failed", "failed"), ("failed", "error"), ("skipped", "skipped")):
        yield from ((outcome, report) for report in terminalreporter.stats.get(key, ()))


def _row(number: int, title: str, count: Counter[str]) -> str:
    verdict = "BROKEN" if count["failed"] else "ok" if count["passed"] else "not run"
    numbers = ", ".join(f"{count[each]} {each}" for each in ("failed", "passed", "skipped") if count[each])
    return f"  {number}  {title:<14} {verdict:<8} {numbers}".rstrip()


def _color(count: Counter[str]) -> str:
    return "red" if count["failed"] else "green" if count["passed"] else "yellow"
