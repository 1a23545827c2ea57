"""The way back of definitions: what the run added goes, what it changed or dropped comes back, and is proved."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import psycopg2

from fixer import sqltext as q
from fixer.apply.definitions import Item
from fixer.apply.restore import constraint, created, differs, dropped, renamed, replaced
from fixer.apply.undo.past import Past
from fixer.ddl import handed_over
from fixer.errors import UndoRefused
from fixer.explain import told
from fixer.schema import QName
from fixer.sqltext import SQL, Composable, Identifier
from fixer.steps import Phase

log = logging.getLogger("pgmend.undo")


class Shapes(Past):
    """Brings columns and constraints, indexes and names back."""

    def _let_go(self) -> None:
        """Drop what the run added or changed, and put triggers to sleep while rows come back."""
        for statement in dropped(self.after, self.then):
            self._do(statement, "drop what the run added")
        for index in self._half_built():
            self._do(SQL("DROP INDEX {}").format(q.name(index)), f"drop the index {index}, which was never finished")
        for key in self._lying():
            self._try(statement for _, statement in constraint(self.then, key))
        for key in self._unproved():  # it would keep back a row that breaks it anyway; it comes back as it is
            drop = SQL("ALTER TABLE {} DROP CONSTRAINT {}")
            self._do(drop.format(q.name(self.after.table(key.of)), Identifier(key.name)), "")
        for oid in sorted(self.relations & self.after.relations):
            if any(item.of == oid for kind in ("trigger", "rule") for item in self.after.of_kind(kind)):
                self._do(SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(q.name(self.after.table(oid))), "")
            for rule in (item for item in self.after.of_kind("rule") if item.of == oid):
                disable = SQL("ALTER TABLE {} DISABLE RULE {}")
                self._do(disable.format(q.name(self.after.table(oid)), Identifier(rule.name)), "")

    def _half_built(self) -> list[QName]:
        """Return the indexes that the run was building when it was interrupted: no definition tells of them."""
        built = [done.step.sql for done in self.done.steps if done.step.concurrent]
        self.cursor.execute(
            "SELECT n.nspname, x.relname FROM pg_catalog.pg_index i"
            " JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid"
            " JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace"
            " WHERE i.indrelid = ANY (%s::oid[]) AND NOT i.indisvalid",
            (sorted(self.relations),),
        )
        invalid = (QName(*row) for row in self.cursor.fetchall()) if built else ()
        return [index for index in invalid if any(f" {q.quoted([index.name])} ON " in sql for sql in built)]

    def _lying(self) -> Iterator[Item]:
        """Yield the foreign keys under which rows without a parent may have stood.

        Over such rows none could be added; under one that stands a superuser can bring them back, as they came about.
        """
        settled = {str(done.step.table) for done in self.done.steps if done.step.phase is Phase.ORPHANS}
        for key in self.then.of_kind("constraint") if self.superuser else ():
            there = {key.of, key.detail["target"]} <= self.after.relations if key.detail["type"] == "f" else False
            is_ = self.after.items.get(key.key)
            if there and str(self.after.table(key.of)) in settled and (is_ is None or differs(is_, key)):
                yield key

    def _try(self, statements: Iterable[Composable]) -> None:
        """Do what can be done by now; the rest has its turn once all else is back."""
        self.cursor.execute("SAVEPOINT pgmend_early")
        try:
            for statement in statements:
                self.cursor.execute(statement)
        except psycopg2.Error as error:
            log.info("not yet: %s", told(error))
            self.cursor.execute("ROLLBACK TO SAVEPOINT pgmend_early")
        self.cursor.execute("RELEASE SAVEPOINT pgmend_early")

    def _bring_up_to_date(self) -> None:
        """Give columns whose place others took the cells of rows that were written since."""
        for done in self.done.steps:
            for added in done.step.added:
                columns = self._columns(done.step)
                if added.back is None or added.kept is None or added.column not in columns:
                    continue
                self.progress(f"bring {added.aside} of {done.step.table} up to date")
                statement = SQL("UPDATE {} AS t SET {} = {} WHERE ({}) IS NOT TRUE").format(
                    q.name(done.step.table), Identifier(added.aside), SQL(added.back), SQL(added.kept)
                )
                self._do(statement, f"give {added.column} of {done.step.table} its old type")

    def _hand_back(self) -> None:
        """Give what others put on a column since to the one whose place it took; refuse where there is none."""
        for oid in sorted(self.relations & self.after.relations):
            table, exchanged = self.after.table(oid), self._exchanged(oid)
            for name, column in self.after.columns(oid).items():
                if self._was_there(column) or oid not in self.then.relations:
                    continue
                if name in exchanged:
                    self._do(handed_over(table, name, exchanged[name]), f"hand over what is on {name} of {table}")
                elif what := self._put_on(column):
                    raise UndoRefused(
                        f"The {what} of {name} of {table}, which run {self.done.run} added, would be lost."
                    )

    def _put_on(self, column: Item) -> str:
        """Return what others put on a column that goes, and that goes with it."""
        self.cursor.execute(
            "SELECT CASE WHEN col_description(attrelid, attnum) IS NOT NULL THEN 'comment'"
            " WHEN attacl IS NOT NULL THEN 'grants' WHEN attoptions IS NOT NULL THEN 'options' ELSE '' END"
            " FROM pg_catalog.pg_attribute WHERE attrelid = %s AND attnum = %s",
            (column.of, column.number),
        )
        return str((self.cursor.fetchone() or ("",))[0])

    def _shapes(self) -> None:
        """Bring types back and drop what was added, in one statement a table, so that it is written anew once."""
        for oid in sorted(self.before.relations):
            then, columns = self.then, self.after.columns(oid)
            actions: list[Composable] = []
            for name, item in columns.items():
                if not self._was_there(item):
                    actions.append(SQL("DROP COLUMN {}").format(Identifier(name)))
                elif then.items[item.key].detail["type"] != item.detail["type"]:
                    old = SQL(then.items[item.key].detail["type"])
                    value = SQL(self._reversal(oid, name)) if self._reversal(oid, name) else Identifier(name)
                    actions.append(SQL("ALTER COLUMN {} TYPE {} USING {}").format(Identifier(name), old, value))
            if actions:
                self.progress(f"bring the columns of {self.after.table(oid)} back")
                alter = SQL("ALTER TABLE {} {}").format(q.name(self.after.table(oid)), SQL(", ").join(actions))
                self._do(alter, f"bring the columns of {self.after.table(oid)} back")

    def _reversal(self, oid: int, column: str) -> str:
        """Return the old value of a column over its new cell, for USING, where columns stand by themselves."""
        name = str(self.after.table(oid))
        found = [r.back for done in self.done.steps for r in done.step.reverts
                 if str(done.step.table) == name and r.column == column]  # fmt: skip
        bare = q.column(column).as_string(self.cursor)
        return found[-1].replace(bare, Identifier(column).as_string(self.cursor)) if found else ""

    def _bring_back(self) -> None:
        """Bring names back, then every definition that is not as it was."""
        for statement in renamed(self.after, self.then):
            self._do(statement, "bring a name back")
        now = self._now()
        for oid in sorted(now.relations - self.then.relations):
            self._empty(now.table(oid))
        for title, statement in created(now, self.then, self.left):
            self.progress(title)
            self._do(statement, title)
        for title, statement in replaced(self.cursor, self._now(), self.then):
            if not self.superuser:
                raise UndoRefused(f"Only a superuser may {title}, as it was before run {self.done.run}.")
            self._do(statement, title)

    def _empty(self, table: QName) -> None:
        self.cursor.execute(SQL("SELECT EXISTS (SELECT FROM {})").format(q.name(table)))
        if (self.cursor.fetchone() or (False,))[0]:
            raise UndoRefused(f"The table {table}, which run {self.done.run} created, holds rows by now.")

    def _prove(self) -> None:
        """Read the definitions once more: they have to be those of before the run, with what others made since."""
        now = self._now()
        for key in sorted(self.theirs.keys() - now.items.keys()):
            lost = self.theirs[key]
            raise UndoRefused(f"The {lost.kind} {lost.name}, which is not of run {self.done.run}, would be lost.")
        for key in sorted(self.ours):
            was, is_ = self.before.items.get(key), now.items.get(key)
            if was != is_:
                item = was or is_
                assert item is not None
                log.error("%s %s: was %s, is %s", item.kind, item.name, was and was.detail, is_ and is_.detail)
                raise UndoRefused(f"The {item.kind} {item.name} could not be brought back as it was.")
