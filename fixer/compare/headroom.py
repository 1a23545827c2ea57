"""Sees whether keys have numbers left for the rows that are to get new ones, before anything is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.finding import Finding
from fixer.model.report import Comparison
from fixer.model.step import refuse
from fixer.model.table import QName
from fixer.repair.columns import counter_of
from fixer.repair.numbers import last_number
from fixer.repair.rows import counted
from fixer.repair.sequences import end_of, widest_number
from fixer.sql import compose as q
from fixer.sql.compose import SQL

_Place = tuple[QName, str]  # a column
_HIGHEST = "SELECT {}({}::bigint) FROM {}"


def with_headroom(cursor: Cursor, comparison: Comparison) -> Comparison:
    """Return the comparison; a person decides about rows for which a key has not numbers enough.

    Asks nothing if no row gets a new number. Gaps between the numbers that rows have are not used.
    """
    needed = Counter[_Place]()
    for finding in comparison.every:
        needed.update(dict(_needed(finding)))
    refusals = {place: why for place in needed if (why := _short(cursor, place, needed[place], comparison))}
    if not refusals:
        return comparison

    def decided(finding: Finding) -> Finding:
        why = next((refusals[place] for place, _ in _needed(finding) if place in refusals), None)
        return replace(finding, repair=refuse(why)) if why else finding

    findings, consequences = (
        tuple(decided(finding) for finding in some) for some in (comparison.findings, comparison.consequences)
    )
    return replace(comparison, findings=findings, consequences=consequences)


def _needed(finding: Finding) -> Iterator[tuple[_Place, int]]:
    """Yield the columns of which the repair of a finding gives new numbers, each with how many."""
    for step in finding.repair.steps if not finding.left_out else ():
        if step.room and step.room.column:
            yield (step.table, step.room.column), step.room.rows


def _short(cursor: Cursor, place: _Place, rows: int, comparison: Comparison) -> str | None:
    """Return why a column has not so many numbers left; None if it has them, or if that cannot be told."""
    table, column = comparison.future.tables[place[0]], comparison.contract.tables[place[0]].columns[place[1]]
    found, model = table.columns[place[1]], counter_of(column, comparison.contract)
    sequence = comparison.future.sequences.get(found.sequence) if found.sequence else None
    end, pace = end_of(column, found, model)
    if sequence:
        end, pace = last_number(sequence, model, widest_number(column.type, found.type)), sequence.increment
    question = SQL(_HIGHEST).format(SQL("max" if pace > 0 else "min"), q.column(place[1]), q.rows_of(table))
    cursor.execute("SAVEPOINT pgmend_headroom")
    try:
        cursor.execute(question)
        (last,) = cursor.fetchone() or (None,)
    except psycopg2.OperationalError:
        raise
    except psycopg2.Error:  # a number that is none yet
        cursor.execute("ROLLBACK TO SAVEPOINT pgmend_headroom; RELEASE SAVEPOINT pgmend_headroom")
        return None
    cursor.execute("RELEASE SAVEPOINT pgmend_headroom")
    given = sequence.last_value if sequence and not sequence.created else None
    last = max((each * pace for each in (last, given) if each is not None), default=None)
    if last is None:
        return None
    left = max(0, (end * pace - last) // pace**2)
    if rows < left:  # once it gave the last one, no row could be inserted
        return None
    name, side = f"{place[0].name}.{place[1]}", "highest" if pace > 0 else "lowest"
    return (
        f"{counted(rows)} should get new numbers, and {name} has {left} left up to {end}, one of them for what is"
        f" inserted next: give it a wider type, here and in the contract, or its {side} rows other numbers"
    )
