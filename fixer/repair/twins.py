"""What is called like something that is missing, and may be it: relations elsewhere, columns in other letters.

Beside rows that stand already, the application would find an empty table or column: a person decides.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fixer.model.contract import ColumnHints, Contract
from fixer.model.expression import as_needed
from fixer.model.schema import COUNTED, Schema, Twin
from fixer.model.table import QName, Table
from fixer.repair.rows import counted

SHOWN = 3  # twins that a message names
KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}


def twins_of(name: QName, actual: Schema, contract: Contract) -> list[Twin]:
    """Return what may be a missing table; nothing, where the contract says that it stands alone."""
    return [] if contract.hints[name].alone else [*actual.twins.get(name, ())]


def by_table(twins: Iterable[Twin], contract: Contract) -> Mapping[QName, tuple[Twin, ...]]:
    """Return twins by the table that each may be, without those that the contract wants or names as earlier tables."""
    grouped: dict[QName, tuple[Twin, ...]] = {}
    known = contract.tables.keys() | set(_earlier(contract))
    for twin in twins:
        if twin.name not in known:
            grouped[twin.missing] = (*grouped.get(twin.missing, ()), twin)
    return grouped


def _earlier(contract: Contract) -> Iterator[QName]:
    """Yield the names that tables of a contract had once."""
    return (name._replace(name=old) for name, hints in contract.hints.items() for old in hints.legacy_names)


def filled(twins: Sequence[Twin]) -> list[Twin]:
    """Return the twins that hold rows, or may do so."""
    return [twin for twin in twins if twin.rows != 0]


def told(twins: Sequence[Twin]) -> str:
    """Say which twins are there, those with rows first."""
    ordered = sorted(twins, key=lambda twin: twin.rows == 0)
    parts = [f"{_spelt(twin)}{_size(twin)}" for twin in ordered[:SHOWN]]
    parts += [f"{len(twins) - SHOWN} more"] if len(twins) > SHOWN else []
    words = f"{', '.join(parts[:-1])} and {parts[-1]}" if parts[1:] else parts[0]
    return f"{words} {'are' if parts[1:] else 'is'} there"


def _spelt(twin: Twin) -> str:
    """Return the name of a twin as SQL spells it, with its schema where that is another."""
    name = twin.name[1:] if twin.name.schema == twin.missing.schema else twin.name
    return ".".join(map(as_needed, name))


def _size(twin: Twin) -> str:
    if twin.kind not in "rp":
        return f" ({KINDS[twin.kind]})"
    if twin.rows is None:
        return "" if twin.readable else " (which this role may not read)"
    if twin.rows > COUNTED:
        return f" (more than {COUNTED} rows)"
    return f" ({counted(twin.rows) if twin.rows else 'empty'})"


def way_out(name: QName, twins: Sequence[Twin], contract: Contract) -> str:
    """Say how to take a twin for the table, and how to have the table all the same."""
    taken = list(dict.fromkeys(_taken(twin, contract) for twin in twins if twin.kind in "rp"))[:SHOWN]
    anew = f'declare Table({_literal(name.name)}, ..., info={{"legacy_names": []}}), and it is created'
    if not taken:
        return f"what is no table cannot be taken for it; if it is something else, {anew}"
    if len(twins) == 1:
        return f"if it is meant, {taken[0]}; if not, {anew}"
    return f"if one of them is meant, {' or '.join(taken)}; if none, {anew}"


def _taken(twin: Twin, contract: Contract) -> str:
    """Say what lets a twin be the table: where it stands, and under which name."""
    name, legacy = twin.missing, contract.hints[twin.missing].legacy_names
    parts = []
    if twin.name.schema != name.schema and (bare := _is_bare(name, contract)):
        parts.append(f"say --schema {shlex.quote(twin.name.schema)}")
    words = [_literal(name.name), "..."]
    if twin.name.schema != name.schema and not bare:
        words.append(f"schema={_literal(twin.name.schema)}")
    if twin.name.name not in (name.name, *legacy):
        listed = ", ".join(map(_literal, (*legacy, twin.name.name)))
        words.append(f'info={{"legacy_names": [{listed}]}}')
    parts += [f"declare Table({', '.join(words)})"] if words[2:] else []
    return " and ".join(parts)


def _is_bare(name: QName, contract: Contract) -> bool:
    """Tell whether a table has no schema of its own in the contract, so that the whole contract can stand elsewhere."""
    return all(table.schema is None for table in contract.metadata.tables.values() if table.name == name.name)


def question(actual: Schema, contract: Contract) -> str:
    """Return what to ask where nothing of a contract is there and other tables are: it may be another's database."""
    if not actual.user_tables or not actual.tables.keys().isdisjoint(contract.tables.keys()):
        return ""
    if actual.tables and not actual.tables.keys().isdisjoint(_earlier(contract)):
        return ""
    called = "the contract" if contract.name == "contract" else contract.name
    wanted, others = len(contract.tables), actual.user_tables
    words = f"none of the {wanted} tables of {called} is here" if wanted > 1 else f"the table of {called} is not here"
    found = f"{others} others are" if others > 1 else "one other is"
    return f"{words}, and {found}: is it the right database?"


def column_twin(table: Table, wanted: Table, column: str, hints: ColumnHints) -> str | None:
    """Return the column whose name differs from that of a missing one by capitals only, if there is one."""
    if hints.alone or wanted.columns[column].generated:
        return None
    called = {name.lower() for name in (column, *hints.legacy_names)}
    return next((c for c in table.columns if c.lower() in called and c not in wanted.columns), None)


def taken_for(column: str, twin: str, rows: int, hints: ColumnHints) -> str:
    """Say why a column is not added beside one that holds values, how to take that for it, and how to have it."""
    wanted, listed = _literal(column), ", ".join(map(_literal, (*hints.legacy_names, twin)))
    return (
        f"{_literal(twin)} may hold what is meant, for {counted(rows)}: if so, declare"
        f' Column({wanted}, ..., info={{"legacy_names": [{listed}]}}); if not,'
        f' declare Column({wanted}, ..., info={{"legacy_names": []}}), and it is added'
    )


def _literal(name: str) -> str:
    """Return a name as Python's models say it."""
    return json.dumps(name, ensure_ascii=False)
