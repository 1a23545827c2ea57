"""The reasons why a run is not taken back: what others changed, wrote or made since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import psycopg2

from fixer.connect.failures import told
from fixer.errors import UndoRefused
from fixer.model.schema import QName
from fixer.runner.journal.definitions import Definitions, Item, Key
from fixer.runner.journal.own_values import Kept, written_since
from fixer.runner.journal.parentless import forbids
from fixer.runner.journal.reading import DoneStep
from fixer.runner.undo.past import Past, helpers
from fixer.runner.undo.restore import condition_of
from fixer.runner.undo.stray_values import strays
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal


class Reasons(Past):
    """Looks for what stands in the way, and refuses with it."""

    def _look_for_changes(self) -> None:
        """Refuse where somebody changed since what the run made or found."""
        self.after = now = self._now()
        cleared = helpers(self.left) - now.items.keys()
        for key in sorted(self.ours - cleared):
            left, is_ = self.left.items.get(key), now.items.get(key)
            if left != is_:
                deed = "changed" if left and is_ else "dropped" if left else "created"
                item = left or is_
                assert item is not None
                raise UndoRefused(f"The {item.kind} {item.name} was {deed} since run {self.done.run}.")
        # An index that was finished when the fixer was there no more is not entered, and ours all the same.
        unentered = {key for key in helpers(now) if key[0] == "index"} | {*self._begun(now)}
        unentered -= self.before.items.keys()
        self.theirs = theirs = {key: item for key, item in now.items.items() if key not in self.ours | unentered}
        back = {key: item for key, item in self.before.items.items() if key in self.ours}
        self.then = Definitions({**theirs, **back}, self.before.positions)

    def _begun(self, now: Definitions) -> Iterator[Key]:
        """Yield the indexes that the run set out to build."""
        sought = [done.step.sql for done in self.done.steps if done.step.concurrent]
        for index in now.of_kind("index") if sought else ():
            unique = SQL("UNIQUE " if index.detail["definition"].startswith("CREATE UNIQUE") else "")
            create = SQL("CREATE {}INDEX CONCURRENTLY {} ON {} ")
            begin = create.format(unique, Identifier(index.name), q.name(now.table(index.of))).as_string(self.cursor)
            tails = (sql.removeprefix(begin) for sql in sought if sql.startswith(begin))
            if any(index.detail["definition"].endswith(f" {tail}") for tail in tails):
                yield index.key

    def _look_for_strays(self) -> None:
        """Refuse where a column whose place another took holds what that one does not."""
        for done in self.done.steps:
            columns = self._columns(done.step)
            for added in done.step.added:
                if added.column in columns and added.aside in columns:
                    new, kept = columns[added.column], columns[added.aside]
                    if why := strays(self.cursor, done.step.table, added, new, kept):
                        raise UndoRefused(f"{why}.")

    def _look_at_views(self) -> None:
        """Refuse where others put something on a view of the run's, which goes as a whole."""
        for view in self.after.of_kind("view"):
            if view.key in self.then.items:
                continue
            self.cursor.execute(
                "SELECT CASE WHEN obj_description(c.oid, 'pg_class') IS NOT NULL THEN 'comment'"
                " WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid) THEN 'trigger'"
                # Grants that a new view has by itself tell nothing.
                " WHEN c.relacl IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_default_acl) THEN 'grants'"
                " ELSE '' END FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = %s AND c.relname = %s",
                (view.detail["schema"], view.name),
            )
            if what := (self.cursor.fetchone() or ("",))[0]:
                raise UndoRefused(f"The {what} of the view {view.name}, which run {self.done.run} made, would be lost.")

    def _look_for_losses(self) -> None:
        """Refuse where a column that is to go, or to be converted back, holds what was written since."""
        self._look_for_values_of_others()
        odd: dict[QName, list[tuple[str, Composable]]] = {}
        for done in self.done.steps:
            for column, condition in self._losses(done):
                odd.setdefault(done.step.table, []).append((column, condition))
        for table, questions in odd.items():
            counts = SQL(", ").join(SQL("count(*) FILTER (WHERE {})").format(condition) for _, condition in questions)
            try:
                self.cursor.execute(SQL("SELECT {} FROM {} AS t").format(counts, q.name(table)))
            except psycopg2.DataError as error:
                raise UndoRefused(f"Values of {table} do not go back to their old type: {told(error)}.") from None
            for (column, _), rows in zip(questions, self.cursor.fetchone() or (), strict=True):
                if rows:
                    raise UndoRefused(
                        f"{rows} rows of {table} hold in {column} what was written since run {self.done.run}"
                        " and would be lost."
                    )

    def _look_for_values_of_others(self) -> None:
        """Refuse where a column in which each row got a value of its own may hold one that was written since."""
        last: dict[tuple[QName, str], Kept] = {}
        for done in self.done.steps:
            there = {name for name, column in self._columns(done.step).items() if not self._was_there(column)}
            kept = {name: value for name, value in done.notes.cells.items() if isinstance(value, Kept)}
            for column, value in ((column, value) for column, value in kept.items() if column in there):
                last[done.step.table, column] = last.get((done.step.table, column), value).followed_by(value)
        for (table, column), value in last.items():
            if rows := written_since(self.cursor, table, column, value):
                raise UndoRefused(
                    f"{rows} rows of {table} were written since run {self.done.run}, and may hold in {column} what is"
                    " not of that run and would be lost."
                )

    def _asked(self, known: Definitions) -> Iterator[Item]:
        """Yield the proved foreign keys of tables to which rows go back: a superuser brings them there unasked."""
        tables = {str(done.step.table) for done in self.done.steps if done.step.moves or done.step.restores}
        written = {each.oid(table) for table in tables for each in (self.before, self.left)}
        for key in known.of_kind("constraint") if self.superuser else ():
            if key.detail["type"] == "f" and key.of in written and key.of in known.relations and forbids(key):
                yield key

    def _orphans(self, known: Definitions, key: Item) -> int:
        """Count the rows under a foreign key that have no parent, by the names of some time."""
        question = SQL("SELECT count(*) FROM {} AS t WHERE {}")
        self.cursor.execute(question.format(q.name(known.table(key.of)), self._orphaned(known, key)))
        return int((self.cursor.fetchone() or (0,))[0])

    def _look_for_orphans(self, stood: Mapping[Key, int]) -> None:
        """Refuse where the parent of a row that came back has gone since; some `stood` without one, or were orphans."""
        for key in self._asked(self.then):
            numbers, _ = key.detail["numbers"]
            allowed = stood.get(key.key, 0) + self.emptied[key.of, frozenset(numbers)] + self.parentless[key.id]
            if self._orphans(self.then, key) > allowed:
                table, parent = self.then.table(key.of), self._parent(self.then, key)
                raise UndoRefused(
                    f"Rows that go back to {table} would point at nothing: their rows of {parent} are gone."
                )

    def _losses(self, done: DoneStep) -> Iterator[tuple[str, Composable]]:
        columns = self._columns(done.step)
        for added in done.step.added:
            if added.counts or added.column not in columns or self._was_there(columns[added.column]):
                continue
            if isinstance(done.notes.cells.get(added.column), Kept):
                continue
            if added.kept is not None:
                yield added.column, SQL("({}) IS NOT TRUE").format(SQL(added.kept))
            else:
                filled = Literal(done.notes.cells.get(added.column))
                yield added.column, SQL("{}::text IS DISTINCT FROM {}").format(q.column(added.column), filled)
        for reverted in done.step.reverts:
            if reverted.column in columns:
                cell_, type_ = q.column(reverted.column), SQL(columns[reverted.column].detail["type"])
                again = SQL("({})::{}").format(SQL(reverted.forth), type_)
                yield reverted.column, SQL("{}::text IS DISTINCT FROM {}::text").format(again, cell_)

    def _breaches(self, key: Item) -> int:
        """Return how many rows break a constraint."""
        if key.detail["type"] == "n":
            broken: Composable = q.is_null(key.detail["columns"][0])
        else:
            broken = SQL("NOT ({})").format(SQL(condition_of(key)))
        table = q.name(self._now().table(key.of))
        self.cursor.execute(SQL("SELECT count(*) FROM {} AS t WHERE {}").format(table, broken))
        return int((self.cursor.fetchone() or (0,))[0])

    def _look_for_breaches(self, before: Iterable[tuple[Item, int]]) -> None:
        """Refuse where more rows break a constraint than broke it."""
        for key, rows in before:
            if (more := self._breaches(key) - rows) > 0:
                raise UndoRefused(
                    f"{more} rows of {self.before.table(key.of)} would break the constraint {key.name},"
                    f" which is not of run {self.done.run}."
                )
