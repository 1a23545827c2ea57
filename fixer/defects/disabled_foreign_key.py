"""A foreign key is not enforced: its triggers are disabled, as by an interrupted restore, or it is NOT ENFORCED.

Costs: rows that violate it are accepted. With disabled triggers, the catalogue still calls it valid, and pg_dump
does not show that state. They may be disabled in one partition alone.
Cure: repair the rows that violate it (see orphan-rows), then enable the triggers. Only a superuser may enable them; any
other role drops the foreign key and adds it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed, quoted
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, refuse
from fixer.model.subject import FoundForeignKey
from fixer.model.table import ForeignKey, Table
from fixer.repair.constraints.foreign_keys import arrow, best, exchange, reproved, retyped_in
from fixer.sql import compose as q
from fixer.sql.alter import enable_triggers
from fixer.sql.compose import Composable

SLUG = "disabled-foreign-key"
POINT = 2
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundForeignKey]]:
    """Yield the foreign keys that exist but are not enforced."""
    for key, found in walk.foreign_keys(actual, contract):
        right = best(key, found)
        if right and (right.disabled_triggers or not right.enforced):
            how = _state(right, actual)
            message = f"{arrow(key)}, {right.name} does not: {how}"
            if not (right.inherited and _is_of_the_whole(right, actual, contract)):
                yield Finding(SLUG, POINT, FoundForeignKey(key, right), message)


def _state(key: ForeignKey, actual: Schema) -> str:
    """Return why a foreign key is not enforced, in words."""
    if not key.disabled_triggers:
        return "it is NOT ENFORCED"
    there = {table for table, _ in key.disabled_triggers}
    parts = sorted(".".join(map(as_needed, name)) for name in there if len(actual.wholes(name)) > 1)
    return f"its triggers are disabled in {', '.join(parts[:3])}" if parts else "its triggers are disabled"


def _is_of_the_whole(key: ForeignKey, actual: Schema, contract: Contract) -> bool:
    """Return whether its triggers are also those of a foreign key that a table of the contract has of its own."""
    mine = {*key.disabled_triggers}
    tables = (actual.tables[name] for name in contract.tables if name in actual.tables)
    own = (k for table in tables for k in table.foreign_keys if not k.inherited)
    return bool(mine) and any(mine <= {*k.disabled_triggers} for k in own)


def repair(finding: Finding[FoundForeignKey], actual: Schema, contract: Contract) -> Repair:
    """Enable its triggers, or drop it and add it again."""
    wanted, key = finding.about.wanted, finding.about.found
    by_triggers = actual.session and actual.session.superuser and key.enforced
    if key.behaviour != wanted.behaviour and not key.inherited:
        return Repair.of(exchange(wanted, (key,), "it is made anew", actual))
    if not by_triggers and key.inherited:
        return refuse(f"only a superuser may enable its triggers: {_switched_on(key)}")
    if key.enforced and retyped_in(key, actual):  # its triggers have other names afterwards
        return Repair.of(reproved(key, actual))
    if not by_triggers:
        why = "only a superuser may enable its triggers" if key.enforced else "it is NOT ENFORCED"
        return Repair.of(exchange(wanted, (key,), why, actual))
    return Repair.of(enable_triggers(Phase.FOREIGN_KEYS, key.table, f"foreign key {key.name}", key.disabled_triggers))


def _switched_on(key: ForeignKey) -> str:
    """Return the statements that enable its triggers, to be pasted."""
    pairs = ((q.quoted(table), quoted(name)) for table, name in key.disabled_triggers)
    return " ".join(f"ALTER TABLE ONLY {table} ENABLE TRIGGER {name};" for table, name in pairs)


SPECIMENS = (
    Specimen("disabled on the child", "ALTER TABLE reviews DISABLE TRIGGER ALL", superuser=True),
    Specimen("disabled on the parent", "ALTER TABLE books DISABLE TRIGGER ALL", superuser=True),
    Specimen(
        "disabled, and orphans came in",
        "ALTER TABLE reviews DISABLE TRIGGER ALL; INSERT INTO reviews (book_id) VALUES (98), (99)",
        hazards=frozenset({"moves-rows"}),
        quarantined=2,
        also=frozenset({"orphan-rows"}),
        superuser=True,
    ),
)
NEAR_MISSES = (
    Specimen(
        "a trigger of a user is disabled",
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER quiet BEFORE INSERT ON reviews FOR EACH ROW EXECUTE FUNCTION nothing();"
        "ALTER TABLE reviews DISABLE TRIGGER quiet",
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: disable all triggers, up to PostgreSQL 14 also those of partitions."""
    if table.foreign_keys:
        yield plant.everywhere(table, "DISABLE TRIGGER ALL")
