"""A deferrable unique or exclusion constraint is not enforced: the trigger that checks it is disabled.

Costs: rows that break it are accepted, although the catalogue calls it valid; pg_dump does not show that state.
Cure: settle the rows that break it (see duplicate-values and conflicting-rows), then enable the trigger. Only a
superuser may enable it; any other role drops the constraint and adds it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._rooms import ASLEEP, ROOM_ROWS, rooms
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Phase, Repair, refuse
from fixer.model.subject import FoundIndex
from fixer.model.table import Index
from fixer.model.table import Table as WantedTable
from fixer.repair.constraints import exclusions
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter, drop_constraint, enable_triggers
from fixer.sql.compose import SQL, Composable
from fixer.sql.uniques import claim, told

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "disabled-unique"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundIndex]]:
    """Yield the wanted constraints of which the table has one whose trigger does not fire."""
    for wanted, table in walk.tables(actual, contract):
        for key in wanted.indexes:
            found = next((each for each in table.indexes if _is_it(each, key, table)), None)
            if found and found.disabled_triggers:
                message = (
                    f"{table.name.name} should have {told(key)}, {found.name} is not enforced: its trigger is disabled"
                )
                yield Finding(SLUG, POINT, FoundIndex(table.name, key, found), message)


def _is_it(found: Index, wanted: Index, table: WantedTable) -> bool:
    """Return whether a valid index of the table is the wanted one."""
    if not found.valid or found.unique != wanted.unique or found.primary != wanted.primary:
        return False
    if wanted.exclusion or found.exclusion:
        return bool(wanted.exclusion and found.exclusion) and claim(found, table) == claim(wanted, table)
    return found.deferrable == wanted.deferrable and set(found.columns) == set(wanted.columns) and not found.partial


def repair(finding: Finding[FoundIndex], actual: Schema, contract: Contract) -> Repair:
    """Enable its trigger, or drop the constraint and add it again."""
    name, key = finding.table, finding.about.found
    columns = actual.tables[name].columns
    retyped = any(each.retyped_in or each.now for each in columns.values())
    if actual.session and actual.session.superuser and not retyped:
        return Repair.of(enable_triggers(Phase.INDEXES, name, f"constraint {key.name}", key.disabled_triggers))
    if actual.tables[name].kind != "r" or actual.tables[name].inherits:
        enable = [f"ALTER TABLE {q.quoted(on)} ENABLE TRIGGER {q.quoted([each])}" for on, each in key.disabled_triggers]
        return refuse(f"only a superuser may enable its trigger: {'; '.join(enable)};")
    if key.exclusion:
        again = exclusions.added(key.name, key, actual.tables[name], actual.version, instead_of=key)
        return Repair.of([again])
    reason = "the type of a column changes" if retyped else "only a superuser may enable its trigger"
    why = f"drop the constraint {key.name} ({reason})"
    clause = SQL("ADD {}").format(ddl.key_clause(key.name, key))
    return Repair.of(
        (
            drop_constraint(name, key.name, why, hazard=Hazard.REPLACES_CONSTRAINT),
            alter(Phase.INDEXES, name, f"add the constraint {key.name}", clause),
        )
    )


def _members() -> sa.MetaData:
    """Return a contract with a deferrable unique."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table(
        "members",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("email", sa.String(100), nullable=False),
        sa.Column("name", sa.String(100)),
        sa.UniqueConstraint("email", deferrable=True, initially="DEFERRED"),
    )
    return metadata


SETUP = "INSERT INTO members (email) VALUES ('a@example.invalid'), ('b@example.invalid')"
REPEATING = "ALTER TABLE members DISABLE TRIGGER ALL; INSERT INTO members (email) VALUES ('a@example.invalid')"
SPECIMENS = (
    Specimen("disabled", "ALTER TABLE members DISABLE TRIGGER ALL", contract=_members, setup=SETUP, superuser=True),
    Specimen(
        "disabled, and rows repeat",
        REPEATING,
        hazards=frozenset({"moves-rows"}),
        quarantined=1,
        also=frozenset({"duplicate-values"}),
        contract=_members,
        setup=SETUP,
        superuser=True,
        deep=True,
    ),
    Specimen(
        "disabled, and rows repeat; unlogged",
        "ALTER TABLE members SET UNLOGGED;" + REPEATING,
        hazards=frozenset({"moves-rows", "rewrites-table"}),
        quarantined=1,
        also=frozenset({"duplicate-values", "unlogged-table"}),
        contract=_members,
        setup=SETUP,
        superuser=True,
        deep=True,
    ),
    Specimen(
        "disabled, and rows repeat; another column is converted",
        "ALTER TABLE members ALTER name TYPE integer USING 7;" + REPEATING,
        hazards=frozenset({"moves-rows", "rewrites-values", "replaces-constraint"}),
        quarantined=1,
        also=frozenset({"duplicate-values", "wrong-type"}),
        contract=_members,
        setup=SETUP,
        superuser=True,
        deep=True,
    ),
    Specimen("an exclusion", ASLEEP, contract=rooms, setup=ROOM_ROWS, superuser=True),
    Specimen(
        "an exclusion, and rows conflict",
        f"{ASLEEP} INSERT INTO rooms (hours, opens, shuts, place) VALUES ('[8,12)', 90, 91, 2)",
        also=frozenset({"conflicting-rows"}),
        contract=rooms,
        setup=ROOM_ROWS,
        superuser=True,
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen(
        "a trigger of a user is disabled",
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER quiet BEFORE INSERT ON members FOR EACH ROW EXECUTE FUNCTION nothing();"
        "ALTER TABLE members DISABLE TRIGGER quiet",
        contract=_members,
        setup=SETUP,
    ),
)


def mutate(table: WantedTable) -> Iterator[Composable]:
    """Yield statements that plant it in a table: disable all triggers, and let two rows break a unique."""
    for index in table.indexes:
        if index.deferrable:
            yield plant.block(
                plant.altered(table.name, "DISABLE TRIGGER ALL"), plant.repeated(table.name, index.columns)
            )
