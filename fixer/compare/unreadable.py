"""The finding for rows that could not be read, with the statements that let this role read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fixer.model.finding import UNREADABLE, Count, Counter, Finding, Probe
from fixer.model.schema import Schema, Session
from fixer.model.step import refuse
from fixer.model.subject import OfDefaultRow, Unreadable
from fixer.model.table import ForeignKey, QName, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL


def unreadable(finding: Finding, answer: Count, actual: Schema) -> Finding:
    """Return the finding that stands for one whose rows could not be read, as the answer to its probe says."""
    statements = [*_statements(finding, actual), *answer.ways] if answer.denied else []
    ways, error = "; ".join(dict.fromkeys(statements)), answer.error
    why = f"{finding.table.name} could not be read: {error}"
    to_come = answer.unmade and actual.code is not None and (error or "").startswith("function ")
    first = "; create it first: fixer apply --only missing-function; then plan again" if to_come else ""
    return replace(
        finding,
        slug=UNREADABLE,
        about=Unreadable(finding.table, finding.about),
        message=why,
        rows=0,
        only_with_rows=False,
        aspect=finding.id,
        repair=refuse(
            f"let this role read all rows: {ways}" if ways else f"its rows could not be read: {error}{first}"
        ),
    )


def of_no_row(finding: Finding, count: Counter, actual: Schema) -> Count | None:
    """Return the answer that no row has it, if the table of a finding has none; else None, as its probe still fails.

    A default row is missing where there is none, so that is no answer about it.
    """
    table = actual.tables.get(finding.table)
    if table is None or table.created or isinstance(finding.about, OfDefaultRow):
        return None
    first = SQL("(SELECT t.* FROM {} LIMIT 1) AS t").format(q.rows_of(table))
    (held,) = count([Probe(first, SQL("true"))])
    return None if held.error or held.rows else Count()


def _statements(finding: Finding, actual: Schema) -> Iterator[str]:
    """Yield what lets the session read the table of a finding and those around it."""
    if actual.session:
        for name in sorted(_around(finding, actual)):
            yield from _opening(actual.tables[name], actual.session)


def _opening(table: Table, session: Session) -> Iterator[str]:
    if not table.readable:
        yield f"GRANT SELECT ON TABLE {q.quoted(table.name)} TO {q.quoted([session.role])}"
    if table.row_security and table.owned and table.forced_row_security:
        yield f"ALTER TABLE {q.quoted(table.name)} NO FORCE ROW LEVEL SECURITY"
    elif table.row_security and not table.owned:
        yield f"ALTER ROLE {q.quoted([session.role])} BYPASSRLS"


def _around(finding: Finding, actual: Schema) -> set[QName]:
    """Return the tables whose rows its probe may read: its own, and those at the other ends of foreign keys."""
    keys = [key for key in actual.foreign_keys() if finding.table in (key.table, key.target)]
    keys += [finding.part] if isinstance(finding.part, ForeignKey) else []
    return ({finding.table} | {end for key in keys for end in (key.table, key.target)}) & actual.tables.keys()
