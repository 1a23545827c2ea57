"""A trigger that fires before each row returns NULL, so the row is not written; or one deletes or refuses all new rows.

Costs: an INSERT says INSERT 0 0 and the row is gone, or RETURNING gives nothing; or it says INSERT 0 1 and the row is
gone all the same. No error tells the application. Or each INSERT fails with P0001, as if the table were for reading
only.
Cure: a person drops, disables or mends the trigger, because only a person knows what it is for. A trigger that keeps
all new rows out is an error, one that keeps changes or deletions out a warning. One that a contract of SQL declares is
meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _code as code
from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.obstacle import FIRING, Below, Trigger
from fixer.model.schema import Schema
from fixer.model.schema.code import Kind
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.table import QName, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable
from fixer.sql.deletions import deletes_new_rows

SLUG = "swallowing-trigger"
POINT = 5
STAGE = Stage.PARTS
# What amounts to NULL: a new row has no OLD, and one that goes no NEW (PostgreSQL manual, 41.10.1).
NOTHING = {"INSERT": {"null", "old"}, "UPDATE": {"null"}, "DELETE": {"null", "new"}}


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield the triggers that keep rows out: always, or in some of their branches."""
    for _, table in walk.tables(actual, contract, alike=True):
        for trigger in _triggers(table):
            if code.declares(contract, Kind.TRIGGER, table.name, trigger.name):
                continue
            always = [deed for deed in NOTHING if _swallows(trigger, deed)]
            some = [deed for deed in NOTHING if f"on {deed}" in trigger.does and "returns null" in trigger.does]
            if "refuses" in trigger.does:
                yield _finding(table, trigger, ["INSERT"], "refuses every row", "it raises an exception")
            elif deletes_new_rows(table, trigger):
                yield _finding(table, trigger, ["INSERT"], "keeps no new row", "it deletes them afterwards")
            elif always or some:
                how = "keeps every row out" if always else "may keep a row out"
                yield _finding(table, trigger, always or some, how, "it returns NULL", sure=bool(always))


def _triggers(table: Table) -> Iterator[Trigger | Below]:
    """Yield what fires for the rows of a table: a row that is written through a parent fires nothing of its heirs."""
    for each in table.obstacles:
        if (isinstance(each, Trigger) or (isinstance(each, Below) and table.kind == "p")) and each.enabled in FIRING:
            yield each


def _swallows(trigger: Trigger | Below, deed: str) -> bool:
    """Return whether a trigger returns nothing for all such rows, whatever its function does."""
    returns = {word.removeprefix("returns ") for word in trigger.does if word.startswith("returns ")}
    sure = "when" not in trigger.does and "raises" not in trigger.does
    return f"on {deed}" in trigger.does and bool(returns) and returns <= NOTHING[deed] and sure


def _finding(
    table: Table, trigger: Trigger | Below, deeds: list[str], how: str, reason: str, *, sure: bool = True
) -> Finding[OfTable]:
    what = f"the trigger {trigger.name}" if isinstance(trigger, Trigger) else f"the {trigger.name}"
    message = f"{table.name.name} should keep what is written, {what} {how} ON {' OR '.join(deeds)}: {reason}"
    severity = "info"
    if sure:
        severity = "error" if "INSERT" in deeds and not table.heirs else "warning"
    way = f"ALTER TABLE {q.quoted(table.name)} DISABLE TRIGGER {q.quoted([trigger.name])}"
    why = f"mend its function, or run: {way}" if isinstance(trigger, Trigger) else "mend its function, or drop it"
    about = OfTable(table.name)
    return Finding(SLUG, POINT, about, message, severity=severity, repair=refuse(why), aspect=trigger.name)


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


_ODD = SQL("CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
_FIRED = SQL("CREATE TRIGGER odd BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION {}()")


def _trigger(events: str, body: str, when: str = "") -> str:
    return (
        f"CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$;"
        f"CREATE TRIGGER odd {events} ON reviews FOR EACH ROW {when} EXECUTE FUNCTION odd()"
    )


SPECIMENS = (
    Specimen("it swallows rows", _trigger("BEFORE INSERT", "BEGIN RETURN NULL; END"), manual=True),
    Specimen(
        "it returns the old row of a new one",
        _trigger("BEFORE INSERT OR UPDATE", "BEGIN /* return new; */ RETURN OLD; -- return new;\nEND"),
        manual=True,
    ),
    Specimen(
        "it refuses all rows", _trigger("BEFORE INSERT", "DECLARE n int; BEGIN RAISE 'read only'; END"), manual=True
    ),
    Specimen(
        "it refuses each statement",
        _trigger("AFTER INSERT OR DELETE", "BEGIN RAISE EXCEPTION 'read only'; END").replace(" FOR EACH ROW", ""),
        manual=True,
    ),
    Specimen(
        "it moves them afterwards",
        "CREATE TABLE apart (LIKE reviews);"
        + _trigger(
            "AFTER INSERT",
            "BEGIN INSERT INTO apart VALUES (new.*); DELETE FROM reviews WHERE id = new.id; RETURN NULL; END",
        ),
        manual=True,
    ),
    Specimen("it keeps rows from going", _trigger("BEFORE DELETE", "BEGIN RETURN NEW; END"), manual=True),
)
NEAR_MISSES = (
    Specimen("it fires afterwards", _trigger("AFTER INSERT OR UPDATE OR DELETE", "BEGIN RETURN NULL; END")),
    Specimen(
        "it deletes others afterwards",
        _trigger("AFTER INSERT", "BEGIN DELETE FROM reviews WHERE id = new.id - 1000; RETURN NULL; END"),
    ),
    Specimen("it returns the row", _trigger("BEFORE INSERT OR UPDATE", "BEGIN RETURN NEW; END")),
    Specimen(
        "it returns what there is",
        _trigger(
            "BEFORE INSERT OR UPDATE OR DELETE",
            "BEGIN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END",
        ),
    ),
    Specimen(
        "it is disabled",
        _trigger("BEFORE INSERT", "BEGIN RETURN NULL; END") + "; ALTER TABLE reviews DISABLE TRIGGER odd",
    ),
    Specimen(
        "it swallows what no application writes",
        _trigger("BEFORE INSERT", "BEGIN RETURN NULL; END", "WHEN (new.id = -2147483648)"),
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a trigger drop each new row."""
    function = q.name(QName(table.name.schema, f"odd {table.name.name}"))
    yield plant.block(_ODD.format(function), _FIRED.format(q.name(table.name), function))
