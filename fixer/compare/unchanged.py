"""Which tables already match the contract, so that a comparison of shapes would find nothing in them.

Equality is not enough: a contract may itself contain what counts as a defect, such as a deferrable unique, and a
sequence may belong to another column; or its models may ask for a default without saying which. Such tables are
compared like those that differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter

from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.table import Check, Column, QName, Table
from fixer.sql.conditions import meaning

_SHAPE = attrgetter("kind", "parted_by", "columns", "indexes", "foreign_keys", "unproved", "unproved_below")
_COUNTING = attrgetter("type", "start", "increment", "minimum", "maximum", "cycle", "cache", "owned_by", "persistence")
_INTEGERS = ("smallint", "integer", "bigint")


def alike(actual: Schema, contract: Contract) -> frozenset[QName]:
    """Return the tables of the contract that the actual schema already matches."""
    return frozenset(
        name for name in contract.tables.keys() & actual.tables.keys() if _is_alike(name, actual, contract)
    )


def still_alike(before: frozenset[QName], actual: Schema, future: Schema) -> frozenset[QName]:
    """Return those of the matching tables that the plan so far does not change."""
    if future is actual:
        return before
    if future.sequences is not actual.sequences:
        return frozenset()
    return frozenset(name for name in before if future.tables.get(name) is actual.tables[name])


def _is_alike(name: QName, actual: Schema, contract: Contract) -> bool:
    wanted = contract.tables[name]
    return (
        _SHAPE(actual.tables[name]) == _SHAPE(wanted)
        and _checks_alike(actual.tables[name].checks, wanted.checks)
        and _is_sound(wanted)
        and not any(hints.filled for hints in contract.hints[name].columns.values())
        and all(_counts_alike(name, column, actual, contract) for column in wanted.columns.values() if column.generates)
    )


def _checks_alike(found: Sequence[Check], wanted: Sequence[Check]) -> bool:
    """Return whether checks are the same but for the spelling, which a dump and restore change."""
    return found == wanted or [_meaning(check) for check in found] == [_meaning(check) for check in wanted]


def _meaning(check: Check) -> Check:
    return replace(check, expression=meaning(check.expression))


def _is_sound(wanted: Table) -> bool:
    """Return whether a wanted table is itself free of what counts as a defect.

    That is an invalid or deferrable index, a nullable key, an unproved constraint.
    """
    key = wanted.primary_key
    return (
        all(index.valid and not (index.deferrable or index.disabled_triggers) for index in wanted.indexes)
        and (key is None or (key.is_plain_key and all(wanted.columns[column].not_null for column in key.columns)))
        and all(check.validated for check in wanted.checks)
        and all(reference.holds for reference in wanted.foreign_keys)
    )


def _counts_alike(table: QName, column: Column, actual: Schema, contract: Contract) -> bool:
    """Return whether a numbered column owns a sequence that equals the wanted one."""
    found = actual.sequences.get(column.sequence) if column.sequence else None
    wanted = contract.schema.sequences.get(column.sequence) if column.sequence else None
    if found is None or wanted is None or column.type not in _INTEGERS:
        return False
    return found.owned_by == (table, column.name) and bool(_COUNTING(found) == _COUNTING(wanted))
