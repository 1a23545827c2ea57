"""A setting of the database, of the application's role or of the server keeps sessions from their work.

Named are default_transaction_read_only, session_replication_role = replica, a search_path that leads to no table of the
contract, row_security = off where tables have it, zero_damaged_pages and ignore_checksum_failure.
It is an error if it refuses every write, or lets foreign keys and triggers sleep, in all sessions or in those of the
role that --role names.
Costs: writes fail with 25006 cannot execute INSERT in a read-only transaction; or rows go in that no foreign key was
asked about; or names mean nothing; or queries fail that policies would answer; or damaged pages lose rows in silence.
Cure: a person resets it, with the statement that the finding gives. No mutation plants it: it would hinder the sessions
that look whether its repair lost anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Finding
from fixer.model.schema import Given, Schema
from fixer.model.schema.session import READ_ONLY, REPLICATION, effective
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.values import dataclass
from fixer.repair.twins import bare

SLUG = "hindering-setting"
POINT = 5
STAGE = Stage.PARTS
_DAMAGE = ("zero_damaged_pages", "ignore_checksum_failure")
_NAME = pattern(r'"((?:[^"]|"")*)"|([^\s,"]+)')  # in a search_path


@dataclass(frozen=True, slots=True)
class OfSetting(OfTable):
    """A setting, which stands at the first table of the contract."""

    name: str

    @property
    def object(self) -> str:
        """Its name."""
        return self.name


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfSetting]]:
    """Yield the settings that hinder the application: the role that is named, or every role; then this session's."""
    session = actual.session
    if not session or not contract.tables:
        return
    who = session.application
    seen = set()
    for each in effective(session.given, who).values():
        if _found(each, actual, contract):
            seen.add(each.name)
            yield _finding(each, actual, contract, own=False)
    for each in effective(session.given, session.role).values() if not who else ():
        if each.role and each.name not in seen and _found(each, actual, contract):
            yield _finding(each, actual, contract, own=True)


def _found(given: Given, actual: Schema, contract: Contract) -> str:
    """Return what a setting does to the application, in words; empty if it does no harm."""
    if given.name == READ_ONLY and given.on:
        return "writes fail"
    if given.sleeps:
        return "no foreign key and no trigger acts"
    if given.name in _DAMAGE and given.on:
        return "damaged pages lose rows without an error"
    if given.name == "row_security" and not given.on:
        bound = actual.application.unbound if actual.application else frozenset()
        tables = (actual.tables[name] for name in contract.tables if name in actual.tables and name not in bound)
        closed = next((table.name.name for table in tables if table.row_security), "")
        return f"queries of roles that policies bind fail, on {closed} for example" if closed else ""
    return _lost(given, actual, contract) if given.name == "search_path" else ""


def _lost(given: Given, actual: Schema, contract: Contract) -> str:
    """Return that a search_path leads to no schema of tables whose names stand without one in the code."""
    names = bare(sorted(contract.tables), contract)
    if not names and not contract.itself:
        names = [name for name in contract.tables if name.schema == "public"]
    path = {found[1].replace('""', '"') if found[1] is not None else found[2].lower() for found in _each(given.value)}
    lost = [name for name in names if name in actual.tables and name.schema not in path]
    user = given.role or (actual.application.role if actual.application else "")
    if not lost or ("$user" in path and lost[0].schema == user):
        return ""
    return f"{lost[0].name} is not found without the name of its schema, {lost[0].schema}"


def _each(path: str) -> Iterator[re.Match[str]]:
    return _NAME.finditer(path)


def _finding(given: Given, actual: Schema, contract: Contract, *, own: bool) -> Finding[OfSetting]:
    does = _found(given, actual, contract)
    message = f"{given.name} should hinder no session, {given.whose} sets it to {given.value}: {does}"
    stops = given.name in (READ_ONLY, REPLICATION)
    severity = ("info" if given.name == READ_ONLY else "warning") if own or not stops else "error"
    about = OfSetting(min(contract.tables), given.name)
    return Finding(SLUG, POINT, about, message, severity, repair=refuse(f"run {given.reset}"))


def repair(finding: Finding[OfSetting], actual: Schema, contract: Contract) -> Repair:
    """Refuse, because others than this project may rely on it; `detect` gives the statement."""
    return finding.repair


def _given(setting: str) -> str:
    """Return the statement that gives a setting to the sessions of the database."""
    return f"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting}', current_database()); END $$;"


SPECIMENS = (
    Specimen("no key acts", _given("session_replication_role = replica"), manual=True, superuser=True),
    Specimen("names mean nothing", "CREATE SCHEMA apart;" + _given("search_path = apart"), manual=True),
    Specimen("damage is hidden", _given("zero_damaged_pages = on"), manual=True, superuser=True),
    Specimen(
        "policies are refused",
        _given("row_security = off") + "ALTER TABLE reviews ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY all_of_it ON reviews USING (true)",
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen("the values of every server", _given("default_transaction_read_only = off") + _given("row_security = on")),
    Specimen("origin and local are for the application", _given("session_replication_role = local"), superuser=True),
    Specimen("the path leads there, too", _given('search_path = "$user", public, "a""b"')),
    Specimen("no table has policies", _given("row_security = off")),
)
