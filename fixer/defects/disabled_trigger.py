"""A trigger is disabled, or one of its partitions' is, that the contract declares awake.

Costs: what it fills, checks or writes elsewhere stays undone, and no error says so: perhaps since a load of rows that
forgot to enable it again.
Cure: enable it, once all rows are where they belong. It acts on later writes alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _code as code
from fixer.defects import _planting as plant
from fixer.defects._desk import DESK_ROWS, desk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Code, FoundCode, Kind
from fixer.model.step import Lock, Phase, Repair, Step
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Identifier

SLUG = "disabled-trigger"
POINT = 4
STAGE = Stage.CODE
_WAKES = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA", "S": "ENABLE"}


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundCode]]:
    """Yield the triggers that sleep although the contract wants them awake."""
    for about in code.enabled_otherwise(actual, contract):
        if code.is_asleep(about):
            where = " in a partition" if about.found.enabled == "S" else ""
            yield Finding(SLUG, POINT, about, f"the trigger {about.object} should fire, is disabled{where}")


def repair(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Repair:
    """Enable the trigger as the contract has it."""
    wanted = finding.about.wanted
    action = SQL(f"{_WAKES[wanted.enabled]} TRIGGER {{}}").format(Identifier(wanted.key.part))
    title = f"enable {wanted.told}"
    statement = ddl.altered(finding.table, action)
    return Repair.of([Step(Phase.TRIGGERS, finding.table, title, statement, Lock.SHARE_ROW_EXCLUSIVE)])


def foresee(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the trigger awake."""
    return code.found(finding, actual)


SPECIMENS = (
    Specimen("alone", "ALTER TABLE desk.tickets DISABLE TRIGGER stamp", contract=desk, setup=DESK_ROWS),
    Specimen(
        "while rows move",
        "ALTER TABLE desk.tickets DISABLE TRIGGER stamp; ALTER TABLE desk.tickets DROP CONSTRAINT tickets_title_key;"
        "INSERT INTO desk.tickets (title) SELECT title FROM desk.tickets WHERE id < 3",
        hazards=frozenset({"moves-rows"}),
        quarantined=2,
        also=frozenset({"missing-unique", "duplicate-values"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "of a partitioned table, while rows move",
        "ALTER TABLE desk.visits DISABLE TRIGGER stamp; ALTER TABLE desk.visits DROP CONSTRAINT visits_ticket_id_fkey;"
        "UPDATE desk.visits SET ticket_id = 99 WHERE id = 1",
        hazards=frozenset({"moves-rows"}),
        quarantined=1,
        also=frozenset({"missing-foreign-key", "orphan-rows"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "above its partitions", "ALTER TABLE ONLY desk.visits DISABLE TRIGGER stamp", contract=desk, setup=DESK_ROWS
    ),
    Specimen("in a partition", "ALTER TABLE desk.visits_1 DISABLE TRIGGER stamp", contract=desk, setup=DESK_ROWS),
)
NEAR_MISSES = (
    Specimen(
        "one that the contract does not know",
        "CREATE TRIGGER more BEFORE UPDATE ON desk.tickets FOR EACH ROW EXECUTE FUNCTION desk.stamp();"
        "ALTER TABLE desk.tickets DISABLE TRIGGER more",
        contract=desk,
        setup=DESK_ROWS,
    ),
)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: disable the trigger."""
    if each.key.kind == Kind.TRIGGER and each.enabled == "O":
        yield plant.altered(each.home, "DISABLE TRIGGER {}", each.key.part)
