"""Counts rows that were orphans under a valid foreign key before the run: undo may bring back as many, and no more.

Those that a step moves are counted in its transaction: until it ends, nobody can delete the parent of a row that it
moves. Those that stay under a foreign key that goes are counted before it goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.plan import PlannedStep
from fixer.model.step import RUN_NUMBER
from fixer.model.table import ForeignKey, QName
from fixer.model.values import dataclass
from fixer.repair.rows import quarantine_table
from fixer.runner.journal import definitions
from fixer.runner.journal.definitions import Definitions, Item, is_unproved
from fixer.runner.journal.notes import Notes
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal
from fixer.sql.following import orphaned
from fixer.sql.row_image import cell
from fixer.sql.types import family

Orphans = Mapping[str, int]  # the number of rows, by the identifier of the foreign key


def forbidding(known: Definitions, oid: int) -> list[Item]:
    """Return the foreign keys of a table that forbid every orphan."""
    return [key for key in known.of_table("constraint", oid) if key.detail["type"] == "f" and forbids(key)]


def forbids(key: Item) -> bool:
    """Return whether a foreign key forbids every orphan: it is valid, enforced, and its triggers are enabled."""
    return proves(key) and not key.detail["asleep"]


def proves(key: Item) -> bool:
    """Return whether a foreign key forbids orphans by its definition: it is valid and enforced."""
    return not (is_unproved(key) or "NOT ENFORCED" in key.detail["definition"])


def lacks_parent(key: Item, parent: QName) -> Composable:
    """Return the condition that the row has no parent under a foreign key, whose target is now called `parent`."""
    return orphaned(as_foreign_key(key, parent))


def as_foreign_key(key: Item, parent: QName) -> ForeignKey:
    """Return a foreign key as a value, as if its table were that of its parents."""
    columns, targets = (tuple(key.detail[side]) for side in ("columns", "target_columns"))
    match, signs = "f" if " MATCH FULL" in key.detail["definition"] else "s", tuple(key.detail["equalities"])
    return ForeignKey(key.name, parent, columns, parent, targets, match=match, equalities=signs)


@dataclass(frozen=True)
class Question:
    """A query for the number of orphans that a step moved, by foreign key; without `keys` if none forbids them."""

    step: PlannedStep
    keys: tuple[str, ...]
    counts: Composable
    cells: Composable


def compose(cursor: Cursor, step: PlannedStep, was: Definitions) -> Question:
    """Compose the question for a step, from the foreign keys before the run."""
    return _over(cursor, step, _keys(cursor, step, was) if step.effect.moves else ())


def _keys(cursor: Cursor, step: PlannedStep, was: Definitions) -> list[Item]:
    """Return the foreign keys of the table of a step that forbade orphans before the run, by the names of today."""
    home = definitions.oids(cursor, [step.table])
    return [_called_now(cursor, key) for oid in home for key in forbidding(was, oid)]


def staying(cursor: Cursor, step: PlannedStep, was: Definitions) -> Orphans:
    """Count the orphans that stay in a table under a foreign key from before the run, if it is the step's to let go."""
    if not step.lets_go:
        return {}
    keys = _keys(cursor, step, was)
    return _staying(cursor, step, [key for key in keys if set(key.detail["columns"]) == set(step.shape.orphans_by)])


def _staying(cursor: Cursor, step: PlannedStep, keys: Sequence[Item]) -> Orphans:
    question = _over(cursor, step, keys)
    if not question.keys:
        return {}
    cursor.execute(SQL("SELECT {} FROM {} AS t").format(question.counts, q.name(step.table)))
    return _found(cursor, question)


def today(cursor: Cursor, run: int, step: PlannedStep, was: Definitions, noted: Notes) -> Orphans:
    """Count the rows that a step of a run moved or left, as it `noted`, and that have no parent at present.

    Rows that went together with rows that they may reference are not counted: these come back with them.
    """
    keys = [key for key in _keys(cursor, step, was) if key.id in noted.orphans]
    if step.lets_go:
        return _staying(cursor, step, keys)
    apart = () if step.effect.jointly else [key for key in keys if key.detail["target"] != key.of]
    names = {number: name for name, number in noted.columns.items()}
    return count(cursor, _over(cursor, step, apart, names), run=Literal(run))


def _over(
    cursor: Cursor, step: PlannedStep, keys: Sequence[Item], kept: Mapping[int, str] = MappingProxyType({})
) -> Question:
    """Compose the question for a step and these foreign keys, by the names of today and, by number, those `kept`."""
    if not keys:
        return Question(step, (), SQL(""), SQL(""))
    home = {key.of for key in keys}
    types = {oid: _types(cursor, oid) for oid in {*home, *(key.detail["target"] for key in keys)}}
    conditions = dict(_conditions(cursor, keys, types))
    there = {n: name for key in keys for n, name in zip(key.detail["numbers"][0], key.detail["columns"], strict=True)}
    columns = {
        name: (kept.get(number, name), types[key.of][name])
        for key in keys
        for number, name in there.items()
        if name in types[key.of]
    }
    return Question(
        step,
        tuple(conditions),
        SQL(", ").join(SQL("count(*) FILTER (WHERE {})").format(each) for each in conditions.values()),
        SQL(", ").join(
            SQL("{} AS {}").format(cell(SQL('b."row"'), was_called, type_), Identifier(name))
            for name, (was_called, type_) in columns.items()
        ),
    )


def count(
    cursor: Cursor, question: Question, places: Sequence[str] | None = None, run: Composable = RUN_NUMBER
) -> Orphans:
    """Count the orphans among the rows that a step has moved, by foreign key.

    `places` are the places in quarantine of the rows to count, if these are not all rows of the step.
    """
    if not question.keys or (places is not None and not places):
        return {}
    step, meant = question.step, SQL("b.ctid = ANY ({}::tid[])").format(Literal(list(places or ())))
    if places is None:
        meant = SQL("b.run = {} AND b.step = {}").format(run, Literal(step.number))
    cursor.execute(
        SQL("SELECT {} FROM (SELECT {} FROM {} AS b WHERE {}) AS t").format(
            question.counts, question.cells, q.name(quarantine_table(step.table)), meant
        )
    )
    return _found(cursor, question)


def _found(cursor: Cursor, question: Question) -> Orphans:
    counted = zip(question.keys, cursor.fetchone() or (), strict=True)
    return {name: rows for name, rows in counted if rows}


def _conditions(
    cursor: Cursor, keys: Sequence[Item], types: Mapping[int, Mapping[str, str]]
) -> Iterator[tuple[str, Composable]]:
    """Yield the identifier of each key whose columns can be compared now, and the condition for its orphans."""
    for key in keys:
        mine, theirs = types[key.of], types[key.detail["target"]]
        pairs = zip(key.detail["columns"], key.detail["target_columns"], strict=True)
        if all(a in mine and b in theirs and family(mine[a]) == family(theirs[b]) for a, b in pairs):
            yield key.id, lacks_parent(key, _name(cursor, key.detail["target"]))


def _called_now(cursor: Cursor, key: Item) -> Item:
    """Return a foreign key with the names that its columns have now: the run may have renamed them since."""
    numbers = zip(("columns", "target_columns"), (key.of, key.detail["target"]), key.detail["numbers"], strict=True)
    return replace(key, detail={**key.detail, **{side: _names(cursor, oid, places) for side, oid, places in numbers}})


def _names(cursor: Cursor, oid: int, places: Sequence[int]) -> list[str]:
    cursor.execute(
        "SELECT a.attname::text FROM unnest(%s::int2[]) WITH ORDINALITY AS u (place, nth)"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = %s AND a.attnum = u.place ORDER BY u.nth",
        (list(places), oid),
    )
    return [name for (name,) in cursor.fetchall()]


def _types(cursor: Cursor, oid: int) -> dict[str, str]:
    cursor.execute(
        "SELECT attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute"
        " WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped",
        (oid,),
    )
    return dict(cursor.fetchall())


def _name(cursor: Cursor, oid: int) -> QName:
    cursor.execute(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s",
        (oid,),
    )
    return QName(*(cursor.fetchone() or ("", "")))
