"""The way back of rows and cells: from quarantine and from the images in the journal, as the run left them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fixer import introspect
from fixer.errors import UndoRefused
from fixer.model.schema import QName
from fixer.model.step import Phase
from fixer.planner.build import PlannedStep
from fixer.repair.constraints_online import BESIDE
from fixer.repair.rows import quarantine_table
from fixer.runner.audience import stopped_by
from fixer.runner.journal import tables
from fixer.runner.journal.reading import DoneStep
from fixer.runner.undo.past import Past
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal
from fixer.sql.row_image import cell, cells, likeness, whole


@dataclass(frozen=True)
class _Cell:
    """A column as images keep its cells, as it is called now, its type, and how values of that are compared."""

    kept: str
    name: str
    type: str
    equality: str = "="


@dataclass(frozen=True)
class _Found:
    """How the rows of a step's images are found: common table expressions, what joins to the row `t`, and how."""

    rows: Composable
    source: Composable
    condition: Composable


class Rows(Past):
    """Brings rows and cells back, the last step first."""

    def _rows(self, steps: Iterable[DoneStep]) -> None:
        """Take back what steps did to rows, the last one first; no trigger and no foreign key acts on it."""
        written = [(done.step, done.notes.orphans) for done in steps]
        touching = [(s, o) for s, o in reversed(written) if s.moves or s.restores or s.respells or s.inserts]
        if not touching:
            return
        if self.superuser:
            self.cursor.execute("SET LOCAL session_replication_role = replica")
        # A key may be spelt as it was only once its own step is taken back.
        for step, orphans in sorted(touching, key=lambda pair: bool(pair[0].respells and pair[0].known_by)):
            oid = self.after.oid(str(step.table))
            if oid is None:
                continue
            self.progress(f"take back: {step.title}")
            if step.moves:
                self._return_rows(oid, step)
                self.parentless.update(orphans)
            elif step.inserts:
                self._remove_rows(oid, step)
            else:
                self._return_cells(oid, step)
        if self.superuser:
            self.cursor.execute("SET LOCAL session_replication_role TO DEFAULT")

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

    def _note_orphans(self, oid: int, step: PlannedStep, rows: int) -> None:
        """Note how many rows came back that had no parent before the run either."""
        known = [each.columns(oid) for each in (self.before, self.left) if step.orphans_by and oid in each.relations]
        there = [columns for columns in known if columns.keys() >= set(step.orphans_by)]
        # By both numbers, where another column took the place of the first.
        for numbers in {frozenset(columns[name].number for name in step.orphans_by) for columns in there}:
            self.emptied[oid, numbers] += rows

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
        self.cursor.execute(SQL("SELECT count(*) FROM {} AS b WHERE {}").format(tables.BEFORE_IMAGE, self._mine(step)))
        (rows,) = self.cursor.fetchone() or (0,)
        if not rows:
            return
        columns, key = self._kept(oid, names, types), self._kept(oid, step.known_by, types)
        values = {column.name: cell(SQL('i."row"'), column.kept, column.type) for column in columns}
        others = self._others(oid, step) if step.restores else []
        found = self._by_key(step, key, columns, others) if key else self._by_whole_row(table, step)
        self._look_for_children(oid, step, found)
        written = self._written_since(table, step, key, columns) if step.respells and key else 0
        update = SQL("{} UPDATE {} AS t SET {} FROM {} WHERE {}").format(
            found.rows, q.name(table), _assigned(values), found.source, found.condition
        )
        done = self._do(update, f"give cells of {table} back what they held")
        self._note_orphans(oid, step, done)
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
        signs = introspect.equalities(self.cursor, oid)
        return [_Cell(kept, name, types[name], signs.get(name, "=")) for kept, name in found]

    def _mine(self, step: PlannedStep) -> Composed:
        return SQL("b.run = {} AND b.step = {}").format(Literal(self.done.run), Literal(step.number))

    def _images(self, step: PlannedStep) -> Composed:
        return SQL("i AS MATERIALIZED (SELECT b.row, b.mark FROM {} AS b WHERE {})").format(
            tables.BEFORE_IMAGE, self._mine(step)
        )

    def _others(self, oid: int, step: PlannedStep) -> list[_Cell]:
        """Return the columns of a table that a step left alone, and of which its images tell."""
        there, before = self.after.columns(oid), self.before.columns(oid) if oid in self.before.relations else {}
        types, written = self._types(oid), {*step.restores, *step.known_by}
        return [
            _Cell(name, name, types[name])
            for name, column in before.items()
            if name in types and name not in written and there[name] == column
        ]

    def _by_key(
        self, step: PlannedStep, key: Iterable[_Cell], columns: Iterable[_Cell], others: Sequence[_Cell]
    ) -> _Found:
        """Return how each row is found by its key, and only if its cells are still those of the run.

        A key may have been given to another row since: of the `others` that held a value, half are to hold it still.
        """
        same = [_key_of(key), *map(_as_left, columns)]
        if others:
            there = SQL(" + ").join(SQL("({} IS NOT NULL)::integer").format(_was(other)) for other in others)
            kept = SQL(" + ").join(SQL("({})::integer").format(_as_it_was(other)) for other in others)
            same.append(SQL("2 * ({}) >= {}").format(kept, there))
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

    def _by_whole_row(self, table: QName, step: PlannedStep) -> _Found:
        """Return how each row is found by all its cells: rows that are alike are as good as each other."""
        now, mark = self._whole_row(table, step)
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
            images=tables.BEFORE_IMAGE,
            mine=self._mine(step),
            table=q.name(table),
            changes=Literal(bool(step.restores)),
        )
        return _Found(rows, SQL("p AS i"), SQL("t.tableoid = i.part AND t.ctid = i.place"))

    def _whole_row(self, table: QName, step: PlannedStep) -> tuple[Composed, Composed]:
        """Return by what a row is told from others, now and in its image: cells that may be spelt otherwise do not."""
        aside = self._respelt(step) if step.respells else []
        others = self._unknown(self.after.oid(str(table)) or 0)
        now = SQL("(({} - {}::text[]) || {})").format(likeness(), Literal([*aside, *others]), cells(step.respells))
        mark = SQL("(b.mark - {}::text[])").format(Literal([column for column in aside if column not in step.respells]))
        return now, mark

    def _lacking(self, table: QName, step: PlannedStep, types: Mapping[str, str]) -> int:
        """Return how many of the rows that are known by all their cells do not stand as they were."""
        now, mark = self._whole_row(table, step)
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
                images=tables.BEFORE_IMAGE,
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
        match = _key_of(self._kept(oid, step.known_by, types), "b")
        now = SQL("({} - {}::text[])").format(likeness(), Literal(self._unknown(oid)))
        # As it stands, nothing is looked up by it: else every row would be made an image of first.
        same = SQL("{} AND {} AND ({} = b.mark) IS TRUE").format(self._mine(step), match, now)
        self._look_for_references(oid, same)
        if why := stopped_by(self.cursor, {table}):
            raise UndoRefused(why)
        for statement in tables.statements({table}):
            self.cursor.execute(statement)
        remove = SQL(
            'WITH gone AS (DELETE FROM {} AS t USING {} AS b WHERE {} RETURNING {} AS "row")'
            ' INSERT INTO {} (run, step, source, reason, "row")'
            " SELECT current_setting('pgmend.run')::bigint, {}, {}, {}, \"row\" FROM gone"
        ).format(
            q.name(table),
            tables.BEFORE_IMAGE,
            same,
            whole(all_types),
            q.name(quarantine_table(table)),
            Literal(step.number),
            Literal(str(table)),
            Literal(f"run {self.done.run} had inserted it"),
        )
        done = self._do(remove, f"take inserted rows out of {table}")
        self.cursor.execute(SQL("SELECT count(*) FROM {} AS b WHERE {}").format(tables.BEFORE_IMAGE, self._mine(step)))
        (rows,) = self.cursor.fetchone() or (0,)
        if done != rows:
            raise UndoRefused(f"A row that run {self.done.run} inserted into {table} was changed or deleted since.")
        self.gone[oid] += done

    def _look_for_references(self, oid: int, same: Composable) -> None:
        """Refuse where rows reference one that the run inserted and that is to go."""
        for child, key in self._references(oid):
            match = q.equal(key.detail["columns"], key.detail["target_columns"], "c", "t", key.detail["equalities"])
            question = SQL("SELECT count(*) FROM {} AS c, {} AS t, {} AS b WHERE {} AND {}")
            self.cursor.execute(
                question.format(q.name(child), q.name(self.after.table(oid)), tables.BEFORE_IMAGE, match, same)
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
            match = q.equal(key.detail["columns"], key.detail["target_columns"], "c", "t", key.detail["equalities"])
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


def _key_of(key: Iterable[_Cell], image: str = "i") -> Composed:
    """Return the condition that the row `t` has the key by which an image knows it."""
    mark = q.column("mark", image)
    return q.all_of(SQL("{} {} {}").format(q.column(c.name), SQL(c.equality), cell(mark, c.kept, c.type)) for c in key)


def _as_left(column: _Cell) -> Composed:
    """Return the condition that a cell of the row `t` is still the one that the image `i` knows."""
    kept = cell(SQL("i.mark"), column.kept, column.type)
    same = SQL("{}::text IS NOT DISTINCT FROM {}::text").format(q.column(column.name), kept)
    return SQL("i.mark ? {} AND {}").format(Literal(column.kept), same)


def _as_it_was(column: _Cell) -> Composed:
    """Return the condition that a cell of the row `t` is what it was before the step."""
    return SQL("coalesce({}::text = {}::text, false)").format(q.column(column.name), _was(column))


def _was(column: _Cell) -> Composable:
    """Return the cell of the image `i`."""
    return cell(SQL('i."row"'), column.kept, column.type)


def _assigned(values: Mapping[str, Composable]) -> Composed:
    return SQL(", ").join(SQL("{} = {}").format(Identifier(column), value) for column, value in values.items())
