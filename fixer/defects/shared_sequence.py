"""The key is numbered by a sequence that belongs to another column, or that other columns use as well.

Costs: it is dropped with the other table, and a reset to the highest id of that table breaks this one.
Cure: give the key a sequence of its own, set past its highest id; the shared one stays for the others. This needs
permission, because columns may share one on purpose. A sequence that the models themselves name or share stays shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._counters import SEATED, by_steps, seats
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Part, Repair, Step, refuse
from fixer.model.subject import WantedColumn
from fixer.model.table import Column, QName, Sequence, Table
from fixer.repair.columns import counter_of
from fixer.repair.counting.attaching import count_by
from fixer.repair.counting.heirs import elder_of
from fixer.repair.counting.users import Users
from fixer.repair.numbers import held
from fixer.repair.sequences import declared, give_generator
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal

SLUG = "shared-sequence"
POINT = 1
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[WantedColumn]]:
    """Yield the columns numbered by a sequence that is not theirs alone, unless the contract shares it as well."""
    users, meant = Users(actual), Users(contract.schema)
    for table, wanted, found in walk.numbered_columns(actual, contract):
        name = table.name
        like = elder_of(name, wanted, actual, contract) if found.sequence else None
        if found.sequence and like and not like.is_followed_by(found):
            sequence = actual.sequences[found.sequence]
            message = f"{name.name}.{wanted.name} should be numbered like {like.table.name}"
            yield Finding(SLUG, POINT, WantedColumn(name, wanted), f"{message}, {_told(sequence, name, wanted, users)}")
        elif found.sequence and not like and users.share(name, found) and not meant.share(name, wanted):
            sequence = actual.sequences[found.sequence]
            if declared(sequence.name, name, wanted, contract):
                continue
            message = (
                f"{name.name}.{wanted.name} should have a sequence of its own, {_told(sequence, name, wanted, users)}"
            )
            yield Finding(SLUG, POINT, WantedColumn(name, wanted), message)
    for table_wanted, root, part in walk.parts(actual, contract):
        for wanted in table_wanted.columns.values():
            if wanted.generates and (own := _roots_own(wanted, root, users)):
                yield from _below(wanted, root, part, actual, own)


def _roots_own(wanted: Column, root: Table, users: Users) -> QName | None:
    """Return the sequence that a partitioned table alone has for a column; None if it has to get one first."""
    found = root.columns.get(wanted.name)
    return found.sequence if found and not found.identity and not users.share(root.name, found) else None


def _below(wanted: Column, root: Table, part: Table, actual: Schema, own: QName) -> Iterator[Finding[WantedColumn]]:
    """Yield the finding that a partition alone counts by a sequence of others: for rows that go straight into it."""
    found, users = part.columns[wanted.name], Users(actual)
    sequence = actual.sequences.get(found.sequence) if found.sequence and found.sequence != own else None
    if sequence and users.share(part.name, found):
        here, name = f"{part.name.name}.{wanted.name}", part.name
        message = f"{here} should count by {_spelt(own, name)} like {root.name.name}"
        yield Finding(SLUG, POINT, WantedColumn(name, wanted), f"{message}, {_told(sequence, name, wanted, users)}")


def _told(sequence: Sequence, table: QName, column: Column, users: Users) -> str:
    other, theirs = next(iter(users.others(sequence, table, column.name)), (None, ""))
    if other is None:
        return f"counts by {_spelt(sequence.name, table)}"
    return f"counts by {_spelt(sequence.name, table)} of {_spelt(other, table)}.{theirs}"


def _spelt(name: QName, beside: QName) -> str:
    return name.name if name.schema == beside.schema else str(name)


def repair(finding: Finding[WantedColumn], actual: Schema, contract: Contract) -> Repair:
    """Give the column a sequence of its own."""
    table, column = finding.table, finding.about.wanted
    if table not in contract.tables:
        return _as_root(table, column, actual)
    if like := elder_of(table, column, actual, contract):
        if actual.tables[table].columns[column.name].identity:
            drop = f"ALTER TABLE {q.quoted(table)} ALTER COLUMN {q.quoted([column.name])} DROP IDENTITY"
            return refuse(f"if it should count like {like.table.name}, run: {drop}; then plan again")
        return Repair.of(map(_asking, like.followed_by(table, column.name)))
    taken, meant = held(table, column.name, actual, contract.schema), counter_of(column, contract)
    parts = give_generator(table, column, actual, taken, like=meant)
    return Repair.of(_asking(part) for part in parts)


def _as_root(part: QName, column: Column, actual: Schema) -> Repair:
    """Let a partition count by the sequence of its root."""
    own = actual.tables[actual.wholes(part)[-1]].columns[column.name].sequence
    steps = count_by(own, part, column.name) if own else ()
    return Repair.of(_asking(step) for step in steps)


def _asking(part: Part) -> Part:
    """Return a part that needs permission where it changes the default."""
    return replace(part, hazard=Hazard.REPLACES_CONSTRAINT) if isinstance(part, Step) else part


PERMITTED = frozenset({"replaces-constraint"})
SPECIMENS = (
    Specimen(
        "a key that counts by tens counts by that of another table",
        "ALTER TABLE orders ALTER id DROP IDENTITY, ALTER id SET DEFAULT nextval('lines_id_seq');"
        "INSERT INTO orders DEFAULT VALUES",
        hazards=PERMITTED,
        contract=by_steps,
    ),
    Specimen(
        "the default points at another table's sequence",
        "ALTER TABLE reviews ALTER COLUMN id SET DEFAULT nextval('books_id_seq'); DROP SEQUENCE reviews_id_seq",
        hazards=PERMITTED,
    ),
    Specimen(
        "the default points at a sequence of another schema",
        "CREATE SCHEMA apart; CREATE TABLE apart.reviews (id serial PRIMARY KEY); ALTER TABLE reviews ALTER COLUMN id"
        " SET DEFAULT nextval('apart.reviews_id_seq'); DROP SEQUENCE reviews_id_seq",
        hazards=PERMITTED,
    ),
    Specimen(
        "the default points at a sequence of another schema that no column owns",
        "CREATE SCHEMA apart; CREATE SEQUENCE apart.numbers START 1000; CREATE TABLE others (id bigint DEFAULT"
        " nextval('apart.numbers')); ALTER TABLE reviews ALTER COLUMN id SET DEFAULT nextval('apart.numbers')",
        hazards=PERMITTED,
    ),
    Specimen(
        "all heirs too count by that of another table",
        """CREATE TABLE other (id serial); ALTER TABLE "se%ats" ALTER id SET DEFAULT nextval('other_id_seq')""",
        hazards=PERMITTED,
        contract=seats,
        setup=SEATED,
    ),
    Specimen(
        "an heir counts by that of another table",
        "CREATE TABLE other (id serial); ALTER TABLE boxes ALTER id SET DEFAULT nextval('other_id_seq')",
        hazards=PERMITTED,
        contract=seats,
        setup=SEATED,
    ),
    Specimen(
        "an heir counts by one of its own",
        "CREATE SEQUENCE own; ALTER TABLE stalls ALTER id SET DEFAULT nextval('own')",
        hazards=PERMITTED,
        contract=seats,
        setup=SEATED,
    ),
    Specimen(
        "an heir counts by an identity",
        "ALTER TABLE stalls ALTER id DROP DEFAULT; ALTER TABLE stalls ALTER id ADD GENERATED BY DEFAULT AS IDENTITY",
        contract=seats,
        setup=SEATED,
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen(
        "a column that the contract does not know uses it too",
        "ALTER TABLE reviews ADD COLUMN n bigint DEFAULT nextval('reviews_id_seq')",
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let the sequence of another table number a column."""
    other = QName(table.name.schema, "pgmend other")
    for column in plant.writable(table):
        if column.sequence and not column.identity:
            yield plant.block(
                SQL("CREATE TABLE {} (id serial PRIMARY KEY)").format(q.name(other)),
                SQL("SELECT setval({0}, 5000)").format(q.generator_of(other, "id")),
                SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT nextval({})").format(
                    q.name(table.name),
                    Identifier(column.name),
                    Literal(q.quoted(QName(other.schema, "pgmend other_id_seq"))),
                ),
            )
