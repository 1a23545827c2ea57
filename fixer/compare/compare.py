"""(actual, contract) → findings, each with its repair.

The comparison goes stage by stage. After each stage it applies the repairs to the schema in memory, so that the next
stage looks at the schema as they will leave it: a renamed column is compared under its new name, and the indexes that
a column loses because it is mapped to another key are reported as missing. In a table that already matches the
contract, and that no repair so far changes, only rows are examined. Nothing here touches a database: `count` counts
rows, `measure` measures tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import replace
from functools import partial
from itertools import groupby

from fixer import defects
from fixer.compare.choosing import judged, keeping, left_out, see_that_they_exist
from fixer.compare.feasibility import columns_of, why_not
from fixer.compare.identity import told_apart
from fixer.compare.reading import WARY_PROBES, Doubts, Measure, Reading, remembered
from fixer.compare.standing import Stood, unasked
from fixer.compare.unchanged import alike, still_alike
from fixer.compare.unreadable import of_no_row, unreadable
from fixer.defects import DefectClass, Foreseeing
from fixer.model.choice import EVERYTHING, Choice
from fixer.model.contract import Contract
from fixer.model.defect import Stage
from fixer.model.expression import names_column
from fixer.model.finding import UNREADABLE, Count, Counter, Finding, Guaranteed
from fixer.model.report import Comparison
from fixer.model.schema import Schema, Session
from fixer.model.step import RefusalError, Repair, refuse
from fixer.model.table import ForeignKey, Index, QName

Candidate = tuple[DefectClass, Finding]
Prover = Callable[[Schema, Iterable[QName]], Schema]  # returns a schema with the unique indexes that fail
Knowing = Callable[[Session], Session]  # returns the session with what its role may do


def as_known(session: Session) -> Session:
    """Return the session as it is, where nobody asks what its role may do."""
    return session


def unproved(actual: Schema, names: Iterable[QName]) -> Schema:
    """Return the schema as it is, where nobody looks for indexes that fail."""
    return actual


def compare(
    actual: Schema,
    contract: Contract,
    count: Counter,
    measure: Measure,
    *,
    deep: bool = False,
    doubts: Doubts = frozenset(),
    choice: Choice = EVERYTHING,
    prove: Prover = unproved,
    stood: Stood = unasked,
    rights: Knowing = as_known,
) -> Comparison:
    """Compare a database with its contract, and return the findings with their repairs.

    `deep` reads rows even if a valid constraint guarantees them; `doubts` does so for these classes and tables. Where
    some rows break such a constraint, those of all small tables are read.
    `prove` looks for unique indexes that fail: in all tables if `deep`, else where rows seem to lack their parents.
    `stood` looks for what stands over the columns of findings, `rights` for what may be repaired by this session.
    """
    see_that_they_exist(contract.accepted, defects.by_slug())
    actual = _as_declared(actual, contract)
    compared = partial(_compared, contract=contract, count=count, stood=stood, rights=rights, choice=choice)
    reading = Reading(remembered(measure), deep, doubts)
    found = compared(actual, reading=reading)
    if any(finding.vouched and finding.rows and finding.breaks for finding in found.every):
        reading = replace(reading, probes=WARY_PROBES)
        found = compared(actual, reading=reading)
    proved = prove(actual, contract.tables if deep else _doubtful_parents(found))
    return found if proved is actual else compared(proved, reading=reading)


def _as_declared(actual: Schema, contract: Contract) -> Schema:
    """Return the schema in which sequences are known that the contract lets no column own."""
    wanted = {name for name, each in contract.schema.sequences.items() if each.owned_by is None}
    known = {name: replace(actual.sequences[name], apart=True) for name in wanted & actual.sequences.keys()}
    return replace(actual, sequences={**actual.sequences, **known}) if known else actual


def _doubtful_parents(found: Comparison) -> list[QName]:
    """Return the tables in which rows find no parent: perhaps its index does not show it."""
    return [each.part.target for each in found.every if isinstance(each.part, ForeignKey) and each.rows]


def _compared(
    actual: Schema,
    contract: Contract,
    count: Counter,
    reading: Reading,
    stood: Stood,
    rights: Knowing,
    choice: Choice,
) -> Comparison:
    future, findings, same, reading = actual, list[Finding](), alike(actual, contract), reading.anew()
    named = actual
    for at, stage in groupby(defects.all_classes(), key=lambda defect: defect.STAGE):
        known = replace(contract, alike=still_alike(same, actual, future))
        candidates = _candidates(stage, future, known, reading)
        counted = [*_counted(candidates, count, reading, _decided(findings), future)]
        if counted and actual.session and not actual.session.rights:
            knowing = replace(actual, session=rights(actual.session))
            future, actual = knowing if future is actual else replace(future, session=knowing.session), knowing
        future = stood(future, [finding for _, finding in counted])
        future = keeping(future, (finding for _, finding in counted), choice, contract.accepted)
        found = [
            (defect, replace(finding, repair=_repair(defect, finding, future, known))) for defect, finding in counted
        ]
        classes = [defect for defect, _ in found]
        chosen = left_out([finding for _, finding in found], findings, choice, future, contract)
        future, chosen = _without_keys(future, classes, chosen, known)
        findings += chosen
        for defect, finding in zip(classes, chosen, strict=True):
            if isinstance(defect, Foreseeing) and not (finding.repair.refusal or finding.left_out):
                future = defect.foresee(finding, future, contract)
        named = future if at <= Stage.NAMES else named
    today = _seen_today(findings, actual, named, contract) if future is not actual else None
    visible = [f for f in findings if today is None or _matters(f) or (f.slug, f.object) in today]
    consequences = [f for f in findings if not any(f is other for other in visible)]
    actual = _measured(actual, {finding.table for finding in findings}, reading.measure)
    seen = told_apart(_ordered(_told_once(visible)), contract)
    later = told_apart(_ordered(consequences), contract, seen)
    return Comparison(actual, future, contract, seen, later, choice, unread=reading.passed_over(future))


def _without_keys(
    future: Schema, classes: Sequence[DefectClass], chosen: Sequence[Finding], contract: Contract
) -> tuple[Schema, list[Finding]]:
    """Return the schema and the findings so that no step knows rows by a primary key that is left out."""
    bare = {f.table for f in chosen if f.left_out and f.slug == "missing-primary-key"} & future.tables.keys()
    if not bare:
        return future, list(chosen)
    for name in bare:
        future = future.with_table(replace(future.tables[name], keyless=True))
    again = (any(step.table in bare for step in (*f.repair.steps, *f.repair.online)) and not f.left_out for f in chosen)
    return future, [
        replace(finding, repair=_repair(defect, finding, future, contract)) if anew else finding
        for defect, finding, anew in zip(classes, chosen, again, strict=True)
    ]


def _candidates(
    classes: Iterable[DefectClass], future: Schema, contract: Contract, reading: Reading
) -> list[Candidate]:
    """Return what may be wrong, except what a valid constraint or an empty table already rules out."""
    found = [
        (defect, finding)
        for defect in classes
        for finding in reading.foremost(_detected(defect, future, contract), future)
    ]
    empty = reading.empty([finding for _, finding in found if finding.of_rows], future)
    found = [(defect, finding) for defect, finding in found if not (finding.of_rows and finding.table in empty)]
    worth = reading.worth([finding for _, finding in found], future)
    return [(defect, each) for defect, finding in found for each in _asked(finding, read=id(finding) in worth)]


def _detected(defect: DefectClass, future: Schema, contract: Contract) -> Iterable[Finding | Guaranteed]:
    if contract.refused:
        return judged(defects.detected(defect, future, contract), contract, future)
    return defect.detect(future, contract)


def _asked(finding: Finding, *, read: bool) -> Iterator[Finding]:
    """Yield a finding with the probe to ask, if any: where its vouched rows are not `read`, the brief one."""
    if read or not finding.vouched:
        yield finding
    elif finding.briefly:
        yield replace(finding, asks=finding.briefly, vouched=False)


def _counted(
    candidates: Sequence[Candidate],
    count: Counter,
    reading: Reading,
    decided: Set[tuple[QName, str]],
    future: Schema,
) -> Iterator[Candidate]:
    """Count the rows behind all candidates in one call, and yield the candidates that are findings.

    Those that are further ones of a finding with rows are counted in another call.
    """
    further = list[Candidate]()
    asked = [finding.asks() for _, finding in candidates if finding.asks]
    answers = iter(count(asked) if asked else ())
    for defect, finding in candidates:
        answer = next(answers) if finding.asks else Count(finding.rows)
        answer = of_no_row(finding, count, future) or answer if answer.unmade else answer
        # The probe calls a function that needs the application's search_path: trust the valid constraint.
        believed = answer.beyond and finding.vouched and not reading.is_asked_for(finding)
        if not believed and _stands(finding, answer, decided):
            yield defect, _answered(finding, answer, future) if finding.asks else finding
            if finding.further and answer.rows:
                further += [(defect, each) for each in finding.further()]
    if further:
        yield from _counted(further, count, reading, decided, future)


def _decided(findings: Sequence[Finding]) -> Set[tuple[QName, str]]:
    """Return the columns with a finding that needs a human decision."""
    return {
        (f.table, f.column) for f in findings if (f.repair.refusal or f.left_out) and f.severity == "error" and f.column
    }


def _measured(actual: Schema, tables: set[QName], measure: Measure) -> Schema:
    """Return the schema with the measured size of these tables, from which a plan estimates its cost."""
    there = sorted(tables & actual.tables.keys())
    found = measure(there) if there else {}
    measured = {name: replace(actual.tables[name], bytes=size) for name, size in found.items()}
    return replace(actual, tables={**actual.tables, **measured}) if measured else actual


def _told_once(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, without repeats of the same message, at one point, that a table could not be read."""
    told: dict[object, Finding] = {}
    for finding in findings:
        unreadable = finding.slug == UNREADABLE
        told[(finding.point, finding.message) if unreadable else id(finding)] = finding
    return list(told.values())


def _seen_today(findings: Sequence[Finding], actual: Schema, named: Schema, contract: Contract) -> set[tuple[str, str]]:
    """Return slug and object of all that the classes of these findings detect today, before any repair.

    What a table lacks that stands under another name shows only once it is `named` as in the contract.
    """
    classes = [defects.by_slug()[slug] for slug in {finding.slug for finding in findings} & set(defects.by_slug())]
    found = {(f.slug, f.object) for defect in classes for f in defects.detected(defect, actual, contract)}
    if named is not actual:
        of_parts = (defect for defect in classes if defect.STAGE is Stage.PARTS)
        there = (f for defect in of_parts for f in defects.detected(defect, named, contract))
        found |= {(f.slug, f.object) for f in there if not _is_created(f, named)}
    return found


def _is_created(finding: Finding, state: Schema) -> bool:
    """Return whether a finding is about a table that the plan creates, or a reference to one."""
    target = [finding.part.target] if isinstance(finding.part, ForeignKey) else []
    return any(state.tables[name].created for name in [finding.table, *target] if name in state.tables)


def _matters(finding: Finding) -> bool:
    """Return whether to report a finding that only the plan brings about: for its stage, rows, hazard or decision."""
    stage = defects.by_slug()[finding.slug].STAGE if finding.slug in defects.by_slug() else Stage.PARTS
    return bool(stage < Stage.PARTS or finding.rows or finding.repair.label != "automatic")


def _ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: (f.point, f.table, f.column or "", f.slug, f.message)))


def _stands(finding: Finding, answer: Count, decided: Set[tuple[QName, str]]) -> bool:
    """Return whether a candidate is a finding, judging by the answer to its probe.

    A probe that fails over a column that needs a human decision adds no finding, because that column causes it.
    """
    if finding.of_values:
        return bool(answer.error or answer.rows)
    if answer.error:
        return not any(table == finding.table and _is_about(finding, column) for table, column in decided)
    return bool(answer.rows or not finding.only_with_rows)


def _is_about(finding: Finding, column: str) -> bool:
    """Return whether a finding is about a column, which an expression of its index may name."""
    said = finding.part.tail + finding.part.exclusion if isinstance(finding.part, Index) else ""
    return column in columns_of(finding) or names_column(said, column)


def _answered(finding: Finding, answer: Count, future: Schema) -> Finding:
    if finding.of_values:
        return finding
    if answer.error:
        return unreadable(finding, answer, future)
    return replace(finding, rows=answer.rows, sample=answer.sample, places=answer.places)


def _repair(defect: DefectClass, finding: Finding, future: Schema, contract: Contract) -> Repair:
    if finding.repair.refusal:
        return finding.repair
    try:
        repair = defect.repair(finding, future, contract)
    except RefusalError as reason:
        return refuse(str(reason))
    if why := why_not(repair, finding, future, contract):
        return refuse(why)
    doubted = finding.vouched and finding.rows > 0
    return repair.for_class(finding.slug, doubted=doubted)
