"""A proof: what a rehearsal on a copy of the target showed, and the plan that it is of; kept as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any  # JSON

from fixer.errors import PlanRefused
from fixer.model.finding import Finding
from fixer.model.plan import VERSION, Plan, from_json
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.report import json as as_json

ALL, SAMPLE = "all rows", "a sample"


def facts_of(findings: Iterable[Finding]) -> Iterator[tuple[str, str, int]]:
    """Yield what a proof keeps of findings: class, object, rows."""
    return ((each.slug, each.object, each.rows) for each in findings)


@dataclass(frozen=True)
class Covered:
    """How far a table was rehearsed: rows in the copy, which of them, and what was compared after the run and undo."""

    rows: int
    copied: str  # ALL or SAMPLE
    repaired: str  # in words
    undone: str  # in words


@dataclass(frozen=True)
class Proof:
    """What a rehearsal showed."""

    plan: Plan
    findings: tuple[tuple[str, str, int], ...]  # of the target: class, object, rows
    deep: bool
    tables: Mapping[QName, Covered]
    differing: tuple[str, ...]  # findings that only one of target and copy has
    left: tuple[str, ...]  # findings that the repaired copy has
    suite: str
    failed: tuple[str, ...]  # items of the suite
    undo: str  # empty: it gave back what was there
    ledger: tuple[Mapping[str, Any], ...]
    lacking: tuple[str, ...]  # what the copy cannot have
    sequences: Mapping[QName, tuple[int, int]]  # that undo left further on: the next number before the run, and now
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether all was rehearsed, undo as well, and the contract held between."""
        return not (self.differing or self.left or self.failed or self.undo or self.lacking)

    @property
    def taken_back(self) -> str:
        """What undo came to, in words."""
        stays = dict.fromkeys(step.shape.stays for step in self.plan.steps if step.shape.stays)
        return self.undo or "gave back what was there" + (f", but {', '.join(stays)} stays" if stays else "")

    def text(self) -> str:
        """Return it as JSON."""
        kept = {
            "version": VERSION,
            "target": self.plan.target,
            "contract": self.plan.contract,
            "ok": self.ok,
            "identity": self.plan.identity,
            "fingerprint": self.plan.fingerprint,
            "mode": self.plan.mode,
            "deep": self.deep,
            "findings": [list(each) for each in self.findings],
            "differing": list(self.differing),
            "left": list(self.left),
            "suite": self.suite,
            "failed": list(self.failed),
            "undo": self.taken_back,
            "sequences": {str(name): {"before": b, "after": a} for name, (b, a) in self.sequences.items()},
            "lacking": list(self.lacking),
            "tables": {str(name): vars(each) for name, each in self.tables.items()},
            "ledger": list(self.ledger),
            "seconds": round(self.seconds, 1),
            "plan": json.loads(as_json.of_plan(self.plan)),
        }
        return json.dumps(kept, indent=2, ensure_ascii=False)


@dataclass(frozen=True)
class Kept:
    """What `fixer apply --proved` must know of a proof."""

    plan: Plan
    findings: frozenset[tuple[str, str, int]]
    deep: bool

    def see_that_it_is_of(self, plan: Plan) -> None:
        """Raise PlanRefused if another plan was proved."""
        if plan.identity != self.plan.identity:
            raise PlanRefused(
                f"The proof is of the plan {self.plan.identity}, not of {plan.identity}: prove this one."
                " Nothing was changed."
            )


def read(text: str) -> Kept:
    """Return a proof that `fixer prove -o` wrote; raise PlanRefused if it is none, or did not succeed."""
    try:
        kept = json.loads(text)
        if kept["ok"] is not True:
            raise PlanRefused("The proof says that the rehearsal did not succeed: prove again. Nothing was changed.")
        found = Kept(from_json(kept["plan"]), frozenset((s, o, int(n)) for s, o, n in kept["findings"]), kept["deep"])
        if kept["identity"] != found.plan.identity:
            raise PlanRefused("The proof was edited: prove again. Nothing was changed.")
    except (ValueError, KeyError, TypeError):
        raise PlanRefused("The file is not a proof of `fixer prove -o`. Nothing was changed.") from None
    return found
