"""A type that columns of the contract need is missing: a domain, a composite type, a range, or an enum within these.

Costs: no table and no column of it can be created.
Cure: create it as the SQL or the database of the contract declares it, with the types that it is made of. A person
decides if it calls a function that does not exist, if a column that is there would be converted to it, or if rows get
values of it in a column to come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects._guarded import SENT, lone_types, parcels
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Repair, Step, refuse
from fixer.model.subject import OfTable
from fixer.model.table import QName, Table
from fixer.model.values import dataclass
from fixer.repair.columns import apart_from_multirange, in_full, named, names_type
from fixer.repair.owners import belonging, see_that_it_may_create
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal

SLUG = "missing-type"
POINT = 4
STAGE = Stage.TYPES


@dataclass(frozen=True)
class MissingType(OfTable):
    """A missing type; `table` is its name."""

    used_by: str  # a column of it, or nothing where only other types are made of it


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[MissingType]]:
    """Yield the types of the contract that are missing, those first that others are made of."""
    users = dict(_users(contract)) if actual.lacking else {}
    for name in contract.schema.types if actual.lacking else ():
        if in_full(name) in actual.lacking:
            used = users.get(name, "")
            of = f", the type of {used}," if used else ""
            yield Finding(SLUG, POINT, MissingType(name, used), f"{_spelt(name)}{of} should be a type, is missing")


def _users(contract: Contract) -> Iterator[tuple[QName, str]]:
    for table in contract.tables.values():
        for column in table.columns.values():
            if type_ := named(column.full_type):
                yield type_, f"{table.name.name}.{column.name}"


def _spelt(name: QName) -> str:
    return ".".join(map(as_needed, name))


def repair(finding: Finding[MissingType], actual: Schema, contract: Contract) -> Repair:
    """Create the type; refuse if it calls a function that is missing, or if the role may not create it."""
    name = finding.about.table
    parts = [*_made_of(name, actual, contract), name]
    lacks = [each for part in parts for each in contract.schema.types[part][1:] if each in actual.lacking]
    if lacks:
        return refuse(f"it calls the function {lacks[0]}, which does not exist: create that, then plan again")
    see_that_it_may_create(_spelt(name), name.schema, actual)
    made = SQL("\n").join(_creating(part, actual, contract) for part in parts)
    block = q.Block(SQL("BEGIN\n    {}\nEND").format(made)) + SQL("")
    create = Step(Phase.TYPES, name, f"create the type {name.name}", block, Lock.NONE)
    owner = actual.owner_of_most(contract.tables)
    return Repair.of(belonging(create, "TYPE", name, owner, actual))


def _creating(name: QName, actual: Schema, contract: Contract) -> Composable:
    """Return the statement that creates a type, unless another repair has done so by then."""
    statement = contract.schema.types[name][0]
    statement = statement if actual.version >= 14 else apart_from_multirange(statement)
    there = SQL("IF to_regtype({}) IS NULL THEN\n        {};\n    END IF;")
    return there.format(Literal(in_full(name)), SQL(statement))


def _made_of(name: QName, actual: Schema, contract: Contract) -> list[QName]:
    """Return the missing types of which a type is made, those first that others are made of."""
    reached = {name}
    for other in reversed([*contract.schema.types]):  # so that what a type is made of comes after it
        if any(names_type(contract.schema.types[each][0], other) for each in reached - {other}):
            reached.add(other)
    return [each for each in contract.schema.types if each in reached - {name} and in_full(each) in actual.lacking]


def foresee(finding: Finding[MissingType], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the type."""
    name = finding.about.table
    lacking = frozenset(each for each in actual.lacking if named(each) != name)
    made = replace(actual, lacking=lacking, made=actual.made | {name})
    if actual.code is None:
        return made
    spelt = {f"{_spelt(name)}{dimensions}" for dimensions in ("", "[]")}
    return replace(made, code=replace(actual.code, lacking=actual.code.lacking - spelt))


def _rated() -> str:
    """Return a contract of columns of a domain with a default and a check, in a table from which another INHERITs."""
    return """
CREATE DOMAIN "per%cent" AS numeric(5,2) DEFAULT 7 NOT NULL CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE rated (id integer PRIMARY KEY, "sha%re" "per%cent" UNIQUE, other "per%cent" DEFAULT 9 CHECK (other > 2));
CREATE TABLE ratings (at date) INHERITS (rated);
"""


_RATED = "INSERT INTO rated VALUES (1, 2, 3); INSERT INTO ratings VALUES (2, 4, 5, '2026-01-01')"
_UNRATED = 'ALTER TABLE rated DROP "sha%re"; ALTER TABLE rated DROP other; DROP DOMAIN "per%cent"'
SPECIMENS = (
    Specimen(
        "of a column, a domain and a composite one",
        'DROP TABLE parcels; DROP TYPE size; DROP DOMAIN "w%eight"',
        also=frozenset({"missing-table"}),
        contract=parcels,
        setup=SENT,
    ),
    Specimen(
        "an enum of which a domain is made, and types that nothing holds",
        'DROP TABLE days; DROP DOMAIN mooded, lone; DROP TYPE "mo%od", unused, pair, floats',
        also=frozenset({"missing-table"}),
        contract=lone_types,
    ),
    Specimen(
        "a domain of columns to come, of which no row gets a value",
        f"TRUNCATE rated; {_UNRATED}",
        also=frozenset({"missing-column", "missing-unique", "missing-check"}),
        contract=_rated,
        setup=_RATED,
    ),
    Specimen(
        "a domain of columns to come, of which rows of an heir get values",
        f"TRUNCATE ONLY rated; {_UNRATED}",
        manual=True,
        also=frozenset({"missing-column", "missing-unique", "missing-check"}),
        contract=_rated,
        setup=_RATED,
    ),
)
NEAR_MISSES = (
    Specimen("one that the contract does not know", "CREATE TYPE other AS (a integer)", contract=parcels, setup=SENT),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a domain, with the columns of it."""
    for column in table.columns.values():
        if column.base:
            yield SQL("DROP DOMAIN {} CASCADE").format(SQL(column.full_type.removesuffix("[]")))
