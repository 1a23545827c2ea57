"""Takes a run back, in one transaction: rows, cells, then every definition as it was; or refuses with the reason.

Backwards through what the run wrote down: what it added and constrained goes first, so that rows may come back;
then rows and cells, the last step first; then types, added columns, names; at last all that was there before.
Nothing is assumed: at the end the definitions are read again, and have to equal those of before the run.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import sqltext as q
from fixer.apply import definitions, journal, ledger
from fixer.apply.definitions import Definitions, Item, Key
from fixer.apply.journal import Account, DoneStep
from fixer.apply.locks import lock
from fixer.apply.restore import condition_of, created, dropped, handed_back, is_unproved, renamed, replaced
from fixer.apply.strays import strays
from fixer.apply.transaction import TRANSIENT, all_or_nothing
from fixer.errors import ApplyFailed, UndoRefused, UsageError
from fixer.explain import told
from fixer.images import cell, cells, whole
from fixer.online import BESIDE, is_syncing
from fixer.plan import PlannedStep
from fixer.schema import QName
from fixer.sqltext import SQL, Composable, Composed, Identifier, Literal
from fixer.steps import Lock, Phase
from fixer.writes import quarantine_table

log = logging.getLogger("pgmend.undo")


@dataclass(frozen=True)
class Undone:
    """What `undo` did."""

    target: str
    undone: int
    run: int
    ledger: tuple[ledger.Entry, ...] = ()


def undo(
    connection: Connection,
    number: int,
    *,
    target: str = "",
    settings: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda title: None,
) -> Undone:
    """Take a run back.

    Raises UsageError where there is no such run, UndoRefused with the reason where it cannot be taken back
    (later writes or changes, data that was pruned), ApplyFailed when the database failed. Nothing is changed
    then.
    """

    def work(cursor: Cursor) -> Undone:
        done = _account(cursor, number)
        entries, run = _Undo(cursor, done, progress).carry_out()
        return Undone(target, number, run, entries)

    return all_or_nothing(connection, work, settings=settings)


def _account(cursor: Cursor, number: int) -> Account:
    """Return what the run wrote down, if it can be taken back at all."""
    done = journal.account(cursor, number)
    if done is None:
        raise UsageError(f"There is no run {number}: see `fixer history`.")
    if done.mode == "undo":
        raise UndoRefused(f"Run {number} took another run back: apply the plan again instead.")
    if done.undone_by:
        raise UndoRefused(f"Run {number} was taken back already, by run {done.undone_by}.")
    if done.before is None or done.after is None:
        why = "it ran as a script, which keeps no account of it" if done.mode == "script" else "it was pruned"
        raise UndoRefused(f"What undo needs of run {number} is not there: {why}.")
    for later, before in journal.later_runs(cursor, number):
        shared = before.relations & done.before.relations
        if shared:
            names = ", ".join(sorted(str(before.table(oid)) for oid in shared))
            raise UndoRefused(f"Run {later} came after and changed {names}: take that one back first.")
    return done


@dataclass(frozen=True)
class _Cell:
    """A column as images keep its cells, as it is called now, and its type."""

    kept: str
    name: str
    type: str


@dataclass(frozen=True)
class _Found:
    """How the rows of a step's images are found: common table expressions, what joins to the row `t`, and how."""

    rows: Composable
    source: Composable
    condition: Composable


class _Undo:
    """One run on its way back."""

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
        self.ours -= _helpers(self.before) - self.left.items.keys()
        self.after = self.then = Definitions()  # what is there now, and what shall be
        self.theirs: Mapping[Key, Item] = {}  # what is there now and no affair of the run
        self.back, self.gone = Counter[int](), Counter[int]()  # rows, by table

    def carry_out(self) -> tuple[tuple[ledger.Entry, ...], int]:
        """Take the run back; return the ledger and the number of the run that did so."""
        for setting, value in self.done.settings.items():
            self.cursor.execute("SELECT set_config(%s, %s, true)", (setting, value))
        self._lock()
        self._look_for_changes()
        stays = self.before.relations
        named = self.after
        before = ledger.count(self.cursor, [named.table(oid) for oid in stays])
        broken = [(key, self._breaches(key)) for key in self._unproved()]
        number = journal.open_undo(self.cursor, self.done)
        self._look_for_strays()
        self._look_at_views()
        self._let_go()
        self._rows([step for step in self.done.steps if step.step.phase > Phase.CONVERT])
        self._bring_up_to_date()
        self._hand_back()
        self._look_for_losses()
        self._shapes()
        self._rows([step for step in self.done.steps if step.step.phase <= Phase.CONVERT])
        self._bring_back()
        self._prove()
        self._look_for_breaches(broken)
        after = ledger.count(self.cursor, [self.before.table(oid) for oid in stays])
        entries = tuple(
            ledger.Entry(
                self.before.table(oid),
                before[named.table(oid)],
                after[self.before.table(oid)],
                self.back[oid],
                self.gone[oid],
            )
            for oid in sorted(stays, key=lambda oid: self.before.table(oid))
        )
        for entry in entries:
            if not entry.adds_up:
                raise ApplyFailed(f"The rows of {entry.table} do not add up: {entry}. Everything was rolled back.")
        journal.close_undo(self.cursor, number, self.done, ledger.to_json(entries))
        return entries, number

    # --- what stands in the way

    def _lock(self) -> None:
        with self._refusing("lock its tables"):
            lock(self.cursor, {self.left.table(oid): Lock.ACCESS_EXCLUSIVE for oid in self.left.relations})
        self.cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def _now(self) -> Definitions:
        return definitions.read(self.cursor, self.relations, self.schemas)

    def _look_for_changes(self) -> None:
        """Refuse where somebody changed since what the run made or found."""
        self.after = now = self._now()
        cleared = _helpers(self.left) - now.items.keys()
        for key in sorted(self.ours - cleared):
            left, is_ = self.left.items.get(key), now.items.get(key)
            if left != is_:
                deed = "changed" if left and is_ else "dropped" if left else "created"
                item = left or is_
                assert item is not None
                raise UndoRefused(f"The {item.kind} {item.name} was {deed} since run {self.done.run}.")
        # An index that was finished when the fixer was there no more is not entered, and ours all the same.
        unentered = {key for key in _helpers(now) if key[0] == "index"} | {*self._begun(now)}
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
                    self._do(handed_back(table, name, exchanged[name]), f"hand over what is on {name} of {table}")
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

    def _losses(self, done: DoneStep) -> Iterator[tuple[str, Composable]]:
        columns = self._columns(done.step)
        for added in done.step.added:
            if added.counts or added.column not in columns or self._was_there(columns[added.column]):
                continue
            if added.kept is not None:
                yield added.column, SQL("({}) IS NOT TRUE").format(SQL(added.kept))
            else:
                filled = Literal(done.filled.get(added.column))
                yield added.column, SQL("{}::text IS DISTINCT FROM {}").format(q.column(added.column), filled)
        for reverted in done.step.reverts:
            if reverted.column in columns:
                cell_, type_ = q.column(reverted.column), SQL(columns[reverted.column].detail["type"])
                again = SQL("({})::{}").format(SQL(reverted.forth), type_)
                yield reverted.column, SQL("{}::text IS DISTINCT FROM {}::text").format(again, cell_)

    def _columns(self, step: PlannedStep) -> dict[str, Item]:
        oid = self.after.oid(str(step.table))
        return self.after.columns(oid) if oid else {}

    def _was_there(self, column: Item) -> bool:
        return column.key in self.then.items

    def _unknown(self, oid: int) -> list[str]:
        """Return the columns that others added since: what the run kept of rows knows nothing of them."""
        known = self.left.items.keys() | self.before.items.keys()
        return [name for name, column in self.after.columns(oid).items() if column.key not in known]

    # --- what others made that old rows may break

    def _unproved(self) -> list[Item]:
        """Return the NOT VALID constraints, none of the run's, of tables in which undo rewrites rows."""
        written = {
            self.after.oid(str(done.step.table))
            for done in self.done.steps
            if done.step.restores or done.step.respells or any(added.aside for added in done.step.added)
        }
        constraints = (item for item in self.theirs.values() if item.kind == "constraint" and item.of in written)
        return [key for key in constraints if key.detail["type"] in ("c", "n") and is_unproved(key)]

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

    # --- definitions

    def _let_go(self) -> None:
        """Drop what the run added or changed, and put triggers to sleep while rows come back."""
        for statement in dropped(self.after, self.then):
            self._do(statement, "drop what the run added")
        for key in self._unproved():  # it would keep back a row that breaks it anyway; it comes back as it is
            drop = SQL("ALTER TABLE {} DROP CONSTRAINT {}")
            self._do(drop.format(q.name(self.after.table(key.of)), Identifier(key.name)), "")
        for oid in sorted(self.relations & self.after.relations):
            if any(item.of == oid for kind in ("trigger", "rule") for item in self.after.of_kind(kind)):
                self._do(SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(q.name(self.after.table(oid))), "")
            for rule in (item for item in self.after.of_kind("rule") if item.of == oid):
                disable = SQL("ALTER TABLE {} DISABLE RULE {}")
                self._do(disable.format(q.name(self.after.table(oid)), Identifier(rule.name)), "")

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

    @cached_property
    def superuser(self) -> bool:
        """Whether the role is a superuser."""
        self.cursor.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")
        return bool((self.cursor.fetchone() or (False,))[0])

    # --- rows

    def _rows(self, steps: Iterable[DoneStep]) -> None:
        """Take back what steps did to rows, the last one first; no trigger and no foreign key acts on it."""
        written = [done.step for done in steps]
        touching = [s for s in reversed(written) if s.moves or s.restores or s.respells or s.inserts]
        if not touching:
            return
        if self.superuser:
            self.cursor.execute("SET LOCAL session_replication_role = replica")
        # A key may be spelt as it was only once its own step is taken back.
        for step in sorted(touching, key=lambda step: bool(step.respells and step.known_by)):
            oid = self.after.oid(str(step.table))
            if oid is None:
                continue
            self.progress(f"take back: {step.title}")
            if step.moves:
                self._return_rows(oid, step)
            elif step.inserts:
                self._remove_rows(oid, step)
            else:
                self._return_cells(oid, step)
        if self.superuser:
            self.cursor.execute("SET LOCAL session_replication_role TO DEFAULT")

    def _types(self, oid: int) -> dict[str, str]:
        """Return the columns of a table as they are at this moment, with their types."""
        now = definitions.read(self.cursor, [oid], [])
        return {n: c.detail["type"] for n, c in now.columns(oid).items() if not c.detail["generated"]}

    def _return_rows(self, oid: int, step: PlannedStep) -> None:
        """Move rows from quarantine back to their table."""
        table, place = self.after.table(oid), q.name(quarantine_table(step.table))
        mine = SQL("run = {} AND step = {}").format(Literal(self.done.run), Literal(step.number))
        self.cursor.execute(
            SQL(
                "SELECT e.key, count(*) FILTER (WHERE e.value <> 'null') FROM {}, jsonb_each(\"row\") AS e WHERE {}"
                " GROUP BY e.key"
            ).format(place, mine)
        )
        cells_ = dict(self.cursor.fetchall())
        if not cells_:
            return
        types = self._types(oid)
        aside = self._set_aside_since(step)
        named = {aside.get(kept) or self._known_as(oid, kept, types): kept for kept in cells_}
        for name, kept in named.items():
            if name not in types and cells_[kept] and not self._may_go(oid, name):
                raise UndoRefused(
                    f"{cells_[kept]} rows that go back to {table} have a value in {kept}, which is not there any more."
                )
        back = SQL(
            'WITH back AS (DELETE FROM {} WHERE {} RETURNING "row")'
            " INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM back"
        ).format(
            place,
            mine,
            q.name(table),
            q.names(name for name in named if name in types),
            SQL(", ").join(cell(SQL('"row"'), kept, types[name]) for name, kept in named.items() if name in types),
        )
        self.back[oid] += self._do(back, f"bring rows back to {table}")

    def _set_aside_since(self, step: PlannedStep) -> dict[str, str]:
        """Return the columns that held texts when a step was done, each under its name since they were mapped."""
        later = (done.step for done in self.done.steps if done.step.number > step.number)
        mappings = (s for s in later if s.phase in (Phase.KEYS, Phase.REFERENCES) and s.table == step.table)
        return dict(rename for mapping in mappings for rename in mapping.renames)

    def _may_go(self, oid: int, column: str) -> bool:
        """Tell whether a cell in quarantine need not go back: it is computed, or was a copy of another."""
        there = self.after.columns(oid).get(column) or self.then.columns(oid).get(column)
        return column.startswith(BESIDE) or bool(there and there.detail["generated"])

    def _known_as(self, oid: int, kept: str, types: Mapping[str, str]) -> str:
        """Return how a column is called now whose cells an image keeps, perhaps by the name of before the run."""
        if kept in types:
            return kept
        was = self.then.columns(oid).get(kept) if oid in self.then.relations else None
        return self.after.items[was.key].name if was and was.key in self.after.items else kept

    def _return_cells(self, oid: int, step: PlannedStep) -> None:
        """Give cells back what they held, in rows that nobody wrote since.

        A cell that is only respelt and was written since keeps its new value, which its type has brought back.
        """
        table, types = self.after.table(oid), self._types(oid)
        names = step.restores or step.respells
        self.cursor.execute(SQL("SELECT count(*) FROM {} AS b WHERE {}").format(journal.BEFORE_IMAGE, self._mine(step)))
        (rows,) = self.cursor.fetchone() or (0,)
        if not rows:
            return
        columns, key = self._kept(oid, names, types), self._kept(oid, step.known_by, types)
        values = {column.name: cell(SQL('i."row"'), column.kept, column.type) for column in columns}
        found = self._by_key(step, key, columns) if key else self._by_whole_row(table, step, types)
        self._look_for_children(oid, step, found)
        written = self._written_since(table, step, key, columns) if step.respells and key else 0
        update = SQL("{} UPDATE {} AS t SET {} FROM {} WHERE {}").format(
            found.rows, q.name(table), _assigned(values), found.source, found.condition
        )
        done = self._do(update, f"give cells of {table} back what they held")
        lacking = rows - done - written
        if step.respells and not step.known_by:
            lacking = self._lacking(table, step, types)
        if lacking:
            raise UndoRefused(
                f"{lacking} of {rows} rows of {table} whose {', '.join(names)} run {self.done.run} rewrote"
                " were changed or deleted since, or look like others by now."
            )

    def _kept(self, oid: int, names: Iterable[str], types: Mapping[str, str]) -> list[_Cell]:
        """Return columns whose cells images keep, as they are called now; refuse where one is not there any more."""
        found = [(kept, self._known_as(oid, kept, types)) for kept in names]
        for kept, name in found:
            if name not in types:
                raise UndoRefused(
                    f"The column {kept} of {self.after.table(oid)}, of which run {self.done.run} rewrote cells"
                    " or by which it knows them, is not there any more."
                )
        return [_Cell(kept, name, types[name]) for kept, name in found]

    def _mine(self, step: PlannedStep) -> Composed:
        return SQL("b.run = {} AND b.step = {}").format(Literal(self.done.run), Literal(step.number))

    def _images(self, step: PlannedStep) -> Composed:
        return SQL("i AS MATERIALIZED (SELECT b.row, b.mark FROM {} AS b WHERE {})").format(
            journal.BEFORE_IMAGE, self._mine(step)
        )

    def _by_key(self, step: PlannedStep, key: Iterable[_Cell], columns: Iterable[_Cell]) -> _Found:
        """Return how each row is found by its key, and only if its cells are still those of the run."""
        same = [_key_of(key), *map(_as_left, columns)]
        return _Found(SQL("WITH {}").format(self._images(step)), SQL("i"), q.all_of(same))

    def _written_since(self, table: QName, step: PlannedStep, key: Iterable[_Cell], columns: Iterable[_Cell]) -> int:
        """Return how many rows have their key still, and another value than the one whose spelling is kept."""
        kept = q.all_of(SQL("i.mark ? {}").format(Literal(column.kept)) for column in columns)
        other = SQL("({}) IS NOT TRUE").format(q.all_of(map(_as_left, columns)))
        self.cursor.execute(
            SQL("WITH {} SELECT count(*) FROM {} AS t, i WHERE {}").format(
                self._images(step), q.name(table), q.all_of([_key_of(key), kept, other])
            )
        )
        return int((self.cursor.fetchone() or (0,))[0])

    def _by_whole_row(self, table: QName, step: PlannedStep, types: Mapping[str, str]) -> _Found:
        """Return how each row is found by all its cells: rows that are alike are as good as each other."""
        now, mark = self._whole_row(table, step, types)
        rows = SQL(
            "WITH i AS MATERIALIZED (SELECT b.row, {mark} AS mark, row_number() OVER (PARTITION BY {mark}) AS n,\n"
            "    min(b.row::text) OVER (PARTITION BY {mark}) = max(b.row::text) OVER (PARTITION BY {mark}) AS alike\n"
            "    FROM {images} AS b WHERE {mine}),\n"
            "r AS MATERIALIZED (SELECT t.tableoid AS part, t.ctid AS place, {now} AS mark,\n"
            "    row_number() OVER (PARTITION BY {now} ORDER BY t.tableoid, t.ctid) AS n FROM {table} AS t\n"
            "    WHERE {now} IN (SELECT i.mark FROM i)),\n"
            "p AS MATERIALIZED (SELECT i.row, r.part, r.place FROM i JOIN r ON r.mark = i.mark AND r.n = i.n"
            " WHERE i.alike OR {changes})"
        ).format(
            mark=mark,
            now=now,
            images=journal.BEFORE_IMAGE,
            mine=self._mine(step),
            table=q.name(table),
            changes=Literal(bool(step.restores)),
        )
        return _Found(rows, SQL("p AS i"), SQL("t.tableoid = i.part AND t.ctid = i.place"))

    def _whole_row(self, table: QName, step: PlannedStep, types: Mapping[str, str]) -> tuple[Composed, Composed]:
        """Return by what a row is told from others, now and in its image: cells that may be spelt otherwise do not."""
        aside = self._respelt(step) if step.respells else []
        others = self._unknown(self.after.oid(str(table)) or 0)
        now = SQL("(({} - {}::text[]) || {})").format(whole(types), Literal([*aside, *others]), cells(step.respells))
        mark = SQL("(b.mark - {}::text[])").format(Literal([column for column in aside if column not in step.respells]))
        return now, mark

    def _lacking(self, table: QName, step: PlannedStep, types: Mapping[str, str]) -> int:
        """Return how many of the rows that are known by all their cells do not stand as they were."""
        now, mark = self._whole_row(table, step, types)
        was = [SQL("{}, {}::text").format(Literal(c), cell(SQL("b.row"), c, types[c])) for c in step.respells]
        self.cursor.execute(
            SQL(
                "WITH i AS MATERIALIZED (SELECT {mark} || jsonb_build_object({was}) AS mark, count(*) AS n"
                " FROM {images} AS b WHERE {mine} GROUP BY 1),\n"
                "r AS MATERIALIZED (SELECT {now} AS mark, count(*) AS n FROM {table} AS t"
                " WHERE {now} IN (SELECT i.mark FROM i) GROUP BY 1)\n"
                "SELECT coalesce(sum(greatest(i.n - coalesce(r.n, 0), 0)), 0)::bigint FROM i LEFT JOIN r USING (mark)"
            ).format(
                mark=mark,
                was=SQL(", ").join(was),
                images=journal.BEFORE_IMAGE,
                mine=self._mine(step),
                now=now,
                table=q.name(table),
            )
        )
        return int((self.cursor.fetchone() or (0,))[0])

    def _respelt(self, step: PlannedStep) -> list[str]:
        """Return the columns of a table whose spelling steps kept: until all are back, none tells rows apart."""
        return sorted(
            {column for done in self.done.steps if done.step.table == step.table for column in done.step.respells}
        )

    def _remove_rows(self, oid: int, step: PlannedStep) -> None:
        """Move rows that the run inserted to quarantine, if nobody changed or referenced them since."""
        table, types = self.after.table(oid), self._types(oid)
        all_types = {name: item.detail["type"] for name, item in self.after.columns(oid).items()}
        match = q.all_of(SQL("{} = {}").format(q.column(c), cell(SQL("b.mark"), c, types[c])) for c in step.known_by)
        now = SQL("({} - {}::text[])").format(whole(all_types), Literal(self._unknown(oid)))
        same = SQL("{} AND {} AND {} = b.mark").format(self._mine(step), match, now)
        self._look_for_references(oid, same)
        for statement in journal.tables({table}):
            self.cursor.execute(statement)
        remove = SQL(
            'WITH gone AS (DELETE FROM {} AS t USING {} AS b WHERE {} RETURNING {} AS "row")'
            ' INSERT INTO {} (run, step, source, reason, "row")'
            " SELECT current_setting('pgmend.run')::bigint, {}, {}, {}, \"row\" FROM gone"
        ).format(
            q.name(table),
            journal.BEFORE_IMAGE,
            same,
            whole(all_types),
            q.name(quarantine_table(table)),
            Literal(step.number),
            Literal(str(table)),
            Literal(f"run {self.done.run} had inserted it"),
        )
        done = self._do(remove, f"take inserted rows out of {table}")
        self.cursor.execute(SQL("SELECT count(*) FROM {} AS b WHERE {}").format(journal.BEFORE_IMAGE, self._mine(step)))
        (rows,) = self.cursor.fetchone() or (0,)
        if done != rows:
            raise UndoRefused(f"A row that run {self.done.run} inserted into {table} was changed or deleted since.")
        self.gone[oid] += done

    def _look_for_references(self, oid: int, same: Composable) -> None:
        """Refuse where rows reference one that the run inserted and that is to go."""
        for child, key in self._references(oid):
            match = q.equal(key.detail["columns"], key.detail["target_columns"], "c", "t")
            question = SQL("SELECT count(*) FROM {} AS c, {} AS t, {} AS b WHERE {} AND {}")
            self.cursor.execute(
                question.format(q.name(child), q.name(self.after.table(oid)), journal.BEFORE_IMAGE, match, same)
            )
            (rows,) = self.cursor.fetchone() or (0,)
            if rows:
                raise UndoRefused(
                    f"{rows} rows of {child} reference a row that run {self.done.run} inserted into"
                    f" {self.after.table(oid)}."
                )

    def _look_for_children(self, oid: int, step: PlannedStep, found: _Found) -> None:
        """Refuse where rows reference a key that the run gave a row, and that the row is to lose."""
        table = self.after.table(oid)
        for child, key in self._references(oid):
            if not set(step.restores) & set(key.detail["target_columns"]):
                continue
            match = q.equal(key.detail["columns"], key.detail["target_columns"], "c", "t")
            question = SQL("{} SELECT count(*) FROM {} AS c, {} AS t, {} WHERE {} AND {}")
            self.cursor.execute(
                question.format(found.rows, q.name(child), q.name(table), found.source, found.condition, match)
            )
            (rows,) = self.cursor.fetchone() or (0,)
            if rows:
                raise UndoRefused(
                    f"{rows} rows of {child} reference by {', '.join(key.detail['columns'])} a row of {table}"
                    f" whose {', '.join(step.restores)} run {self.done.run} rewrote."
                )

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

    def _exchanged(self, oid: int) -> dict[str, str]:
        """Return the columns of a table that took the place of others, with the names of those."""
        table = str(self.after.table(oid))
        steps = (done.step for done in self.done.steps if str(done.step.table) == table)
        return {added.column: added.aside for step in steps for added in step.added if added.aside}

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


def _helpers(where: Definitions) -> set[Key]:
    """Return the second columns that a repair fills, and what hangs on them."""
    found = [item for kind in ("column", "trigger", "index") for item in where.of_kind(kind) if _is_helper(item.name)]
    columns = {item.name for item in found if item.kind == "column"}
    guards = (key for key in where.of_kind("constraint") if columns & set(key.detail["columns"] or ()))
    return {item.key for item in (*found, *guards)}


def _is_helper(name: str) -> bool:
    return is_syncing(name) or name.startswith(BESIDE)


def _key_of(key: Iterable[_Cell]) -> Composed:
    """Return the condition that the row `t` has the key by which the image `i` knows it."""
    return q.all_of(SQL("{} = {}").format(q.column(c.name), cell(SQL("i.mark"), c.kept, c.type)) for c in key)


def _as_left(column: _Cell) -> Composed:
    """Return the condition that a cell of the row `t` is still the one that the image `i` knows."""
    kept = cell(SQL("i.mark"), column.kept, column.type)
    same = SQL("{}::text IS NOT DISTINCT FROM {}::text").format(q.column(column.name), kept)
    return SQL("i.mark ? {} AND {}").format(Literal(column.kept), same)


def _assigned(values: Mapping[str, Composable]) -> Composed:
    return SQL(", ").join(SQL("{} = {}").format(Identifier(column), value) for column, value in values.items())
