"""Declared old keys that stand in the type of the new ones, where only the rows tell which of them a column holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from fixer.model.contract import Contract
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import refuse
from fixer.model.subject import OfColumn, OfForeignKey
from fixer.model.table import ForeignKey
from fixer.model.values import dataclass
from fixer.repair.constraints.texts import Texts
from fixer.repair.probe import parents, shown
from fixer.repair.rekeying import in_place
from fixer.repair.rekeying.held import by_hand
from fixer.repair.rekeying.in_place import doubtful
from fixer.sql import compose as q
from fixer.sql.compose import SQL
from fixer.sql.types import family


@dataclass(frozen=True)
class InPlace(OfForeignKey):
    """A foreign key whose column holds old keys in the type of the new one."""

    texts: Texts


def in_place_of_new(
    slug: str, point: int, key: ForeignKey, actual: Schema, contract: Contract
) -> Iterator[Finding[InPlace | OfColumn]]:
    """Yield the findings of a class about columns of a foreign key that hold declared old keys of its target."""
    return (_alone if len(key.columns) == 1 else _parts)(slug, point, key, actual, contract)


def _alone(
    slug: str, point: int, key: ForeignKey, actual: Schema, contract: Contract
) -> Iterator[Finding[InPlace | OfColumn]]:
    """Yield a finding where a column holds declared old keys in the type of the new one."""
    child, parent, column = actual.tables.get(key.table), actual.tables.get(key.target), key.columns[0]
    if child is None or parent is None or child.created or parent.created:
        return
    found, new = child.columns.get(column), parent.columns.get(key.target_columns[0])
    if any(each.holds and each.points_as(key) for each in child.foreign_keys):
        return
    if found is None or new is None or found.now is not None or new.now is not None or new.added:
        return
    for legacy in contract.hints[key.target].of(new.name).legacy_keys:
        old = parent.columns.get(legacy)
        if old is None or old.added or old.now is not None:
            continue
        texts = Texts(key, legacy, family(new.type))
        message = f"{key.table.name}.{column} should be the {new.name} of {key.target.name}, holds its {legacy}"
        show = (*shown(child), q.column(column))
        if family(old.type) == family(found.type) == family(new.type) != "integer":
            held = in_place.held(texts, parents(parent))
            asks = partial(Probe, q.rows_of(child), held, show, shared=False, costly=True)
            yield Finding(slug, point, InPlace(key, texts), message, asks=asks, only_with_rows=True)
            about, asks = OfColumn(key.table, column), partial(Probe, q.rows_of(child), doubtful(texts, actual), show)
            apart = f"{key.table.name}.{column} should mean one row of {key.target.name}, several have its {legacy}"
            yield Finding(slug, point, about, apart, asks=asks, only_with_rows=True, aspect=f"{legacy} of several")
        else:
            bare = replace(texts, mixed="")
            numbers = SQL("{} AND NOT ({})").format(
                replace(bare, legacy=new.name).unmatched(parent), bare.unmatched(parent)
            )
            asks = partial(Probe, q.rows_of(child), numbers, show, shared=False, costly=True)
            about, why = OfColumn(key.table, column), refuse(by_hand(key, legacy, found))
            yield Finding(slug, point, about, message, asks=asks, only_with_rows=True, repair=why)
        return


def _parts(
    slug: str, point: int, key: ForeignKey, actual: Schema, contract: Contract
) -> Iterator[Finding[InPlace | OfColumn]]:
    """Yield the findings for a person where a column of a key of several holds declared old keys."""
    child, parent = actual.tables.get(key.table), actual.tables.get(key.target)
    if child is None or parent is None or any(each.holds and each.points_as(key) for each in child.foreign_keys):
        return
    for column, new in zip(key.columns, key.target_columns, strict=True):
        for legacy in contract.hints[key.target].of(new).legacy_keys:
            there = column in child.columns and {new, legacy} <= parent.columns.keys()
            if not there or child.created or parent.created or parent.columns[new].added:
                continue
            one = replace(key, columns=(column,), target_columns=(new,))
            held = SQL("{} AND NOT ({})").format(*(Texts(one, each).unmatched(parent) for each in (new, legacy)))
            show = (*shown(child), q.column(column))
            message = f"{key.table.name}.{column} should be the {new} of {key.target.name}, holds its {legacy}"
            why = refuse("it is one of several columns of a key, and legacy_keys map only a key of one: map it by hand")
            asks = partial(Probe, q.rows_of(child), held, show, shared=False, costly=True)
            finding = Finding(slug, point, OfColumn(key.table, column), message, asks=asks, only_with_rows=True)
            yield replace(finding, repair=why, aspect=legacy)
