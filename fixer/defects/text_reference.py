"""A column holds the texts of its parent's old key, but the contract wants the new number.

Costs: the foreign key cannot be added (42804 incompatible types), and joins fail or find nothing.
Cure: map each text to the number of the parent that carries it. Every existing relation is kept, and no new one
appears; the texts stay in another column. A text that no parent carries is an orphan (see orphan-rows). If several
parents carry the same text, a person decides, as where the new key is no integer (uuid, text).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Column as SAColumn
from sqlalchemy import ForeignKey as SAForeignKey
from sqlalchemy import Integer, MetaData, Table, Text, Uuid, text

from fixer.defects import _planting as plant
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfColumn, OfForeignKey
from fixer.model.table import Column, ForeignKey
from fixer.model.table import Table as WantedTable
from fixer.repair.constraints import online
from fixer.repair.constraints.foreign_keys import old_text_key
from fixer.repair.probe import shown
from fixer.repair.rekeying import Half, Texts, mapped_later, rekeyed, to_the_last, unmatched, without_mark
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable
from fixer.sql.types import family

SLUG = "text-reference"
POINT = 2
STAGE = Stage.REFERENCES


@dataclass(frozen=True)
class Reference(OfForeignKey):
    """A foreign key whose column holds the texts of its parent's `legacy` key."""

    legacy: str


@dataclass(frozen=True)
class HalfMapped(OfForeignKey):
    """A foreign key whose column an interrupted run has mapped in most rows."""

    half: Half


About = Reference | HalfMapped | OfColumn


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[About]]:
    """Yield the columns to map, with probes for texts that no parent or several parents carry."""
    for key in contract.foreign_keys():
        if half := _half(key, actual, contract):
            message = f"{key.table.name}.{key.columns[0]} should be mapped in every row, its repair was interrupted"
            yield Finding(SLUG, POINT, HalfMapped(key, half), message)
    for key in contract.differing_foreign_keys():
        legacy = _legacy_key(key, actual, contract)
        if legacy is None:
            yield from _old_keys(key, actual, contract)
            continue
        child, parent = actual.tables[key.table], actual.tables[key.target]
        column = key.columns[0]
        wanted = contract.tables[key.table].columns[column].type
        message = f"{key.table.name}.{column} should be the {wanted} of {key.target.name}, holds its {legacy}"
        lost = partial(
            Probe,
            q.rows_of(child),
            unmatched(column, legacy, parent),
            (*shown(child), q.column(column)),
            shared=False,
            costly=True,
        )
        yield Finding(SLUG, POINT, Reference(key, legacy), message, asks=lost)
        twice = SQL("{column} IN (SELECT {column} FROM {rows} GROUP BY 1 HAVING count(*) > 1)").format(
            column=q.column(legacy), rows=q.rows_of(parent)
        )
        yield Finding(
            SLUG,
            POINT,
            OfColumn(key.table, column),
            f"{key.target.name}.{legacy} should tell rows apart, several rows share it",
            only_with_rows=True,
            asks=partial(Probe, q.rows_of(parent), twice, (q.column(legacy),), shared=False, costly=True),
        )


def _old_keys(key: ForeignKey, actual: Schema, contract: Contract) -> Iterable[Finding[About]]:
    """Yield a finding for a person where a column holds declared old keys that are not mapped here."""
    child, parent, column = actual.tables.get(key.table), actual.tables.get(key.target), key.columns[0]
    if child is None or parent is None or len(key.columns) != 1 or child.created or parent.created:
        return
    found, new = child.columns.get(column), parent.columns.get(key.target_columns[0])
    held = any(each.holds and each.points_as(key) for each in child.foreign_keys)
    if held or found is None or new is None or found.now is not None or new.now is not None or new.added:
        return
    for legacy in contract.hints[key.target].of(new.name).legacy_keys:
        if legacy in parent.columns and not parent.columns[legacy].added:
            message = f"{key.table.name}.{column} should be the {new.name} of {key.target.name}, holds its {legacy}"
            old = SQL("{} AND NOT ({})").format(unmatched(column, new.name, parent), unmatched(column, legacy, parent))
            asks = partial(Probe, q.rows_of(child), old, (*shown(child), q.column(column)), shared=False, costly=True)
            why = refuse(_by_hand(key, legacy, found))
            about = OfColumn(key.table, column)
            yield Finding(SLUG, POINT, about, message, asks=asks, only_with_rows=True, repair=why)


def _by_hand(key: ForeignKey, legacy: str, found: Column) -> str:
    table, target = q.quoted(key.table), q.quoted(key.target)
    column, new = as_needed(key.columns[0]), as_needed(key.target_columns[0])
    return (
        f"legacy_keys are mapped to new integers only; map these by hand, and plan again: UPDATE {table} AS t"
        f" SET {column} = p.{new}::{found.full_type} FROM {target} AS p"
        f" WHERE p.{as_needed(legacy)}::text = t.{column}::text"
    )


def _legacy_key(key: ForeignKey, actual: Schema, contract: Contract) -> str | None:
    """Return the old key of the parent whose texts the column holds; None if it holds none."""
    child, parent = actual.tables.get(key.table), actual.tables.get(key.target)
    if child is None or parent is None or len(key.columns) != 1 or child.created or parent.created:
        return None
    found = child.columns.get(key.columns[0])
    wanted = contract.tables[key.table].columns[key.columns[0]]
    if found is None or family(found.type) not in ("text", "uuid") or family(wanted.type) != "integer":
        return None
    return old_text_key(key, key.columns[0], actual, contract)


def _half(key: ForeignKey, actual: Schema, contract: Contract) -> Half | None:
    """Return what an interrupted run has half mapped: its trigger still exists, its column has the final name."""
    child, column = actual.tables.get(key.table), key.columns[0]
    if child is None or key.target not in actual.tables or len(key.columns) != 1:
        return None
    beside = online.beside(column)
    if all(obstacle.name != online.syncing(key.table, beside) for obstacle in child.obstacles):
        return None
    asides = [name for name in child.columns if re.fullmatch(rf"legacy_{re.escape(column)}(_\d+)?", name)]
    if beside in child.columns or not asides:
        return None
    aside = max(asides, key=lambda name: (len(name), name))  # the highest number, given last
    legacy = old_text_key(key, aside, actual, contract)
    return Half(aside, legacy) if legacy else None


def repair(finding: Finding[About], actual: Schema, contract: Contract) -> Repair:
    """Map the references; refuse if several parents carry a text."""
    about = finding.about
    if isinstance(about, HalfMapped):
        return Repair.of(to_the_last(about.wanted, about.half, actual, about.half.aside))
    if isinstance(about, Reference):
        texts = Texts(about.wanted, about.legacy)
        return Repair.of(rekeyed(texts, finding.rows, actual, contract, _all_mapped(actual, contract)))
    return refuse("nobody but a person can tell which of them a reference means")


def foresee(finding: Finding[About], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the numbers in the column, without keys and indexes, and the texts in another one."""
    about = finding.about
    if isinstance(about, HalfMapped):
        return without_mark(about.wanted, about.half, actual)
    return mapped_later(about.wanted, actual, contract) if isinstance(about, Reference) else actual


def _all_mapped(actual: Schema, contract: Contract) -> Schema:
    """Return the schema after all columns of texts are renamed, and the foreign keys on them dropped."""
    for key in [key for key in contract.differing_foreign_keys() if _legacy_key(key, actual, contract)]:
        actual = mapped_later(key, actual, contract)
    return actual


TEXTS = (
    "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey; ALTER TABLE authors ADD COLUMN code varchar(20);"
    "UPDATE authors SET code = 'A-' || id;"
    "ALTER TABLE books ALTER COLUMN author_id TYPE varchar(20) USING 'A-' || author_id;"
)
HAZARDS = frozenset({"rewrites-values"})
ALSO = frozenset({"missing-foreign-key"})


def by_uuid() -> MetaData:
    """Return a contract whose keys are uuids, in place of declared texts."""
    metadata = MetaData()
    made = text("gen_random_uuid()")
    new = SAColumn("id", Uuid, primary_key=True, server_default=made, info={"legacy_keys": ["code"]})
    Table("owners", metadata, new, SAColumn("code", Text, unique=True))
    Table("pets", metadata, SAColumn("id", Integer, primary_key=True), SAColumn("owner_id", SAForeignKey("owners.id")))
    return metadata


OWNERS = "INSERT INTO owners (code) VALUES ('A'), ('B'); INSERT INTO pets (owner_id) SELECT id FROM owners;"
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
        "texts of the old key of a uuid",
        "ALTER TABLE pets DROP CONSTRAINT pets_owner_id_fkey, ALTER COLUMN owner_id TYPE text;"
        "UPDATE pets SET owner_id = 'A' WHERE id = 1",
        manual=True,
        rows=1,
        also=frozenset({"incompatible-foreign-key-type", "missing-foreign-key"}),
        contract=by_uuid,
        setup=OWNERS,
    ),
)
NEAR_MISSES = (
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
