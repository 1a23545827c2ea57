"""A column holds the texts of its parent's old key, where the contract wants the new number.

Costs: the foreign key cannot be added (42804 incompatible types), every join fails or misses.
Cure: map each text to the number of the row that carries it. No relation that existed is lost, none that did
not exist appears; the texts stay in a column beside. What maps to nothing is an orphan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from fixer.contract.build import Contract
from fixer.model.finding import Finding, Probe, Specimen, Stage, shown
from fixer.model.schema import ForeignKey, Schema, Table
from fixer.model.step import Added, Hazard, Lock, Phase, Repair, Step, alter, drop_foreign_key, refuse
from fixer.repair import constraints_online as online
from fixer.repair import sync_triggers
from fixer.repair.foreign_keys import old_text_key
from fixer.repair.quarantine import Mover
from fixer.repair.rows import IN_BATCH, counted, identity, places, rewrite
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal
from fixer.sql.types import family

SLUG = "text-reference"
POINT = 2
STAGE = Stage.REFERENCES


@dataclass(frozen=True)
class Half:
    """What an online run left that was interrupted between the change of names and the last search: where texts are."""

    aside: str
    legacy: str


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the columns to be mapped, with probes for texts that map to nothing or to several rows."""
    for key in contract.foreign_keys():
        if half := _half(key, actual, contract):
            message = f"{key.table.name}.{key.columns[0]} should be mapped in every row, its repair was interrupted"
            where = f"{key.table}.{key.columns[0]}"
            yield Finding(SLUG, POINT, where, message, key.table, key.columns[0], part=key, found=half)
    for key in contract.differing_foreign_keys():
        legacy = _legacy_key(key, actual, contract)
        if legacy is None:
            continue
        child, parent = actual.tables[key.table], actual.tables[key.target]
        column, where = key.columns[0], f"{key.table}.{key.columns[0]}"
        wanted = contract.tables[key.table].columns[column].type
        message = f"{key.table.name}.{column} should be the {wanted} of {key.target.name}, holds its {legacy}"
        lost = partial(
            Probe,
            q.rows_of(child),
            _unmatched(column, legacy, parent),
            (*shown(child), q.column(column)),
            shared=False,
            costly=True,
        )
        yield Finding(SLUG, POINT, where, message, key.table, column, part=key, found=legacy, asks=lost)
        twice = SQL("{column} IN (SELECT {column} FROM {rows} GROUP BY 1 HAVING count(*) > 1)").format(
            column=q.column(legacy), rows=q.rows_of(parent)
        )
        yield Finding(
            SLUG,
            POINT,
            where,
            f"{key.target.name}.{legacy} should tell rows apart, several rows share it",
            key.table,
            column,
            only_with_rows=True,
            asks=partial(Probe, q.rows_of(parent), twice, (q.column(legacy),), shared=False, costly=True),
        )


def _legacy_key(key: ForeignKey, actual: Schema, contract: Contract) -> str | None:
    """Return the old key of the parent whose texts the column holds, if it holds texts."""
    child, parent = actual.tables.get(key.table), actual.tables.get(key.target)
    if child is None or parent is None or len(key.columns) != 1 or child.created or parent.created:
        return None
    found = child.columns.get(key.columns[0])
    wanted = contract.tables[key.table].columns[key.columns[0]]
    if found is None or family(found.type) not in ("text", "uuid") or family(wanted.type) != "integer":
        return None
    return old_text_key(key, key.columns[0], actual, contract)


def _half(key: ForeignKey, actual: Schema, contract: Contract) -> Half | None:
    """Return what is half done: the trigger still stands, the column that it filled has its name already."""
    child, column = actual.tables.get(key.table), key.columns[0]
    if child is None or key.target not in actual.tables or len(key.columns) != 1:
        return None
    beside = online.beside(column)
    if all(obstacle.name != online.syncing(key.table, beside) for obstacle in child.obstacles):
        return None
    asides = [name for name in child.columns if re.fullmatch(rf"legacy_{re.escape(column)}(_\d+)?", name)]
    if beside in child.columns or not asides:
        return None
    aside = max(asides, key=lambda name: (len(name), name))  # the last of the names that were free
    legacy = old_text_key(key, aside, actual, contract)
    return Half(aside, legacy) if legacy else None


def _unmatched(column: str, legacy: str, parent: Table) -> Composed:
    return SQL("{cell} IS NOT NULL AND NOT EXISTS (SELECT FROM (SELECT t.* FROM {rows}) AS p WHERE {match})").format(
        cell=q.column(column), rows=q.rows_of(parent, own=True), match=_match(column, legacy)
    )


def _match(column: str, legacy: str) -> Composed:
    return SQL("{}::text = {}::text").format(q.column(legacy, "p"), q.column(column))


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Map the references; or refuse where a text means several rows."""
    if finding.part is None:
        return refuse("nobody but a person can tell which of them a reference means")
    if isinstance(finding.found, Half):
        return Repair(tuple(_to_the_last(finding.part, finding.found, actual, finding.found.aside)))
    return Repair(tuple(_steps(finding, actual, contract)))


def _steps(finding: Finding, actual: Schema, contract: Contract) -> Iterator[Step]:
    key: ForeignKey = finding.part
    for step in _at_once(finding, actual, contract):
        if step.phase is Phase.ORPHANS:
            yield step
        elif step.phase is Phase.REFERENCES:
            moves = _orphans(finding, key.columns[0], actual, contract, Phase.REFERENCES)
            before = [each for s in moves for each in (s.online or (s,))]
            lost = (each for each in before if each.phase is not Phase.ORPHANS)
            yield replace(step, online=(*lost, *_in_batches(finding, step, actual, contract)))
        else:
            yield replace(step, online=())


def _in_batches(finding: Finding, mapping: Step, actual: Schema, contract: Contract) -> Iterator[Step]:
    """Yield the steps that map a column to which others write: beside it, with a trigger for new rows, then swap."""
    key: ForeignKey = finding.part
    name, column, legacy = key.table, key.columns[0], finding.found
    table, aside = actual.tables[name], aside_name(actual.tables[name], column)
    beside = online.beside(column)
    type_ = SQL(contract.tables[name].columns[column].full_type)
    found = SQL("SELECT {} FROM {} AS p WHERE {}::text = {}::text").format(
        q.column(key.target_columns[0], "p"), q.name(key.target), q.column(legacy, "p"), q.column(column, "new")
    )
    add = SQL("ADD COLUMN IF NOT EXISTS {} {}").format(Identifier(beside), type_)
    yield alter(Phase.REFERENCES, name, f"add {beside} to {name.name}, for the numbers", add)
    yield sync_triggers.synced(Phase.REFERENCES, name, beside, SQL("({})").format(found), reads_others=True)
    unmapped = SQL("{} AND {}").format(q.is_null(beside), q.not_null([column]))
    known = SQL("EXISTS (SELECT FROM {} AS p WHERE {})").format(q.name(key.target), _match(column, legacy))
    yield replace(
        mapping,
        sql=SQL(""),
        batch=_mapped(key, beside, [_match(column, legacy), IN_BATCH, q.is_null(beside)]),
        find=places(name, SQL("{} AND {}").format(unmapped, known)),
        pages=True,
    )
    swap: list[Composable] = [sync_triggers.unfilled(name, beside)]
    rename = SQL("ALTER TABLE {} RENAME COLUMN {} TO {}")
    swap.append(rename.format(q.name(name), Identifier(column), Identifier(aside)))
    swap.append(rename.format(q.name(name), Identifier(beside), Identifier(column)))
    if table.columns[column].not_null:
        loose = SQL("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL")
        swap.append(loose.format(q.name(name), Identifier(aside)))
    yield Step(
        Phase.REFERENCES,
        name,
        f"rename {name.name}.{column} to {aside}, where the texts stay; {column} is the number",
        SQL(";\n").join(swap),
        renames=((column, aside),),
        added=(Added(column, kept=_told_by(aside, key, legacy)),),
    )
    yield from _to_the_last(key, Half(aside, legacy), actual, column)


def _to_the_last(key: ForeignKey, half: Half, actual: Schema, holding: str) -> Iterator[Step]:
    """Yield the steps that map what the trigger could not, and end what only the mapping needed.

    A writer whose snapshot is older than the numbers sees a parent without one; another was there before its parent
    was. Until the trigger goes, who finds it knows that this is not done. The column that is `holding` the texts today
    loses the foreign keys to the old key.
    """
    name, column, beside = key.table, key.columns[0], online.beside(key.columns[0])
    missed = [q.is_null(column), _match(half.aside, half.legacy)]
    known = SQL("EXISTS (SELECT FROM {} AS p WHERE {})").format(q.name(key.target), missed[1])
    yield Step(
        Phase.REFERENCES,
        name,
        f"map {name.name}.{column} where its row came in before the number of its {key.target.name} was to be seen",
        _mapped(key, column, missed),
        lock=Lock.ROW_EXCLUSIVE,
        hazard=Hazard.REWRITES_VALUES,
        changes=(column,),
        find=places(name, q.all_of([q.is_null(column), q.not_null([half.aside]), known])),
        batch=_mapped(key, column, [*missed, IN_BATCH]),
    )
    old = [k for k in actual.tables[name].foreign_keys if k.columns == (holding,)]
    drop = [SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(q.name(name), Identifier(k.name)) for k in old]
    yield Step(
        Phase.REFERENCES,
        name,
        f"let go of what held {name.name}.{column} in step",
        SQL(";\n").join([sync_triggers.unsynced(name, beside), *drop]),
        touches=tuple({k.target for k in old}),
    )


def _at_once(finding: Finding, actual: Schema, contract: Contract) -> Iterator[Step]:
    key: ForeignKey = finding.part
    name, column, legacy = key.table, key.columns[0], finding.found
    aside = aside_name(actual.tables[name], column)
    for old in actual.tables[name].foreign_keys:
        if old.columns == key.columns:
            yield drop_foreign_key(old, "its column is mapped to the new key")
    rename = alter(
        Phase.NAMES,
        name,
        f"rename {name.name}.{column} to {aside}, where the texts stay",
        SQL("RENAME COLUMN {} TO {}").format(Identifier(column), Identifier(aside)),
    )
    yield replace(rename, renames=((column, aside),))
    if actual.tables[name].columns[column].not_null:
        action = SQL("ALTER COLUMN {} DROP NOT NULL").format(Identifier(aside))
        yield alter(Phase.NAMES, name, f"let {aside} be NULL in new rows", action)
    type_ = SQL(contract.tables[name].columns[column].full_type)
    add = SQL("ADD COLUMN {} {}").format(Identifier(column), type_)
    added = Added(column, kept=_told_by(aside, key, legacy))
    yield alter(Phase.CONVERT, name, f"add {column} to {name.name}", add, merge=True, added=(added,))
    yield from _orphans(finding, aside, _all_mapped(actual, contract), contract)
    yield Step(
        phase=Phase.REFERENCES,
        table=name,
        title=f"map {name.name}.{column} to the {key.target_columns[0]} of {key.target.name} that carries its {legacy}",
        sql=SQL(";\n").join([_told_apart(key, legacy), _mapped(key, column, [_match(aside, legacy)])]),
        lock=Lock.ROW_EXCLUSIVE,
        touches=(key.target,),
        hazard=Hazard.REWRITES_VALUES,
        rows=actual.tables[name].estimated_rows,
        changes=(column,),
    )


def _told_apart(key: ForeignKey, legacy: str) -> Composable:
    """Return the block that fails where several parents share a text, as may have come about since the plan."""
    parent = SQL("SELECT {text} FROM {} AS p WHERE {text} IS NOT NULL GROUP BY 1 HAVING count(*) > 1 LIMIT 1").format(
        q.name(key.target), text=SQL("{}::text").format(q.column(legacy, "p"))
    )
    text = Literal(f"{key.target.name}.{legacy}".replace("%", "%%"))
    return q.block("rows/texts_tell_apart", shared=parent, text=text)


def _mapped(key: ForeignKey, column: str, conditions: Iterable[Composable]) -> Composed:
    """Return the statement that gives a column the number of the parent `p`."""
    number = q.column(key.target_columns[0], "p")
    return SQL("UPDATE {} AS t SET {} = {} FROM {} AS p WHERE {}").format(
        q.name(key.table), Identifier(column), number, q.name(key.target), q.all_of(conditions)
    )


def _told_by(aside: str, key: ForeignKey, legacy: str) -> Composed:
    """Return the condition that the text beside a number still means the same row, or as little as none.

    A row that undo itself has brought back has no number, and needs none: it is younger than undo, which keeps others
    out.
    """
    known = SQL("SELECT FROM {} AS p WHERE {}").format(q.name(key.target), _match(aside, legacy))
    number = q.column(key.columns[0])
    nothing = SQL("NOT EXISTS ({}) OR age(t.xmin) <= age(pg_current_xact_id_if_assigned()::xid)").format(known)
    return SQL("CASE WHEN {} IS NULL THEN {} ELSE EXISTS ({} AND {} = {}) END").format(
        number, nothing, known, q.column(key.target_columns[0], "p"), number
    )


def _orphans(
    finding: Finding, aside: str, actual: Schema, contract: Contract, phase: Phase = Phase.MISFITS
) -> Iterator[Step]:
    """Yield what becomes of texts that map to nothing: rows go in a phase in which all has the names of `actual`."""
    key: ForeignKey = finding.part
    if not finding.rows:
        return
    mover = Mover(actual, contract)
    nowhere = SQL("{} IS NOT NULL AND NOT EXISTS (SELECT FROM {} AS p WHERE {})").format(
        q.column(aside), q.name(key.target), _match(aside, finding.found)
    )
    reason = f"its {key.columns[0]} names no row of {key.target.name}"
    policy = mover.policy(key)
    if policy == "quarantine":
        yield from mover.quarantine(phase, key.table, nowhere, reason, rows=finding.rows)
    elif policy == "adopt":
        cells, stands = mover.adopter(key)
        table = actual.tables[key.table]
        yield rewrite(
            Phase.ORPHANS,
            table,
            f"give {counted(finding.rows)} of {key.table.name} to the default row: {reason}",
            cells,
            q.all_of([q.is_null(key.columns[0]), nowhere, stands]),
            rows=finding.rows,
            known_by=identity(table, contract.tables[key.table], Phase.ORPHANS),
        )


def aside_name(table: Table, column: str) -> str:
    """Return the name under which the texts stay."""
    return q.free_name(f"legacy_{column}", table.columns)


def foresee(finding: Finding, actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the texts beside and the numbers in their place, bare of keys and indexes."""
    key: ForeignKey = finding.part
    if isinstance(finding.found, Half):
        return _without_mark(key, finding.found, actual)
    return _mapped_later(key, actual, contract)


def _all_mapped(actual: Schema, contract: Contract) -> Schema:
    """Return the schema as it is once the names of all columns of texts have changed: what hangs on them is dropped."""
    for key in [key for key in contract.differing_foreign_keys() if _legacy_key(key, actual, contract)]:
        actual = _mapped_later(key, actual, contract)
    return actual


def _mapped_later(key: ForeignKey, actual: Schema, contract: Contract) -> Schema:
    name, column = key.table, key.columns[0]
    aside = aside_name(actual.tables[name], column)
    gone = frozenset((k.table, k.name) for k in actual.tables[name].foreign_keys if k.columns == key.columns)
    renamed = actual.without_foreign_keys(gone).with_renamed_column(name, column, aside)
    table = renamed.tables[name]
    texts = replace(table.columns[aside], not_null=False)
    today = q.column(texts.stored_as or column)
    numbers = replace(
        contract.tables[name].columns[column],
        not_null=False,
        default=None,
        mapped=aside,
        added=True,
        now=SQL("CASE WHEN {} IS NOT NULL THEN 0 END").format(today),
    )
    return renamed.with_table(table.with_column(texts).with_column(numbers))


def _without_mark(key: ForeignKey, half: Half, actual: Schema) -> Schema:
    """Return the schema as it is when the last row is mapped: nobody needs to clear anything away."""
    over = actual.tables[key.table].foreign_keys
    actual = actual.without_foreign_keys(frozenset((k.table, k.name) for k in over if k.columns == (half.aside,)))
    table, parent, column = actual.tables[key.table], actual.tables[key.target], key.columns[0]
    mark = online.syncing(key.table, online.beside(column))
    kept = tuple(obstacle for obstacle in table.obstacles if obstacle.name != mark)
    number = SQL("coalesce({}, (SELECT {} FROM {} AS p WHERE {} LIMIT 1))").format(
        q.column(column), q.column(key.target_columns[0], "p"), q.stored(parent), _match(half.aside, half.legacy)
    )
    mapped = replace(table.columns[column], now=number)
    return actual.with_table(replace(table, obstacles=kept).with_column(mapped))


TEXTS = (
    "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey; ALTER TABLE authors ADD COLUMN code varchar(20);"
    "UPDATE authors SET code = 'A-' || id;"
    "ALTER TABLE books ALTER COLUMN author_id TYPE varchar(20) USING 'A-' || author_id;"
)
HAZARDS = frozenset({"rewrites-values"})
ALSO = frozenset({"missing-foreign-key"})
SPECIMENS = (
    Specimen("texts of the old key", TEXTS, hazards=HAZARDS, also=ALSO),
    Specimen(
        "a foreign key to the old key",
        f"{TEXTS} ALTER TABLE authors ADD UNIQUE (code);"
        "ALTER TABLE books ADD FOREIGN KEY (author_id) REFERENCES authors (code)",
        hazards=HAZARDS,
    ),
    Specimen(
        "some texts map to nothing",
        f"{TEXTS} UPDATE books SET author_id = 'A-77' WHERE id < 3",
        hazards=HAZARDS | {"moves-rows"},
        rows=2,
        quarantined=6,
        also=ALSO,
    ),
    Specimen(
        "a text means two rows",
        f"{TEXTS} UPDATE authors SET code = 'A-2' WHERE id = 3",
        manual=True,
        also=ALSO,
    ),
)
NEAR_MISSES = (
    Specimen(
        "the old key stands beside",
        "ALTER TABLE authors ADD COLUMN code text; UPDATE authors SET code = 'A' || id",
    ),
)
