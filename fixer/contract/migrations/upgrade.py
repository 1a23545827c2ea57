"""Runs `alembic upgrade` in a process of its own, whose only way leads to the throw-away place, and answers it."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Timer
from typing import IO, Any  # what a line of JSON holds

import psycopg2

from fixer.contract.files import HEEDING, LACKING_ROLE, NOTHING_NEW
from fixer.contract.migrations.environ import environment
from fixer.contract.migrations.inside import start
from fixer.contract.migrations.inside.upgrade import default_scheme
from fixer.contract.migrations.project import Project
from fixer.contract.place import Place
from fixer.contract.script import statements, without_roles
from fixer.errors import ContractError
from fixer.model.expression import unquoted
from fixer.model.expression.patterns import pattern
from fixer.model.values import dataclass

PATIENCE = 900.0  # seconds that all migrations may take
# What a statement says that may name a role or an extension that is not there, or what only a superuser may.
_NAMING = (
    r"\b(?:ROLE|USER|GROUP|OWNER|OWNED|GRANT|REVOKE|POLICY|AUTHORIZATION|PRIVILEGES|EXTENSION|SYSTEM|DATABASE|LABEL"
    r"|PUBLICATION|SUBSCRIPTION|EVENT)\b|\bSCHEMA\b.*\bpublic\b"
)
_MAKING = pattern(r'\bCREATE\s+(?:ROLE|USER|GROUP)\s+("(?:[^"]|"")+"|[^\W\d][\w$]*)', re.IGNORECASE)

log = logging.getLogger("pgmend.contract")


@dataclass(frozen=True)
class Upgraded:
    """What became of migrations: the last revision, the tables that keep it, and what was read for them."""

    last: str
    versions: frozenset[tuple[str | None, str]]
    files: tuple[str, ...]
    directories: tuple[str, ...]


def upgrade(project: Project, revision: str, place: Place, name: str) -> Upgraded:
    """Run the migrations up to a revision in a place.

    Raises ContractError with what failed and where, or if a connection would have led elsewhere.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        with _begun(project, place, output) as (orders, words):
            print(json.dumps(_order(project, revision, place)), file=orders, flush=True)
            answers = _Answers(place)
            said = next(answers.to(words, orders), {})
        printed = _last_line(output)
    if "last" in said:
        versions = frozenset((schema, table) for schema, table in said["versions"])
        return Upgraded(said["last"], versions, tuple(said["files"]), tuple(said["directories"]))
    if not said and time.monotonic() - began >= PATIENCE:
        raise ContractError(
            f"The contract {name} cannot be made: its migrations take longer than {PATIENCE:g} seconds."
        )
    raise ContractError(f"The contract {name} cannot be made: {_reason(said, printed, answers.left_out)}.")


def _order(project: Project, revision: str, place: Place) -> dict[str, object]:
    return {
        "ini": project.ini and str(project.ini),
        "toml": project.toml and str(project.toml),
        "script": project.script and str(project.script),
        "revision": revision,
        "place": reached(place),
        "naming": _NAMING,
        "heeding": HEEDING,
        "parent": os.getpid(),
    }


def reached(place: Place) -> dict[str, str]:
    """Return how the owner of a place reaches it, by libpq's words."""
    words, password = place.owner.info.dsn_parameters, place.owner.info.password
    found = {word: words[word] for word in ("host", "port", "user", "dbname") if words.get(word)}
    return {**found, "password": password} if password else found


@contextmanager
def _begun(project: Project, place: Place, output: IO[bytes]) -> Iterator[tuple[IO[str], IO[str]]]:
    """Begin the process, which is killed at the end with all that it began; lend the pipes to and from it."""
    (order, orders), (words, word) = os.pipe(), os.pipe()
    with os.fdopen(orders, "w", encoding="utf-8") as outgoing, os.fdopen(words, encoding="utf-8") as incoming:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", start.__file__, str(order), str(word)],
                cwd=project.home,
                env=environment(os.environ, project.home, reached(place), default_scheme()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(order, word),
                start_new_session=True,  # the terminal's Ctrl-C is for us alone
            )
        finally:
            os.close(order)
            os.close(word)
        impatience = Timer(PATIENCE, _end, [process])
        impatience.daemon = True
        impatience.start()
        try:
            yield outgoing, incoming
        finally:
            impatience.cancel()
            _end(process)
            process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process at once, with all that it began."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class _Answers:
    """Answers what the process asks when a statement fails; keeps in mind what it left out."""

    def __init__(self, place: Place) -> None:
        self.place, self.made, self.left_out = place, set[str](), list[str]()

    def to(self, words: IO[str], orders: IO[str]) -> Iterator[Mapping[str, Any]]:
        """Answer all questions, and yield what is said at the end; nothing if the process ends without a word."""
        for line in words:
            said = json.loads(line)
            if "statement" not in said:
                yield said
                return
            print(json.dumps(self._answer(said["statement"], said["said"])), file=orders, flush=True)

    def _answer(self, text: str, error: str) -> str | list[str]:
        """Return what is to be done with a statement: raise, again, or run these parts, if any, in its place.

        Roles that it names are made; what only names what is there, or what cannot be had here, is left out.
        """
        without, roles = without_roles(text)
        if without != text:
            for name in roles:
                self._is_made(name)
            return [without]
        lacking = LACKING_ROLE.search(error)
        names = [lacking[1]] if lacking else []
        if "permission denied to create role" in error:
            names = [unquoted(each) for each in _MAKING.findall(text)]
        if [name for name in names if self._is_made(name)]:
            return "again"
        try:
            parts = [each.text for each in statements(text)]
        except ContractError:
            return "raise"
        if len(parts) > 1:
            return parts
        if not parts or not NOTHING_NEW.match(parts[0]):
            return "raise"
        log.info("left out of the contract: %s", error)
        self.left_out.append(error)
        return []

    def _is_made(self, name: str) -> bool:
        """Make a role, and return whether that worked; one that was made once is not made again."""
        if name in self.made:
            return False
        self.made.add(name)
        try:
            self.place.add_role(name)
        except psycopg2.Error:
            return False
        return True


def _last_line(output: IO[bytes]) -> str:
    """Return the last line that migrations printed; the log has them all."""
    output.seek(0)
    lines = [each.strip() for each in output.read().decode("utf-8", "replace").splitlines() if each.strip()]
    for line in lines:
        log.info("migrations: %s", line)
    return lines[-1] if lines else ""


def _reason(said: Mapping[str, Any], printed: str, left_out: list[str]) -> str:
    if "failed" in said:
        lacking = [each for each in left_out if "extension" in each]
        return "; ".join(dict.fromkeys([said["failed"], *lacking]))
    if "elsewhere" in said:
        return (
            f"its env.py connects to {said['elsewhere']}, not to the throw-away database that it is given, so that was"
            ' refused. Let env.py take config.get_main_option("sqlalchemy.url"), or the variable DATABASE_URL'
        )
    if "several" in said:
        return f"its env.py connects to several databases, {' and '.join(said['several'])}, and a contract is for one"
    return f"its process ended early{f', and said {printed}' if printed else ''}"
