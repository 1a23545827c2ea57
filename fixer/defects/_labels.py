"""Labels that an enum lacks: the step that adds one, and where PostgreSQL lets no repair add it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.model.contract import Contract
from fixer.model.expression import as_needed, literal
from fixer.model.expression.patterns import pattern
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Repair, Shape, Step, refuse
from fixer.model.table import Column, QName, Table
from fixer.repair.columns import in_full, named
from fixer.sql.compose import SQL, Composable, Literal

LABEL = pattern(r"'(?:[^']|'')*'")
_UNUSABLE = "and PostgreSQL lets no transaction use a label it added"


def adding(table: QName, type_: str, label: str, place: Composable) -> Step:
    """Return the step that adds a label to an enum, which SQL spells `type_`; `place` follows it, or is empty.

    It may come more than once in a plan, of each column of the enum. Undo leaves the label.
    """
    add = SQL("ALTER TYPE {} ADD VALUE IF NOT EXISTS {}{}").format(SQL(type_), Literal(label), place)
    home = named(type_)
    spelt = ".".join(map(as_needed, home)) if home else type_
    stays = f"the label {literal(label)} of {spelt}"
    title = f"add the label {literal(label)} to the enum {spelt}, for good"
    return Step(Phase.TYPES, table, title, add, Lock.NONE, shape=Shape(stays=stays))


def labelled(enum: QName, wanted: str, found: str, way: str, contract: Contract) -> Repair:
    """Return the repair that adds what an enum lacks that nothing holds, given the statements that make both.

    Refuse if the contract names a label that it lacks: a person goes this `way`.
    """
    order, known = (LABEL.findall(each) for each in (wanted, found))
    lacks = [each for each in order if each not in known]
    if why := said_of([each[1:-1].replace("''", "'") for each in lacks], enum, contract):
        return refuse(f"{why}; run {way}; then plan again")
    return Repair.of(
        adding(enum, in_full(enum), each[1:-1].replace("''", "'"), SQL(_place(each, order, known))) for each in lacks
    )


def _place(label: str, order: list[str], known: list[str]) -> str:
    """Return where a label comes, beside one that is there by then; each is spelt as in SQL."""
    at = order.index(label)
    later = next((each for each in order[at:] if each in known), "")
    return f" AFTER {order[at - 1]}" if at else f" BEFORE {later}" if later else ""


def hindrance(type_: str, labels: Iterable[str], actual: Schema, contract: Contract) -> str:
    """Return why a repair cannot add labels to an enum; empty if it can.

    No transaction may use a label that it added (PostgreSQL manual, ALTER TYPE, Notes): so nothing else that the repair
    may have to make or convert may name one.
    """
    if type_ in actual.closed:
        return "the enum belongs to another role"
    said = "\n".join(_said(type_, contract))
    if named := [literal(label) for label in labels if literal(label) in said]:
        return f"{named[0]} is named by the contract, {_UNUSABLE}"
    for table, column in _columns(type_, contract):
        found = actual.tables[table.name].columns.get(column.name) if table.name in actual.tables else None
        if found and found.full_type != column.full_type:
            here = f"{table.name.name}.{column.name}"
            return f"values of {here} may become the new ones, {_UNUSABLE}"
    return ""


def said_of(labels: Iterable[str], type_: QName, contract: Contract) -> str:
    """Return why a repair cannot add labels to an enum that no column holds: the contract names one; empty if not."""
    types = "\n".join(statement for name, (statement, *_) in contract.schema.types.items() if name != type_)
    tables = (column.full_type for table in contract.tables.values() for column in table.columns.values())
    said = "\n".join([types, *(each for name in {"", *tables} for each in _said(name, contract))])
    named = [literal(label) for label in labels if literal(label) in said]
    return f"{named[0]} is named by the contract, {_UNUSABLE}" if named else ""


def _columns(type_: str, contract: Contract) -> Iterator[tuple[Table, Column]]:
    """Yield the columns of an enum, and of arrays of it, with their tables."""
    for table in contract.tables.values():
        yield from ((table, each) for each in table.columns.values() if each.full_type.removesuffix("[]") == type_)


def _said(type_: str, contract: Contract) -> Iterator[str]:
    """Yield the expressions that may name a label: of the tables with columns of the enum, and of all code."""
    for table in {table.name: table for table, _ in _columns(type_, contract)}.values():
        yield from (each.default for each in table.columns.values() if each.default)
        yield from (each.expression for each in table.checks)
        yield from (f"{each.tail} {each.exclusion}" for each in table.indexes)
        hints = contract.hints[table.name]
        yield repr((hints.default_rows, [hints.of(column).backfill for column in table.columns]))
    yield from (part.bound for part in contract.schema.partitions)
    yield from (each.definition for each in (contract.schema.code.parts if contract.schema.code else ()))
