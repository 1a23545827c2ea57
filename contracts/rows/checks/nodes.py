"""What the reader of checks makes of SQL: names, literals and claims."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from contracts.rows.conditions import Conditions


@dataclass(frozen=True)
class Name:
    """A column, or its length, in a check."""

    column: str
    length: bool = False


@dataclass(frozen=True)
class Items:
    """Literals in a check: one, or a list of them."""

    values: tuple[str | Decimal | bool | None, ...]
    single: bool = True


@dataclass(frozen=True)
class Claim:
    """A condition in a check, or several joined by AND; not whole where a part cannot be read."""

    conditions: Conditions = ()
    whole: bool = False


Node = Name | Items | Claim
UNREAD = Claim()


def split(items: Items) -> Items:
    """Read '{A,B}'::text[]."""
    value = items.values[0]
    if len(items.values) == 1 and isinstance(value, str) and re.fullmatch(r"\{[\w,]+\}", value):
        return Items(tuple(value[1:-1].split(",")), single=False)
    return items
