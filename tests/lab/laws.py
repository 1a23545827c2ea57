"""The laws every defect obeys, each a function that names what breaks it.

A law takes what was seen before and after, and returns its breaches as sentences, none where it holds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import fixer
from fixer.compare.identity import MARK
from fixer.errors import NeedsPermission, PgmendError, UndoRefused
from fixer.model.defect import Specimen
from fixer.model.expression import as_needed
from fixer.model.plan import Plan
from lab.evidence.copies import Copy, State
from lab.evidence.dumps import everything
from lab.evidence.losses import losses
from lab.evidence.passage import Images, Passage, ledger
from lab.laboratory import Case

Lines = Counter[tuple[str, str]]  # of a dump, each with the statement it belongs to
_OWNED = re.compile(r"ALTER SEQUENCE (.+) OWNED BY (.+)\.(?:\"(?:[^\"]|\"\")+\"|\w+);")
_AT = re.compile(r"SELECT pg_catalog\.setval\('(.+)', (-?\d+), (?:true|false)\);")


def detection(report: fixer.Report | Plan, slug: str, specimen: Specimen) -> list[str]:
    """Law 1: a specimen yields its own finding, counts its rows, and accuses nothing else."""
    heard = [finding for finding in report.findings if finding.severity != "info" or finding.slug == slug]
    own, slugs = [f for f in heard if f.slug == slug], {f.slug for f in heard}
    breaches = [f"yields {sorted(slugs - {slug} - specimen.also)} as well"] if slugs - {slug} - specimen.also else []
    if not own:
        return [*breaches, f"does not yield {slug}, only {sorted(slugs)}"]
    if specimen.rows and specimen.rows != sum(f.rows for f in own):
        breaches.append(f"counts {[f.rows for f in own]} rows, not {specimen.rows}")
    told = [finding for finding in heard if finding.severity != "info"] or own
    if specimen.manual != any(f.repair.label == "manual" for f in told):
        breaches.append(f"calls its repairs {[(f.slug, f.repair.label, f.repair.refusal) for f in heard]}")
    return breaches + identity(report)


def identity(report: fixer.Report | Plan) -> list[str]:
    """Part of law 1: no two findings share an id, and each class says by itself which of several each one is."""
    times = Counter(finding.id for finding in report.findings)
    shared = [f"{id_} is the id of {count} findings" for id_, count in times.items() if count > 1]
    return shared + [f"{f.id} is told from others by what it says alone" for f in report.findings if MARK in f.aspect]


def silence(report: fixer.Report | Plan) -> list[str]:
    """Law 2: what is sound yields no finding."""
    return [f"{f.severity} {f.slug}: {f.message}" for f in report.findings if f.severity != "info"]


def cure(case: Case, again: Again, *, owners: bool = True) -> list[str]:
    """Law 3: the contract holds for a deep look, and the catalogue says what that of a fresh database says."""
    return silence(again.run.plan) + losses(case.sound.facts, case.facts(), owners=owners)


@dataclass(frozen=True)
class Again:
    """A second run, with a deep look, on what a first one repaired; and what it wrote to."""

    run: fixer.Run
    changed: list[str]

    @staticmethod
    def of(case: Case, skip: tuple[str, ...] = ()) -> Again:
        before = case.state(dumped=False)
        return Again(case.apply(allow_hazards="all", deep=True, skip=skip), before.changed(case.observer))


def idempotence(again: Again) -> list[str]:
    """Law 5: there is nothing more to do, and doing it changes nothing."""
    breaches = [f"the second plan would {step.title}" for step in again.run.plan.steps]
    breaches += [f"the second run kept a ledger: {again.run.ledger}"] if again.run.ledger else []
    return breaches + ([f"the second run changed {again.changed}"] if again.changed else [])


def return_(case: Case, run: fixer.Run, before: Lines, *, refusable: bool) -> list[str]:
    """Law 6: undo gives back what pg_dump showed before, but for the order of rows.

    `refusable` where only a superuser could bring such a database about.
    """
    assert run.run is not None
    untouched = case.state(dumped=False) if refusable else None
    try:
        undone = fixer.undo(case.connection, run.run)
    except PgmendError as error:
        if untouched and isinstance(error, UndoRefused):
            changed = untouched.changed(case.observer)
            return [f"a refused undo changed {changed}"] if changed else []
        return [f"{type(error).__name__}: {error}"]
    after = everything(case.server, case.name)
    drawn = _drawn_elsewhere(run, before, after)
    before, after = (_apart_from(undone.stays, each, drawn) for each in (before, after))
    lacking = [f"lacks {line!r} of {statement!r}" for statement, line in before - after]
    return lacking + [f"has {line!r} in {statement!r}" for statement, line in after - before]


def _drawn_elsewhere(run: fixer.Run, before: Lines, after: Lines) -> set[str]:
    """Return the statements that say where sequences stand which went on, and belong to tables the run left alone.

    A column came to count by them only in the run: what they were before is in no journal.
    """
    touched = {".".join(map(as_needed, name)) for step in run.plan.steps for name in (step.table, *step.touches)}
    owners = dict(found.groups() for _, line in before if (found := _OWNED.fullmatch(line)))
    stands: dict[str, list[tuple[int, str]]] = {}
    for _, line in (*before, *after):
        if (found := _AT.fullmatch(line)) and owners.get(found[1], "") not in {"", *touched}:
            stands.setdefault(found[1], []).append((int(found[2]), line))
    gone_on = (two for two in stands.values() if [at for at, _ in two] == sorted(at for at, _ in two))
    return {line for two in gone_on for _, line in two}


def _apart_from(stays: Iterable[str], lines: Lines, drawn: set[str]) -> Lines:
    """Return the lines of a dump but for those that make the enums whose labels an undo leaves, and `drawn` ones."""
    enums = tuple(f"CREATE TYPE {each.rpartition(' of ')[2]} AS ENUM (" for each in stays)
    return Counter({line: n for line, n in lines.items() if not line[0].startswith(enums) and line[0] not in drawn})


def refusal(case: Case, specimen: Specimen, plan: Plan, before: State, *, mode: str, dumped: bool = False) -> list[str]:
    """Law 7: where a hazard is not allowed, or a person has to decide, not a byte changes; nor by a check or a plan.

    Every write leaves a stamp; `dumped` says whether pg_dump, which takes its time, is asked as well.
    """
    tries: list[Iterable[str] | str] = [plan.hazards - {hazard} for hazard in sorted(plan.hazards)]
    if specimen.manual:
        tries = ["all", ()]
    breaches: list[str] = []
    for number, allowed in enumerate(tries):  # the first makes its own plan, the others are given one
        given = {"plan": plan} if number else {"mode": mode, "deep": specimen.deep}
        breaches += _refused(case, allowed, plan, specimen, given)
    changed = before.changed(case.observer)
    breaches += [f"to check, to plan or to refuse changed {changed}"] if changed else []
    if dumped and tries and before.dump != case.dump():
        breaches.append("changed the database")
    return breaches


def _refused(
    case: Case, allowed: Iterable[str] | str, plan: Plan, specimen: Specimen, given: Mapping[str, Any]
) -> list[str]:
    try:
        run = case.apply(allow_hazards=allowed, **given)
    except NeedsPermission as refused:
        wanted = plan.hazards - set(allowed) if not specimen.manual else set()
        return [f"does not name {hazard}: {refused}" for hazard in sorted(wanted) if hazard not in str(refused)]
    if specimen.manual and not run.steps and not any(finding.breaks for finding in plan.findings):
        return []  # only a warning: the contract holds, and there is nothing to refuse
    return [f"went ahead with {allowed or 'no hazard'} allowed"]


def survival(
    before: Copy,
    after: Copy,
    quarantine: list[Any],
    plan: Plan,
    run: fixer.Run,
    *,
    whole: bool = True,
    images: Images = (),
) -> list[str]:
    """Law 4: every row is in its table or in quarantine, cell for cell but for what the plan announced.

    `whole` where even announced cells should lie in quarantine as they were: many repairs of one row may
    rewrite a cell first and move the row then. `images` are what the journal keeps of rows that were rewritten.
    """
    breaches = [f"the plan cannot count what moves: {plan.uncounted}"] if plan.uncounted else []
    breaches += [f"the ledger does not add up: {entry}" for entry in run.ledger if not _adds_up(entry)]
    breaches += [f"{source} lies in quarantine for run {r}" for r, source, _ in quarantine if r != run.run]
    for oid, rows in before.items():
        if oid not in after:
            breaches.append(f"{rows.name} is gone, or was made anew")
            continue
        table = Passage(rows, after[oid], quarantine, images, plan, run, after)
        breaches += [f"{table.new.name}: {breach}" for breach in table.breaches(whole)]
    born = [rows for oid, rows in after.items() if oid not in before]
    breaches += [f"{rows.name}: {b}" for rows in born for b in ledger(rows, 0, 0, run)]
    known = {rows.name for rows in (*before.values(), *after.values())}
    breaches += [f"{source} in quarantine is no table" for _, source, _ in quarantine if source not in known]
    return breaches


def _adds_up(entry: Any) -> bool:
    return bool(entry.before + entry.inserted == entry.after + entry.quarantined)
