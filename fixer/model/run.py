"""Runs: what `apply` did, what `undo` took back, and past runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from fixer.model.plan import ONLINE, Plan, PlannedStep
from fixer.model.report import Report
from fixer.model.table import QName
from fixer.model.values import dataclass

LedgerJson = list[dict[str, str | int]]


@dataclass(frozen=True)
class Entry:
    """One entry of the ledger: the rows of a table, counted before and after a run."""

    table: QName
    before: int
    after: int
    inserted: int
    quarantined: int

    @property
    def adds_up(self) -> bool:
        """Whether every row is accounted for: none is lost, none appeared unannounced."""
        return self.before + self.inserted == self.after + self.quarantined


def ledger_to_json(entries: Iterable[Entry]) -> LedgerJson:
    """Return a ledger as JSON."""
    return [{**asdict(entry), "table": str(entry.table)} for entry in entries]


@dataclass(frozen=True)
class Run:
    """What `apply` did; `run` is None if there was nothing to do."""

    target: str
    contract: str
    plan: Plan
    run: int | None = None
    ledger: tuple[Entry, ...] = ()
    report: Report | None = None

    def __repr__(self) -> str:
        moved = sum(entry.quarantined for entry in self.ledger)
        counts = f"run={self.run}, ok={self.ok}, steps={len(self.steps)}, quarantined={moved}"
        return f"Run({self.target!r}, {self.contract!r}, {counts})"

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """The steps that were done."""
        return self.plan.steps

    @property
    def ok(self) -> bool:
        """Whether the contract holds now."""
        return self.report is not None and self.report.ok


@dataclass(frozen=True)
class Undone:
    """What `undo` did.

    `without` says what it did not bring back, and `stays` what it did not take back: PostgreSQL can do neither.
    """

    target: str
    undone: int
    run: int
    ledger: tuple[Entry, ...] = ()
    without: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()


@dataclass(frozen=True)
class PastRun:
    """One line of `fixer history`."""

    run: int
    plan: str
    contract: str
    mode: str
    role: str
    started_at: str
    finished_at: str | None
    hazards: list[str]
    ledger: LedgerJson | dict[str, int] | None  # until the run finishes: the rows before it, by table
    steps: int
    undone_by: int | None = None
    undoable: bool = False  # whether the journal has what undo needs, and it is not undone yet

    @property
    def interrupted(self) -> bool:
        """Whether an online run was interrupted, and still has to be finished."""
        return self.mode == ONLINE and not self.finished_at and not self.undone_by

    @property
    def quarantined(self) -> int | None:
        """The number of rows that it moved to quarantine; None until it finishes."""
        if not self.finished_at:
            return None
        return sum(int(entry["quarantined"]) for entry in self.ledger or () if isinstance(entry, dict))


def package_version() -> str:
    """Return the version of the installed package, which the journal keeps for each run."""
    from importlib.metadata import PackageNotFoundError, version  # with all of email and zipfile behind it

    try:
        return version("pgmend")
    except PackageNotFoundError:
        return "unknown"
