"""A session of pytest: its options, and the databases that it proves."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from contracts.proof.cases import Case
from contracts.proof.databases.laboratory import Lab, Repaired
from contracts.proof.databases.meeting import Meeting
from contracts.proof.databases.named import named_by
from contracts.proof.databases.options import SHADOW, Options
from contracts.proof.databases.place import Given, Place, Shared
from contracts.proof.databases.prepared import Library
from fixer.connect import snapshot
from fixer.connect.snapshot import Snapshot


class Session:
    """The databases that a session proves: those that are named, or else the snapshots."""

    def __init__(self, option: Namespace, owner: int, directory: str) -> None:
        options = Options.of(option)
        self.shared = Shared(options, Meeting(owner, Path(directory)), Library(options.scratch))
        self.lab = Lab(self.shared)
        self._opened: tuple[Place, ...] = ()

    @cached_property
    def targets(self) -> tuple[Given, ...]:
        """The databases that were named."""
        kind = self._kind()
        return tuple(kind(self.shared, label, target) for label, target in named_by(self.shared.options))

    def _kind(self) -> type[Given]:
        if self.shared.options.writes != SHADOW:
            return Given
        from contracts.proof.databases.shadow import Shadowed

        return Shadowed

    @cached_property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """The snapshots to prove: those for this version of PostgreSQL; none where a database was named."""
        if self.targets:
            return ()
        directory = self.shared.options.snapshots
        known = snapshot.find(Path(directory) if directory else None).values()
        version = self.lab.server.version
        return tuple(each for each in known if not each.versions or version in each.versions)

    @property
    def places(self) -> tuple[Place, ...]:
        """The databases on which the five points are proved."""
        if not self._opened:
            chosen = (each for each in self.snapshots if each.repairable)
            self._opened = self.targets or tuple(Repaired(self.shared, self.lab, each) for each in chosen)
        return self._opened

    def prepare(self) -> None:
        """Check the options and the targets; raise PgmendError where one cannot be used."""
        self.shared.options.check()
        for place in self.targets:
            _ = place.verdicts  # the check runs here
            place.target()  # and here the copy is made, if there is one
        _ = self.snapshots

    def close(self) -> None:
        """Close the connections and the server."""
        for place in self._opened:
            place.close()
        self.lab.close()


def bound(places: Sequence[Place], claim: str) -> Iterator[tuple[Place, Case]]:
    """Yield the cases of a claim, each with its database."""
    for place in places:
        for case in place.cases:
            if case.claim == claim:
                yield place, case
