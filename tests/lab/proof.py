"""The contract suite, run in this process: each claim as its item proves it, without the time that pytest takes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts import test_1_primary_keys, test_2_foreign_keys, test_3_default_users, test_4_structure, test_5_operation
from contracts.proof.cases import Case
from contracts.proof.databases.meeting import Meeting
from contracts.proof.databases.options import Options
from contracts.proof.databases.place import Given, Place, Shared
from contracts.proof.databases.prepared import Library, Prepared, with_models
from contracts.proof.databases.session import Session
from fixer.connect.target import Target, resolve
from lab.laboratory import Case as Broken

_MODULES = (test_1_primary_keys, test_2_foreign_keys, test_3_default_users, test_4_structure, test_5_operation)


class Proof:
    """What the suite says of one database: why items are red, and why others could not be tried."""

    def __init__(self, place: Place, names: str = "") -> None:
        self.red: dict[str, str] = {}
        self.untried: dict[str, str] = {}
        self.green: set[str] = set()
        for case in place.cases:
            claim = _claim(case)
            item = f"{case.claim}[{case.name}]"
            if claim is not None and re.search(names, item):
                self._prove(claim, place, case, item)

    def _prove(self, claim: Callable[[Place, Case], None], place: Place, case: Case, item: str) -> None:
        try:
            claim(place, case)
        except pytest.fail.Exception as failure:
            self.red[item] = str(failure)
        except pytest.skip.Exception as excuse:
            self.untried[item] = str(excuse)
        else:
            self.green.add(item)


def _claim(case: Case) -> Any:
    return next((vars(m)[f"test_{case.claim}"] for m in _MODULES if f"test_{case.claim}" in vars(m)), None)


@contextmanager
def place_of(dsn: str, contract: str, directory: Path) -> Iterator[Place]:
    """Lend a database as a place to prove; a contract is a module of the tests and an attribute of it."""
    session = Session(
        SimpleNamespace(pgmend_contract=contract, pgmend_dsn=[dsn]), os.getpid(), str(directory / "pgmend")
    )
    try:
        yield session.places[0]
    finally:
        session.close()


class _One(Library):
    """The one contract of a database of the laboratory."""

    def __init__(self, broken: Broken) -> None:
        super().__init__()
        self._one = Prepared(with_models(broken.sound.contract))

    def prepared(self, target: Target, spec: str, schema: str, *, in_project: bool = False) -> Prepared:
        return self._one


@contextmanager
def place_in(broken: Broken, directory: Path) -> Iterator[Place]:
    """Lend a database of the laboratory as a place to prove."""
    shared = Shared(Options(), Meeting(os.getpid(), directory / "pgmend"), _One(broken))
    place = Given(shared, "", resolve(broken.server.database_dsn(broken.name, broken.role)))
    try:
        yield place
    finally:
        place.close()
