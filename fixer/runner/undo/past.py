"""What a run found, what it left, what is there now and what shall be: what every part of an undo looks at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.errors import UndoRefused
from fixer.model.schema import QName
from fixer.planner.build import PlannedStep
from fixer.repair.constraints_online import BESIDE, is_syncing
from fixer.runner.journal import definitions
from fixer.runner.journal.definitions import Definitions, Item, Key
from fixer.runner.journal.parentless import lacks_parent
from fixer.runner.journal.reading import Account
from fixer.runner.locking.transaction import TRANSIENT
from fixer.runner.undo.restore import is_unproved
from fixer.sql.compose import Composable


class Past:
    """One run, as undo sees it."""

    def __init__(self, cursor: Cursor, done: Account, progress: Callable[[str], None]) -> None:
        assert done.before is not None
        assert done.after is not None
        self.cursor, self.done, self.progress = cursor, done, progress
        self.before, self.left = done.before, done.after  # what the run found, and what it left
        self.relations = self.before.relations | self.left.relations
        self.schemas = sorted({self.left.table(oid).schema for oid in self.left.relations})
        keys = self.before.items.keys() | self.left.items.keys()
        self.ours = {key for key in keys if self.before.items.get(key) != self.left.items.get(key)}
        # What an interrupted run had left and this one cleared away does not come back.
        self.ours -= helpers(self.before) - self.left.items.keys()
        self.after = self.then = Definitions()  # what is there now, and what shall be
        self.theirs: Mapping[Key, Item] = {}  # what is there now and no affair of the run
        self.anew: frozenset[Key] = frozenset()  # the constraints and indexes that undo makes anew
        self.awake: Mapping[tuple[QName, str], str] = {}  # how the triggers of partitions were enabled
        self.back, self.gone = Counter[int](), Counter[int]()  # rows, by table
        self.told_by: dict[int, str] = {}  # what told publications the rows of tables that are told whole meanwhile
        # Rows that had no parent before the run either: by the columns that it rewrote, and of others by foreign key.
        self.emptied, self.parentless = Counter[tuple[int, frozenset[int]]](), Counter[str]()

    def _now(self) -> Definitions:
        return definitions.read(self.cursor, self.relations, self.schemas)

    def _columns(self, step: PlannedStep) -> dict[str, Item]:
        oid = self.after.oid(str(step.table))
        return self.after.columns(oid) if oid else {}

    def _was_there(self, column: Item) -> bool:
        return column.key in self.then.items

    def _unknown(self, oid: int) -> list[str]:
        """Return the columns that others added since: what the run kept of rows knows nothing of them."""
        known = self.left.items.keys() | self.before.items.keys()
        return [name for name, column in self.after.columns(oid).items() if column.key not in known]

    def _types(self, oid: int) -> dict[str, str]:
        """Return the columns of a table as they are at this moment, with their types."""
        now = definitions.read(self.cursor, [oid], [])
        return {n: c.detail["type"] for n, c in now.columns(oid).items() if not c.detail["generated"]}

    def _unproved(self) -> list[Item]:
        """Return the NOT VALID constraints, none of the run's, of tables in which undo rewrites rows."""
        written = {
            self.after.oid(str(done.step.table))
            for done in self.done.steps
            if done.step.restores or done.step.respells or any(added.aside for added in done.step.added)
        }
        constraints = (item for item in self.theirs.values() if item.kind == "constraint" and item.of in written)
        return [key for key in constraints if key.detail["type"] in ("c", "n") and is_unproved(key)]

    def _exchanged(self, oid: int) -> dict[str, str]:
        """Return the columns of a table that took the place of others, with the names of those."""
        table = str(self.after.table(oid))
        steps = (done.step for done in self.done.steps if str(done.step.table) == table)
        return {added.column: added.aside for step in steps for added in step.added if added.aside}

    def _references(self, oid: int) -> Iterator[tuple[QName, Item]]:
        """Yield the foreign keys that point at a table, each with its own, which others may have made since.

        Not those by a column that goes: whether it holds what was written since is looked at by itself.
        """
        for key in self.after.of_kind("constraint"):
            if key.detail["type"] == "f" and key.detail["target"] == oid and not self._goes(key):
                yield self._table(key.of), key

    def _goes(self, key: Item) -> bool:
        """Tell whether a foreign key is by a column that the run added, and in no other's place."""
        if key.of not in self.after.relations:
            return False
        columns, exchanged = self.after.columns(key.of), self._exchanged(key.of)
        return any(not self._was_there(columns[name]) and name not in exchanged for name in key.detail["columns"])

    def _orphaned(self, known: Definitions, key: Item) -> Composable:
        """Return the condition that a row has no parent under a foreign key, by the names of some time."""
        return lacks_parent(key, self._parent(known, key))

    def _parent(self, known: Definitions, key: Item) -> QName:
        target = key.detail["target"]
        return known.table(target) if target in known.relations else self._table(target)

    def _table(self, oid: int) -> QName:
        """Return the name of a table, of one that the run knew nothing of as well."""
        if oid in self.after.relations:
            return self.after.table(oid)
        self.cursor.execute(
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s",
            (oid,),
        )
        return QName(*(self.cursor.fetchone() or ("", "")))

    @cached_property
    def superuser(self) -> bool:
        """Whether the role is a superuser."""
        self.cursor.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")
        return bool((self.cursor.fetchone() or (False,))[0])

    def _do(self, statement: Composable, title: str) -> int:
        with self._refusing(title):
            self.cursor.execute(statement)
        return max(self.cursor.rowcount, 0)

    @contextmanager
    def _refusing(self, title: str) -> Iterator[None]:
        """Let what the database refuses be the reason why the run cannot be taken back."""
        try:
            yield
        except TRANSIENT:
            raise
        except psycopg2.OperationalError:
            raise
        except psycopg2.Error as error:
            raise UndoRefused(f"Run {self.done.run} cannot be taken back ({title}): {told(error)}.") from None


def helpers(where: Definitions) -> set[Key]:
    """Return the second columns that a repair fills, and what hangs on them."""
    found = [item for kind in ("column", "trigger", "index") for item in where.of_kind(kind) if _is_helper(item.name)]
    columns = {item.name for item in found if item.kind == "column"}
    guards = (key for key in where.of_kind("constraint") if columns & set(key.detail["columns"] or ()))
    return {item.key for item in (*found, *guards)}


def _is_helper(name: str) -> bool:
    return is_syncing(name) or name.startswith(BESIDE)
