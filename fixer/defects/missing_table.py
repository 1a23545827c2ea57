"""A table of the contract is missing.

Costs: every statement that names it fails with 42P01 undefined_table.
Cure: create it; keys, indexes and foreign keys follow as for any other table. A person decides if a table with rows has
its name in another schema, or a name that differs only in capitals, blanks or underscores. If the database has other
tables but none of the contract, it may be the wrong one: the repair then needs the hazard creates-schema.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import COUNTED, Schema
from fixer.model.step import Hazard, Lock, Phase, Repair, Step, refuse
from fixer.model.subject import OfTable, OtherTable
from fixer.model.table import TABLES, QName, Table
from fixer.repair.columns import unmade, untyped
from fixer.repair.twins import KINDS, filled, question, told, twins_of, way_out
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier

SLUG = "missing-table"
POINT = 4
STAGE = Stage.TABLES


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield the tables that exist neither under their name nor under a legacy name, or only as a view or the like."""
    for name, wanted in contract.tables.items():
        olds = [name._replace(name=old) for old in contract.hints[name].legacy_names]
        legacy = [actual.tables[old] for old in olds if old in actual.tables and old not in contract.tables]
        if name not in actual.tables and not any(table.is_table for table in legacy):
            columns = f"{len(wanted.columns)} columns" if len(wanted.columns) > 1 else "one column"
            message = f"{name.name} should be a table of {columns}, is missing"
            twins = twins_of(name, actual, contract)
            if legacy:
                message += f"; {legacy[0].name.name}, its legacy name, is {KINDS[legacy[0].kind]}"
            elif twins:
                message += f", but {told(twins)}"
            about = OtherTable(name, legacy[0]) if legacy else OfTable(name)
            yield Finding(SLUG, POINT, about, message, rows=sum(min(twin.rows or 0, COUNTED) for twin in twins))
        elif name in actual.tables and actual.tables[name].kind not in TABLES:
            message = f"{name.name} should be a table, is {KINDS[actual.tables[name].kind]}"
            yield Finding(SLUG, POINT, OtherTable(name, actual.tables[name]), message)


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Create the table; refuse if a twin may hold its rows, or something else has its name."""
    if isinstance(finding.about, OtherTable):
        return refuse(f"{finding.message}; pgmend does not replace what stands there")
    if twins := filled(twins_of(finding.table, actual, contract)):
        return refuse(way_out(finding.table, twins, contract))
    if finding.table in actual.names:
        return refuse(f"an index, a sequence or a type is called {finding.table.name}: rename that")
    wanted = contract.tables[finding.table]
    lacks = (untyped(c, actual) or unmade(wanted.name, c, actual, contract) for c in wanted.columns.values())
    if why := next(filter(None, lacks), ""):
        return refuse(why)
    types = [
        Step(Phase.TABLES, finding.table, f"create the type {c.enum}", ddl.create_type(c), Lock.NONE)
        for c in wanted.columns.values()
        if c.enum
    ]
    create = Step(
        Phase.TABLES,
        finding.table,
        f"create the table {finding.table.name}",
        ddl.create_table(wanted, contract.schema.sequences),
        Lock.NONE,
        hazard=Hazard.CREATES_SCHEMA if question(actual, contract) else None,
    )
    return Repair.of((*types, create, *_handed_over(finding.table, actual, contract)))


def _handed_over(name: QName, actual: Schema, contract: Contract) -> Iterator[Step]:
    """Yield the step that gives the new table to the role that owns most of the others."""
    owners = Counter(actual.tables[other].owner for other in contract.tables if other in actual.tables)
    owner = owners.most_common(1)[0][0] if owners else ""
    if actual.session and owner and owner != actual.session.role:
        action = SQL("OWNER TO {}").format(Identifier(owner))
        yield alter(Phase.TABLES, name, f"give the table {name.name} to {owner}", action)


def foresee(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the table, without its indexes, keys and foreign keys, which later stages add."""
    wanted = contract.tables[finding.table]
    bare = replace(wanted, indexes=(), foreign_keys=(), created=True, owned=True)
    return actual.with_table(bare)


SPECIMENS = (
    Specimen("a leaf is missing", "DROP TABLE reviews"),
    Specimen("all are missing", "DROP TABLE reviews, books, authors", also=frozenset({"missing-default-row"})),
    Specimen(
        "all are missing, and another is there",
        "DROP TABLE reviews, books, authors; CREATE SCHEMA other; CREATE TABLE other.things (id integer)",
        hazards=frozenset({"creates-schema"}),
        also=frozenset({"missing-default-row"}),
    ),
    Specimen(
        "it stands in another schema", "CREATE SCHEMA shop; ALTER TABLE reviews SET SCHEMA shop", rows=48, manual=True
    ),
    Specimen("it stands in other letters", 'ALTER TABLE reviews RENAME TO "Reviews"', rows=48, manual=True),
    Specimen(
        "it stands in other letters, and others reference it",
        'ALTER TABLE books RENAME TO "Books"',
        rows=24,
        manual=True,
        also=frozenset({"wrong-foreign-key-target"}),
    ),
    Specimen(
        "a view has its name", "ALTER TABLE reviews RENAME TO kept; CREATE VIEW reviews AS TABLE kept", manual=True
    ),
    Specimen(
        "a view has the name of a table that others reference",
        "ALTER TABLE books RENAME TO kept; CREATE VIEW books AS TABLE kept",
        manual=True,
        also=frozenset({"wrong-foreign-key-target"}),
    ),
    Specimen(
        "a materialized view has its name",
        "ALTER TABLE authors RENAME TO kept; CREATE MATERIALIZED VIEW authors AS TABLE kept;"
        "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey, DROP CONSTRAINT books_editor_id_fkey",
        manual=True,
        also=frozenset({"missing-foreign-key", "wrong-foreign-key-target"}),
    ),
    Specimen(
        "another of its name is empty",
        "CREATE SCHEMA shop; CREATE TABLE shop.reviews (LIKE reviews); DROP TABLE reviews",
    ),
)
NEAR_MISSES = (
    Specimen("another of its name has rows", "CREATE SCHEMA shop; CREATE TABLE shop.reviews AS TABLE reviews"),
    Specimen("another in other letters has rows", 'CREATE TABLE "Reviews" AS TABLE reviews'),
    Specimen("another table is missing", "CREATE TABLE extra (id integer); DROP TABLE extra"),
    Specimen("a view stands beside it", "CREATE VIEW review_list AS SELECT id, body FROM reviews"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a table with the references to it."""
    yield SQL("DROP TABLE {} CASCADE").format(q.name(table.name))
