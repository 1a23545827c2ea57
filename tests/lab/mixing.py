"""Many defects in one database: broken, repaired, tried by the laws, undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import fixer
from fixer.errors import NeedsPermission, PgmendError, TargetError
from fixer.model.plan import Plan
from fixer.model.schema.code import Kind
from lab.evidence.bystanders import bystanders
from lab.evidence.copies import copy_images, copy_quarantine, copy_rows
from lab.evidence.dumps import lines
from lab.evidence.fills import strange_fills
from lab.evidence.reasons import kept, lies
from lab.evidence.relations import strange_relations
from lab.evidence.truths import falsehoods
from lab.laboratory import Case
from lab.laws import Again, cure, idempotence, return_, survival

REPAIRED, REFUSED, NOTHING = "repaired", "refused", "nothing to do"
IN_PART = "repaired but for what a person decides"


def mixed(case: Case, breaks: list[str], *, superuser: bool = False, mode: str = "atomic") -> list[str]:
    """Break a database in many ways, repair it, and return the breaches of the laws.

    `superuser` where only one could bring such a database about.
    """
    case.break_(*breaks, "SELECT")
    return Ordeal(case, mode, superuser).breaches()


# Classes whose repair may let a sequence of old count again.
_COUNTING = frozenset(
    {"missing-generator", "shared-sequence", "missing-table", "missing-column", "missing-key-column", "text-key"}
)


@dataclass
class Ordeal:
    """The repair of a broken database, tried by the laws; `end` says how it ended, `undone` whether undo came about.

    `superuser` where only one could bring such a database about; `beside` where bystanders were planted.
    """

    case: Case
    mode: str
    superuser: bool = False
    beside: bool = False
    end: str = REFUSED
    undone: bool | None = None
    found: list[str] = field(default_factory=list)

    def breaches(self) -> list[str]:
        """Repair the database, or what of it no person has to decide, and return the breaches of the laws."""
        untouched, plan = self.case.state(dumped=False), self.case.plan(mode=self.mode)
        unread = (f.message for f in plan.findings if f.slug == "unreadable-rows" and 'type "' not in f.message)
        self._tell(1, "detection", unread)  # but for types that are gone
        run = self._applied(plan)
        if run:
            return self.found
        changed = untouched.changed(self.case.observer)
        self.found += [f"7 refusal: a repair that did not come about changed {changed}"] if changed else []
        if plan.way_out and not self.found:
            chosen = tuple(f"{f.slug}:{f.object}" for f in plan.findings if f.breaks and f.repair.refusal)
            rest = self.case.plan(mode=self.mode, skip=chosen)
            if rest.steps and not rest.refusals:
                self._applied(rest, chosen)
        return self.found

    def _applied(self, plan: Plan, skip: tuple[str, ...] = ()) -> fixer.Run | None:
        case, atomic = self.case, self.mode == "atomic"
        before = copy_rows(case.observer)
        untouched = lines("" if plan.refusals else case.dump())  # refused: nothing to undo
        around = bystanders(case) if self.beside else None
        try:
            run = (
                case.apply(plan=plan, allow_hazards="all")
                if atomic
                else case.apply(mode=self.mode, allow_hazards="all", skip=skip)
            )
        except PgmendError as error:
            told = plan.refusals if isinstance(error, NeedsPermission) else plan.needs
            if not (isinstance(error, NeedsPermission | TargetError) and told):
                self.found.append(f"3 cure: {type(error).__name__}: {error}")
            return None
        after, moved = copy_rows(case.observer), copy_quarantine(case.observer)
        images = copy_images(case.observer)
        self._tell(4, "survival", survival(before, after, moved, run.plan, run, whole=False, images=images))
        self._tell(4, "survival", strange_relations(case.sound.contract, before, after, moved, run, images))
        self._tell(4, "survival", lies(case.observer, kept(case.observer), before, after))
        self._tell(4, "survival", strange_fills(case.observer, case.sound.contract, before, after, run))
        announced = sum(plan.moves.values())  # online, the plan of a run also has what it planned again
        if announced != len(moved):
            self._tell(4, "survival", [f"{len(moved)} rows moved, {announced} were announced"])
        if around is not None:
            lost = [line for line in sorted(around - bystanders(case)) if not self._is_declared(line)]
            # A text key that is kept under another name keeps what was said of it, and what was granted on it.
            aside = [a for step in run.plan.steps for a, b in step.shape.renames if b.startswith("legacy_")]
            self._tell(8, "bystanders", [b for b in lost if not any(f".{a}:" in b or f".{a} to" in b for a in aside)])
        self._healed(plan, {rows.name for rows in before.values()}, skip)
        if run.steps:
            self.end = IN_PART if skip else REPAIRED
            self._taken_back(run, untouched)
        elif not skip:
            self.end = NOTHING
        return run

    def _is_declared(self, line: str) -> bool:
        """Return whether a line of the bystanders is of a trigger that the contract declares, be it a partition's."""
        code = self.case.sound.contract.schema.code
        declared = (
            [(f"trigger on {each.key.home}", f": {each.key.part} ") for each in code.of(Kind.TRIGGER)] if code else []
        )
        return any(line.startswith(home) and part in line for home, part in declared)

    def _healed(self, plan: Plan, tables: set[str], skip: tuple[str, ...]) -> None:
        still = {f"{f.slug}:{f.object}" for f in self.case.check(deep=True).findings} if skip else set()
        if not still.issuperset(skip):
            return  # its rows went, so that a second run may do what the first left out
        again = Again.of(self.case, skip)
        self._tell(5, "idempotence", idempotence(again))
        if skip:
            return
        theirs = bool(tables & {str(name) for name in self.case.sound.contract.tables})  # new tables take the owner
        left = [f for f in plan.findings if f.repair.refusal and not f.breaks]  # warnings, for a person
        kept = ["warning rogue-unique:"] if any(f.slug == "wrong-primary-key" for f in plan.findings) else []
        # A sequence that counts again may be near its end already.
        kept += ["warning ending-sequence:"] if _COUNTING & {f.slug for f in plan.findings} else []
        slugs, columns = (*kept, *(f"warning {f.slug}:" for f in left)), [each.column for each in left if each.column]
        lost = [b for b in cure(self.case, again, owners=theirs) if not b.startswith(slugs)]
        lost = [b for b in lost if '"pgmend domain ' not in b]  # a domain holds what its base type does
        self._tell(
            3, "cure", [b for b in lost if not any(f" {column} is " in b.replace('"', "") for column in columns)]
        )
        self._tell(3, "cure", falsehoods(self.case.observer, self.case.sound.contract))

    def _taken_back(self, run: fixer.Run, untouched: Counter[tuple[str, str]]) -> None:
        self._tell(6, "return", return_(self.case, run, untouched, refusable=self.superuser))
        self.undone = any(
            past.undone_by is not None for past in fixer.history(self.case.connection) if past.run == run.run
        )

    def _tell(self, number: int, law: str, breaches: Iterable[str]) -> None:
        self.found += [f"{number} {law}: {breach}" for breach in breaches]
