"""Cases: what is proved, one for each point and object of a contract; and which finding lies on which case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import String

from contracts import rows
from fixer.errors import ContractError
from fixer.model.contract import Contract
from fixer.model.finding import Finding
from fixer.model.report import Report
from fixer.model.table import Check, ForeignKey, Index, QName, Table
from fixer.repair.quarantine import identity_of
from fixer.sql.compose import Literal

# Words in a slug that say that it speaks of what fills a key column, not of the key.
_GENERATOR_WORDS = ("generator", "sequence", "identity")


@dataclass(frozen=True)
class Case:
    """One thing to prove: `claim` is its test function, `name` what stands in the brackets."""

    point: int
    claim: str
    table: QName
    name: str
    columns: tuple[str, ...] = ()
    part: str = ""  # the name of a foreign key, check or index
    number: int = 0  # which default row, which bad way


def cases_of(contract: Contract) -> tuple[Case, ...]:
    """Return every case of a contract, in an order that every process finds alike."""
    found = [
        case
        for name in sorted(contract.tables)
        for case in (*_catalogued(contract.tables[name], contract), *_behaving(name, contract))
    ]
    titles = {name: name.name if _has_plain_name(name, contract) else str(name) for name in contract.tables}
    named = [replace(case, name=f"{titles[case.table]}{case.name}") for case in found]
    seen: Counter[tuple[str, str]] = Counter()
    unique = []
    for case in named:
        seen[case.claim, case.name] += 1
        again = seen[case.claim, case.name]
        unique.append(case if again == 1 else replace(case, name=f"{case.name}-{again}"))
    return tuple(unique)


def _has_plain_name(name: QName, contract: Contract) -> bool:
    return all(other == name or other.name != name.name for other in contract.tables)


def _catalogued(table: Table, contract: Contract) -> Iterator[Case]:
    """Yield what the catalogue and the rows that are there can prove."""
    name = table.name
    if table.primary_key:
        yield Case(1, "primary_key_holds", name, "", table.primary_key.columns)
    for column in table.columns.values():
        if column.generates:
            yield Case(1, "generator_is_ahead", name, f".{column.name}", (column.name,))
    for key in table.foreign_keys:
        yield Case(2, "foreign_key_holds", name, _dotted(key.columns), key.columns, key.name)
    several = len(contract.hints[name].default_rows) > 1
    for number, row in enumerate(contract.hints[name].default_rows):
        identity = identity_of(contract, name, row)
        known = ",".join(str(v.wrapped) for c in identity if isinstance(v := row[c], Literal)) or str(number)
        yield Case(3, "default_row_exists", name, f"-{known}", identity, number=number)
        short = f"-{known}" if several else ""
        yield Case(3, "default_row_is_created_once", name, short, identity, number=number)
    for column in table.columns.values():
        yield Case(4, "structure_holds", name, f".{column.name}", (column.name,))
    for index in table.indexes:
        if not index.primary:
            claim = "unique_holds" if index.unique else "index_holds"
            yield Case(4, claim, name, _dotted(index.columns), tuple(filter(None, index.columns)), index.name)
    for check in table.checks:
        yield Case(4, "check_holds", name, f".{check.name}", check.columns, check.name)
    yield Case(4, "nothing_else_is_wrong", name, "")
    yield Case(5, "nothing_unknown_is_demanded", name, "")


def _dotted(columns: Iterable[str]) -> str:
    return "." + ",".join(column or "expression" for column in columns)


def _behaving(name: QName, contract: Contract) -> Iterator[Case]:
    """Yield what only writing can prove."""
    table = table_of(contract, name)
    yield Case(5, "good_rows_go_in_change_and_go_out", name, "")
    for number, bad in enumerate(_derived(rows.bad_ways, table)):
        yield Case(5, "bad_row_is_refused", name, f"-{bad.kind}-{','.join(bad.columns)}", bad.columns, number=number)
    for number, bad in enumerate(_derived(rows.edges, table)):
        label = f"-{bad.kind}-{','.join(bad.columns)}"
        yield Case(5, "oversized_value_is_refused_or_kept_whole", name, label, bad.columns, number=number)
    texts = [c.name for c in table.columns if isinstance(c.type, String) and c.computed is None]
    if texts:
        yield Case(5, "nul_is_refused_cleanly", name, f".{texts[0]}", (texts[0],))


def _derived(ways: Any, table: Any) -> Sequence[rows.Bad]:
    """Return the ways, or none where the table has a column that no row can be made for."""
    try:
        return tuple(ways(table))
    except ContractError:
        return ()


def table_of(contract: Contract, name: QName) -> Any:
    """Return the SQLAlchemy table that became a table of the contract."""
    return next(
        table
        for table in contract.metadata.tables.values()
        if table.name == name.name and table.schema in (None, name.schema)
    )


# --- which finding lies on which case ---------------------------------------------------------------


def lay(report: Report, cases: Sequence[Case]) -> dict[Case, tuple[Finding, ...]]:
    """Return the findings of each case that has some; every finding lies on one case at least."""
    laid: dict[Case, list[Finding]] = {}
    for finding in report.findings:
        for case in _cases_for(finding, cases, report):
            laid.setdefault(case, []).append(finding)
    return {case: tuple(findings) for case, findings in laid.items()}


def _cases_for(finding: Finding, cases: Sequence[Case], report: Report) -> Sequence[Case]:
    of_table = [case for case in cases if case.table == finding.table]
    actual = report.comparison.actual.tables.get(finding.table)
    if finding.breaks and _is_whole(finding) and (actual is None or actual.kind not in "rp"):
        return of_table  # where there is no table, nothing of it holds
    nearest = [case for case in of_table if case.point == finding.point and _lies_on(finding, case, report)]
    if finding.breaks and _is_absent(finding, report):
        nearest += [case for case in of_table if finding.column in case.columns and case not in nearest]
    return nearest or _leftover(finding, of_table or list(cases))


def _is_whole(finding: Finding) -> bool:
    return finding.column is None and finding.part is None and finding.point == 4


def _is_absent(finding: Finding, report: Report) -> bool:
    """Tell whether a finding speaks of a column of the contract that is not there today."""
    table = report.comparison.actual.tables.get(finding.table)
    wanted = report.comparison.contract.tables.get(finding.table)
    return bool(table and wanted and finding.column in wanted.columns and finding.column not in table.columns)


def _lies_on(finding: Finding, case: Case, report: Report) -> bool:
    match case.claim:
        case "primary_key_holds":
            return not _is_of_generator(finding)
        case "generator_is_ahead":
            return _is_of_generator(finding) and finding.column in case.columns
        case "foreign_key_holds":
            if isinstance(finding.part, ForeignKey):
                return finding.part.columns == case.columns
            return bool(case.columns) and finding.column in case.columns
        case "default_row_exists":
            wanted = report.comparison.contract.hints[case.table].default_rows
            return finding.part is None or finding.part == wanted[case.number]
        case "structure_holds":
            return finding.column in case.columns and not isinstance(finding.part, Index | Check)
        case "unique_holds" | "index_holds":
            return isinstance(finding.part, Index) and finding.part.name == case.part
        case "check_holds":
            return isinstance(finding.part, Check) and finding.part.name == case.part
        case "nothing_unknown_is_demanded":
            return True
    return False


def _is_of_generator(finding: Finding) -> bool:
    return any(word in finding.slug for word in _GENERATOR_WORDS)


def _leftover(finding: Finding, cases: Sequence[Case]) -> Sequence[Case]:
    """Return where a finding goes that lies on no object of its point."""
    same = [case for case in cases if case.point == finding.point and case.claim in _WHOLE[finding.point]]
    rest = [case for case in cases if case.claim == "nothing_else_is_wrong"]
    return (same or rest)[:1]


_WHOLE = {
    1: ("primary_key_holds",),
    2: (),
    3: ("default_row_exists",),
    4: ("nothing_else_is_wrong",),
    5: ("nothing_unknown_is_demanded",),
}
