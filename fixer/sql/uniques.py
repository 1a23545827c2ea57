"""What unique indexes and exclusion constraints refuse, one compared with another."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.expression import Tail, canonical, names_column, quoted, tail_of
from fixer.model.expression.constant import is_computable
from fixer.model.expression.patterns import pattern
from fixer.model.table import Index, QName, Table
from fixer.model.values import dataclass
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import dropping
from fixer.sql.compose import SQL, Composable
from fixer.sql.conditions import conjuncts, held, over_row, tail_meaning
from fixer.sql.types import family

# What follows an element of an index and leaves its equality as it is.
_IDLE = pattern(
    r' (?:ASC|DESC)\b| NULLS (?:FIRST|LAST)\b| (?:text|varchar|bpchar)_pattern_ops\b| COLLATE "(?:C|POSIX)"'
)
# What follows an element of an index and is no part of the expression.
_SORT = pattern(r"(?: [\w.\"]*_ops)?(?: DESC| ASC)?(?: NULLS (?:FIRST|LAST))?$")
_DEFERRAL = pattern(r"(?: DEFERRABLE)?(?: INITIALLY DEFERRED)?$")
_EQUAL = " WITH ="
_WORDS = pattern(r"\w+(?=\()")
_TOTAL = frozenset({"lower", "upper", "btrim", "ltrim", "rtrim", "md5", "coalesce", "COALESCE"})  # NULL only of NULL


@dataclass(frozen=True)
class Claim:
    """What an index demands: no two rows that fulfil the conditions are alike in all elements.

    One that `excludes` compares by other operators than equality; one over `periods` refuses empty ones, too.
    """

    elements: frozenset[str]
    conditions: frozenset[str] = frozenset()
    patience: int = 0
    nulls_alike: bool = False
    excludes: bool = False
    periods: bool = False

    @property
    def allows_one(self) -> bool:
        """Whether no two rows may have the defaults of columns that the contract does not know."""
        return not self.elements and not self.excludes

    def implies(self, other: Claim, table: Table) -> bool:
        """Return whether it refuses all that the other refuses, rows of the wanted table being compared."""
        if self.periods and not other.excludes:  # periods that are the same overlap
            values = frozenset(element.rpartition(" WITH ")[0] for element in self.elements)
            return replace(self, elements=values, excludes=False, periods=False).implies(other, table)
        filled = all(element in table.columns and table.columns[element].not_null for element in self.elements)
        return (
            self.excludes == other.excludes
            and self.patience <= other.patience
            and self.conditions <= other.conditions
            and (self.nulls_alike or not other.nulls_alike or filled)
            and (self.elements <= other.elements or self._follows_from(other, table))
        )

    def _follows_from(self, other: Claim, table: Table) -> bool:
        """Return whether rows that are alike in the other's elements are so in its own, which are made of them."""
        if self.excludes or not all(_WORDS.findall(element) for element in self.elements - other.elements):
            return False
        named = {column for column in table.columns for element in self.elements if names_column(element, column)}
        words = {word for element in self.elements for word in _WORDS.findall(element)}
        return words <= _TOTAL and named - words <= other.elements

    def with_elements(self, more: frozenset[str]) -> Claim:
        """Return this claim over more elements."""
        return replace(self, elements=self.elements | more)

    def is_stronger_than(self, other: Claim, table: Table) -> bool:
        """Return whether it refuses all that the other refuses, and more."""
        covers = self.excludes == other.excludes and self.elements <= other.elements
        return covers and self.conditions <= other.conditions and not other.implies(self, table)


def patience(index: Index) -> int:
    """Return when a key speaks: at once 0, after the statement 1, at the end of the transaction 2."""
    return index.deferrable + index.deferred


def claim(index: Index, table: Table) -> Claim:
    """Return what a unique index or an exclusion constraint of a table demands."""
    periods = index.overlaps_not
    index = by_overlap(index) if periods else index
    tail = excluding(index) if index.exclusion else tail_of(index.tail)
    elements = frozenset(held(canonical(_IDLE.sub("", element)), table) for element in tail.elements)
    excludes, nulls_alike = bool(index.exclusion), index.nulls_not_distinct
    if excludes and all(element.endswith(_EQUAL) for element in elements):  # a unique by another name
        excludes, elements = False, frozenset(element.removesuffix(_EQUAL) for element in elements)
    return Claim(elements, frozenset(conjuncts(tail.condition, table)), patience(index), nulls_alike, excludes, periods)


def excluding(index: Index) -> Tail:
    """Return the parts of the definition of an exclusion constraint: each element ends WITH its operator."""
    return tail_of(_DEFERRAL.sub("", index.exclusion).removeprefix("EXCLUDE "))


def compared(index: Index, table: Table) -> list[Composable]:
    """Return what a unique compares, element by element, as expressions over the row `t` of a table."""
    elements = (_SORT.sub("", element.strip()) for element in tail_of(index.tail).elements)
    return [SQL("({})").format(over_row(element, table)) for element in elements]


def bound_by(index: Index, table: Table) -> list[Composable]:
    """Return the condition of an index over the row `t` of a table; nothing if it binds all rows."""
    condition = tail_of(index.tail).condition.strip()
    return [SQL("({})").format(over_row(condition, table))] if condition else []


def by_equality(index: Index) -> Index:
    """Return a unique as the exclusion constraint that demands the same."""
    tail = tail_of(index.tail)
    elements = ", ".join(f"{_SORT.sub('', element.strip())} WITH =" for element in tail.elements)
    where = f" WHERE {tail.condition}" if tail.condition else ""
    return replace(index, exclusion=f"EXCLUDE {tail.method} ({elements}){where}")


def by_overlap(index: Index) -> Index:
    """Return a key WITHOUT OVERLAPS as the exclusion constraint that demands the same of periods that are not empty."""
    *same, period = map(quoted, index.columns)
    elements = ", ".join([*(f"{column} WITH =" for column in same), f"{period} WITH &&"])
    return replace(index, unique=False, primary=False, exclusion=f"EXCLUDE USING gist ({elements})")


def spelt(index: Index) -> str:
    """Return a unique or an exclusion constraint as a person would write it."""
    if index.exclusion:
        return index.exclusion
    if index.overlaps_not:
        return ddl.key_words(index)
    late = ddl.deferral(index.deferrable, index.deferred)
    return f"{'PRIMARY KEY' if index.primary else 'UNIQUE'} {index.tail.removeprefix('USING btree ')}{late}"


def told(index: Index) -> str:
    """Return a constraint that tells rows apart, in words: PRIMARY KEY (id, valid WITHOUT OVERLAPS), for example."""
    return index.exclusion or f"{'PRIMARY KEY' if index.primary else 'UNIQUE'} ({index.listed})"


def removal(index: Index, table: QName) -> str:
    """Return the statement that drops an index or its constraint, to be pasted by a person."""
    if index.constraint or index.exclusion:
        return dropping(table, index.name)
    return f"DROP INDEX {q.quoted(QName(table.schema, index.name))}"


def is_proved(key: Index, table: Table) -> bool:
    """Return whether an index of the table proves a wanted unique.

    A key WITHOUT OVERLAPS proves no other one: ON CONFLICT and plain foreign keys cannot use it.
    """
    if key.overlaps_not:
        return stands_without_overlaps(key, table)
    if key.is_plain_key:
        table = replace(table, indexes=tuple(index for index in table.indexes if not index.overlaps_not))
        return table.tells_all_apart(key.columns) if key.nulls_not_distinct else table.has_key_on(key.columns)
    return any(
        i.unique
        and i.valid
        and tail_meaning(i.tail, table) == tail_meaning(key.tail, table)
        and patience(i) <= patience(key)
        for i in table.indexes
    )


def proved_only_by(index: Index, wanted: Table, table: Table) -> list[Index]:
    """Return the uniques of the contract that nothing but this index of the table proves."""
    without = replace(table, indexes=tuple(each for each in table.indexes if each != index))
    uniques = (each for each in wanted.indexes if each.unique and not each.primary)
    return [each for each in uniques if is_proved(each, table) and not is_proved(each, without)]


def stands_without_overlaps(key: Index, table: Table) -> bool:
    """Return whether a table has a wanted key WITHOUT OVERLAPS, under any name."""
    there = (index for index in table.indexes if index.overlaps_not and index.valid)
    return any(same_periods(key, index) for index in there)


def same_periods(key: Index, other: Index) -> bool:
    """Return whether two keys say alike whether, and over which of their columns, rows may not overlap."""
    if key.overlaps_not != other.overlaps_not:
        return False
    return not key.overlaps_not or (set(key.columns), key.columns[-1]) == (set(other.columns), other.columns[-1])


def as_meant(key: Index, table: Table, contract: Contract) -> Index:
    """Return a wanted key as it is meant: models cannot say WITHOUT OVERLAPS, so a key that is so may be theirs."""
    if contract.metadata is None or key.overlaps_not or not key.unique:
        return key
    there = (i for i in table.indexes if i.overlaps_not and {*i.columns} == {*key.columns})
    return next((replace(key, columns=i.columns, tail=i.tail) for i in there), key)


def versions_of(table: Table, columns: Collection[str]) -> Index | None:
    """Return the key WITHOUT OVERLAPS in which a period tells apart rows that agree in these columns."""
    return next((i for i in table.indexes if i.overlaps_not and {*i.columns[:-1]} == {*columns}), None)


def covers_by_period(table: Table, columns: Collection[str]) -> bool:
    """Return whether only a key WITHOUT OVERLAPS is over these columns, which a plain foreign key cannot use."""
    wanted = {*columns}
    over = {key.overlaps_not for key in table.indexes if key.is_plain_key and {*key.columns} == wanted}
    return over == {True}


def demand(index: Index, wanted: Table, table: Table) -> Claim | None:
    """Return what an index demands of rows that code writes by the contract; None if it never refuses one.

    Columns that the contract does not know are NULL in them, and so are never alike, or have a default.
    """
    if not (index.unique or index.exclusion) or not index.valid:
        return None
    if index.primary and wanted.primary_key:
        return None
    found = claim(index, table)
    for column in table.columns.values():
        using = frozenset(element for element in found.elements if names_column(element, column.name))
        meant = wanted.columns.get(column.name)
        if not using or (meant and not meant.generates) or (not meant and column.generated):
            continue
        empty = column.default is None and not column.generates
        computed = "(" in (column.default or "") and not is_computable(column.default or "", family(column.type))
        if meant or column.generates or (empty and not index.nulls_not_distinct) or computed:
            return None  # a number, NULL or a computed value in each row: none is like another
        found = replace(found, elements=found.elements - using)
    return found


def is_meant(found: Claim, wanted: Table) -> bool:
    """Return whether a key of the contract demands the same, or more."""
    return any(claim(key, wanted).implies(found, wanted) for key in _keys(wanted))


def keys_if(found: Claim, wanted: Table, alone: Collection[str]) -> list[frozenset[str]]:
    """Return the elements that, if each had one value in all rows, would let a key of the contract demand the same."""
    missing = ((its, its.elements - found.elements) for its in (claim(key, wanted) for key in _keys(wanted)))
    return [more for its, more in missing if more <= set(alone) and its.implies(found.with_elements(more), wanted)]


def weaker_form(found: Claim, wanted: Table) -> Index | None:
    """Return the key of the contract that demands the same of fewer rows, or later; None if there is none."""
    weaker = (key for key in _keys(wanted) if found.elements and found.is_stronger_than(claim(key, wanted), wanted))
    return next(weaker, None)


def _keys(table: Table) -> list[Index]:
    return [key for key in table.indexes if key.unique or key.exclusion]
