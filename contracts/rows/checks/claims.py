"""Makes claims about columns from operands and the operators between them."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.rows.checks.nodes import UNREAD, Claim, Items, Name, Node
from contracts.rows.conditions import LISTED, Condition, Other
from contracts.rows.kinds.kind import LENGTHS, Grid
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.tables import AnyColumn

Columns = Mapping[str, AnyColumn]


def claim_of(node: Node, columns: Columns) -> Claim:
    """Return a node as a claim; a boolean column claims that it is true."""
    if isinstance(node, Name):
        return condition(node, "in", Items((True,)), columns)
    return node if isinstance(node, Claim) else UNREAD


def condition(left: Node, op: str, right: Node, columns: Columns) -> Claim:
    """Return the condition that a column compares with literals; unread where its type has no such order."""
    if not isinstance(left, Name) or not isinstance(right, Items) or None in right.values:
        return UNREAD
    kind = LENGTHS if left.length else kind_or_none(columns[left.column])
    ordered = op in ("<", "<=", ">", ">=")
    if kind is None or (ordered and not isinstance(kind, Grid)):
        return UNREAD
    try:
        values = tuple(kind.read(value) for value in right.values if value is not None)
    except (ValueError, ArithmeticError, LookupError):
        return UNREAD
    return Claim((Condition(left.column, op, values[0] if ordered else values, left.length),), True)


def relation(left: Name, op: str, right: Name, columns: Columns) -> Claim:
    """Return the condition that compares two columns; unread where their types do not compare."""
    kinds = [kind_or_none(columns[name.column]) for name in (left, right)]
    families = {kind.family if kind else "" for kind in kinds}
    comparable = all(isinstance(kind, Grid) or (isinstance(kind, Text) and op in LISTED) for kind in kinds)
    if left.length or right.length or left == right or not comparable or len(families) > 1 or "" in families:
        return UNREAD
    return Claim((Condition(left.column, op, Other(right.column)),), True)


def or_null(claims: list[Claim]) -> Claim:
    """Read `a IS NULL OR a > 0`, which says no more than `a > 0`."""
    nulls = {c.conditions[0].column for c in claims if len(c.conditions) == 1 and c.conditions[0].op == "null"}
    rest = [c for c in claims if not any(each.op == "null" for each in c.conditions)]
    if len(rest) == 1 and rest[0].whole and len(claims) == 2:
        about = {each.column for each in rest[0].conditions}
        plain = all(not isinstance(c.value, Other) and c.op != "not null" for c in rest[0].conditions)
        return rest[0] if about == nulls and plain else UNREAD
    return UNREAD
