"""A composite type or a range has other parts than in the contract, or a domain another default.

Or an enum that no column holds by itself lacks labels, or a domain that no column holds is made of another type, or
demands something else. What columns hold is judged at the columns (see different-labels and guarded-domain).

Costs: a row constructor, or code that reads the parts by name, fails with 42846 cannot cast type record, or 42703; or
new rows get values that nobody intended; or functions that cast to the type fail with 22P02, or take what they should
not.
Cure: ALTER DOMAIN sets a default, which rows to come get; if it calls a function of the application, a person decides.
What no column of the database holds gets what it lacks: an enum its labels, unless the contract names one, a domain its
checks, a composite type the attributes at its end. A person decides about all else, because PostgreSQL changes no part
of a type that columns hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from fixer.defects import _walk as walk
from fixer.defects._attributes import Parted, growing, longer_by, spots
from fixer.defects._guarded import SCORED, SENT, lone_types, parcels, prices, scores, toned
from fixer.defects._guards import check_named, demands_of, more_demands
from fixer.defects._labels import LABEL, labelled
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Repair, Step, refuse
from fixer.model.subject import OfColumn, OfTable
from fixer.model.table import QName, Table
from fixer.model.values import dataclass
from fixer.repair.columns import another_kind, apart_from_multirange, named, names_type
from fixer.repair.constraints.domains import of_others, users
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable

SLUG = "different-type"
POINT = 4
STAGE = Stage.PARTS
_DEFAULT = pattern(r"^CREATE DOMAIN .* DEFAULT (.*?)(?= NOT NULL| CONSTRAINT |$)", re.DOTALL)
_PARTS = pattern(r" AS ((?:RANGE )?\(.*)", re.DOTALL)
_KIND = pattern(r"CREATE (?:(DOMAIN) |TYPE .*? AS (ENUM|RANGE)?)", re.DOTALL)
_KINDS = {"DOMAIN": "a domain", "ENUM": "an enum", "RANGE": "a range", "": "a composite type"}
_CALLS = pattern(r"[\w\"]\.[\w\"]+\(|nextval\(")  # what the application makes, and may be missing


@dataclass(frozen=True)
class Defaulting(OfTable):
    """A domain, with the default that it should have."""

    default: str


@dataclass(frozen=True)
class Lone(OfTable):
    """A type that no column of the contract holds, as the statements that make it, and what a person does about it."""

    wanted: str
    found: str
    way: str


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable | OfColumn]]:
    """Yield the types that columns hold whose parts, or whose default, differ; what domains demand is another class."""
    for name, (wanted, *_) in contract.schema.types.items():
        found = actual.types.get(name, ("",))[0]
        should, has = (_PARTS.search(apart_from_multirange(each)) for each in (wanted, found))
        spelt = ".".join(map(as_needed, name))
        if should and has and should[1] != has[1]:
            parted, asks = Parted(name, longer_by(should[1], has[1])), partial(users, name)
            yield Finding(SLUG, POINT, parted, f"{spelt} should be {should[1]}, is {has[1]}", asks=asks)
        default, given = (_DEFAULT.search(each) for each in (wanted, found))
        if found and default and default[1] != (given[1] if given else ""):
            message = f"{spelt} should default to {default[1]}, defaults to {given[1] if given else 'nothing'}"
            about = Defaulting(name, default[1])
            yield Finding(SLUG, POINT, about, message, asks=partial(of_others, name), aspect="default")
        if (said := _told(wanted, found)) and _is_lone(name, contract, directly=" AS ENUM (" in wanted):
            lone = Lone(name, wanted, found, said[1].format(spelt))
            yield Finding(SLUG, POINT, lone, f"{spelt} should {said[0]}", asks=partial(users, name), aspect="kind")
    for table, meant, column in walk.columns(actual, contract):
        type_ = named(column.full_type)
        if meant.full_type == column.full_type and column.now is None and (kind := another_kind(meant, column)):
            spelt = column.full_type.removesuffix("[]")
            left = refuse(f"let it have another name: ALTER TYPE {spelt} RENAME TO …; then plan again")
            message = f"{table.name.name}.{column.name} {kind}"
            yield Finding(SLUG, POINT, OfColumn(table.name, column.name), message, repair=left, aspect="kind")
        apart = column.base and meant.supplied and not column.supplied and not contract.schema.types
        if apart and type_ and column.default is None and meant.full_type == column.full_type:
            message = f"{table.name.name}.{column.name} should get the default of its domain, which has none"
            spelt = ".".join(map(as_needed, type_))
            left = refuse(f"all columns of it get that default: ALTER DOMAIN {spelt} SET DEFAULT …")
            yield Finding(SLUG, POINT, OfColumn(table.name, column.name), message, repair=left)


def _told(wanted: str, found: str) -> tuple[str, str] | None:
    """Return how a type differs in kind, an enum in its labels, or a domain; and what a person does, with {0} as name.

    None if it does not, or if it is not there.
    """
    kinds = [_kind(each) for each in (wanted, found)]
    if not found or (kinds[0] == kinds[1] and kinds[0] not in ("an enum", "a domain")):
        return None
    anew = f"nothing of the contract holds it: DROP {'DOMAIN' if kinds[1] == 'a domain' else 'TYPE'} {{0}};"
    if kinds[0] != kinds[1]:
        return f"be {kinds[0]}, is {kinds[1]}", f"{anew} then plan again"
    if kinds[0] == "an enum":
        labels, known = (LABEL.findall(each) for each in (wanted, found))
        lacks = [each for each in labels if each not in known]
        add = "; ".join(f"ALTER TYPE {{0}} ADD VALUE {each.replace('{', '{{').replace('}', '}}')}" for each in lacks)
        return (f"have the label{'s' * (len(lacks) > 1)} {', '.join(lacks)}, which it lacks", add) if lacks else None
    should, has = (demands_of(each) for each in (wanted, found))
    return None if should == has else (f"be {' '.join(should)}, is {' '.join(has)}", f"{anew} then plan again")


def _kind(statement: str) -> str:
    found = _KIND.match(statement)
    return _KINDS[found[1] or found[2] or ""] if found else ""


def _is_lone(name: QName, contract: Contract, *, directly: bool) -> bool:
    """Return whether no column of the contract holds a type; unless `directly`, nor a type that is made of it."""
    columns = (column for table in contract.tables.values() for column in table.columns.values())
    held = {type_ for column in columns if (type_ := named(column.full_type))}
    types = contract.schema.types
    for each in reversed([*types]) if not directly else ():  # so that what a type is made of comes after it
        held |= {other for other in types if each in held and other != each and names_type(types[each][0], other)}
    return name not in held


def repair(finding: Finding[OfTable | OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Set the default of a domain; refuse all else, with the statement that adds a part."""
    spelt, about = ".".join(map(as_needed, finding.table)), finding.about
    if isinstance(about, Defaulting):
        action = f"SET DEFAULT {about.default}"
        if finding.rows or about.table.schema not in contract.schemas or _CALLS.search(about.default):
            return refuse(f"all columns of it get that default: let its owner run ALTER DOMAIN {spelt} {action}")
        change = SQL("ALTER DOMAIN {} {}").format(q.name(about.table), SQL(action))
        title = f"set the default of the domain {about.table.name} to {about.default}"
        return Repair.of([Step(Phase.DEFAULTS, about.table, title, change, Lock.NONE)])
    if isinstance(about, Lone):
        return _of_lone(about, finding, contract)
    if isinstance(about, Parted) and not finding.rows and (grown := growing(about, actual, contract)):
        return grown
    return refuse(
        f"columns may hold values of it: add what is new at its end by ALTER TYPE {spelt} ADD ATTRIBUTE … CASCADE"
    )


def _of_lone(about: Lone, finding: Finding[OfTable | OfColumn], contract: Contract) -> Repair:
    """Add the labels that an enum lacks, or what a domain should demand; refuse all else, or if anything holds it."""
    apart = about.table.schema not in contract.schemas or not _is_lone(about.table, contract, directly=False)
    if finding.rows or apart or _kind(about.wanted) != _kind(about.found):
        return refuse(about.way)
    if _kind(about.wanted) == "an enum":
        return labelled(about.table, about.wanted, about.found, about.way, contract)
    demands = more_demands(about.wanted, about.found)
    if demands is None:
        return refuse(about.way)
    said = ((each, check_named(about.wanted, each, about.found)) for each in demands)
    actions = ((each, f"SET {each}" if each == "NOT NULL" else f"ADD {clause}") for each, clause in said)
    alter, title = SQL("ALTER DOMAIN {} {}"), f"let the domain {about.table.name} demand {{}}"
    return Repair.of(
        Step(Phase.RULES, about.table, title.format(each), alter.format(q.name(about.table), SQL(action)), Lock.NONE)
        for each, action in actions
    )


SPECIMENS = (
    Specimen(
        "a composite one with a part less",
        "ALTER TABLE parcels DROP measured; ALTER TYPE size DROP ATTRIBUTE wide; ALTER TABLE parcels ADD measured size",
        rows=1,
        manual=True,
        contract=parcels,
        setup=SENT,
    ),
    Specimen(
        "an enum that nothing holds lacks labels",
        "DROP TYPE unused; CREATE TYPE unused AS ENUM ('x')",
        contract=lone_types,
    ),
    Specimen(
        "an enum that nothing holds lacks its first label",
        "DROP TYPE unused; CREATE TYPE unused AS ENUM ('it''s {y}')",
        contract=lone_types,
    ),
    Specimen(
        "an enum that nothing holds lacks a label that a default names",
        "DROP DOMAIN toned; DROP TYPE tone; CREATE TYPE tone AS ENUM ('low'); CREATE DOMAIN toned AS tone",
        also=frozenset({"different-type"}),
        manual=True,
        contract=toned,
        setup="",
    ),
    Specimen(
        "an enum of a domain lacks labels",
        "DROP TABLE days; DROP DOMAIN mooded; DROP TYPE pair, \"mo%od\"; CREATE TYPE \"mo%od\" AS ENUM ('a', 'c');"
        'CREATE TYPE pair AS (a integer, b "mo%od"); CREATE DOMAIN mooded AS "mo%od" NOT NULL;'
        "CREATE TABLE days (id integer PRIMARY KEY, mood mooded)",
        manual=True,
        contract=lone_types,
    ),
    Specimen(
        "a domain that nothing holds takes NULL",
        "ALTER DOMAIN lone DROP NOT NULL",
        contract=lone_types,
    ),
    Specimen(
        "a domain that only others hold takes NULL",
        "ALTER DOMAIN lone DROP NOT NULL; CREATE SCHEMA apart; CREATE TABLE apart.kept (a lone)",
        rows=1,
        manual=True,
        contract=lone_types,
    ),
    Specimen(
        "a domain that nothing holds takes no even numbers",
        "ALTER DOMAIN lone ADD CHECK (VALUE % 2 = 1); ALTER DOMAIN lone DROP NOT NULL",
        manual=True,
        contract=lone_types,
    ),
    Specimen(
        "a domain that nothing holds is of another type",
        "DROP DOMAIN lone; CREATE DOMAIN lone AS bigint DEFAULT 3 NOT NULL CHECK (VALUE > 0) CHECK (VALUE <> 7)",
        manual=True,
        contract=lone_types,
    ),
    Specimen(
        "a domain that nothing holds takes all numbers",
        "ALTER DOMAIN lone DROP CONSTRAINT lone_check",
        contract=lone_types,
    ),
    Specimen(
        "a domain for an enum",
        "DROP TYPE unused; CREATE DOMAIN unused AS text",
        manual=True,
        contract=lone_types,
    ),
    Specimen(
        "a domain of models without its default", 'ALTER DOMAIN "pri%ce" DROP DEFAULT', manual=True, contract=prices
    ),
    Specimen(
        "a domain without its default, and one with another",
        "ALTER DOMAIN \"Sco%re\" DROP DEFAULT; ALTER DOMAIN moment SET DEFAULT '2026-01-01'",
        contract=scores,
        setup=SCORED,
    ),
    Specimen(
        "a composite one that only functions take lacks parts",
        'ALTER TABLE halls DROP place; ALTER TYPE "spo%t" DROP ATTRIBUTE "z, (", DROP ATTRIBUTE tag;'
        "CREATE FUNCTION of_it(\"spo%t\") RETURNS integer LANGUAGE sql AS 'SELECT ($1).x'",
        also=frozenset({"missing-column"}),
        contract=spots,
        setup="INSERT INTO halls (id) VALUES (1)",
    ),
    Specimen(
        "a composite one without a part in between",
        'ALTER TABLE halls DROP place; ALTER TYPE "spo%t" DROP ATTRIBUTE x, ADD ATTRIBUTE x integer',
        manual=True,
        also=frozenset({"missing-column"}),
        contract=spots,
        setup="INSERT INTO halls (id) VALUES (1)",
    ),
    Specimen(
        "a composite one of which a table is",
        'ALTER TABLE halls DROP place; ALTER TYPE "spo%t" DROP ATTRIBUTE tag; CREATE TABLE typed OF "spo%t"',
        rows=1,
        manual=True,
        also=frozenset({"missing-column"}),
        contract=spots,
        setup="INSERT INTO halls (id) VALUES (1)",
    ),
)
NEAR_MISSES = (
    Specimen("with a comment", "COMMENT ON TYPE size IS 'in cm'", contract=parcels, setup=SENT),
    Specimen(
        "a constraint of another name", "ALTER DOMAIN lone RENAME CONSTRAINT lone_check TO zero", contract=lone_types
    ),
    Specimen("a label more", "ALTER TYPE unused ADD VALUE 'z'", contract=lone_types),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop the default of a domain."""
    for column in table.columns.values():
        if column.base and column.supplied:
            yield SQL("ALTER DOMAIN {} DROP DEFAULT").format(SQL(column.full_type))
