"""Cases: one thing to prove for each point and object of a contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from contracts import rows
from fixer.errors import ContractError
from fixer.model.contract import Contract
from fixer.model.table import QName, Table
from fixer.repair.quarantine import identity_of
from fixer.sql.compose import Literal


@dataclass(frozen=True)
class Case:
    """One thing to prove: `claim` names its test function, `name` is the part of the item's name in brackets."""

    point: int
    claim: str
    table: QName
    name: str
    columns: tuple[str, ...] = ()
    part: str = ""  # the name of a foreign key, check or index
    number: int = 0  # which default row, which bad way


def cases_of(contract: Contract) -> tuple[Case, ...]:
    """Return every case of a contract, in an order that is the same in every process."""
    if not (contract.tables or contract.schema.is_bare):
        return (Case(4, "nothing_else_is_wrong", QName("", ""), "beside tables"),)
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
    """Yield the cases that the catalogue and existing rows prove."""
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
    """Yield the cases that only writing proves."""
    table = table_of(contract, name)
    if not table.columns:
        return  # its rows say nothing that could be read back
    yield Case(5, "good_rows_go_in_change_and_go_out", name, "")
    yield Case(5, "rows_alike_outside_their_keys_go_in", name, "")
    for number, bad in enumerate(_derived(rows.bad_ways, table)):
        yield Case(5, "bad_row_is_refused", name, f"-{bad.kind}-{','.join(bad.columns)}", bad.columns, number=number)
    for number, bad in enumerate(_derived(rows.edges, table)):
        label = f"-{bad.kind}-{','.join(bad.columns)}"
        yield Case(5, "oversized_value_is_refused_or_kept_whole", name, label, bad.columns, number=number)
    texts = [c.name for c in table.columns if isinstance(c.type, sa.String) and c.computed is None]
    if texts:
        yield Case(5, "nul_is_refused_cleanly", name, f".{texts[0]}", (texts[0],))


def _derived(ways: Callable[[sa.Table], Sequence[rows.Bad]], table: sa.Table) -> Sequence[rows.Bad]:
    """Return the ways; none where no row can be made for the table."""
    try:
        return tuple(ways(table))
    except ContractError:
        return ()


def table_of(contract: Contract, name: QName) -> sa.Table:
    """Return the SQLAlchemy table of a name in the contract."""
    models = contract.metadata.tables.values() if contract.metadata is not None else ()
    return next(table for table in models if table.name == name.name and table.schema in (None, name.schema))
