"""A column holds the old keys of its parent, but the contract wants the new one.

Costs: the foreign key cannot be added (42804 incompatible types), and joins fail or find nothing.
Cure: map each old key to the new key of the parent that carries it. Every existing relation is kept, and no new one
appears; the texts stay in another column, or, where the type stays, in the journal. A text that no parent carries is an
orphan (see orphan-rows). Of identical parents under one old key, one stays, and its copies go to quarantine. If
different parents carry the same text, or an old number may be a new one, a person decides.
Hint: `legacy_keys` on the key of the parent names the columns that were its key before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects._rekeyed import COPIES, GROUPS, OWNERS, PETS, TEXTS, by_text, by_uuid
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfColumn, OfForeignKey
from fixer.model.table import ForeignKey, QName
from fixer.model.table import Table as WantedTable
from fixer.model.values import dataclass
from fixer.repair.probe import parents, shown
from fixer.repair.rekeying import in_place, mapped_later, rekeyed, to_the_last, without_mark
from fixer.repair.rekeying.held import by_hand, half_of, texts_of
from fixer.repair.rekeying.in_place import doubtful
from fixer.repair.rekeying.texts import Half, Texts
from fixer.repair.rekeying.twice import clashes_of, copies_leave, copies_of, rivals_of, without_copies
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable
from fixer.sql.types import family

SLUG = "text-reference"
POINT = 2
STAGE = Stage.REFERENCES


@dataclass(frozen=True)
class Reference(OfForeignKey):
    """A foreign key whose column holds the texts of an old key of its parent."""

    texts: Texts


@dataclass(frozen=True)
class InPlace(OfForeignKey):
    """A foreign key whose column holds old keys in the type of the new one."""

    texts: Texts


@dataclass(frozen=True)
class HalfMapped(OfForeignKey):
    """A foreign key whose column an interrupted run has mapped in most rows."""

    half: Half


@dataclass(frozen=True)
class Copies(OfColumn):
    """The old key of a parent, which identical rows share."""

    texts: Texts


About = Reference | InPlace | HalfMapped | Copies | OfColumn


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[About]]:
    """Yield the columns to map, with probes for texts that no parent or several parents carry."""
    for key in contract.foreign_keys():
        if half := half_of(key, actual, contract):
            message = f"{key.table.name}.{key.columns[0]} should be mapped in every row, its repair was interrupted"
            yield Finding(SLUG, POINT, HalfMapped(key, half), message)
    seen = set[tuple[QName, str]]()
    for key in contract.differing_foreign_keys():
        texts = texts_of(key, actual, contract)
        if texts is None:
            yield from _old_keys(key, actual, contract) if len(key.columns) == 1 else _parts(key, actual, contract)
            continue
        child, parent = actual.tables[key.table], actual.tables[key.target]
        wanted = contract.tables[key.table].columns[texts.column].type
        message = (
            f"{key.table.name}.{texts.column} should be the {wanted} of {key.target.name}, holds its {texts.legacy}"
        )
        show = (*shown(child), q.column(texts.column))
        lost = partial(Probe, q.rows_of(child), texts.unmatched(parent), show, shared=False, costly=True)
        yield Finding(SLUG, POINT, Reference(key, texts), message, asks=lost)
        yield from _shared(texts, actual, (key.target, texts.legacy) in seen)
        seen.add((key.target, texts.legacy))


def _shared(texts: Texts, actual: Schema, copies_told: bool) -> Iterator[Finding[About]]:
    """Yield the findings for parents that share a text: identical ones, and those that only a person can tell apart."""
    target, legacy, about = texts.key.target, texts.legacy, OfColumn(texts.key.table, texts.column)
    apart = f"{target.name}.{legacy} should tell rows apart, several rows share it"
    asks = partial(rivals_of, texts, actual)
    yield Finding(SLUG, POINT, about, apart, only_with_rows=True, asks=asks, aspect=f"{legacy} of several")
    if texts.mixed:
        clash = (
            f"{target.name}.{legacy} should tell rows apart, other rows have it as their {texts.key.target_columns[0]}"
        )
        asks = partial(clashes_of, texts, actual)
        yield Finding(SLUG, POINT, about, clash, only_with_rows=True, asks=asks, aspect=f"{legacy} of others")
    if not copies_told:
        message = f"{target.name} should have each {legacy} once, has identical rows"
        asks = partial(copies_of, texts, actual)
        yield Finding(SLUG, POINT, Copies(target, legacy, texts), message, only_with_rows=True, asks=asks)


def _old_keys(key: ForeignKey, actual: Schema, contract: Contract) -> Iterator[Finding[About]]:
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
            yield Finding(SLUG, POINT, InPlace(key, texts), message, asks=asks, only_with_rows=True)
            about, asks = OfColumn(key.table, column), partial(Probe, q.rows_of(child), doubtful(texts, actual), show)
            apart = f"{key.table.name}.{column} should mean one row of {key.target.name}, several have its {legacy}"
            yield Finding(SLUG, POINT, about, apart, asks=asks, only_with_rows=True, aspect=f"{legacy} of several")
        else:
            bare = replace(texts, mixed="")
            numbers = SQL("{} AND NOT ({})").format(
                replace(bare, legacy=new.name).unmatched(parent), bare.unmatched(parent)
            )
            asks = partial(Probe, q.rows_of(child), numbers, show, shared=False, costly=True)
            about, why = OfColumn(key.table, column), refuse(by_hand(key, legacy, found))
            yield Finding(SLUG, POINT, about, message, asks=asks, only_with_rows=True, repair=why)
        return


def _parts(key: ForeignKey, actual: Schema, contract: Contract) -> Iterator[Finding[About]]:
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
            finding = Finding(SLUG, POINT, OfColumn(key.table, column), message, asks=asks, only_with_rows=True)
            yield replace(finding, repair=why, aspect=legacy)


def repair(finding: Finding[About], actual: Schema, contract: Contract) -> Repair:
    """Map the references; refuse if several parents carry a text."""
    about = finding.about
    if isinstance(about, HalfMapped):
        return Repair.of(to_the_last(about.half, actual, about.half.aside))
    if isinstance(about, Reference):
        return Repair.of(rekeyed(about.texts, finding.rows, actual, contract, _all_mapped(actual, contract)))
    if isinstance(about, InPlace):
        return Repair.of(in_place.mapped_in_place(about.texts, finding.rows, actual, contract))
    if isinstance(about, Copies):
        return Repair.of(without_copies(about.texts, finding.rows, actual))
    return refuse("only a person can tell which of them a reference means")


def foresee(finding: Finding[About], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the new keys in the column, without keys and indexes, and the texts in another one."""
    about = finding.about
    if isinstance(about, HalfMapped):
        return without_mark(about.half, actual)
    if isinstance(about, InPlace):
        return in_place.mapped_as_foreseen(about.texts, actual)
    if isinstance(about, Copies):
        return copies_leave(about.texts, actual)
    return mapped_later(about.wanted, actual, contract) if isinstance(about, Reference) else actual


def _all_mapped(actual: Schema, contract: Contract) -> Schema:
    """Return the schema after all columns of texts are renamed, and the foreign keys on them dropped."""
    for key in [key for key in contract.differing_foreign_keys() if texts_of(key, actual, contract)]:
        actual = mapped_later(key, actual, contract)
    return actual


HAZARDS = frozenset({"rewrites-values"})
ALSO = frozenset({"missing-foreign-key"})


SPECIMENS = (
    Specimen("texts of the old key", TEXTS, hazards=HAZARDS, also=ALSO),
    Specimen(
        "a foreign key to the old key",
        f"{TEXTS} ALTER TABLE authors ADD UNIQUE (code);"
        "ALTER TABLE books ADD FOREIGN KEY (author_id) REFERENCES authors (code)",
        hazards=HAZARDS,
    ),
    Specimen(
        "some texts map to nothing",
        f"{TEXTS} UPDATE books SET author_id = 'A-77' WHERE id < 3",
        hazards=HAZARDS | {"moves-rows"},
        rows=2,
        quarantined=6,
        also=ALSO,
    ),
    Specimen(
        "a text means two rows",
        f"{TEXTS} UPDATE authors SET code = 'A-2' WHERE id = 3",
        manual=True,
        also=ALSO,
    ),
    Specimen(
        "texts of the old key of a uuid, and one that is none",
        f"{PETS} UPDATE pets SET owner_id = 'A' WHERE id = 1; INSERT INTO pets (owner_id) VALUES ('C')",
        hazards=HAZARDS | {"moves-rows"},
        rows=1,
        quarantined=1,
        also=ALSO,
        contract=by_uuid,
        setup=OWNERS,
    ),
    Specimen(
        "a text is the old key of one row, and the new one of another",
        f"{PETS} UPDATE owners SET code = (SELECT o.id FROM owners AS o WHERE o.code = 'A') WHERE code = 'B'",
        rows=1,
        manual=True,
        also=ALSO,
        contract=by_uuid,
        setup=OWNERS,
    ),
    Specimen(
        "old keys in the type of the new one",
        "ALTER TABLE members DROP CONSTRAINT members_group_id_fkey; UPDATE members SET group_id = 'b' WHERE id > 1",
        hazards=HAZARDS,
        rows=2,
        also=ALSO,
        contract=by_text,
        setup=GROUPS,
    ),
    Specimen(
        "an old number that may be a new one",
        "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey; ALTER TABLE authors ADD COLUMN code integer;"
        "UPDATE authors SET code = 100 + id; UPDATE books SET author_id = 103 WHERE id < 3",
        rows=2,
        manual=True,
        also=ALSO | {"orphan-rows"},
    ),
    Specimen(
        "identical rows under one old key",
        COPIES,
        hazards=HAZARDS | {"moves-rows", "rewrites-table"},
        rows=4,
        quarantined=4,
        also=ALSO | {"missing-primary-key", "missing-unique", "text-key"},
    ),
)
NEAR_MISSES = (
    Specimen(
        "the old key of one row is the new one of another",
        "UPDATE groups SET code = 'one' WHERE id = 'two'",
        contract=by_text,
        setup=GROUPS,
    ),
    Specimen(
        "the old key stands beside",
        "ALTER TABLE authors ADD COLUMN code text; UPDATE authors SET code = 'A' || id",
    ),
)


def mutate(table: WantedTable) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a reference hold texts of a column of its parent."""
    for key in table.foreign_keys:
        if len(key.columns) == 1 and key.target != table.name:
            codes = SQL("UPDATE {} SET code = 'code-' || {}").format(q.name(key.target), q.names(key.target_columns))
            turn = "ALTER COLUMN {0} DROP DEFAULT, ALTER COLUMN {0} TYPE text USING 'code-' || {0}"
            yield plant.block(
                plant.altered(key.target, "ADD COLUMN IF NOT EXISTS code text"),
                codes,
                plant.without(table.name, key.name),
                plant.altered(table.name, turn, key.columns[0]),
            )
