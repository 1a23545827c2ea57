"""A rule rewrites what is written to a table: it does something else instead, or something more.

Costs: with DO INSTEAD an INSERT says INSERT 0 0 and the row is gone, or RETURNING fails; with DO ALSO each expression
runs twice, so a sequence skips numbers.
Cure: a person drops or disables the rule, because only a person knows what it is for. One that a contract of SQL
declares is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _code as code
from fixer.defects import _walk as walk
from fixer.defects._ledger import LEDGER_ROWS, ledger
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.obstacle import FIRING, Rule
from fixer.model.schema import Schema
from fixer.model.schema.code import Kind
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.table import Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable

SLUG = "rogue-rule"
POINT = 5
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield the rules that fire; one that takes the place of every such statement is an error."""
    for _, table in walk.tables(actual, contract, alike=True):
        for rule in table.obstacles:
            if isinstance(rule, Rule) and rule.enabled in FIRING:
                if code.declares(contract, Kind.RULE, table.name, rule.name):
                    continue
                message = f"{table.name.name} should keep what is written, the rule {rule.name} says ON {rule.does}"
                always = "DO INSTEAD" in rule.does and "WHERE" not in rule.does
                why = f"drop it, or run: ALTER TABLE {q.quoted(table.name)} DISABLE RULE {q.quoted([rule.name])}"
                severity = "error" if always else "warning"
                about, left = OfTable(table.name), refuse(why)
                yield Finding(SLUG, POINT, about, message, severity=severity, repair=left, aspect=rule.name)


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


SPECIMENS = (
    Specimen("it swallows rows", "CREATE RULE odd AS ON INSERT TO reviews DO INSTEAD NOTHING", manual=True),
    Specimen(
        "it swallows some rows",
        "CREATE RULE odd AS ON DELETE TO reviews WHERE old.id > 3 DO INSTEAD NOTHING",
        manual=True,
    ),
    Specimen(
        "it does more",
        "CREATE TABLE log (n integer); CREATE RULE odd AS ON UPDATE TO reviews DO ALSO INSERT INTO log VALUES (new.id)",
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen(
        "disabled",
        "CREATE RULE odd AS ON INSERT TO reviews DO INSTEAD NOTHING; ALTER TABLE reviews DISABLE RULE odd",
    ),
    Specimen(
        "of a view",
        "CREATE VIEW seen AS SELECT * FROM reviews; CREATE RULE odd AS ON INSERT TO seen DO INSTEAD NOTHING",
    ),
    Specimen("the contract declares it", "INSERT INTO ledger VALUES (7, 7)", contract=ledger, setup=LEDGER_ROWS),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: add a rule that swallows deletes."""
    yield SQL("CREATE RULE pgmend_rule AS ON DELETE TO {} DO INSTEAD NOTHING").format(q.name(table.name))
