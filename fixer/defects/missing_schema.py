"""A schema of the contract is missing.

Costs: everything that the contract wants in it is missing too, and fails with 3F000 invalid_schema_name or 42P01
undefined_table.
Cure: create it, for the role that owns most of the tables. This needs the hazard creates-schema, because the database
may be the wrong one. A schema that only --schema names is never created.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from fixer.defects import _code as code
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.finding import Finding
from fixer.model.schema import Lack, Schema
from fixer.model.step import Hazard, Lock, Phase, Repair, Step, refuse
from fixer.model.subject import OfTable
from fixer.model.table import QName, Table
from fixer.repair.owners import keeper, new_owner
from fixer.sql.compose import SQL, Composable, Identifier

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "missing-schema"
POINT = 4
STAGE = Stage.SCHEMAS


class OfSchema(OfTable):
    """A schema: the name of its table is empty."""

    @property
    def object(self) -> str:
        """Its name."""
        return self.table.schema


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield the schemas of the contract that do not exist."""
    there = actual.session.schemas if actual.session else frozenset(contract.schemas)
    for schema in sorted({*contract.schemas, *code.schemas(actual, contract)}):
        if schema not in there:
            message = f"{as_needed(schema)} should be a schema, is missing"
            yield Finding(SLUG, POINT, OfSchema(QName(schema, "")), message)


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Create the schema, and give it to the role that owns most of the tables."""
    name, session = finding.table.schema, actual.session
    if session and not session.may.can_create:
        database, role = as_needed(session.database), as_needed(session.role)
        return refuse(
            f"GRANT CREATE ON DATABASE {database} TO {role}, which may not create {as_needed(name)}; then plan again"
        )
    owner = actual.owner_of_most(contract.tables)
    made, mine = SQL("CREATE SCHEMA {}").format(Identifier(name)), keeper(owner, actual)
    if mine:
        made += SQL(" AUTHORIZATION {}").format(Identifier(mine))
    create = Step(Phase.SCHEMAS, finding.table, f"create the schema {name}", made, Lock.NONE, Hazard.CREATES_SCHEMA)
    if not (owner := new_owner(owner, "", actual)):
        return Repair.of((create,))
    give = SQL("ALTER SCHEMA {} OWNER TO {}").format(Identifier(name), Identifier(owner))
    given = Step(Phase.SCHEMAS, finding.table, f"give the schema {name} to {owner}", give, Lock.NONE)
    return Repair.of((create, given))


def foresee(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with it."""
    session, name = actual.session, finding.table.schema
    if session is None:
        return actual
    owner = actual.owner_of_most(contract.tables)
    takers = {role: homes | {name} if role == owner else homes for role, homes in session.may.takers.items()}
    rights = replace(session.may, creatable=session.may.creatable | {name}, takers=takers)
    application = actual.application
    if application and not application.gets("USAGE ON SCHEMAS", name, owner or session.role):
        lack = Lack("schema", QName(name, ""), "", "USAGE", created=True)
        application = replace(application, lacks=(*application.lacks, lack))
    there = replace(session, schemas=session.schemas | {name}, rights=rights)
    return replace(actual, session=there, application=application)


def _apart() -> sa.MetaData:
    """Return a contract of tables in two schemas, one of which references the other."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("things", metadata, sa.Column("id", sa.Integer, primary_key=True))
    of = sa.Column("thing_id", sa.Integer, sa.ForeignKey("things.id"), nullable=False)
    note = sa.Column("note", sa.Text, server_default="none")
    sa.Table("notes", metadata, sa.Column("id", sa.Integer, primary_key=True), of, note, schema='Log."50%')
    sa.event.listen(metadata, "before_create", sa.DDL('CREATE SCHEMA IF NOT EXISTS "Log.""50%%"'))  # type: ignore[no-untyped-call]
    return metadata


SPECIMENS = (
    Specimen(
        "with its table",
        'DROP SCHEMA "Log.""50%" CASCADE',
        hazards=frozenset({"creates-schema"}),
        also=frozenset({"missing-table"}),
        contract=_apart,
        setup="INSERT INTO things SELECT FROM generate_series(1, 3)",
    ),
)
NEAR_MISSES = (Specimen("a schema that the contract does not name", "CREATE SCHEMA other; DROP SCHEMA other"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop its schema, with all that is in it."""
    if table.name.schema != "public":
        yield SQL("DROP SCHEMA {} CASCADE").format(Identifier(table.name.schema))
