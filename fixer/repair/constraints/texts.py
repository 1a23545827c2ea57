"""The old keys that a column holds in place of the new ones, and the rows of the parent that carry them."""

from __future__ import annotations

from dataclasses import replace

from fixer.model.contract import ColumnHints, Contract
from fixer.model.schema import Schema
from fixer.model.table import Column, ForeignKey, Table
from fixer.model.values import dataclass
from fixer.repair.constraints.foreign_keys import old_text_key
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed
from fixer.sql.conversions import conversion
from fixer.sql.types import family

_TEXT, _UUID = Column("cell", "text"), Column("cell", "uuid")


@dataclass(frozen=True)
class Half:
    """A column that an interrupted online run left with new keys in most rows; `aside` holds the old ones."""

    aside: str
    texts: Texts


@dataclass(frozen=True)
class Texts:
    """The texts of a parent's `legacy` key, in a column that should hold its new key.

    If `mixed` is the family of the new key (uuid, text), some rows may hold that already: such a text is a new key.
    """

    key: ForeignKey
    legacy: str
    mixed: str = ""

    @property
    def column(self) -> str:
        """The column that holds them."""
        return self.key.columns[0]

    def spelt(self, cell: Composable) -> Composable:
        """Return a cell as the text by which parents are found: a uuid as PostgreSQL spells it, however it is given."""
        text = SQL("{}::text").format(cell)
        if self.mixed != "uuid":
            return text
        way = conversion(_TEXT, _UUID, ColumnHints())
        if isinstance(way, str):
            return text
        fits, value = (q.over(each, _TEXT.name, cell) for each in (way.fits, way.value))
        return SQL("CASE WHEN {} THEN {}::text ELSE {} END").format(fits, value, text)

    def carriers(self, rows: Composable | None = None) -> Composed:
        """Return a FROM item `p`: the new key (`number`) of each parent, with the text (`old`) that means it."""
        new = q.column(self.key.target_columns[0])
        return self._parents(SQL("{} AS number, ").format(new), rows or SQL("{} AS t").format(q.name(self.key.target)))

    def _parents(self, shown: Composable, rows: Composable) -> Composed:
        """Return a FROM item `p`: the text (`old`) that means each parent, and what else is shown of it."""
        ways = [self.spelt(q.column(self.legacy))]
        if self.mixed:
            ways.append(SQL("{}::text").format(q.column(self.key.target_columns[0])))
        each = [SQL("SELECT {}{} AS old FROM {}").format(shown, way, rows) for way in ways]
        return SQL("({}) AS p").format(SQL(" UNION ALL ").join(each))

    def match(self, cell: Composable) -> Composed:
        """Return the condition that a cell means the parent `p`."""
        return SQL("p.old = {}").format(self.spelt(cell))

    def known(self, cell: Composable, rows: Composable | None = None) -> Composed:
        """Return the condition that a cell means some parent, whose new key may not be there yet, or one of `rows`."""
        parents = self._parents(SQL(""), rows or SQL("{} AS t").format(q.name(self.key.target)))
        return SQL("EXISTS (SELECT FROM {} WHERE {})").format(parents, self.match(cell))

    def found(self, cell: Composable) -> Composed:
        """Return the expression for the new key that a cell means; it fails if that is not one alone."""
        return SQL("(SELECT DISTINCT p.number FROM {} WHERE {})").format(self.carriers(), self.match(cell))

    def unmatched(self, parent: Table) -> Composed:
        """Return the condition that a row, as today, holds a text that no parent has."""
        new = self.key.target_columns[0]
        parents, bare = q.rows_of(parent, own=True), self
        if new not in parent.columns:  # the plan adds it: only the old key is there to be compared
            bare, parents = (
                replace(self, mixed=""),
                SQL("(SELECT t.*, NULL AS {} FROM {}) AS t").format(q.names([new]), parents),
            )
        return SQL("{cell} IS NOT NULL AND NOT EXISTS (SELECT FROM {carriers} WHERE {match})").format(
            cell=q.column(self.column), carriers=bare.carriers(parents), match=bare.match(q.column(self.column))
        )


def standing_for(old: Composable, type_: str) -> Composable:
    """Return what stands for the new key, of a type, that an old one gets, until there is one.

    It is the same for the same text, wherever that is, so that rows which will repeat, or lose their parent, are told
    beforehand. As a number, it is a bigint: of fewer digits, two texts might share one.
    """
    text = SQL('{}::text COLLATE "C"').format(old)
    if family(type_) == "integer":
        return SQL("pg_catalog.hashtextextended({}, 0)").format(text)
    return SQL("{}::{}").format(SQL("md5({})").format(text) if family(type_) == "uuid" else text, SQL(type_))


def meant_by(old: Composable, type_: str, otherwise: Composable) -> Composable:
    """Return what stands for the new key of each row: `otherwise`, unless it is the first with its old key."""
    return SQL(
        "CASE WHEN {old} IS NOT NULL AND row_number() OVER (PARTITION BY {old}) = 1 THEN {new} ELSE {otherwise} END"
    ).format(old=old, new=standing_for(old, type_), otherwise=otherwise)


def mixed(key: ForeignKey, actual: Schema, contract: Contract) -> str:
    """Return the family of the new key if a column may hold new keys already; empty if no text can be one."""
    new = actual.tables[key.target].columns.get(key.target_columns[0])
    wanted = family(contract.tables[key.table].columns[key.columns[0]].type)
    return wanted if wanted != "integer" and new and not (new.added or new.numbered) else ""


def mapped_texts(key: ForeignKey, aside: str, actual: Schema, contract: Contract) -> Texts | None:
    """Return the texts that the plan puts `aside` as it maps a reference; None if the parent has no old key."""
    if key.target not in actual.tables:
        return None
    new = family(contract.tables[key.table].columns[key.columns[0]].type)
    legacy = old_text_key(key, aside, actual, contract, numbers=new != "integer")
    return Texts(key, legacy, mixed(key, actual, contract)) if legacy else None
