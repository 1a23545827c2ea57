"""(actual, contract) → findings, each with its repair.

Stage by stage: what a stage finds and can repair is foreseen, so that the next stage looks at the schema as
it will be. A renamed column is then compared under its new name, and a column that will be mapped to
another key loses its indexes today. Tables that stand just as they are wanted, and that no repair so far
changes, are only asked for their rows. Rows are counted through `count`, tables measured through `measure`;
nothing here touches a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from itertools import groupby

from fixer import defects
from fixer.compare.unchanged import alike, still_alike
from fixer.contract.build import Contract
from fixer.model.finding import UNREADABLE, Count, Counter, DefectClass, Finding, Stage
from fixer.model.report import Comparison
from fixer.model.schema import QName, Schema, Table
from fixer.model.step import Phase, RefusalError, Repair, Step, refuse

# What a plain check reads although the catalogue vouches for it: so little that it costs nothing.
CHEAP_BYTES = 32 * 1024 * 1024
CHEAP_PROBES = 64

Measure = Callable[[Iterable[QName]], Mapping[QName, int]]  # the bytes that tables occupy today


Doubts = Set[tuple[str, QName]]  # defect classes and tables


def compare(
    actual: Schema,
    contract: Contract,
    count: Counter,
    measure: Measure,
    *,
    deep: bool = False,
    doubts: Doubts = frozenset(),
) -> Comparison:
    """Compare a database with its contract.

    `deep` reads rows even where the catalogue vouches for them, `doubts` for some defect classes and tables.
    """
    future, findings, same = actual, list[Finding](), alike(actual, contract)
    measure = _remembered(measure)
    for _, stage in groupby(defects.all_classes(), key=lambda defect: defect.STAGE):
        chosen = partial(worth_reading, measure=measure, deep=deep, doubts=doubts)
        known = replace(contract, alike=still_alike(same, actual, future))
        decided = {(f.table, f.column) for f in findings if f.repair.refusal and f.breaks and f.column}
        asked = partial(_asked_for, deep=deep, doubts=doubts)
        found = _stage(list(stage), future, known, count, measure, chosen, decided, asked)
        findings += [finding for _, finding in found]
        for defect, finding in found:
            foresee = getattr(defect, "foresee", None)
            if foresee is not None and not finding.repair.refusal:
                future = foresee(finding, future, contract)
    today = _seen_today(findings, actual, contract) if future is not actual else None
    visible = [f for f in findings if today is None or _matters(f) or (f.slug, f.object) in today]
    consequences = [f for f in findings if not any(f is other for other in visible)]
    actual = _measured(actual, {finding.table for finding in findings}, measure)
    return Comparison(actual, future, contract, _ordered(_told_once(visible)), _ordered(consequences))


def _measured(actual: Schema, tables: set[QName], measure: Measure) -> Schema:
    """Return the schema with the true size of these tables, of which a plan tells the cost."""
    there = sorted(tables & actual.tables.keys())
    found = measure(there) if there else {}
    measured = {name: replace(actual.tables[name], bytes=size) for name, size in found.items()}
    return replace(actual, tables={**actual.tables, **measured}) if measured else actual


def _told_once(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings; that a table cannot be read is told once for each point, however many ask for its rows."""
    told: dict[object, Finding] = {}
    for finding in findings:
        unreadable = finding.slug == UNREADABLE
        told[(finding.point, finding.message) if unreadable else id(finding)] = finding
    return list(told.values())


def _seen_today(findings: Sequence[Finding], actual: Schema, contract: Contract) -> set[tuple[str, str]]:
    """Return what the classes of these findings see in the database as it is, without any repair."""
    classes = {finding.slug for finding in findings} & set(defects.by_slug())
    return {(f.slug, f.object) for slug in classes for f in defects.by_slug()[slug].detect(actual, contract)}


def _matters(finding: Finding) -> bool:
    """Tell whether a finding concerns the user wherever it comes from: rows, a hazard, a decision."""
    stage = defects.by_slug()[finding.slug].STAGE if finding.slug in defects.by_slug() else Stage.PARTS
    return bool(stage < Stage.PARTS or finding.rows or finding.repair.label != "automatic")


def _ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: (f.point, f.table, f.column or "", f.slug, f.message)))


def _stage(
    classes: Sequence[DefectClass],
    future: Schema,
    contract: Contract,
    count: Counter,
    measure: Measure,
    chosen: Callable[[Sequence[Finding], Schema], set[int]],
    decided: Set[tuple[QName, str]],
    asked_for: Callable[[Finding], bool],
) -> list[tuple[DefectClass, Finding]]:
    candidates = [(defect, finding) for defect in classes for finding in defect.detect(future, contract)]
    empty = _empty([finding for _, finding in candidates if finding.of_rows], future, measure)
    candidates = [(d, f) for d, f in candidates if not (f.of_rows and f.table in empty)]
    worth = chosen([finding for _, finding in candidates], future)
    candidates = [(d, f) for d, f in candidates if not f.vouched or id(f) in worth]
    asked = [f.asks() for _, f in candidates if f.asks]
    answers = iter(count(asked) if asked else ())
    told = [(d, f, next(answers) if f.asks else Count(f.rows)) for d, f in candidates]
    # Where the catalogue vouches for rows that only the application can read, it is believed.
    told = [(d, f, answer) for d, f, answer in told if not (answer.beyond and f.vouched) or asked_for(f)]
    counted = [(d, _answered(f, answer) if f.asks else f) for d, f, answer in told if _stands(f, answer, decided)]
    return [(defect, replace(f, repair=_repair(defect, f, future, contract))) for defect, f in counted]


def _asked_for(finding: Finding, *, deep: bool, doubts: Doubts) -> bool:
    """Tell whether rows are to be read although the catalogue vouches for them."""
    return deep or (finding.slug, finding.table) in doubts


def _columns_of(finding: Finding) -> set[str]:
    """Return the columns that a finding speaks of."""
    return {column for column in (finding.column, *getattr(finding.part, "columns", ())) if column}


def _empty(findings: Sequence[Finding], future: Schema, measure: Measure) -> Set[QName]:
    """Return which tables of so many findings have no rows: to measure them all takes less than to open each."""
    if len(findings) <= CHEAP_PROBES:
        return frozenset()
    today = {future.tables[finding.table].stored_as or finding.table: finding.table for finding in findings}
    return {today[name] for name, size in measure(today).items() if size == 0}


def _remembered(measure: Measure) -> Measure:
    """Return the same measure, which measures a table once."""
    known: dict[QName, int | None] = {}

    def ask(tables: Iterable[QName]) -> Mapping[QName, int]:
        asked = list(tables)
        if new := [table for table in asked if table not in known]:
            known.update({**dict.fromkeys(new), **measure(new)})
        return {table: size for table in asked if (size := known[table]) is not None}

    return ask


def _stands(finding: Finding, answer: Count, decided: Set[tuple[QName, str]]) -> bool:
    """Tell whether a finding is one, by the rows that are behind it or could not be read.

    That they could not, because a column keeps the type which a person decides about, is no finding of its own.
    """
    if answer.error:
        return not any((finding.table, column) in decided for column in _columns_of(finding))
    return bool(answer.rows or not finding.only_with_rows)


def worth_reading(
    candidates: Sequence[Finding], future: Schema, *, measure: Measure, deep: bool, doubts: Doubts = frozenset()
) -> set[int]:
    """Return the identities of the vouched candidates whose rows are read all the same."""
    vouched = [finding for finding in candidates if finding.vouched]
    if deep or not vouched:
        return {id(finding) for finding in vouched}
    doubted = {id(finding) for finding in vouched if (finding.slug, finding.table) in doubts}
    # The catalogue's sizes may be old: they choose whom to ask, and those who are asked decide.
    chosen = sorted(vouched, key=lambda finding: future.tables[finding.table].bytes)[:CHEAP_PROBES]
    today = {finding.table: future.tables[finding.table].stored_as or finding.table for finding in chosen}
    sizes = measure(sorted(set(today.values())))
    worth, budget = set[int](), CHEAP_BYTES
    for finding in sorted(chosen, key=lambda finding: sizes.get(today[finding.table], 0)):
        budget -= sizes.get(today[finding.table], 0)
        if budget >= 0:
            worth.add(id(finding))
    return worth | doubted


def _answered(finding: Finding, answer: Count) -> Finding:
    if answer.error:
        why = refuse(f"its rows could not be read: {answer.error}")
        return replace(
            finding,
            slug=UNREADABLE,
            object=str(finding.table),
            column=None,
            message=f"{finding.table.name} could not be read: {answer.error}",
            rows=0,
            only_with_rows=False,
            repair=why,
        )
    return replace(finding, rows=answer.rows, sample=answer.sample, places=answer.places)


def _repair(defect: DefectClass, finding: Finding, future: Schema, contract: Contract) -> Repair:
    if finding.repair.refusal:
        return finding.repair
    try:
        repair = defect.repair(finding, future, contract)
    except RefusalError as reason:
        return refuse(str(reason))
    if any(step.moves for step in repair.steps) and (declared := _declared(finding, future, contract)):
        return refuse(f"the value that the contract declares for {declared} would break it")
    forbidden = [why for step in repair.steps if (why := _forbidden(step, future))]
    if forbidden:
        return refuse(forbidden[0])
    told = partial(replace, slug=finding.slug, doubted=finding.vouched and finding.rows > 0)
    return replace(repair, steps=tuple(told(step) for step in repair.steps))


def _declared(finding: Finding, future: Schema, contract: Contract) -> str:
    """Return a column of a finding that the plan is to add, and to fill by a value of the contract, if it has one."""
    table, wanted = future.tables.get(finding.table), contract.tables.get(finding.table)
    for column in sorted(_columns_of(finding)) if table and wanted else ():
        there, meant = (side.columns.get(column) for side in (table, wanted) if side)
        value = meant and (meant.default or contract.hints[finding.table].of(column).backfill)
        if there and there.added and value:
            return column
    return ""


def _forbidden(step: Step, future: Schema) -> str:
    """Return why no step may write such rows of a table, if it may not: what is below it shows in it, or acts on it."""
    table = future.tables.get(step.table)
    if table and table.heirs and (step.moves or step.restores or step.respells):
        return f"others INHERIT from {table.name}, and it shows their rows without all their columns"
    made = [c for c in step.restores if table and c in table.columns and table.columns[c].generated]
    if made:
        return f"{made[0]} is generated, and nothing can be written into it"
    if table and (step.moves or step.restores or step.respells) and (why := _untold(step, table)):
        return why
    below = [each.name for each in table.obstacles if each.kind == "below"] if table and step.writes_rows else []
    return f"the {below[0]} would act on rows of {step.table}, and is none of its own" if below else ""


def _untold(step: Step, table: Table) -> str:
    """Return why a publication could not tell which rows of a table a step changes, if it could not."""
    for each in table.obstacles:
        if each.kind == "mute" and each.columns:  # whatever key the table gets
            return (
                f"the publication {each.name} could not tell which rows of {step.table} were changed, by its columns"
                f" {', '.join(each.columns)}, which it leaves out or filters by: take the table out of it until it is"
                " repaired"
            )
        if each.kind == "mute" and step.phase < Phase.INDEXES:
            whose = "its partitions" if table.kind == "p" else "it"
            return (
                f"the publication {each.name} could not tell which rows of {step.table} were changed:"
                f" let {whose} have REPLICA IDENTITY FULL until it is repaired"
            )
    return ""
