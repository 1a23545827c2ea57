"""Rows that go, with those that go after them: their conditions, and the reason that each is kept with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.finding import Places
from fixer.model.schema import Schema
from fixer.model.step import Phase
from fixer.model.table import ForeignKey, QName
from fixer.repair.constraints.foreign_keys import old_text_key
from fixer.repair.probe import within
from fixer.repair.rows import SEEN, Going
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.following import Turns, before, reason_after, reason_of, reason_under, under, with_descendants
from fixer.sql.types import family


def together(going: Going, keys: Sequence[ForeignKey]) -> Going:
    """Return rows of a table with their descendants by these of its keys to itself."""
    if not keys:
        return going
    whole, expects = (with_descendants(keys, each) for each in (going.condition, going.expected))
    told = reason_of(keys, going.condition, going.told or Literal(going.reason), whole)
    return replace(going, condition=whole, rivals=None, find=None, told=told, expects=expects, follows=True)


def by_turns(going: Going, turns: Turns, table: QName) -> Going:
    """Return the rows of a table that go by these keys of several tables, after those of the first one."""
    whole, expects = (turns.rows(each) for each in (going.condition, going.expected))
    own = [key for key in turns.keys if key.table == table]
    if table == turns.start:
        told = reason_of(own, going.condition, going.told or Literal(going.reason), whole)
        return replace(going, condition=whole, rivals=None, find=None, told=told, expects=expects, follows=True)
    parents = " or ".join(dict.fromkeys(key.target.name for key in own))
    reason = f"its row of {parents} is in quarantine"
    after = (*going.after, turns.start)
    return Going(whole, reason, told=reason_after(own, whole), expects=expects, follows=True, after=after)


def after(key: ForeignKey, going: Going, *, itself_stays: bool) -> Going:
    """Return the rows that reference by a key those that go; with `itself_stays`, only those that do not go as well."""
    condition, expects = (under(key, each, itself_stays=itself_stays) for each in (going.condition, going.expected))
    reason = f"its row of {key.target.name} is in quarantine"
    return Going(condition, reason, told=reason_under(key), expects=expects, after=(*going.after, key.target))


def of_part(part: QName, going: Going) -> Going:
    """Return rows of a partition as rows of the whole."""
    there = within(q.quoted(part))
    condition, expects = (SQL("{} AND ({})").format(there, each) for each in (going.condition, going.expected))
    return replace(going, condition=condition, expects=expects, find=None)


def seen(phase: Phase, table: QName, going: Going) -> Composable:
    """Return the condition for rows that go, for later steps: it sees the table as it was when they went."""
    return before(table, going.expected) if phase < Phase.CONVERT else going.expected


def expected(
    key: ForeignKey, orphans: Composable, after_those: Composable | None, actual: Schema, contract: Contract
) -> Composable | None:
    """Return the condition that rows fulfil before anything moves that will be orphans; None if it is the same then.

    `after_those` is the condition for parents that will have gone. A reference that is mapped has only its text then.
    """
    column = actual.tables[key.table].columns.get(key.columns[0]) if key.table in actual.tables else None
    mapped = column.mapped if column and family(column.type) == "integer" and key.target in actual.tables else None
    legacy = old_text_key(key, mapped, actual, contract) if mapped else None
    if mapped and legacy:
        text, parent = q.column(mapped), q.name(key.target)
        orphans = SQL("{0} IS NOT NULL AND NOT EXISTS (SELECT FROM {1} AS p WHERE {2}::text = {0}::text)").format(
            text, parent, q.column(legacy, "p")
        )
        lost = after_those or SQL("false")
        gone = SQL("SELECT {}::text FROM {} AS t WHERE {}").format(q.column(legacy), parent, lost)
        return SQL("(({}) OR {}::text IN ({}))").format(orphans, text, gone)
    return None if after_those is None else SQL("({} OR {})").format(orphans, under(key, after_those))


def at_places(stand: Places | None, condition: Composable) -> Composable | None:
    """Return a condition that finds rows at the places where the check found them; None where they are too many."""
    found = [place for place, *_ in stand.rows] if stand else []
    here = SQL("t.ctid = ANY ({}::tid[]) AND ({})").format(Literal(found), condition)
    return here if 0 < len(found) <= SEEN else None
