"""Rows in quarantine that had no parent before they went: undo may bring those back as they came about, no others.

They are counted in the transaction that moves them. Until its end nobody can delete the parent of a row that it moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.plan import PlannedStep
from fixer.model.step import RUN_NUMBER
from fixer.model.table import ForeignKey, QName
from fixer.repair.quarantine import orphaned
from fixer.repair.rows import quarantine_table
from fixer.runner.journal import definitions
from fixer.runner.journal.definitions import Definitions, Item, is_unproved
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal
from fixer.sql.row_image import cell
from fixer.sql.types import family

Orphans = Mapping[str, int]  # rows, by what names the foreign key


def forbidding(known: Definitions, oid: int) -> list[Item]:
    """Return the foreign keys of a table under which no row may be without a parent."""
    return [key for key in known.of_table("constraint", oid) if key.detail["type"] == "f" and forbids(key)]


def forbids(key: Item) -> bool:
    """Return whether a foreign key holds for every row: it is proved, enforced and awake."""
    return not (is_unproved(key) or "NOT ENFORCED" in key.detail["definition"] or key.detail["asleep"])


def lacks_parent(key: Item, parent: QName) -> Composable:
    """Return the condition that the row has none under a foreign key, the table that this points at called `parent`."""
    columns, targets = (tuple(key.detail[side]) for side in ("columns", "target_columns"))
    match, signs = "f" if " MATCH FULL" in key.detail["definition"] else "s", tuple(key.detail["equalities"])
    return orphaned(ForeignKey(key.name, parent, columns, parent, targets, match=match, equalities=signs))


@dataclass(frozen=True)
class Question:
    """How many rows that a step moved have no parent, by foreign key; none where no key forbids it."""

    step: PlannedStep
    keys: tuple[str, ...]
    counts: Composable
    cells: Composable


def compose(cursor: Cursor, step: PlannedStep, was: Definitions) -> Question:
    """Compose the question for a step, by the foreign keys of before the run."""
    home = definitions.oids(cursor, [step.table]) if step.effect.moves else ()
    keys = [key for oid in home for key in forbidding(was, oid)]
    if not keys:
        return Question(step, (), SQL(""), SQL(""))
    types = {oid: _types(cursor, oid) for oid in {*home, *(key.detail["target"] for key in keys)}}
    conditions = dict(_conditions(cursor, keys, types))
    columns = {name: type_ for key in keys for name, type_ in types[key.of].items() if name in key.detail["columns"]}
    return Question(
        step,
        tuple(conditions),
        SQL(", ").join(SQL("count(*) FILTER (WHERE {})").format(each) for each in conditions.values()),
        SQL(", ").join(
            SQL("{} AS {}").format(cell(SQL('b."row"'), name, type_), Identifier(name))
            for name, type_ in columns.items()
        ),
    )


def count(cursor: Cursor, question: Question, places: Sequence[str] | None = None) -> Orphans:
    """Count the rows that a step has moved and that have no parent, by foreign key.

    `places` say where they stand in quarantine, if not all of the step are meant.
    """
    if not question.keys or (places is not None and not places):
        return {}
    step, meant = question.step, SQL("b.ctid = ANY ({}::tid[])").format(Literal(list(places or ())))
    if places is None:
        meant = SQL("b.run = {} AND b.step = {}").format(RUN_NUMBER, Literal(step.number))
    cursor.execute(
        SQL("SELECT {} FROM (SELECT {} FROM {} AS b WHERE {}) AS t").format(
            question.counts, question.cells, q.name(quarantine_table(step.table)), meant
        )
    )
    counted = zip(question.keys, cursor.fetchone() or (), strict=True)
    return {name: rows for name, rows in counted if rows}


def _conditions(
    cursor: Cursor, keys: Sequence[Item], types: Mapping[int, Mapping[str, str]]
) -> Iterator[tuple[str, Composable]]:
    """Yield for each key whose columns can be compared by now the condition that a row has no parent under it."""
    for key in keys:
        mine, theirs = types[key.of], types[key.detail["target"]]
        pairs = zip(key.detail["columns"], key.detail["target_columns"], strict=True)
        if all(a in mine and b in theirs and family(mine[a]) == family(theirs[b]) for a, b in pairs):
            yield key.id, lacks_parent(key, _name(cursor, key.detail["target"]))


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
