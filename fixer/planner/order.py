"""The order of steps: no repeats, parents before children, alterations of one table merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from fixer.model.contract import Contract
from fixer.model.finding import Finding
from fixer.model.plan import ATOMIC, ONLINE
from fixer.model.report import Comparison
from fixer.model.schema.code import ranks as code_ranks
from fixer.model.step import Alike, Phase, Step
from fixer.model.table import QName
from fixer.planner.merging import merged
from fixer.planner.publications import identified
from fixer.planner.standing import around, within
from fixer.planner.triggers import quietly, while_asleep
from fixer.repair.counting.heirs import leaders_of
from fixer.repair.rows import announcing
from fixer.sql.row_image import taking_in


def arrange(comparison: Comparison, *, mode: str = ATOMIC) -> list[Step]:
    """Return the steps of all repairs for a mode: in order, without repeats, alterations of one table merged."""
    rank = ranks(comparison)
    code = comparison.contract.schema.code
    rank |= {home: len(rank) + place for home, place in (code_ranks(code.parts) if code else {}).items()}
    causes = [f for f in comparison.every if not f.left_out]
    kinds = {name: table.kind for name, table in comparison.future.tables.items()}
    findings = sorted(causes, key=lambda finding: (rank.get(finding.table, len(rank)), _names_more(finding, kinds)))
    # Stable: within a phase, the steps of one repair keep their order, children before the row they reference.
    if mode == ONLINE:
        steps = _bound_late(list(_once(_lightly(finding.repair.online) for finding in findings)), comparison.contract)
        steps = identified(within(list(merged(steps)), comparison.future), comparison)
        return [while_asleep(step, comparison) for step in _with_old_cells(steps)]
    steps = list(_once(finding.repair.steps for finding in findings))
    steps = identified(quietly(steps, comparison.future), comparison)
    return list(merged(around(steps, comparison.future)))


def _names_more(finding: Finding, kinds: Mapping[QName, str]) -> bool:
    """Return whether a repair adds a foreign key to a partitioned table, with constraints to its single partitions.

    PostgreSQL names these, up to 17 as it would name any key of the same columns: so the others get their names first.
    """
    adds = (step for step in finding.repair.steps if step.phase is Phase.FOREIGN_KEYS)
    return any(kinds.get(target) == "p" for step in adds for target in step.touches)


def _lightly(steps: Iterable[Step]) -> list[Step]:
    """Return the steps of online mode, with DEFAULTS moved early: new rows are right before old ones are repaired."""
    early = {Phase.DEFAULTS: Phase.BLEEDING}
    return [replace(each, phase=early.get(each.phase, each.phase)) for each in steps]


def _with_old_cells(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the steps; an image of a row has its cells of the columns that were replaced by then, and are kept."""
    kept: dict[QName, list[str]] = {}
    for step in steps:
        batches = step.batches
        if kept and batches.batch is not None:
            batches = replace(batches, batch=taking_in(batches.batch, kept))
        yield replace(step, sql=taking_in(step.sql, kept), batches=batches) if kept else step
        for added in step.shape.added:
            kept.setdefault(step.table, []).extend([added.aside] if added.aside else ())


def _bound_late(steps: list[Step], contract: Contract) -> list[Step]:
    """Return the steps with each new foreign key after what moves rows of its target, and before what settles its own.

    A row that goes is found as if no such key stood: under one, its DELETE would fail, or do what the key says.
    """
    left = {step.table for step in steps if step.phase is Phase.ORPHANS and step.effect.moves}
    guards = [step for step in steps if step.phase is Phase.GUARDS and left.intersection(step.touches[:1])]
    for guard in guards:
        child, target = contract.tables.get(guard.table), guard.touches[0]
        if child is None or target == guard.table:
            continue
        of = {key.columns for key in child.foreign_keys if key.target == target}
        orphans = [(place, step) for place, step in enumerate(steps) if step.phase is Phase.ORPHANS]
        moves = [place for place, step in orphans if step.effect.moves and step.table == target]
        settles = [place for place, step in orphans if step.table == guard.table and step.shape.orphans_by in of]
        last = moves[-1]
        while steps[last].effect.jointly and last + 1 < len(steps) and steps[last + 1].effect.jointly:
            last += 1  # what shares a transaction stays together
        if last < min(settles, default=len(steps)):
            rest = [step for step in steps if step is not guard]
            steps = [*rest[:last], guard, *rest[last:]]
    return steps


def _once(repairs: Iterable[Iterable[Step]]) -> Iterator[Step]:
    """Yield the steps by phase without repeats; the last one is kept, because it also finds rows freed meanwhile.

    A step that moves rows is an exception: what its repair writes before it in the phase is repeated if it would come
    later, because children that are still there would silently go with their parents.
    """
    moved: dict[Alike, dict[str, int]] = {}
    seen: dict[Alike, Step] = {}
    leads: dict[Alike, dict[Alike, None]] = {}
    for steps in repairs:
        past: list[Alike] = []
        for step in steps:
            key = step.alike
            earlier = seen.pop(key, step)
            kept = step if step.effect.rows >= earlier.effect.rows else earlier
            if step.room and earlier.room and earlier is not step:
                room = replace(step.room, rows=step.room.rows + earlier.room.rows)
                kept = replace(kept, room=room, sql=room.statement(room.rows))
            if step.effect.moves or (step.effect.changes and step.expects and not step.room):
                kept = _for_all(kept, step, moved.setdefault(key, {}))
            seen[key] = kept
            if key not in past:  # what comes between two of its kind follows the first
                leads.setdefault(key, {}).update(dict.fromkeys(lead for lead in past if lead[0] is step.phase))
            past += [key] if step.effect.writes_rows else []
    told = set[Alike]()
    for each in _led(sorted(seen.items(), key=lambda item: item[1].phase), leads):
        # Of a step that is repeated, the first is announced with all its rows.
        yield announcing(seen[each], 0) if each in told and seen[each].effect.moves else seen[each]
        told.add(each)


def _led(steps: Iterable[tuple[Alike, Step]], leads: Mapping[Alike, Iterable[Alike]]) -> list[Alike]:
    """Return the order of steps, those that move rows after their leads; nothing comes between joint ones.

    Rows of a circle are copied first and deleted by the last step of these, in one transaction.
    """
    order, joint, done = list[Alike](), 0, set[Alike]()  # `joint` is how many at the end share a transaction
    for key, step in steps:
        ahead = [lead for lead in leads[key] if lead not in done and step.effect.moves]
        joins = step.effect.jointly and step.effect.moves
        place = len(order) - joint if joins else len(order)
        order[place:place] = ahead
        order.append(key)
        joint = joint + 1 if joins else 0
        done.add(key)
    return order


def _for_all(kept: Step, step: Step, rows: dict[str, int]) -> Step:
    """Return the step that writes the rows of all that it stands for; `step` is the next of them.

    Each counts rows that the others do not, unless it expects the same ones; `rows` keeps what each expects.
    """
    expected = repr(step.expects)
    rows[expected] = max(step.effect.rows, rows.get(expected, 0))
    return announcing(kept, sum(rows.values()))


def ranks(comparison: Comparison) -> dict[QName, int]:
    """Return the rank of each table: parents before children and heirs, and what others count by before them.

    In a circle, the first by name comes first.
    """
    graph: dict[QName, set[QName]] = {name: set() for name in sorted(comparison.contract.tables)}
    for key in comparison.contract.foreign_keys():
        if key.table != key.target:
            graph[key.table].add(key.target)
    for name, table in comparison.contract.tables.items():
        graph[name] |= graph.keys() & {*table.parents, *leaders_of(table, comparison.contract)}
    while True:
        try:
            order = list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            child, parent = min((child, parent) for parent, child in pairwise(error.args[1]))
            graph[child].discard(parent)
        else:
            return {name: place for place, name in enumerate(order)}
