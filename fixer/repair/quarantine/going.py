"""Rows that go, with those that go after them: their conditions, and the reason that each is kept with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fixer.model.table import ForeignKey, QName
from fixer.repair.rows import Going
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Literal
from fixer.sql.following import Turns, reason_after, reason_of, reason_under, under, with_descendants


def together(going: Going, keys: Sequence[ForeignKey]) -> Going:
    """Return rows of a table with their descendants by these of its keys to itself."""
    if not keys:
        return going
    whole, expects = (with_descendants(keys, each) for each in (going.condition, going.expected))
    told = reason_of(keys, going.condition, going.told or Literal(going.reason), whole)
    return Going(whole, going.reason, going.rows, told=told, expects=expects, follows=True)


def by_turns(going: Going, turns: Turns, table: QName) -> Going:
    """Return the rows of a table that go by these keys of several tables, after those of the first one."""
    whole, expects = (turns.rows(each) for each in (going.condition, going.expected))
    own = [key for key in turns.keys if key.table == table]
    if table == turns.start:
        told = reason_of(own, going.condition, going.told or Literal(going.reason), whole)
        return Going(whole, going.reason, going.rows, told=told, expects=expects, follows=True)
    parents = " or ".join(dict.fromkeys(key.target.name for key in own))
    reason = f"its row of {parents} is in quarantine"
    return Going(whole, reason, told=reason_after(own, whole), expects=expects, follows=True)


def after(key: ForeignKey, going: Going, *, itself_stays: bool) -> Going:
    """Return the rows that reference by a key those that go; with `itself_stays`, only those that do not go as well."""
    condition, expects = (under(key, each, itself_stays=itself_stays) for each in (going.condition, going.expected))
    reason = f"its row of {key.target.name} is in quarantine"
    return Going(condition, reason, told=reason_under(key), expects=expects)


def of_part(part: QName, going: Going) -> Going:
    """Return rows of a partition as rows of the whole."""
    there = SQL("t.tableoid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree({}::text::regclass) p) AND ({})")
    condition, expects = (there.format(Literal(q.quoted(part)), each) for each in (going.condition, going.expected))
    return replace(going, condition=condition, expects=expects, find=None)
