"""Rekeying: a column that holds texts of its parent's old key gets the new keys of those parents.

The texts are kept in another column. Online, a trigger maps new rows, batches map old rows, and then the two columns
swap names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.step import Added, Batches, Effect, Hazard, Lock, Part, Phase, Shape, Step
from fixer.model.table import Table
from fixer.repair import sync_triggers
from fixer.repair.constraints import online
from fixer.repair.constraints.texts import Half, Texts
from fixer.repair.quarantine import Mover
from fixer.repair.rekeying.foreseen import aside_name
from fixer.repair.rows import IN_BATCH, counted, identity, places, rewrite
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter, drop_foreign_key, letting_go
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal


def rekeyed(texts: Texts, rows: int, actual: Schema, contract: Contract, mapped: Schema) -> Iterator[Part]:
    """Yield the steps that map the texts, of which `rows` map to nothing; `mapped` is the schema after all mappings."""
    for part in _at_once(texts, rows, actual, contract, mapped):
        step = part.atomic
        if step.phase is Phase.ORPHANS:
            yield part
        elif step.phase is Phase.REFERENCES:
            moves = _orphans(texts, rows, texts.column, actual, contract, Phase.REFERENCES)
            before = [each for part in moves for each in part.online]
            lost = (each.before_mapping() for each in before if each.phase is not Phase.ORPHANS)
            yield step.online_as((*lost, *_in_batches(texts, step, actual, contract)))
        else:
            yield step.online_as(())


def _at_once(texts: Texts, rows: int, actual: Schema, contract: Contract, mapped: Schema) -> Iterator[Part]:
    key, legacy, name, column = texts.key, texts.legacy, texts.key.table, texts.column
    aside = aside_name(actual.tables[name], column)
    for old in actual.tables[name].foreign_keys:
        if old.columns == key.columns:
            yield letting_go(drop_foreign_key(old, "its column is mapped to the new key"), old)
    rename = alter(
        Phase.ASIDE,
        name,
        f"rename {name.name}.{column} to {aside}, where the texts stay",
        SQL("RENAME COLUMN {} TO {}").format(Identifier(column), Identifier(aside)),
    )
    yield replace(rename, shape=replace(rename.shape, renames=((column, aside),)))
    if _frees(actual.tables[name], column):
        action = SQL("ALTER COLUMN {} DROP NOT NULL").format(Identifier(aside))
        yield alter(Phase.ASIDE, name, f"drop NOT NULL of {name.name}.{aside}", action)
    type_ = SQL(contract.tables[name].columns[column].full_type)
    add = SQL("ADD COLUMN {} {}").format(Identifier(column), type_)
    added = Added(column, kept=_told_by(texts, aside))
    yield alter(Phase.CONVERT, name, f"add {column} to {name.name}", add, merge=True, added=(added,))
    yield from _orphans(texts, rows, aside, mapped, contract)
    title = f"map {name.name}.{column} to the {key.target_columns[0]} of {key.target.name} that carries its {legacy}"
    if rows and Mover(mapped, contract).policy(key) == "null":
        title += f", set it to NULL in {counted(rows)} for which none does"
    yield Step(
        phase=Phase.REFERENCES,
        table=name,
        title=title,
        sql=SQL(";\n").join(
            [
                _told_apart(texts, aside),
                ddl.handed_over(name, aside, column),
                _mapped(texts, column, [texts.match(q.column(aside))]),
            ]
        ),
        lock=Lock.ROW_EXCLUSIVE,
        touches=(key.target,),
        hazard=Hazard.REWRITES_VALUES,
        effect=Effect(rows=actual.tables[name].estimated_rows, changes=(column,)),
    )


def _in_batches(texts: Texts, mapping: Step, actual: Schema, contract: Contract) -> Iterator[Step]:
    """Yield the steps that map a column while others write: fill a second one, by trigger and batches, then swap."""
    name, column = texts.key.table, texts.column
    aside = aside_name(actual.tables[name], column)
    beside = online.beside(column)
    type_ = SQL(contract.tables[name].columns[column].full_type)
    add = SQL("ADD COLUMN IF NOT EXISTS {} {}").format(Identifier(beside), type_)
    yield alter(Phase.REFERENCES, name, f"add {beside} to {name.name}, for the new keys", add)
    yield sync_triggers.synced(Phase.REFERENCES, name, beside, texts.found(q.column(column, "new")), reads_others=True)
    unmapped = SQL("{} AND {}").format(q.is_null(beside), q.not_null([column]))
    known, match = texts.known(q.column(column)), texts.match(q.column(column))
    yield replace(
        mapping,
        sql=SQL(""),
        batches=replace(
            mapping.batches,
            batch=_mapped(texts, beside, [match, IN_BATCH, q.is_null(beside)]),
            find=places(name, SQL("{} AND {}").format(unmapped, known)),
            pages=True,
        ),
    )
    yield Step(
        Phase.REFERENCES,
        name,
        f"rename {name.name}.{column} to {aside}, where the texts stay; {column} is the new key",
        SQL(";\n").join(_swapped(actual.tables[name], column, aside)),
        shape=Shape(renames=((column, aside),), added=(Added(column, kept=_told_by(texts, aside)),)),
    )
    yield from to_the_last(Half(aside, texts), actual, column)


def _swapped(table: Table, column: str, aside: str) -> Iterator[Composable]:
    """Yield the statements that give the numbers the column's name, and the texts another."""
    beside = online.beside(column)
    yield sync_triggers.unfilled(table.name, beside)
    for old, new in ((column, aside), (beside, column)):
        yield ddl.altered(table.name, SQL("RENAME COLUMN {} TO {}").format(Identifier(old), Identifier(new)))
    yield ddl.handed_over(table.name, aside, column)
    if _frees(table, column):
        yield ddl.altered(table.name, SQL("ALTER COLUMN {} DROP NOT NULL").format(Identifier(aside)))


def _frees(table: Table, column: str) -> bool:
    """Return whether the column of texts is to be nullable at once; a primary key has to go first."""
    key = table.primary_key
    return table.columns[column].not_null and not (key and column in key.columns)


def to_the_last(half: Half, actual: Schema, holding: str) -> Iterator[Step]:
    """Yield the steps that map the rows that the trigger missed, and drop the trigger and the old foreign keys.

    The trigger misses a row if its writer did not see the parent's number yet, or if the row came before its parent.
    As long as the trigger exists, it marks that these steps are not done. `holding` is the column that holds the texts
    today; its foreign keys are dropped.
    """
    texts, key, column = half.texts, half.texts.key, half.texts.column
    name, beside = key.table, online.beside(column)
    missed = [q.is_null(column), texts.match(q.column(half.aside))]
    known = texts.known(q.column(half.aside))
    yield Step(
        Phase.REFERENCES,
        name,
        f"map {name.name}.{column} where its row came in before the key of its {key.target.name} was to be seen",
        _mapped(texts, column, missed),
        lock=Lock.ROW_EXCLUSIVE,
        hazard=Hazard.REWRITES_VALUES,
        effect=Effect(changes=(column,)),
        batches=Batches(
            find=places(name, q.all_of([q.is_null(column), q.not_null([half.aside]), known])),
            batch=_mapped(texts, column, [*missed, IN_BATCH]),
        ),
    )
    old = [k for k in actual.tables[name].foreign_keys if k.columns == (holding,)]
    drop = [SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(q.name(name), Identifier(k.name)) for k in old]
    yield Step(
        Phase.REFERENCES,
        name,
        f"drop the trigger that kept {name.name}.{column} in step",
        SQL(";\n").join([sync_triggers.unsynced(name, beside), *drop]),
        touches=tuple({k.target for k in old}),
        shape=Shape(orphans_by=(half.aside,)),
    )


def _told_apart(texts: Texts, aside: str) -> Composable:
    """Return the block that fails if several parents share a text, which may have happened since the plan was made."""
    key, legacy = texts.key, texts.legacy
    held: Composable = SQL("p.old IS NOT NULL")
    if texts.mixed:
        cells = SQL("SELECT {} FROM {} AS t").format(texts.spelt(q.column(aside)), q.name(key.table))
        held = SQL("p.old IN ({})").format(cells)
    parent = SQL("SELECT p.old FROM {} WHERE {} GROUP BY 1 HAVING count(DISTINCT p.number) > 1 LIMIT 1").format(
        texts.carriers(), held
    )
    text = Literal(f"{key.target.name}.{legacy}".replace("%", "%%"))
    return q.block("rows/texts_tell_apart", shared=parent, text=text)


def _mapped(texts: Texts, column: str, conditions: Iterable[Composable]) -> Composed:
    """Return the statement that gives a column the new key of the parent `p`."""
    return SQL("UPDATE {} AS t SET {} = p.number FROM {} WHERE {}").format(
        q.name(texts.key.table), Identifier(column), texts.carriers(), q.all_of(conditions)
    )


def _told_by(texts: Texts, aside: str) -> Composed:
    """Return the condition that text and number still agree; both may match nothing.

    A row that undo itself brought back has no number and needs none. Only such rows are younger than undo, because
    undo locks others out.
    """
    number, known = q.column(texts.column), texts.known(q.column(aside))
    nothing = SQL("NOT {} OR age(t.xmin) <= age(pg_current_xact_id_if_assigned()::xid)").format(known)
    same = SQL("EXISTS (SELECT FROM {} WHERE {} AND p.number = {})").format(
        texts.carriers(), texts.match(q.column(aside)), number
    )
    return SQL("CASE WHEN {} IS NULL THEN {} ELSE {} END").format(number, nothing, same)


def _orphans(
    texts: Texts, rows: int, aside: str, actual: Schema, contract: Contract, phase: Phase = Phase.MISFITS
) -> Iterator[Part]:
    """Yield the steps for rows whose text maps to nothing; in `phase`, columns must have the names of `actual`."""
    key = texts.key
    if not rows:
        return
    mover = Mover(actual, contract)
    nowhere = SQL("{} IS NOT NULL AND NOT {}").format(q.column(aside), texts.known(q.column(aside)))
    reason = f"its {key.columns[0]} names no row of {key.target.name}"
    policy = mover.policy(key)
    if policy == "quarantine":
        yield from mover.quarantine(phase, key.table, nowhere, reason, rows=rows)
    elif policy == "adopt":
        cells, stands = mover.adopter(key)
        table = actual.tables[key.table]
        yield rewrite(
            Phase.ORPHANS,
            table,
            f"give {counted(rows)} of {key.table.name} to the default row: {reason}",
            cells,
            q.all_of([q.is_null(key.columns[0]), nowhere, stands]),
            rows=rows,
            known_by=identity(table, contract.tables[key.table], Phase.ORPHANS),
        )
