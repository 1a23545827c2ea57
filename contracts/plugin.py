"""The pytest plugin: options, markers, fixtures, and the summary of the five points.

Where pgmend is installed, `fixer.cli.pytest_entry` loads it into the sessions that ask for the contract suite. It
imports nothing heavy, for a session may ask for help or for the fixtures alone.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any  # xdist publishes no types

import pytest

from contracts import chosen
from contracts.summary import TITLES, print_summary, unproved
from fixer.errors import needs

if find_spec("hypothesis") is None:
    raise pytest.UsageError(needs("hypothesis", "The contract suite") + ".")

if TYPE_CHECKING:
    from contracts.proof.databases.session import Session
    from fixer.connect.target import Target

_SESSION: pytest.StashKey[Session] = pytest.StashKey()
_MEETING: pytest.StashKey[tuple[int, str]] = pytest.StashKey()


# --- options ----------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    add = parser.getgroup("pgmend", "pgmend: the five points of a database").addoption
    add("--dsn", dest="pgmend_dsn", action="append", default=[], metavar="DSN",
        help="a database to prove; repeatable; without it, the snapshots are proved")  # fmt: skip
    add("--dsn-file", dest="pgmend_dsn_file", metavar="FILE", help="a file with one DSN a line")
    add("--contract", dest="pgmend_contract", metavar="SOURCE",
        help="MODULE:ATTR, FILE.sql, DIR/, alembic:DIR, DATABASE, self; default: see docs/contracts.md")  # fmt: skip
    add("--scratch", dest="pgmend_scratch", metavar="SERVER",
        help="where throw-away databases for contracts are made: a DSN, or docker:IMAGE")  # fmt: skip
    add("--schema", dest="pgmend_schema", default="public", metavar="NAME",
        help="where the tables of the contract stand (default: %(default)s)")  # fmt: skip
    add("--snapshots", dest="pgmend_snapshots", metavar="DIR", help="other snapshots than those that ship")
    add(
        "--deep",
        dest="pgmend_deep",
        action="store_true",
        help="also read rows that a valid constraint already guarantees",
    )
    add("--writes", dest="pgmend_writes", default="rollback", metavar="rollback|shadow|none",
        help="points 3 and 5 write and roll back (the default), write in a copy, or not at all")  # fmt: skip
    add("--baseline", dest="pgmend_baseline", metavar="FILE",
        help="skip what fails only by findings of this file, which `fixer check --write-baseline` wrote")  # fmt: skip
    add("--role", dest="pgmend_role", metavar="ROLE", help="behave as the application's role does")
    add("--server", dest="pgmend_server", default="embedded", metavar="embedded|docker|DSN",
        help="where the snapshots are loaded (default: %(default)s)")  # fmt: skip
    add("--pg-version", dest="pgmend_version", type=int, metavar="N", help="the PostgreSQL major of that server")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and let errors speak of options as they are given here."""
    from fixer.errors import speak_of_flags

    speak_of_flags()
    for number, title in TITLES.items():
        config.addinivalue_line("markers", f"point{number}: {title} (pgmend)")


def session_of(config: pytest.Config) -> Session:
    """Return the databases that this session proves."""
    from contracts.proof.databases.session import Session

    if _SESSION not in config.stash:
        owner, directory = _meeting_of(config)
        config.stash[_SESSION] = Session(config.option, owner, directory)
    return config.stash[_SESSION]


def _meeting_of(config: pytest.Config) -> tuple[int, str]:
    """Return the process that owns this session, and the directory in which its processes share what they make."""
    if hasattr(config, "workerinput"):  # xdist sets it, on its workers only
        owner, directory = config.workerinput["pgmend"]
        return owner, directory
    if _MEETING not in config.stash:
        directory = Path(tempfile.gettempdir()) / f"pgmend-{os.getpid()}-{secrets.token_hex(6)}"
        config.stash[_MEETING] = os.getpid(), str(directory)
    return config.stash[_MEETING]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # xdist publishes no type for it
    """Give a worker of xdist the directory in which all processes share what they make."""
    node.workerinput["pgmend"] = _meeting_of(node.config)


# --- the session ------------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)  # after hypothesis has begun, before xdist starts its workers
def pytest_sessionstart(session: pytest.Session) -> None:
    """Check the targets before any item runs, and report an obstacle in one sentence."""
    config = session.config
    if hasattr(config, "workerinput"):  # a worker of xdist: its controller has checked
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
    for option in ("dsn", "dsn_file", "contract", "scratch", "schema", "snapshots", "role", "server", "baseline"):
        value = vars(config.option).get(f"pgmend_{option}")  # absent where our options were not added
        if any(each is not None and not each.strip() for each in (value if isinstance(value, list) else [value])):
            from fixer.errors import EMPTY

            raise pytest.UsageError(EMPTY.format(f"--{option.replace('_', '-')}"))


def _is_asked(config: pytest.Config) -> bool:
    """Return whether an option asks for more than the plain run of the snapshots."""
    option = config.option
    if not hasattr(option, "pgmend_dsn"):
        return False
    given = (option.pgmend_dsn, option.pgmend_dsn_file, option.pgmend_snapshots, option.pgmend_version)
    return any(given) or option.pgmend_writes != "rollback" or option.pgmend_server != "embedded"


def _names_a_target(config: pytest.Config) -> bool:
    """Return whether a database is given, which is left out where the snapshots are proved."""
    option = config.option
    return not hasattr(option, "pgmend_dsn") or bool(option.pgmend_dsn or option.pgmend_dsn_file)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Name the targets, without their passwords; or say that none is proved."""
    if not _names_a_target(config):
        return [f"pgmend: {unproved(os.environ)}"]
    if _SESSION not in config.stash:
        return []
    targets = config.stash[_SESSION].targets
    notes = dict.fromkeys(note for place in targets for note in place.contract.notes)
    return [*(f"pgmend: {place.title}" for place in targets), *(f"pgmend: {note}" for note in notes)]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # xdist publishes no type for it
    """Take what a worker of xdist knows of the choice."""
    chosen.receive(node.config, getattr(node, "workeroutput", {}))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """End well where the points that were chosen are those for which the contract has nothing."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and chosen.of(session.config).is_settled:
        session.exitstatus = pytest.ExitCode.OK


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Close what is open, and delete the directory of this session."""
    if _SESSION in config.stash:
        config.stash[_SESSION].close()
    if _MEETING in config.stash:
        import shutil

        shutil.rmtree(config.stash[_MEETING][1], ignore_errors=True)


# --- fixtures ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pgmend_targets(pytestconfig: pytest.Config) -> tuple[Target, ...]:
    """The databases that --dsn names."""
    return tuple(place.original() for place in session_of(pytestconfig).targets)


@pytest.fixture(scope="session")
def pgmend_target(pgmend_targets: tuple[Target, ...]) -> Target:
    """The one database that --dsn names."""
    if len(pgmend_targets) != 1:
        pytest.skip(f"needs one --dsn, was given {len(pgmend_targets)}")
    return pgmend_targets[0]


# --- the summary ------------------------------------------------------------------------------------


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of the five points, target by target."""
    config = terminalreporter.config
    print_summary(terminalreporter, chosen.of(config), "" if _names_a_target(config) else unproved(os.environ))
