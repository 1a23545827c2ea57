"""Twins: relations elsewhere, or columns spelt otherwise, that have the name of a missing one and may be it.

If the missing one were created beside a twin with rows, the application would find it empty: so a person decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fixer.errors import option
from fixer.model.contract import ColumnHints, Contract
from fixer.model.expression import as_needed
from fixer.model.schema import COUNTED, Schema, Twin
from fixer.model.table import QName, Table
from fixer.repair.rows import counted

SHOWN = 3  # twins that a message names at most
APART = str.maketrans("", "", " _-")  # what names are told apart by, but for capitals, and still may mean the same
KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}


def twins_of(name: QName, actual: Schema, contract: Contract) -> list[Twin]:
    """Return the twins of a missing table; none if the contract declares that it has no legacy names."""
    return [] if contract.hints[name].alone else [twin for twin in actual.twins.get(name, ()) if twin.named]


def others_like(name: QName, actual: Schema, contract: Contract) -> list[Twin]:
    """Return the tables with rows that have all columns of a missing one, and another name."""
    alone = contract.hints[name].alone
    return [] if alone else [twin for twin in actual.twins.get(name, ()) if not twin.named and twin.rows]


def by_table(twins: Iterable[Twin], contract: Contract) -> Mapping[QName, tuple[Twin, ...]]:
    """Return twins by missing table, without tables that the contract wants or gives as legacy names."""
    grouped: dict[QName, tuple[Twin, ...]] = {}
    known = contract.tables.keys() | set(_earlier(contract))
    for twin in twins:
        if twin.name not in known and not contract.excludes(twin.name):
            grouped[twin.missing] = (*grouped.get(twin.missing, ()), twin)
    return grouped


def _earlier(contract: Contract) -> Iterator[QName]:
    """Yield the legacy names of the contract's tables."""
    return (name._replace(name=old) for name, hints in contract.hints.items() for old in hints.legacy_names)


def filled(twins: Sequence[Twin]) -> list[Twin]:
    """Return the twins that hold rows, or may hold some."""
    return [twin for twin in twins if twin.rows != 0]


def told(twins: Sequence[Twin]) -> str:
    """Return in words which twins exist, those with rows first."""
    ordered = sorted(twins, key=lambda twin: twin.rows == 0)
    parts = [f"{_spelt(twin)}{_size(twin)}" for twin in ordered[:SHOWN]]
    parts += [f"{len(twins) - SHOWN} more"] if len(twins) > SHOWN else []
    words = f"{', '.join(parts[:-1])} and {parts[-1]}" if parts[1:] else parts[0]
    return f"{words} {'are' if parts[1:] else 'is'} there"


def _spelt(twin: Twin) -> str:
    """Return the name of a twin in SQL, with its schema if that is not the missing table's."""
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


def renamed_to(twin: Twin, contract: Contract) -> str:
    """Return in words what to declare of a table that may have another name today."""
    anew = _table_with(twin.missing, (), contract)
    return f"if it was renamed, {_taken(twin, contract)}; if not, nothing, or {anew} so that this is not asked again"


def way_out(name: QName, twins: Sequence[Twin], contract: Contract) -> str:
    """Return in words how to declare a twin as the table, and how to have the table created instead."""
    taken = list(dict.fromkeys(_taken(twin, contract) for twin in twins if twin.kind in "rp"))[:SHOWN]
    anew = f"declare {_table_with(name, (), contract)}, and it is created"
    if not taken:
        return f"what is no table cannot be taken for it; if it is something else, {anew}"
    if len(twins) == 1:
        return f"if it is meant, {taken[0]}; if not, {anew}"
    return f"if one of them is meant, {' or '.join(taken)}; if none, {anew}"


def _taken(twin: Twin, contract: Contract) -> str:
    """Return in words how to declare one twin as the table: by its schema and its name."""
    name, legacy = twin.missing, contract.hints[twin.missing].legacy_names
    parts = []
    if twin.name.schema != name.schema and (bare := is_bare(name, contract)):
        parts.append(f"say {option('schema', twin.name.schema)}")
    if contract.in_project:  # which no hint brings from another schema
        here = twin.name.schema == name.schema
        return f"declare {_table_with(name, (*legacy, twin.name.name), contract)}" if here else _moved(twin)
    words = [_literal(name.name), "..."]
    if twin.name.schema != name.schema and not bare:
        words.append(f"schema={_literal(twin.name.schema)}")
    if twin.name.name not in (name.name, *legacy):
        listed = ", ".join(map(_literal, (*legacy, twin.name.name)))
        words.append(f'info={{"legacy_names": [{listed}]}}')
    parts += [f"declare Table({', '.join(words)})"] if words[2:] else []
    return " and ".join(parts)


def _moved(twin: Twin) -> str:
    """Return in words how to bring a twin to the schema of the missing table."""
    there, home = ".".join(map(as_needed, twin.name)), as_needed(twin.missing.schema)
    return f"run: ALTER TABLE {there} SET SCHEMA {home}"


def _table_with(name: QName, legacy: Sequence[str], contract: Contract) -> str:
    """Return how to declare the legacy names of a table."""
    listed = ", ".join(map(_literal, legacy))
    if contract.in_project:
        return in_project(name, "", f"legacy_names = [{listed}]")
    return f'Table({_literal(name.name)}, ..., info={{"legacy_names": [{listed}]}})'


def in_project(table: QName, column: str, words: str) -> str:
    """Return how the project's file declares a hint of a table, or of a column."""
    name = ".".join(map(as_needed, (*table, column) if column else table))
    return f"in pyproject.toml [tool.pgmend.hints.{_literal(name)}] {words}"


def hint(table: QName, column: str, key: str, value: str, contract: Contract) -> str:
    """Return how to declare a hint of a column where the contract has its hints."""
    return in_project(table, column, f"{key} = {value}") if contract.in_project else f'info={{"{key}": {value}}}'


def is_bare(name: QName, contract: Contract) -> bool:
    """Return whether a table has no schema of its own in the contract, so that the call can choose it."""
    return bool(bare([name], contract))


def bare(names: Sequence[QName], contract: Contract) -> list[QName]:
    """Return those tables that have no schema of their own in the contract."""
    tables = contract.metadata.tables.values() if contract.metadata is not None else ()
    placed = {table.name for table in tables if table.schema is not None}
    return [name for name in names if tables and name.name not in placed]


def question(actual: Schema, contract: Contract) -> str:
    """Return the question to ask if other tables exist but none of the contract; empty otherwise."""
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
    """Return a column called like a missing one or its legacy name, but for capitals, blanks, hyphens and underscores.

    None without one; one that differs in capitals alone comes first.
    """
    if hints.alone or wanted.columns[column].generated:
        return None
    called = {name.lower() for name in (column, *hints.legacy_names)}
    plain = {name.translate(APART) for name in called}
    others = [name for name in table.columns if name not in wanted.columns]
    alike = [name for name in others if name.lower().translate(APART) in plain]
    return min(alike, key=lambda name: name.lower() not in called, default=None)


def taken_for(table: QName, column: str, twin: str, rows: int, contract: Contract) -> str:
    """Return in words why a column is not added beside a twin with values, and what to declare in either case."""
    known = contract.hints[table].of(column).legacy_names
    taken, anew = (_column_with(table, column, names, contract) for names in ((*known, twin), ()))
    return (
        f"{_literal(twin)} may hold what is meant, for {counted(rows)}: if so, declare {taken}; if not,"
        f" declare {anew}, and it is added"
    )


def renamed_from(table: QName, column: str, other: str, contract: Contract) -> str:
    """Return in words what to declare of a column that may have another name today."""
    known = contract.hints[table].of(column).legacy_names
    taken, anew = (_column_with(table, column, names, contract) for names in ((*known, other), ()))
    return f"if it was renamed, declare {taken}; if not, nothing, or {anew} so that this is not asked again"


def _column_with(table: QName, column: str, legacy: Sequence[str], contract: Contract) -> str:
    """Return how to declare the legacy names of a column."""
    listed = hint(table, column, "legacy_names", f"[{', '.join(map(_literal, legacy))}]", contract)
    return listed if contract.in_project else f"Column({_literal(column)}, ..., {listed})"


def _literal(name: str) -> str:
    """Return a name as a string literal in Python models."""
    return json.dumps(name, ensure_ascii=False)
