"""Row level security is on, and no policy lets the application see or write rows.

It is an error for the role that --role names. Where a contract of SQL turns it on itself, its policies count instead
(see missing-policy).
Costs: to every role but the owner the table looks empty, updates say UPDATE 0, and inserts fail with 42501 new row
violates row-level security policy; where it is forced, to the owner too.
Cure: a person creates a policy, or turns row level security off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _code as code
from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.obstacle import Policy
from fixer.model.schema import Schema
from fixer.model.schema.code import Kind
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.table import Table
from fixer.sql import compose as q
from fixer.sql.compose import Composable

SLUG = "closed-row-security"
POINT = 5
STAGE = Stage.PARTS
DEEDS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield the tables whose rows no policy opens; where policies open some of them to the owner, say so."""
    for _, table in walk.tables(actual, contract, alike=True):
        if table.row_security and actual.application:
            if (table.stored_as or table.name) not in actual.application.unbound:
                yield from _closed(table, True, actual.application.role)
        elif table.row_security and not code.declares(contract, Kind.SECURITY, table.name):
            superuser = bool(actual.session and actual.session.superuser)
            yield from _closed(table, not superuser and (table.forced_row_security or not table.owned))


def _closed(table: Table, bound: bool, role: str = "") -> Iterator[Finding[OfTable]]:
    """Yield what policies do not permit: to the role that is named, or to that of this session if they bind it."""
    policies = [each for each in table.obstacles if isinstance(each, Policy) and (each.applies or not bound)]
    lacking = [deed for deed in DEEDS if not any(deed in policy.permits for policy in policies)]
    forced = ", the owner included" if table.forced_row_security else ""
    whom = role or ("this role" if bound else f"any role{forced}")
    about, here = OfTable(table.name), table.name.name
    if lacking:
        message = f"{here} should be open to the application, no policy lets {whom} {', '.join(lacking)}"
        severity = "error" if role else "warning" if len(lacking) == len(DEEDS) or bound else "info"
    elif forced and not role:
        message = f"{here} has row level security that is forced, so policies hide rows from its owner"
        severity = "info"
    else:
        return
    off = "NO FORCE" if forced and not lacking else "DISABLE"
    named = q.quoted([role])
    such = f", such as CREATE POLICY {named} ON {q.quoted(table.name)} TO {named} USING (…)" if role else ""
    why = f"create a policy{such}, or run: ALTER TABLE {q.quoted(table.name)} {off} ROW LEVEL SECURITY"
    yield Finding(SLUG, POINT, about, message, severity=severity, repair=refuse(why))


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


SPECIMENS = (
    Specimen("without a policy", "ALTER TABLE reviews ENABLE ROW LEVEL SECURITY", manual=True),
    Specimen(
        "with a policy that only restricts",
        "ALTER TABLE reviews ENABLE ROW LEVEL SECURITY;CREATE POLICY odd ON reviews AS RESTRICTIVE USING (id > 0)",
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen("a policy, but no row level security", "CREATE POLICY odd ON reviews USING (id > 0)"),
    Specimen(
        "a policy for all",
        "ALTER TABLE reviews ENABLE ROW LEVEL SECURITY; CREATE POLICY odd ON reviews USING (true)",
    ),
    Specimen(
        "each deed has its policy",
        "ALTER TABLE reviews ENABLE ROW LEVEL SECURITY; CREATE POLICY a ON reviews FOR SELECT USING (true);"
        "CREATE POLICY b ON reviews FOR INSERT WITH CHECK (true); CREATE POLICY c ON reviews FOR UPDATE USING (true);"
        "CREATE POLICY d ON reviews FOR DELETE USING (true)",
    ),
    Specimen(
        "on a table that the contract does not know", "CREATE TABLE t (); ALTER TABLE t ENABLE ROW LEVEL SECURITY"
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: enable row level security."""
    if not table.row_security:
        yield plant.altered(table.name, "ENABLE ROW LEVEL SECURITY")
