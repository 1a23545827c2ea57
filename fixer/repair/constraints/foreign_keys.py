"""Findings, steps and messages for foreign keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from fixer.model.contract import Contract
from fixer.model.expression import as_needed
from fixer.model.finding import Finding
from fixer.model.obstacle import LooseKey
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Lock, Part, Phase, RefusalError, Step
from fixer.model.subject import StrandedColumn
from fixer.model.table import Column, ForeignKey, QName, Table
from fixer.repair.constraints import references
from fixer.repair.probe import rows_where
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter, drop_foreign_key, letting_go
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.types import can_compare, family
from fixer.sql.uniques import covers_by_period

Fits = Callable[[ForeignKey, ForeignKey], bool]
STRANDED = "only a person can tell which rows these values mean"


def arrow(key: ForeignKey) -> str:
    """Return what a foreign key should do, in words: ``books.author_id should reference authors(id)``."""
    return f"{key.table.name}.{', '.join(key.columns)} should reference {ends_at(key)}"


def ends_at(key: ForeignKey, *, qualified: bool = False) -> str:
    """Return where a foreign key points, in words: ``authors(id)``."""
    target = str(key.target) if qualified else key.target.name
    return f"{target}({', '.join(key.target_columns)})"


def is_indexed(key: ForeignKey, *tables: Table | None) -> bool:
    """Return whether an index of its table, as found or as wanted, finds the rows that reference a given one."""
    indexes = [index for table in tables if table for index in table.indexes if index.valid and not index.partial]
    return any(set(index.columns[: len(key.columns)]) == set(key.columns) for index in indexes)


def is_comparable(key: ForeignKey, actual: Schema) -> bool:
    """Return whether both ends of a foreign key are there, with types whose values can be equal."""
    table, parent = actual.tables.get(key.table), actual.tables.get(key.target)
    if table is None or parent is None:
        return False
    named = zip(key.columns, key.target_columns, strict=True)
    ends = ((table.columns.get(one), parent.columns.get(other)) for one, other in named)
    return all(one and other and can_compare(one.base or one.type, other.base or other.type) for one, other in ends)


def add_foreign_key(key: ForeignKey, actual: Schema) -> Part:
    """Return the step that adds a foreign key, which reads every row of the table."""
    table, parent = actual.tables.get(key.table), actual.tables.get(key.target)
    if parent and covers_by_period(parent, key.target_columns):
        raise RefusalError(_by_period(key))
    _beside_loose(key, actual)
    name = ddl.free_constraint_name(table, actual, key.table, key.name, index=False)
    title = f"add the foreign key from {key.table.name}.{', '.join(key.columns)} to {ends_at(key)}"
    step = alter(
        Phase.FOREIGN_KEYS,
        key.table,
        title,
        SQL("ADD {}").format(ddl.foreign_key_clause(name, key)),
        lock=Lock.SHARE_ROW_EXCLUSIVE,
        touches=(key.target,),
    )
    return replace(
        step,
        effect=replace(step.effect, rows=table.estimated_rows if table else 0),
    ).online_as(references.foreign_key(name, key, actual, title))


def _beside_loose(key: ForeignKey, actual: Schema) -> None:
    """Raise RefusalError if a partition alone has the key NOT ENFORCED."""
    target = ".".join(map(as_needed, key.target))
    for each in actual.tables[key.table].obstacles if key.table in actual.tables else ():
        if isinstance(each, LooseKey) and {*each.columns} == {*key.columns} and each.target == target:
            raise RefusalError(f"the {each.name} alone is NOT ENFORCED, and would have to go first: {each.removal}")


def _by_period(key: ForeignKey) -> str:
    """Return why a person must add a foreign key, with the statement that does."""
    here, there = (
        ", ".join([*map(as_needed, each[:-1]), f"PERIOD {as_needed(each[-1])}"])
        for each in (key.columns, key.target_columns)
    )
    return (
        f"the key of {key.target} is WITHOUT OVERLAPS, to which only a PERIOD can point; if that is meant, run:"
        f" ALTER TABLE {q.quoted(key.table)} ADD FOREIGN KEY ({here}) REFERENCES {q.quoted(key.target)} ({there})"
    )


def exchange(wanted: ForeignKey, unwanted: tuple[ForeignKey, ...], why: str, actual: Schema) -> Iterator[Part]:
    """Yield the steps that drop foreign keys and add the wanted one in their place."""
    without = actual.without_foreign_keys(frozenset((key.table, key.name) for key in unwanted))
    add = add_foreign_key(wanted, without).atomic
    # Online, the old one is dropped after the new one is proved: until then they need different names.
    beside = _name(wanted, actual)
    lightly = references.foreign_key(beside, wanted, actual, add.title)
    at_once = bool(lightly) and not any(key.enforced for key in unwanted)
    if lightly and at_once:  # on partitions, no enforced key can stand beside one that is not
        lightly = _in_their_place(_name(wanted, without), wanted, unwanted, actual, add.title)
    for key in unwanted:
        drop = drop_foreign_key(key, why, hazard=Hazard.REPLACES_CONSTRAINT)
        drop = drop if key.points_as(wanted) else letting_go(drop, key)
        yield drop.online_as(() if lightly else None)
    if lightly and not at_once:
        lightly += tuple(references.replaced(unwanted, beside, _name(wanted, without), wanted))
    yield add.online_as(lightly)


def _in_their_place(
    name: str, wanted: ForeignKey, unwanted: tuple[ForeignKey, ...], actual: Schema, title: str
) -> tuple[Step, ...]:
    """Return the steps that drop foreign keys which enforce nothing and add the wanted one, for new rows at first."""
    add, *proof = references.foreign_key(name, wanted, actual, title) or ()
    drops = SQL("").join(SQL("DROP CONSTRAINT {}, ").format(Identifier(key.name)) for key in unwanted)
    clause = SQL("ALTER TABLE {} {}ADD {} NOT VALID").format(
        q.name(wanted.table), drops, ddl.foreign_key_clause(name, wanted)
    )
    return replace(add, sql=clause, hazard=Hazard.REPLACES_CONSTRAINT), *proof


def retyped_in(key: ForeignKey, actual: Schema) -> set[str]:
    """Return the modes in which the plan changes in place the type of a column of a foreign key."""
    ends = ((key.table, key.columns), (key.target, key.target_columns))
    there = [(actual.tables[name].columns, columns) for name, columns in ends if name in actual.tables]
    return {mode for found, columns in there for c in columns if c in found for mode in found[c].retyped_in}


def reproved(key: ForeignKey, actual: Schema) -> Iterator[Part]:
    """Yield the steps that make a foreign key NOT VALID before the type of a column changes, and prove it in the end.

    In between, the rows that violate it are repaired: PostgreSQL proves a valid key as it changes the type.
    """
    table, modes = actual.tables[key.table], retyped_in(key, actual)
    drop = drop_foreign_key(key, "the type of its column changes")
    title = f"prove the foreign key {key.name} again"
    if table.inherits and actual.version < 18:  # on partitions, none can be NOT VALID
        without = actual.without_foreign_keys(frozenset({(key.table, key.name)}))
        add = add_foreign_key(key, without).atomic
    else:
        clause = ddl.foreign_key_clause(key.name, key)
        again = SQL("{}, ADD {} NOT VALID").format(drop.sql, clause)
        what = f"make the foreign key {key.name} NOT VALID until its rows are repaired (the type of its column changes)"
        drop = replace(drop, title=what, sql=again)
        add = references.proved(key.table, key.name, key.target, title, table.estimated_rows)
    for step in (drop, add):
        yield step if "online" in modes else step.online_as(())


def _name(key: ForeignKey, actual: Schema) -> str:
    return ddl.free_constraint_name(actual.tables.get(key.table), actual, key.table, key.name, index=False)


def best(wanted: ForeignKey, found: tuple[ForeignKey, ...]) -> ForeignKey | None:
    """Return the foreign key that is closest to the wanted one; None if none points where it should."""
    right = [key for key in found if key.points_as(wanted)]
    if len(right) == 1:
        return right[0]
    return min(right, key=lambda key: (key.behaviour != wanted.behaviour, not key.holds, key.name), default=None)


def old_text_key(
    key: ForeignKey, column: str, actual: Schema, contract: Contract, *, numbers: bool = False
) -> str | None:
    """Return the old key of the parent whose texts a column of the child holds, if the parent has one.

    It may hold `numbers` where the new key is none.
    """
    child, parent = actual.tables[key.table], actual.tables[key.target]
    new = key.target_columns[0]
    referenced = [k.target_columns[0] for k in child.foreign_keys if k.columns == (column,) and k.target == key.target]
    candidates = [
        parent.legacy_key,
        *(c for c in referenced if c not in key.target_columns),
        *contract.hints[key.target].of(new).legacy_keys,
        f"legacy_{new}",  # the name that text-key gave it before it was interrupted
    ]
    families = ("text", "uuid", "integer") if numbers else ("text", "uuid")
    columns = parent.columns.items()
    texts = {name for name, column in columns if family(column.base or column.type) in families and name != new}
    return next((candidate for candidate in candidates if candidate in texts), None)


def _names_rows(key: ForeignKey, here: Column, actual: Schema, contract: Contract, texts: Composable | None) -> bool:
    """Return whether a column names rows by an old key of theirs, so that it can be mapped to the new one."""
    held, new = (family(each.base or each.type) for each in (here, contract.tables[key.table].columns[here.name]))
    if held == "integer" and new in ("uuid", "text") and len(key.columns) == 1:
        return old_text_key(key, here.name, actual, contract, numbers=True) is not None
    return held in ("text", "uuid") and bool(texts or old_text_key(key, here.name, actual, contract))


def stranded(
    slug: str,
    point: int,
    target: QName,
    column: str,
    actual: Schema,
    contract: Contract,
    texts: Composable | None = None,
) -> Iterator[Finding[StrandedColumn]]:
    """Yield a finding of a defect class for each column that holds values of a key that is gone.

    A column of texts is one too, unless its texts name rows by an old key, and so do numbers where the new key is none.
    `texts` is the condition that the key holds texts that are no numbers: only then is it replaced, and its numbers are
    gone.
    """
    for key in contract.foreign_keys():
        child = actual.tables.get(key.table)
        if child is None or key.target != target or column not in key.target_columns:
            continue
        here = child.columns.get(key.columns[key.target_columns.index(column)])
        if here is None or _names_rows(key, here, actual, contract, texts):
            continue
        held = q.all_of([SQL("{} IS NOT NULL").format(q.column(here.name)), *([texts] if texts else [])])
        message = f"{key.table.name}.{here.name} holds values of {target.name}.{column}, which is gone"
        yield Finding(
            slug,
            point,
            StrandedColumn(key, here.name),
            message,
            asks=partial(rows_where, actual, key.table, held),
            only_with_rows=True,
        )


def pairs(
    wanted: Sequence[ForeignKey], found: Sequence[ForeignKey]
) -> Iterator[tuple[ForeignKey, tuple[ForeignKey, ...]]]:
    """Yield each wanted foreign key with the found ones on its columns, each of which stands for one wanted key.

    Of equal wanted keys, one that no found key stands for is left out: its twin does its work.
    """
    groups: dict[frozenset[str], list[ForeignKey]] = {}
    for key in wanted:
        groups.setdefault(frozenset(key.columns), []).append(key)
    for columns, keys in groups.items():
        there = [key for key in found if set(key.columns) == columns]
        yield from _shared_out(keys, there) if len(keys) > 1 else [(keys[0], tuple(there))]


def equals(one: ForeignKey, other: ForeignKey) -> bool:
    """Return whether two foreign keys do the same."""
    return one.points_as(other) and one.behaviour == other.behaviour


def _shared_out(
    wanted: Sequence[ForeignKey], found: Sequence[ForeignKey]
) -> Iterator[tuple[ForeignKey, tuple[ForeignKey, ...]]]:
    """Yield the wanted keys of one set of columns: those that do as wanted first, then those that point as wanted."""
    shares: list[list[ForeignKey]] = [[] for _ in wanted]
    left = list(found)
    for fits in (equals, ForeignKey.points_as):
        _take(wanted, shares, left, fits)
    idle = {place for place, key in enumerate(wanted) if not shares[place] and _stands(key, wanted, shares)}
    open_ = [place for place, share in enumerate(shares) if not share and place not in idle]
    for extra in left:
        meant = [place for place, key in enumerate(wanted) if shares[place] and extra.points_as(key)]
        shares[(meant or open_ or [0])[0]].append(extra)
    yield from ((key, tuple(shares[place])) for place, key in enumerate(wanted) if place not in idle)


def _stands(key: ForeignKey, wanted: Sequence[ForeignKey], shares: Sequence[list[ForeignKey]]) -> bool:
    """Return whether a found key stands for an equal one of the wanted keys."""
    return any(equals(other, key) for other, share in zip(wanted, shares, strict=True) if share)


def _take(wanted: Sequence[ForeignKey], shares: list[list[ForeignKey]], left: list[ForeignKey], fits: Fits) -> None:
    """Give each wanted key without a share the best of the keys that are left and fit."""
    for key, share in zip(wanted, shares, strict=True):
        fitting = [each for each in left if fits(each, key)] if not share else []
        for best in sorted(fitting, key=lambda each: (not each.holds, each.name != key.name, each.name))[:1]:
            share.append(best)
            left.remove(best)
