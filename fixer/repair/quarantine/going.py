"""Rows that go, with those that go after them: their conditions, and the reason that each is kept with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.finding import Places
from fixer.model.schema import Schema
from fixer.model.step import Phase
from fixer.model.table import ForeignKey, QName
from fixer.model.values import dataclass
from fixer.repair.constraints.texts import Texts, mapped_texts
from fixer.repair.probe import within
from fixer.repair.rows import SEEN, Going
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.following import (
    Links,
    Turns,
    before,
    reason_after,
    reason_of,
    reason_under,
    under,
    with_descendants,
)


@dataclass(frozen=True)
class ByText:
    """How rows reference others by the text of an old key, which the plan puts `aside` as it maps the reference."""

    texts: Texts
    aside: str

    @property
    def carried(self) -> tuple[str, ...]:
        """The columns of a row that a text may hold."""
        return (self.texts.legacy, *(self.texts.key.target_columns if self.texts.mixed else ()))

    def on(self, child: str, parent: str) -> Composable:
        """Return the condition that the text of one row means another, by their aliases."""
        text = self.texts.spelt(q.column(self.aside, child))
        held = (self.texts.spelt(q.column(column, parent)) for column in self.carried)
        return q.any_of(SQL("{} = {}").format(each, text) for each in held)


def by_text(keys: Iterable[ForeignKey], actual: Schema, contract: Contract) -> Mapping[ForeignKey, ByText]:
    """Return how rows reference others by those of these keys whose columns the plan maps."""
    found = dict[ForeignKey, ByText]()
    for key in keys:
        column = actual.tables[key.table].columns.get(key.columns[0])
        aside = column.mapped if column else ""
        texts = mapped_texts(key, aside, actual, contract) if aside else None
        if texts:
            found[key] = ByText(texts, aside)
    return found


def together(going: Going, keys: Sequence[ForeignKey], links: Links) -> Going:
    """Return rows of a table with their descendants by these of its keys to itself."""
    if not keys:
        return going
    whole, expects = with_descendants(keys, going.condition), with_descendants(keys, going.expected, links)
    told = reason_of(keys, going.condition, going.told or Literal(going.reason), whole)
    return replace(going, condition=whole, rivals=None, find=None, told=told, expects=expects, follows=True)


def by_turns(going: Going, turns: Turns, table: QName) -> Going:
    """Return the rows of a table that go by these keys of several tables, after those of the first one."""
    whole, expects = replace(turns, links=None).rows(going.condition), turns.rows(going.expected)
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
    if found := by_text((key,) if key.table in actual.tables else (), actual, contract):
        texts, text = found[key].texts, q.column(found[key].aside)
        orphans = SQL("{} IS NOT NULL AND NOT {}").format(text, texts.known(text))
        gone = SQL("(SELECT t.* FROM {} AS t WHERE {}) AS t").format(q.name(key.target), after_those or SQL("false"))
        return SQL("(({}) OR {})").format(orphans, texts.known(text, gone))
    return None if after_those is None else SQL("({} OR {})").format(orphans, under(key, after_those))


def at_places(stand: Places | None, condition: Composable) -> Composable | None:
    """Return a condition that finds rows at the places where the check found them; None where they are too many."""
    found = [place for place, *_ in stand.rows] if stand else []
    here = SQL("t.ctid = ANY ({}::tid[]) AND ({})").format(Literal(found), condition)
    return here if 0 < len(found) <= SEEN else None
