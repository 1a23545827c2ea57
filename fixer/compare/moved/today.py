"""The rows of today as each step of a plan will see them: what it reads in place of its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from fixer.model.schema import Schema
from fixer.model.step import Phase, Step
from fixer.model.subject import DefaultRow
from fixer.model.table import QName, Table
from fixer.model.values import dataclass
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Gone, Identifier
from fixer.sql.following import Before, before

_EARLY, _UNNUMBERED, _UNMAPPED, _LATE = "early", "unnumbered", "unmapped", "late"  # how a step sees its tables
_EARLIEST = "earliest"  # early, and unnumbered
_ONLINE = (_UNNUMBERED, _UNMAPPED)
_CHANGING = (Phase.DEFAULT_ROWS, Phase.KEYS)  # phases after which references mean other rows, the last first


@dataclass(frozen=True)
class _Seen:
    """How a step sees its tables, and after which phases that change what references mean."""

    how: str
    after: Phase | None = None

    @classmethod
    def by(cls, step: Step) -> _Seen:
        """Return how a step sees them: before the plan converts or adds a column, or maps one, or later."""
        if step.phase < Phase.CONVERT:
            return cls(_EARLIEST if step.unnumbered else _EARLY)
        how = _UNNUMBERED if step.unnumbered else _UNMAPPED if step.unmapped else _LATE
        return cls(how, next((each for each in _CHANGING if step.phase > each), None))


class Today:
    """Reads the rows of today in place of each table that the plan renames or changes, for early and later steps.

    An early step sees the new names, but neither new columns nor new types; one before a mapping sees the new types.
    One after rows of one key were told apart sees no key in those that get another: nothing references that. One after
    default rows `come` sees their keys.
    """

    def __init__(self, future: Schema, steps: Iterable[Step], come: Iterable[tuple[QName, DefaultRow]]) -> None:
        self._known: dict[tuple[int, _Seen], tuple[Composable, Composable]] = {}  # what is read as what, by identity
        tables, steps, come = {how: _tables(future, how) for how in _SEEN}, [*steps], [*come]
        self._rows = {_Seen(how): _rows_of(each) for how, each in tables.items()}
        for how in (*_ONLINE, _LATE):
            ours = [step for step in steps if step.unmapped == (how in _ONLINE)]
            now = self._rekeyed(tables[how], ours, how)
            for name, row in come:
                rows = _joined(tables[how][name], row, now.get(repr(q.name(name)), q.name(name)))
                now = now | {repr(q.name(name)): rows}
            self._rows[_Seen(how, Phase.DEFAULT_ROWS)] = now

    def read(self, statement: Composable, step: Step) -> Composable:
        """Return a statement of a step that reads the rows of today; what conditions share, they go on to share."""
        return self._read(statement, _Seen.by(step))

    def _read(self, statement: Composable, seen: _Seen) -> Composable:
        seen = _Seen(_EARLY) if isinstance(statement, Before) else seen
        if not isinstance(statement, q.Composed):
            return self._rows[seen].get(repr(statement), statement)
        place = id(statement), seen
        if place not in self._known:
            parts = [self._read(part, seen) for part in statement]
            self._known[place] = statement, (Gone if isinstance(statement, Gone) else q.Composed)(parts)
        return self._known[place][1]

    def _rekeyed(self, tables: Mapping[QName, Table], steps: Sequence[Step], how: str) -> dict[str, Composable]:
        """Return what is read once rows of one key were told apart; those that the plan moves before are none of these.

        A row that has gone by then has no key either, if it is the key of one that is still there.
        """
        first, staying = _Seen(how), _Seen(how, Phase.COPIES)
        rekeying = {step.table: step for step in steps if _rekeys(step)}
        gone = {name: [before(name, s.expects) for s in steps if s.expects and _leaves(s, name)] for name in rekeying}
        left = {name: self._read(q.any_of(each), first) for name, each in gone.items() if each}
        self._rows[staying] = self._rows[first] | {
            repr(q.name(name)): SQL("(SELECT {} FROM {} AS t WHERE ({}) IS NOT TRUE)").format(
                _cells(tables[name]), self._read(q.name(name), first), each
            )
            for name, each in left.items()
        }
        now = {**self._rows[first]}
        for name, step in rekeying.items():
            seen = step.stands if name not in left else None  # where others leave before, other rows share a key
            those = self._read(seen or step.expects or SQL("false"), staying)
            if name in left:
                key = q.columns(step.shape.known_by)
                again = SQL("({}) AND ({}) IN (SELECT {} FROM {} AS t)")
                those = q.any_of([those, again.format(left[name], key, key, self._read(q.name(name), staying))])
            now[repr(q.name(name))] = _without_key(tables[name], step, those, self._read(q.name(name), first))
        self._rows[_Seen(how, Phase.KEYS)] = now
        return now


def _without_key(table: Table, step: Step, those: Composable, rows: Composable) -> Composable:
    """Return the rows of a table of which `those` have no key, which they get anew."""
    kept = SQL("CASE WHEN ({those}) IS NOT TRUE THEN {old} END AS {name}")
    cells = [
        kept.format(those=those, old=q.column(c), name=Identifier(c)) if c in step.effect.changes else q.column(c)
        for c in ("tableoid", "ctid", *table.columns)
    ]
    return SQL("(SELECT {} FROM {} AS t)").format(SQL(", ").join(cells), rows)


def _leaves(step: Step, table: QName) -> bool:
    return step.effect.moves and step.table == table and step.phase < Phase.CONVERT


def _rekeys(step: Step) -> bool:
    return step.phase is Phase.KEYS and step.repeats and bool(step.effect.changes)


def _joined(table: Table, row: DefaultRow, rows: Composable) -> Composable:
    """Return the rows of a table with a default row, which has no place yet; the database gives it the other cells."""
    cells = (
        SQL("({})::{}").format(row[c.name], SQL(c.read_as)) if c.name in row else SQL("NULL")
        for c in table.columns.values()
    )
    return SQL("(SELECT {} FROM {} AS t UNION ALL SELECT NULL, NULL, {})").format(
        _cells(table), rows, SQL(", ").join(cells)
    )


def _tables(future: Schema, how: str) -> Mapping[QName, Table]:
    future = future.before_numbering() if how in (_EARLIEST, _UNNUMBERED) else future
    return {name: _SEEN[how](table) for name, table in future.tables.items()}


def _rows_of(tables: Mapping[QName, Table]) -> dict[str, Composable]:
    return {repr(q.name(name)): _shown(table) for name, table in tables.items() if not q.is_stored(table)}


def _shown(table: Table) -> Composable:
    return SQL("(SELECT {} FROM {})").format(_cells(table), q.rows_of(table))


def _cells(table: Table) -> Composable:
    return q.columns(("tableoid", "ctid", *table.columns))  # a SELECT of all columns leaves out the place of a row


def _early(table: Table) -> Table:
    columns = {c.name: replace(c, now=None) for c in table.columns.values() if not c.added}
    return replace(table, leaving=(), columns=columns)


def _before_mapping(table: Table) -> Table:
    """Return a table whose references have the names of today where the plan gives these to others.

    If they are keys as well, rows below them are mapped later: those see the names that the old keys have by then.
    """
    late = {column.name for column in table.columns.values() if column.mapped}
    there = [column for column in table.columns.values() if not (column.added or column.mapped)]
    columns = [replace(c, name=c.stored_as) if c.stored_as in late else c for c in there]
    columns += [c for c in there if c.stored_as in late and c.name == table.legacy_key]
    return replace(table, leaving=(), columns={column.name: column for column in columns})


_SEEN: Mapping[str, Callable[[Table], Table]] = {
    _EARLIEST: _early,
    _EARLY: _early,
    _UNNUMBERED: _before_mapping,
    _UNMAPPED: _before_mapping,
    _LATE: lambda table: replace(table, leaving=()),
}
