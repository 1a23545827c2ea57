"""Places: the databases that a session proves, each with its cases and with what was found there.

What is dear is made once a session, by the first process that needs it, and kept in a directory in which
all workers meet: the look at a target, the server, a snapshot and its repaired copy.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import re
import secrets
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

import fixer
from contracts.proof.cases import Case, cases_of, lay
from fixer import api
from fixer.connect import servers, snapshot
from fixer.connect.servers import Server
from fixer.connect.snapshot import Snapshot
from fixer.connect.target import Target, resolve
from fixer.errors import NeedsPermission, PgmendError, UsageError
from fixer.model.contract import Contract
from fixer.model.finding import Finding
from fixer.model.report import Report
from fixer.report.text import evidence
from fixer.sql.compose import SQL, Identifier

WRITES = ("rollback", "none")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Verdict:
    """What the check says about one case: what breaks it, and what is only worth knowing."""

    broken: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """What one check of a place found, case by case."""

    verdicts: Mapping[Case, Verdict]
    contract: Contract


class Place:
    """One database to prove."""

    def __init__(self, session: Session, label: str, title: str, contract: str, schema: str) -> None:
        self.session = session
        self.label = label  # before the names of its items; empty for the only target
        self.title = title  # in the summary
        self.spec = contract
        self.schema = schema

    @property
    def examples(self) -> tuple[int, int]:
        """How many good examples, and how many bad ones, each item writes."""
        return 20, 8

    def target(self) -> Target:
        """Return the database."""
        raise NotImplementedError

    @property
    def cases(self) -> Sequence[Case]:
        """What is proved here."""
        return self.contract_and_cases[1]

    @cached_property
    def contract_and_cases(self) -> tuple[Contract, tuple[Case, ...]]:
        """The contract as this server spells it, and its cases."""
        raise NotImplementedError

    def verdict(self, case: Case) -> Verdict:
        """Return what the check found on a case; the check runs once a session, before anything is written."""
        return self.look.get(case, Verdict())

    @cached_property
    def look(self) -> Mapping[Case, Verdict]:
        """What the check found, by case."""
        raise NotImplementedError

    @cached_property
    def connection(self) -> Connection:
        """The one connection of this process on which items write and roll back."""
        return self.target().connect()

    def close(self) -> None:
        """Give the connection back."""
        if "connection" in vars(self):
            self.connection.close()

    def _look(self, target: Target) -> Mapping[Case, Verdict]:
        prepared, cases = self.contract_and_cases
        report = fixer.check(target, prepared, schema=self.schema, deep=self.session.deep)
        command = self._command(report)
        laid = lay(report, cases)
        return {case: _verdict(findings, command) for case, findings in laid.items()}

    def _command(self, report: Report) -> str:
        """Return the command that repairs what was found."""
        hazards = sorted({hazard for f in report.findings if f.breaks for hazard in f.repair.hazards})
        words = ["fixer", "apply", "--dsn", report.target]
        if self.spec != "contracts.trading:metadata":
            words += ["--contract", self.spec]
        if self.schema != "public":
            words += ["--schema", self.schema]
        if hazards:
            words += ["--allow-hazards", ",".join(hazards)]
        return shlex.join(words)


class Given(Place):
    """A database that --dsn names."""

    def __init__(self, session: Session, label: str, target: Target) -> None:
        super().__init__(session, label, target.redacted, session.contract, session.schema)
        self._target = target

    def target(self) -> Target:
        """Return the database."""
        return self._target

    @cached_property
    def contract_and_cases(self) -> tuple[Contract, tuple[Case, ...]]:
        """The contract as this server spells it, and its cases."""
        contract = self.session.contract_for(self._target, self.spec, self.schema)
        return contract, cases_of(contract)

    @cached_property
    def look(self) -> Mapping[Case, Verdict]:
        """What the check found, by case."""
        return self.session.once(f"look-{self.label or 'target'}", lambda: self._look(self._target))


class Repaired(Place):
    """A snapshot, repaired on a server of our own."""

    def __init__(self, session: Session, known: Snapshot) -> None:
        super().__init__(session, known.name, "the snapshots, repaired", known.contract, known.schema)
        self.snapshot = known

    @property
    def examples(self) -> tuple[int, int]:
        """How many good examples, and how many bad ones, each item writes."""
        return 5, 2

    def target(self) -> Target:
        """Return the database."""
        return self._target

    @cached_property
    def _target(self) -> Target:
        return self.session.lab.repaired(self.snapshot).target()

    @cached_property
    def contract_and_cases(self) -> tuple[Contract, tuple[Case, ...]]:
        """The contract as this server spells it, and its cases."""
        return self.session.lab.contract_and_cases(self.spec, self.schema)

    @cached_property
    def look(self) -> Mapping[Case, Verdict]:
        """What the check found, by case."""
        return self.session.once(f"look-{self.label}", lambda: self._look(self.target()))


def _verdict(findings: Sequence[Finding], command: str) -> Verdict:
    broken = [finding for finding in findings if finding.breaks]
    notes = tuple(f"{f.severity}: {_told(f)}" for f in findings if not f.breaks)
    if not broken:
        return Verdict("", notes)
    lines = [_told(finding) for finding in broken]
    reasons = [f.repair.refusal or "no repair is known" for f in broken if f.repair.label == "manual"]
    lines += [f"a person has to decide: {reason}" for reason in dict.fromkeys(reasons)]
    if len(reasons) < len(broken):
        lines.append(f"repair: {command}")
    return Verdict("\n".join(lines), notes)


def _told(finding: Finding) -> str:
    rows = f": {evidence(finding)}" if finding.sample else ""
    return f"{finding.message}{rows} [{finding.slug}]"


# --- the session ------------------------------------------------------------------------------------


class Session:
    """The options of a session, and the places it proves."""

    def __init__(self, option: Any, owner: int, directory: str) -> None:
        def given(name: str, default: Any) -> Any:
            return getattr(option, f"pgmend_{name}", default)

        self.owner = owner
        self.directory = Path(directory)
        self.contract: str = given("contract", "contracts.trading:metadata")
        self.schema: str = given("schema", "public")
        self.deep: bool = given("deep", False)
        self.writes: str = given("writes", "rollback")
        self.role: str | None = given("role", None)
        self._dsn: list[str] = given("dsn", [])
        self._dsn_file: str | None = given("dsn_file", None)
        self._snapshots: str | None = given("snapshots", None)
        self._server: str = given("server", "embedded")
        self._version: int | None = given("version", None)
        self._exits = ExitStack()
        self._contracts: dict[tuple[str, str, str], Contract] = {}

    @cached_property
    def targets(self) -> tuple[Given, ...]:
        """The databases that were named."""
        named = [*self._dsn, *self._from_file()]
        found = [self._as_role(resolve(dsn)) for dsn in named]
        labels = _labels(found) if len(found) > 1 else [""]
        return tuple(Given(self, label, target) for label, target in zip(labels, found, strict=False))

    @cached_property
    def lab(self) -> Lab:
        """The server on which snapshots are loaded and repaired."""
        return Lab(self, self._server, self._version)

    @property
    def proves_snapshots(self) -> bool:
        """Whether it runs on the snapshots, because no target was named."""
        return not self.targets

    @cached_property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """The snapshots to prove: those that are for this version of PostgreSQL."""
        if not self.proves_snapshots:
            return ()
        known = snapshot.find(Path(self._snapshots) if self._snapshots else None).values()
        version = self.lab.server.version
        return tuple(each for each in known if not each.versions or version in each.versions)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The databases on which the five points are proved."""
        return self.targets or tuple(Repaired(self, each) for each in self.snapshots if each.repairable)

    def prepare(self) -> None:
        """Do at once what could fail for a reason that is no finding. Raises PgmendError."""
        if self.writes == "shadow":
            raise UsageError("--writes shadow is not there yet: there are rollback and none.")
        if self.writes not in WRITES:
            raise UsageError(f"--writes {self.writes!r} should be one of {' and '.join(WRITES)}.")
        for place in self.targets:
            assert place.look is not None  # its check is made here
        if self.proves_snapshots:
            assert self.snapshots

    def contract_for(self, target: Target, spec: str, schema: str) -> Contract:
        """Return a contract as the server of a target spells it."""
        known = target.redacted, spec, schema
        if known not in self._contracts:
            with closing(target.connect()) as connection:
                self._contracts[known] = api.prepare(spec, connection, schema)
        return self._contracts[known]

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """Return what the first process of this session to ask for it made."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        note = self.directory / re.sub(r"[^\w.-]", "_", name)
        with note.with_name(f"{note.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released as the file closes
            if note.exists():
                made: Made = pickle.loads(note.read_bytes())
                return made
            made = make()
            note.write_bytes(pickle.dumps(made))
            return made

    def entered(self, context: Any) -> Any:
        """Enter a context that is left as the session ends."""
        return self._exits.enter_context(context)

    def close(self) -> None:
        """Give back what was opened."""
        for place in vars(self).get("places", ()):
            place.close()
        if "lab" in vars(self) and self.owner == os.getpid():
            self.lab.clear()
        self._exits.close()

    def _from_file(self) -> list[str]:
        if not self._dsn_file:
            return []
        try:
            lines = Path(self._dsn_file).read_text("utf-8").splitlines()
        except OSError as error:
            raise UsageError(f"--dsn-file {self._dsn_file} cannot be read: {error.strerror}.") from None
        found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not found:
            raise UsageError(f"--dsn-file {self._dsn_file} names no database.")
        return found

    def _as_role(self, target: Target) -> Target:
        if not self.role:
            return target
        return replace(target, settings={**target.settings, "role": self.role})


def _labels(targets: Sequence[Target]) -> list[str]:
    """Return what tells targets apart: host and database, and a number where that is not enough."""
    labels, seen = [], Counter[str]()
    for target in targets:
        label = f"{target.url.host or 'local'}/{target.url.database or target.url.username or ''}"
        seen[label] += 1
        labels.append(label if seen[label] == 1 else f"{label}-{seen[label]}")
    return labels


# --- snapshots --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of a snapshot when it was repaired; `trouble` where it could not be."""

    database: str
    dsn: str
    quarantined: Mapping[str, int]
    left: tuple[str, ...] = ()  # findings of a second plan, a deep one
    steps: tuple[str, ...] = ()  # of that plan
    trouble: str = ""

    def target(self) -> Target:
        """Return the repaired database."""
        if self.trouble:
            raise PgmendError(f"The snapshot could not be repaired: {self.trouble}")
        return resolve(self.dsn, {})


class Lab:
    """A server on which snapshots are loaded, copied and repaired."""

    def __init__(self, session: Session, kind: str, version: int | None) -> None:
        self.session = session
        self.kind = kind
        self.version = version
        self.token = session.directory.name.removeprefix("pgmend-").replace("-", "_")

    @cached_property
    def server(self) -> Server:
        """The server, started by the first who needs it."""
        if self.kind == "embedded":
            return servers.shared(self.session.directory / "server", self.version, self.session.owner)
        dsn = self.session.once("server-dsn", self._foreign)
        return servers.outside(dsn)

    def _foreign(self) -> str:
        if self.kind == "docker":
            server: Server = self.session.entered(servers.docker(self.version))
            return server.dsn
        if not re.search(r"[:=/]", self.kind):
            raise UsageError(f"--server {self.kind!r} should be embedded, docker, or a DSN.")
        return self.kind

    def contract_and_cases(self, spec: str, schema: str) -> tuple[Contract, tuple[Case, ...]]:
        """Return a contract as this server spells it, and its cases."""
        contract = self.session.contract_for(resolve(self.server.dsn, {}), spec, schema)
        if (spec, schema) not in self._cases:
            self._cases[spec, schema] = cases_of(contract)
        return contract, self._cases[spec, schema]

    @cached_property
    def _cases(self) -> dict[tuple[str, str], tuple[Case, ...]]:
        return {}

    def clone(self, known: Snapshot) -> str:
        """Return the name of a fresh database with a snapshot in it."""
        return self._copy(known, None)

    def target(self, database: str) -> Target:
        """Return a database of this server."""
        return resolve(self.server.database_dsn(database), {})

    def repaired(self, known: Snapshot) -> Outcome:
        """Return the snapshot as its declared repair left it, made once a session."""
        return self.session.once(f"repaired-{known.name}", lambda: self._repair(known))

    def clear(self) -> None:
        """Drop what was made on a server that stays."""
        if self.kind == "embedded" or "server" not in vars(self):
            return
        for note in self.session.directory.glob("database-*"):
            if note.suffix != ".lock":
                self.server.drop_database(pickle.loads(note.read_bytes()))

    def _name(self, kind: str, known: Snapshot) -> str:
        """Return a name of a database, and note it before it is made."""
        place = re.sub(r"\W", "_", known.name)[:24]
        name = f"pgmend_{kind}_{place}_{secrets.token_hex(3)}_{self.token}"[:63]
        return self.session.once(f"database-{kind}-{known.name}", lambda: name)

    def _template(self, known: Snapshot) -> tuple[str, tuple[str, ...]]:
        """Return a database with a snapshot in it, and the settings of that database."""

        def make() -> tuple[str, tuple[str, ...]]:
            name = self.server.create_database(name=self._name("template", known))
            with closing(self.target(name).connect()) as connection, connection.cursor() as cursor:
                snapshot.load(known, connection)
                cursor.execute(
                    "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_database AS d ON d.oid = setdatabase"
                    " WHERE setrole = 0 AND datname = current_database()"
                )
                return name, tuple(setting for (setting,) in cursor.fetchall())

        return self.session.once(f"template-{known.name}", make)

    def _copy(self, known: Snapshot, name: str | None) -> str:
        """Copy a snapshot with the settings of its database, which a template does not hand on."""
        template, settings = self._template(known)
        name = self.server.create_database(template, name)
        if not settings:
            return name
        with closing(self.target(name).connect(autocommit=True)) as connection, connection.cursor() as cursor:
            for setting in settings:
                key, _, value = setting.partition("=")
                cursor.execute("SELECT set_config(%s, %s, false)", (key, value))
                cursor.execute(SQL("ALTER DATABASE {} SET {} FROM CURRENT").format(Identifier(name), Identifier(key)))
        return name

    def _repair(self, known: Snapshot) -> Outcome:
        name = self._copy(known, self._name("repaired", known))
        target = self.target(name)
        dsn = self.server.database_dsn(name)
        prepared, _ = self.contract_and_cases(known.contract, known.schema)
        try:
            run = fixer.apply(target, prepared, schema=known.schema, allow_hazards=known.hazards)
            second = fixer.plan(target, prepared, schema=known.schema, deep=True)
        except PgmendError as error:
            return Outcome(name, dsn, {}, trouble=str(error))
        moved = {str(entry.table): entry.quarantined for entry in run.ledger if entry.quarantined}
        left = tuple(_told(finding) for finding in second.findings if finding.breaks)
        return Outcome(name, dsn, moved, left, tuple(step.title for step in second.steps))


def permitted(target: Target, known: Snapshot, contract: Contract, hazards: str | tuple[str, ...]) -> bool:
    """Tell whether the fixer repairs a snapshot when only these hazards are allowed."""
    try:
        fixer.apply(target, contract, schema=known.schema, allow_hazards=hazards)
    except NeedsPermission:
        return False
    return True


def bound(places: Sequence[Place], claim: str) -> Iterator[tuple[Place, Case]]:
    """Yield the cases of a claim, place by place."""
    for place in places:
        for case in place.cases:
            if case.claim == claim:
                yield place, case
