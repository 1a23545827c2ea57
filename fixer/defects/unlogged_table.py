"""A table, a partition of it or a sequence that numbers it is UNLOGGED, but the contract wants a permanent one.

Costs: the server empties it after a crash, standbys never see its rows, and no permanent table can reference it. A
sequence (PostgreSQL 15) goes back to its start, and gives numbers that stand in the table.
Cure: SET LOGGED. No row changes; a table is rewritten under ACCESS EXCLUSIVE, in online mode too. Foreign keys between
tables that reference each other in a circle are dropped meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Phase, Repair, Step, refuse
from fixer.model.subject import OfSequence, OtherTable
from fixer.model.table import UNLOGGED, QName
from fixer.model.table import ForeignKey as Key
from fixer.model.table import Table as Found
from fixer.repair.constraints.foreign_keys import equals, exchange
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "unlogged-table"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OtherTable | OfSequence]]:
    """Yield what a crash would empty or set back; what a partitioned table says of itself means nothing."""
    for wanted, found in walk.tables(actual, contract, alike=True):
        if wanted.persistence == UNLOGGED:
            continue
        name = found.name
        if found.kind == "r" and found.persistence == UNLOGGED:
            message = f"{name.name} should be a permanent table, is UNLOGGED: a crash of the server empties it"
            yield Finding(SLUG, POINT, OtherTable(name, found), message)
        elif found.unlogged_parts and (parts := _parts(found, contract)):
            told = ", ".join(".".join(map(as_needed, part)) for part in parts[:3])
            message = f"{name.name} should be a permanent table, its partition {told} is UNLOGGED"
            if len(parts) > 1:
                message = f"{name.name} should be a permanent table, {len(parts)} partitions are UNLOGGED: {told}"
            yield Finding(SLUG, POINT, OtherTable(name, found), f"{message}: a crash of the server empties it")
    yield from _sequences(actual, contract)


def _sequences(actual: Schema, contract: Contract) -> Iterator[Finding[OfSequence]]:
    """Yield the sequences that number permanent tables, except those that become permanent with their table."""
    if all(each.persistence != UNLOGGED for each in actual.sequences.values()):
        return
    for table, column, sequence, model in walk.sequences(actual, contract, alike=True):
        owner = actual.tables.get(sequence.owned_by[0]) if sequence.owned_by else None
        with_it = owner is table and table.persistence == UNLOGGED
        meant = contract.tables[table.name].persistence == UNLOGGED or (model and model.persistence == UNLOGGED)
        if sequence.persistence == UNLOGGED and not meant and not with_it:
            message = (
                f"{table.name.name}.{column.name} should be numbered by a permanent sequence, {sequence.name.name} is"
                " UNLOGGED: a crash of the server sets it back to its start"
            )
            yield Finding(SLUG, POINT, OfSequence(table.name, column.name, sequence), message)


def _parts(found: Found, contract: Contract) -> list[QName]:
    """Return the partitions of a table that are UNLOGGED, but for those that the contract names itself."""
    return [part for part in found.unlogged_parts if part not in contract.tables]


def repair(finding: Finding[OtherTable | OfSequence], actual: Schema, contract: Contract) -> Repair:
    """Make it permanent, parents first; refuse where it references an unlogged table that stays so."""
    about = finding.about
    if isinstance(about, OfSequence):
        return _sequence_kept(about, actual)
    found, ours = about.found, list[Key]()
    for name in _parts(found, contract) if found.kind == "p" else [finding.table]:
        for key in _unlogged_parents(name, actual):
            if why := _why_not(key, actual, contract):
                return refuse(why)
            ours += [key] if _leads(key.target, name, actual) else []
    return Repair.of([*_meanwhile(ours, actual, contract), *_permanent(found, actual, contract)])


def _sequence_kept(about: OfSequence, actual: Schema) -> Repair:
    name, session = about.found.name, actual.session
    if about.found.owner != actual.tables[about.table].owner and not (session and session.superuser):
        return refuse(f"{name} is owned by the role {about.found.owner}: ALTER SEQUENCE {q.quoted(name)} SET LOGGED;")
    sql = SQL("ALTER SEQUENCE {} SET LOGGED").format(q.name(name))
    return Repair.of([Step(Phase.GENERATORS, about.table, f"make the sequence {name.name} permanent", sql)])


def _permanent(found: Found, actual: Schema, contract: Contract) -> Iterator[Step]:
    """Yield the steps that make a table permanent, or its partitions."""
    for name in _parts(found, contract) if found.kind == "p" else [found.name]:
        rows = actual.tables[name].estimated_rows if name in actual.tables else 0
        title = f"make {name.name} permanent, which rewrites it"
        # Not before rows that repeat have moved: to write it anew builds each index, also one that nobody keeps.
        yield alter(Phase.INDEXES, name, title, SQL("SET LOGGED"), rows=rows, hazard=Hazard.REWRITES_TABLE)


def _unlogged_parents(name: QName, actual: Schema) -> Iterator[Key]:
    """Yield the foreign keys of a table that reference other unlogged tables."""
    for key in actual.tables[name].foreign_keys if name in actual.tables else ():
        if key.target != name and key.target in actual.tables and actual.tables[key.target].persistence == UNLOGGED:
            yield key


def _why_not(key: Key, actual: Schema, contract: Contract) -> str:
    """Return why an unlogged table that a foreign key references is not made permanent before; empty if it is."""
    target, wanted = actual.tables[key.target], contract.tables.get(key.target)
    circle = _leads(key.target, key.table, actual)
    known = any(_does_as(each, key) if circle else each.target == key.target for each in _wanted(key.table, contract))
    if target.kind == "r" and wanted and wanted.persistence != UNLOGGED and known:
        return ""
    what = f"its foreign key {key.name} references {key.target}, which is UNLOGGED as well"
    if circle:
        return f"{what}, and references it in turn: drop that key, and add it again once both are permanent"
    return f"{what}: drop that key, or run ALTER TABLE {q.quoted(key.target)} SET LOGGED first"


def _wanted(table: QName, contract: Contract) -> tuple[Key, ...]:
    return contract.tables[table].foreign_keys if table in contract.tables else ()


def _does_as(wanted: Key, key: Key) -> bool:
    """Return whether a foreign key does what a wanted one should, so that this takes its place."""
    return equals(wanted, key) and key.holds


def _meanwhile(keys: Iterable[Key], actual: Schema, contract: Contract) -> Iterator[Step]:
    """Yield the steps that drop foreign keys in a circle, and add them again, in both modes."""
    for key in keys:
        wanted = next(each for each in _wanted(key.table, contract) if _does_as(each, key))
        for part in exchange(wanted, (key,), "its tables reference each other, and are made permanent", actual):
            yield part.atomic


def _leads(start: QName, end: QName, actual: Schema) -> bool:
    """Return whether foreign keys lead from one table to another."""
    seen, waiting = set[QName](), [start]
    while waiting:
        table = waiting.pop()
        if table == end:
            return True
        if table not in seen and table in actual.tables:
            seen.add(table)
            waiting += [key.target for key in actual.tables[table].foreign_keys]
    return False


def _teams() -> sa.MetaData:
    """Return a contract of teams and their members, who reference each other."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    captain = sa.ForeignKey("members.id", name="teams_captain_id_fkey", use_alter=True)
    sa.Table(
        "teams", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("captain_id", sa.Integer, captain)
    )
    sa.Table(
        "members",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("team_id", sa.ForeignKey("teams.id")),
    )
    sa.Table(
        "badges",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("member_id", sa.ForeignKey("members.id")),
    )
    return metadata


def _drafts() -> sa.MetaData:
    """Return a contract of an UNLOGGED table."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("drafts", metadata, sa.Column("id", sa.Integer, primary_key=True), prefixes=["UNLOGGED"])
    return metadata


TEAMS = (
    "INSERT INTO teams DEFAULT VALUES; INSERT INTO members (team_id) VALUES (1), (1);"
    "UPDATE teams SET captain_id = 2; INSERT INTO badges (member_id) VALUES (1)"
)
REWRITES = frozenset({"rewrites-table"})
SPECIMENS = (
    Specimen("nobody references it", "ALTER TABLE reviews SET UNLOGGED", hazards=REWRITES),
    Specimen(
        "with those that reference it",
        "ALTER TABLE reviews SET UNLOGGED; ALTER TABLE books SET UNLOGGED; ALTER TABLE authors SET UNLOGGED",
        hazards=REWRITES,
    ),
    Specimen(
        "with those that reference it, in a circle",
        "ALTER TABLE badges SET UNLOGGED; ALTER TABLE teams DROP CONSTRAINT teams_captain_id_fkey;"
        "ALTER TABLE members SET UNLOGGED; ALTER TABLE teams SET UNLOGGED;"
        "ALTER TABLE teams ADD CONSTRAINT teams_captain_id_fkey FOREIGN KEY (captain_id) REFERENCES members",
        hazards=REWRITES | {"replaces-constraint"},
        contract=_teams,
        setup=TEAMS,
    ),
    Specimen("a sequence", "ALTER SEQUENCE reviews_id_seq SET UNLOGGED", minimum_version=15),
    Specimen(
        "a permanent table should reference it",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey; ALTER TABLE books SET UNLOGGED",
        hazards=REWRITES,
        also=frozenset({"missing-foreign-key"}),
    ),
    Specimen(
        "it references an unlogged table that stays",
        "CREATE UNLOGGED TABLE old (id integer PRIMARY KEY); INSERT INTO old SELECT id FROM books;"
        "ALTER TABLE reviews SET UNLOGGED;"
        "ALTER TABLE reviews ADD CONSTRAINT odd FOREIGN KEY (id) REFERENCES old NOT VALID",
        manual=True,
        also=frozenset({"rogue-foreign-key"}),
    ),
)
NEAR_MISSES = (
    Specimen("the contract wants it so", "ANALYZE drafts", contract=_drafts, setup="INSERT INTO drafts DEFAULT VALUES"),
    Specimen(
        "a table that the contract does not know",
        "CREATE UNLOGGED TABLE extra (id integer, book_id integer REFERENCES books)",
    ),
)


def mutate(table: Found) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a crash empty it. A partitioned one has nothing to empty."""
    if table.kind == "r":
        yield plant.altered(table.name, "SET UNLOGGED")
