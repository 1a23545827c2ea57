"""Lets publications tell rows by all their columns while no primary key does: it is replaced, or deferrable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.compare.feasibility import cannot_tell, leaves_out
from fixer.model.obstacle import ToldByKey
from fixer.model.report import Comparison
from fixer.model.step import Phase, Shape, Step
from fixer.model.table import QName
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable


def identified(steps: list[Step], comparison: Comparison) -> list[Step]:
    """Return the steps, with REPLICA IDENTITY FULL on tables whose rows are written while no primary key tells them.

    Without it, PostgreSQL refuses to change or delete published rows.
    """
    before, after = list[Step](), list[Step]()
    for name, told in _keyless(steps, comparison):
        parts = dict.fromkeys(part for each in told for part in each.parts)
        tables: list[Composable] = [SQL(part) for part in parts] or [q.name(name)]
        let = f"let publications tell rows of {name.name} by all columns while no key does"
        again = f"let publications tell rows of {name.name} by its key again"
        after.append(_known_by(name, tables, "DEFAULT", again, Phase.FINISH))
        known = _known_by(name, tables, "FULL", let, Phase.RELEASE)
        before.append(replace(known, shape=Shape(closing=after[-1].sql)))
    return sorted([*before, *steps, *after], key=lambda step: step.phase) if before else steps


def untellable(steps: Iterable[Step], comparison: Comparison) -> Iterator[str]:
    """Yield why steps cannot run: a publication that leaves out columns or rows needs the key that they replace."""
    for name, told in _keyless(list(steps), comparison):
        for each in told:
            if not each.whole:
                yield (
                    f"the publication {each.name} lists columns of {name}, or filters its rows, and could not tell"
                    " which are changed while the primary key is replaced: take the table out of it until it is"
                    " repaired"
                )
            elif out := leaves_out(each.generated, comparison.future.tables[name]):
                yield f"the publication {each.name} {cannot_tell(each.name, out, name)}"


def _keyless(steps: list[Step], comparison: Comparison) -> Iterator[tuple[QName, list[ToldByKey]]]:
    """Yield the tables whose rows are written while no primary key tells them, each with what told their rows by it.

    A deferrable key tells none.
    """
    written = {step.table for step in steps if step.effect.writes_rows and step.phase <= Phase.INDEXES}
    changed = {step.table for step in steps if step.effect.moves or step.effect.changes}
    dropped = {(step.table, step.drops) for step in steps if step.drops}
    for name in dict.fromkeys(step.table for step in steps):
        table = comparison.future.tables.get(name)
        before = comparison.actual.tables.get((table.stored_as if table else None) or name)
        key = before.primary_key if before else None
        told = [each for each in before.obstacles if isinstance(each, ToldByKey)] if before else []
        replaced = key and (name, key.name) in dropped and name in written
        if key and told and (replaced or (key.deferrable and name in changed)):
            yield name, told


def _known_by(name: QName, tables: Iterable[Composable], how: str, title: str, phase: Phase) -> Step:
    statements = (SQL("ALTER TABLE {} REPLICA IDENTITY {}").format(each, SQL(how)) for each in tables)
    return Step(phase, name, title, SQL(";\n").join(statements))
