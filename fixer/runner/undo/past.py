"""The definitions that an undo needs: before the run, after it, at present, and once it is undone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.errors import UndoRefused
from fixer.model.plan import PlannedStep
from fixer.model.step import Phase
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.repair.constraints.online import BESIDE, is_syncing
from fixer.runner.journal import definitions
from fixer.runner.journal.definitions import Definitions, Item, Key
from fixer.runner.journal.reading import DoneStep
from fixer.runner.undo.session import Session
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier


@dataclass(frozen=True)
class Undoable:
    """A run that can be undone, with what it entered in the journal."""

    run: int
    steps: tuple[DoneStep, ...]
    before: Definitions  # as the run found them
    left: Definitions  # as it left them
    below: tuple[Definitions, Definitions | None]  # likewise, what partitions and heirs had; None if it was interrupted

    @property
    def relations(self) -> frozenset[int]:
        """The oids of the tables that it found or left."""
        return self.before.relations | self.left.relations

    def read(self, cursor: Cursor) -> Definitions:
        """Read the definitions as they are at this moment, but for partitions and heirs."""
        known = (self.before, self.left)
        schemas = {self.left.table(oid).schema for oid in self.left.relations}
        schemas |= {schema.name for each in known for schema in each.of_kind("schema")}
        loose = (item for each in known for kind in ("type", "sequence") for item in each.of_kind(kind))
        homes = sorted(schemas.union(item.detail["schema"] for item in loose))
        code, called = {*self.before.code, *self.left.code}, self.only_called
        now = definitions.read(cursor, self.relations, homes, prepared=True, code=code)
        return Definitions({key: item for key, item in now.items.items() if key not in called}, now.positions)

    @property
    def only_called(self) -> frozenset[Key]:
        """The sequences of others that came in sight, or went out of it, as a default of its tables changed."""
        homes = {self.left.table(oid).schema for oid in self.left.relations}
        found, left = ({item.key: item for item in each.of_kind("sequence")} for each in (self.before, self.left))
        once = [item for key, item in {**found, **left}.items() if (key in found) != (key in left)]
        others = (item for item in once if _is_of_others(item, homes, self.relations))
        return frozenset(item.key for item in others if not self._makes(item))

    def _makes(self, sequence: Item) -> bool:
        """Return whether a step of the run created a sequence."""
        made = f"CREATE SEQUENCE {q.quoted((sequence.detail['schema'], sequence.name))} "
        steps = (done.step for done in self.steps)
        return any(step.phase is Phase.SEQUENCES and step.sql.startswith(made) for step in steps)

    def read_below(self, cursor: Cursor) -> Definitions:
        """Read what partitions and heirs have of their own at this moment."""
        return definitions.read_below(cursor, self.relations)


def _is_of_others(sequence: Item, homes: Collection[str], relations: Collection[int]) -> bool:
    """Return whether a sequence belongs to another table, or to none and stands in another schema."""
    owner = sequence.detail["owned_by"]
    return int(owner.partition(".")[0]) not in relations if owner else sequence.detail["schema"] not in homes


@dataclass(frozen=True)
class Past:
    """A run compared with the present; nobody has since changed what it made, changed or dropped."""

    ran: Undoable
    after: Definitions  # what is there now
    then: Definitions  # what shall be there once the run is undone
    ours: frozenset[Key]  # what the run made, changed or dropped
    theirs: Mapping[Key, Item]  # what is there now and is not the run's
    superuser: bool  # whether the role is one
    below: Definitions  # what partitions and heirs have now

    @property
    def run(self) -> int:
        """The number of the run."""
        return self.ran.run

    @property
    def steps(self) -> tuple[DoneStep, ...]:
        """The steps that were done."""
        return self.ran.steps

    @property
    def before(self) -> Definitions:
        """The definitions that the run found."""
        return self.ran.before

    @property
    def left(self) -> Definitions:
        """The definitions that the run left."""
        return self.ran.left

    def oid(self, step: PlannedStep) -> int | None:
        """Return the oid of the table of a step; None if it is gone."""
        return self.after.oid(str(step.table))

    def columns(self, step: PlannedStep) -> dict[str, Item]:
        """Return the present columns of the table of a step."""
        oid = self.oid(step)
        return self.after.columns(oid) if oid else {}

    def was_there(self, column: Item) -> bool:
        """Return whether a column stays once the run is undone."""
        return column.key in self.then.items

    def unknown(self, oid: int) -> list[str]:
        """Return the columns that others added since, which the run's images do not have."""
        known = self.left.items.keys() | self.before.items.keys()
        return [name for name, column in self.after.columns(oid).items() if column.key not in known]

    def exchanged(self, oid: int) -> dict[str, str]:
        """Return the columns of a table that replaced others, each with the name of the old column."""
        table = str(self.after.table(oid))
        steps = (done.step for done in self.steps if str(done.step.table) == table)
        return {added.column: added.aside for step in steps for added in step.shape.added if added.aside}

    def heirs(self, oid: int) -> dict[str, str]:
        """Return the added columns that took what was put on old ones, each with the name that the old one has now.

        An old column was replaced, or renamed so that the new one could take its name.
        """
        table, there = str(self.after.table(oid)), self.after.columns(oid)
        steps = (done.step for done in self.steps if str(done.step.table) == table)
        renamed = dict(rename for step in steps for rename in step.shape.renames)
        taken = {name: old for name, old in renamed.items() if name in there and not self.was_there(there[name])}
        return {**taken, **self.exchanged(oid)}

    @property
    def written(self) -> set[int]:
        """The oids of the tables in which undo writes rows."""
        rows = (done.step for done in self.steps if _is_written(done.step))
        return {oid for step in rows if (oid := self.oid(step))} & self.ran.relations


def _is_written(step: PlannedStep) -> bool:
    """Return whether the undo of a step writes rows."""
    return (
        step.effect.writes_rows
        or bool(step.shape.restores or step.shape.respells)
        or any(added.back for added in step.shape.added)
    )


def look_back(session: Session, ran: Undoable) -> Past:
    """Compare a run with the present; raise UndoRefused if somebody has changed what it made, changed or dropped."""
    now = ran.read(session.cursor)
    ours = _ours(ran)
    _look_for_changes(ran, now, ours)
    # An index whose build ended after the fixer had died is the run's, although no definitions list it.
    unentered = {key for key in helpers(now) if key[0] == "index"} | {*_begun(session.cursor, ran, now)}
    unentered -= ran.before.items.keys()
    theirs = {key: item for key, item in now.items.items() if key not in ours | unentered}
    back = {key: item for key, item in ran.before.items.items() if key in ours}
    then = Definitions({**theirs, **back}, ran.before.positions)
    session.cursor.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")
    superuser = bool((session.cursor.fetchone() or (False,))[0])
    return Past(ran, now, then, ours, theirs, superuser, ran.read_below(session.cursor))


def _ours(ran: Undoable) -> frozenset[Key]:
    """Return what a run made, changed or dropped.

    Leftovers of an interrupted run that it dropped are left out, because undo does not restore them.
    """
    before, left = ran.before.items, ran.left.items
    changed = {key for key in before.keys() | left.keys() if before.get(key) != left.get(key)} - ran.only_called
    return frozenset(changed - (helpers(ran.before) - left.keys()))


def _look_for_changes(ran: Undoable, now: Definitions, ours: frozenset[Key]) -> None:
    """Raise UndoRefused if a table that the run left is gone, or what it made, changed or dropped was changed."""
    for oid in sorted(ran.left.relations - now.relations):  # another may bear its name
        raise UndoRefused(f"The table {ran.left.table(oid)} was dropped since run {ran.run}.")
    cleared = helpers(ran.left) - now.items.keys()
    for key in sorted(ours - cleared):
        left, is_ = ran.left.items.get(key), now.items.get(key)
        if left != is_ and (item := left or is_):
            deed = "changed" if left and is_ else "dropped" if left else "created"
            raise UndoRefused(f"The {item.kind} {item.name} was {deed} since run {ran.run}.")


def _begun(cursor: Cursor, ran: Undoable, now: Definitions) -> Iterator[Key]:
    """Yield the indexes that the run began to build concurrently."""
    sought = [done.step.sql for done in ran.steps if done.step.concurrent]
    for index in now.of_kind("index") if sought else ():
        unique = SQL("UNIQUE " if index.detail["definition"].startswith("CREATE UNIQUE") else "")
        create = SQL("CREATE {}INDEX CONCURRENTLY {} ON {} ")
        begin = create.format(unique, Identifier(index.name), q.name(now.table(index.of))).as_string(cursor)
        tails = (sql.removeprefix(begin) for sql in sought if sql.startswith(begin))
        if any(index.detail["definition"].endswith(f" {tail}") for tail in tails):
            yield index.key


def name_of(cursor: Cursor, past: Past, oid: int) -> QName:
    """Return the present name of a table, even if the run did not know it."""
    if oid in past.after.relations:
        return past.after.table(oid)
    cursor.execute(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s",
        (oid,),
    )
    return QName(*(cursor.fetchone() or ("", "")))


def helpers(where: Definitions) -> set[Key]:
    """Return the shadow columns of repairs, and the triggers, indexes and constraints that belong to them."""
    found = [item for kind in ("column", "trigger", "index") for item in where.of_kind(kind) if _is_helper(item.name)]
    columns = {item.name for item in found if item.kind == "column"}
    guards = (key for key in where.of_kind("constraint") if columns & set(key.detail["columns"] or ()))
    return {item.key for item in (*found, *guards)}


def _is_helper(name: str) -> bool:
    return is_syncing(name) or name.startswith(BESIDE)
