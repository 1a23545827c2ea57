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
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects._old_keys import InPlace, in_place_of_new
from fixer.defects._rekeyed import (
    COPIES,
    GROUPS,
    OWNERS,
    PETS,
    STAFF,
    STAFF_OF_TEXTS,
    TEXTS,
    by_text,
    by_uuid,
    staff,
)
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfColumn, OfForeignKey
from fixer.model.table import QName
from fixer.model.table import Table as WantedTable
from fixer.model.values import dataclass
from fixer.repair.constraints.texts import Half, Texts
from fixer.repair.probe import shown
from fixer.repair.rekeying import in_place, rekeyed, to_the_last
from fixer.repair.rekeying.foreseen import all_mapped, in_turn, mapped_later, without_mark
from fixer.repair.rekeying.held import half_of, texts_of
from fixer.repair.rekeying.twice import clashes_of, copies_leave, copies_of, rivals_of, without_copies
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable

SLUG = "text-reference"
POINT = 2
STAGE = Stage.REFERENCES


@dataclass(frozen=True)
class Reference(OfForeignKey):
    """A foreign key whose column holds the texts of an old key of its parent."""

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
    for key, then in in_turn(actual, contract):
        texts = texts_of(key, then, contract)
        if texts is None:
            yield from in_place_of_new(SLUG, POINT, key, then, contract)
            continue
        child, parent = then.tables[key.table], then.tables[key.target]
        wanted = contract.tables[key.table].columns[texts.column].type
        message = (
            f"{key.table.name}.{texts.column} should be the {wanted} of {key.target.name}, holds its {texts.legacy}"
        )
        show = (*shown(child), q.column(texts.column))
        lost = partial(Probe, q.rows_of(child), texts.unmatched(parent), show, shared=False, costly=True)
        yield Finding(SLUG, POINT, Reference(key, texts), message, asks=lost)
        yield from _shared(texts, then, (key.target, texts.legacy) in seen)
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


def repair(finding: Finding[About], actual: Schema, contract: Contract) -> Repair:
    """Map the references; refuse if several parents carry a text."""
    about = finding.about
    if isinstance(about, HalfMapped):
        return Repair.of(to_the_last(about.half, actual, about.half.aside))
    if isinstance(about, Reference):
        column = contract.tables[finding.table].columns[about.texts.column]
        if column.generates:
            return refuse(f"the contract lets {column.name} count by itself as well: map it by hand")
        return Repair.of(rekeyed(about.texts, finding.rows, actual, contract, all_mapped(actual, contract)))
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


HAZARDS = frozenset({"rewrites-values"})
ALSO = frozenset({"missing-foreign-key"})
REKEYED = HAZARDS | {"rewrites-table", "replaces-constraint"}
UNPROVED = frozenset({"missing-primary-key", "missing-unique", "duplicate-row", "duplicate-values"})
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
    Specimen(
        "texts in keys that are references, and in references to these",
        STAFF_OF_TEXTS,
        hazards=REKEYED,
        also=ALSO | {"text-key", "wrong-primary-key"},
        contract=staff,
        setup=STAFF,
    ),
    Specimen(
        "texts that repeat where the key, and one reference, should be unique",
        f"{STAFF_OF_TEXTS} ALTER TABLE badges DROP CONSTRAINT badges_employee_id_key;"
        "ALTER TABLE managers DROP CONSTRAINT managers_pkey; INSERT INTO managers VALUES ('P-5');"
        "UPDATE badges SET employee_id = 'P-4' WHERE employee_id = 'P-3'",
        hazards=REKEYED | {"moves-rows"},
        quarantined=2,
        also=ALSO | UNPROVED | {"text-key", "wrong-primary-key"},
        contract=staff,
        setup=STAFF,
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
