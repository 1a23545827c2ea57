"""A database to prove, its cases, and the verdicts of the check."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

import fixer
from contracts.proof.cases import Case
from contracts.proof.databases.meeting import Meeting
from contracts.proof.databases.options import Options
from contracts.proof.databases.prepared import Library, Prepared
from contracts.proof.verdicts import Verdict, verdicts_of
from fixer.connect.target import Target
from fixer.model.contract import Contract


@dataclass(frozen=True)
class Shared:
    """What all databases of a session share."""

    options: Options
    meeting: Meeting
    library: Library


class Place(ABC):
    """One database to prove."""

    examples = 20, 8  # the numbers of good and of bad examples that each item writes

    def __init__(self, shared: Shared, label: str, title: str, spec: str, schema: str) -> None:
        self.shared = shared
        self.label = label  # before the names of its items; empty for the only target
        self.title = title  # in the summary
        self.spec = spec  # of its contract: module:attribute
        self.schema = schema
        self.stale = False  # whether the rows of the last example are still to be rolled back
        self._connection: Connection | None = None

    @abstractmethod
    def target(self) -> Target:
        """Return the database."""

    @property
    def prepared(self) -> Prepared:
        """The contract as the server of this database spells it, and its cases."""
        return self.shared.library.prepared(self.target(), self.spec, self.schema)

    @property
    def contract(self) -> Contract:
        """The contract as the server of this database spells it."""
        return self.prepared.contract

    @property
    def cases(self) -> Sequence[Case]:
        """What is proved here."""
        return self.prepared.cases

    def verdict(self, case: Case) -> Verdict:
        """Return the verdict on a case; the check runs once a session, before anything is written."""
        return self.verdicts.get(case, Verdict())

    @cached_property
    def verdicts(self) -> Mapping[Case, Verdict]:
        """What the check found, for each case on which a finding lies."""
        return self.shared.meeting.once(f"look-{self.label or 'target'}", self._check)

    def _check(self) -> Mapping[Case, Verdict]:
        prepared, options, target = self.prepared, self.shared.options, self.target()
        settings = {name: value for name, value in target.settings.items() if name != "role"}  # it reads all rows
        target = replace(target, settings=settings)
        report = fixer.check(target, prepared.contract, schema=self.schema, deep=options.deep, role=options.role)
        if options.baseline:
            from fixer.cli.gate.files import read

            report = report.beside(read(options.baseline, report.contract), deep=options.deep, role=options.role)
        return verdicts_of(report, prepared.cases, self.spec, self.schema)

    @property
    def connection(self) -> Connection:
        """The one connection of this process on which items write and roll back."""
        if self._connection is None:
            self._connection = self.target().connect()
        return self._connection

    def close(self) -> None:
        """Give the connection back; the next item that needs one opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Given(Place):
    """A database that --dsn names."""

    def __init__(self, shared: Shared, label: str, target: Target) -> None:
        super().__init__(shared, label, target.redacted, shared.options.contract, shared.options.schema)
        self._target = target

    def target(self) -> Target:
        """Return the database."""
        return self._target

    @property
    def prepared(self) -> Prepared:
        """The contract under what the nearest project says, and its cases."""
        return self.shared.library.prepared(self.target(), self.spec, self.schema, in_project=True)
