"""Steps: what a repair is made of. One statement each, with its lock, its hazard and its place in the order.

The builders here are the only ones that move rows or rewrite cells, so that there is one way to do it:
a row that leaves its table goes to quarantine in the same statement, its children first; a cell that is
rewritten leaves an image of its row in the journal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from fixer import sqltext as q
from fixer.contract import Contract
from fixer.images import cells, image
from fixer.schema import ForeignKey, QName, Schema, Table
from fixer.sqltext import SQL, Composable, Composed, Identifier, Literal

QUARANTINE = "fixer_quarantine"
JOURNAL = "fixer_journal"
RUN_NUMBER = SQL("current_setting('pgmend.run')::bigint")
STEP_NUMBER = SQL("current_setting('pgmend.step')::integer")


class Phase(IntEnum):
    """The order of work: each phase may rely on all before it, in every table."""

    TABLES = 2  # create and rename tables; all later phases say the new names
    UNLINK = 5  # drop foreign keys that stand in the way
    RELEASE = 10  # drop what else stands in the way
    NAMES = 30  # rename columns
    MISFITS = 35  # move rows whose values do not fit the coming type
    CONVERT = 40  # add columns, change types
    COPY = 45  # fill new columns from old ones
    GENERATORS = 50  # create, own, wire and advance sequences
    ANCHOR = 52  # let a rollback reach sequences
    BLEEDING = 53  # online: what new rows get and need not bring, before old ones are touched
    COPIES = 55  # move identical rows that repeat a key
    KEYS = 60  # number rows, map references, settle duplicates
    VALUES = 70  # fill NULLs, settle rows that break checks or uniques
    INDEXES = 80  # primary keys, uniques, indexes
    KEY_GUARDS = 81  # online: let no NULL into a key
    KEY_PROOFS = 82  # online: prove that none is in it
    KEY_COLUMNS = 83  # online: what is proved becomes NOT NULL
    KEYS_PROMOTED = 84  # online: an index becomes the key
    DEFAULTS = 85  # defaults, and NOT NULLs that have to go
    DEFAULT_ROWS = 90
    GUARDS = 92  # online: foreign keys that new rows obey
    ORPHANS = 95  # settle rows whose parent is gone
    RULES = 100  # NOT NULL, checks
    PROOFS = 105  # online: prove that old rows obey them as well
    PROMOTED = 110  # online: what is proved becomes NOT NULL
    FOREIGN_KEYS = 120
    REPLACED = 125  # online: drop what another has taken the place of
    FINISH = 130


class Hazard(StrEnum):
    """What a step may do to a database that its owner has to allow by name."""

    MOVES_ROWS = "moves-rows"
    REWRITES_VALUES = "rewrites-values"
    REWRITES_TABLE = "rewrites-table"
    REPLACES_CONSTRAINT = "replaces-constraint"


class Lock(StrEnum):
    """The strongest table lock a step takes (PostgreSQL manual, 13.3.1)."""

    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    NONE = "none"


@dataclass(frozen=True)
class Added:
    """A column that a step adds, and what tells that nothing is lost when undo drops it.

    Either `kept` holds for every row `t`; or the database `counts` its values by itself; or else each cell
    still is what the step put there.
    """

    column: str
    kept: Composable | None = None
    counts: bool = False


@dataclass(frozen=True)
class Reversal:
    """A column that a step converts: the old value over the new cell, and the new one over that again."""

    column: str
    back: Composable
    forth: Composable


@dataclass(frozen=True)
class Step:
    """One statement of a plan."""

    phase: Phase
    table: QName
    title: str
    sql: Composable
    lock: Lock = Lock.ACCESS_EXCLUSIVE
    hazard: Hazard | None = None
    rows: int = 0  # rows it is expected to touch
    changes: tuple[str, ...] = ()  # columns whose cells it rewrites
    renames: tuple[tuple[str, str], ...] = ()  # columns it renames
    moves: bool = False  # whether rows leave the table for quarantine
    inserts: bool = False  # whether rows are added to the table
    touches: tuple[QName, ...] = ()  # other tables that it locks
    action: Composable | None = None  # what follows ALTER TABLE …, where several such can be one statement
    slug: str = ""  # the defect class it repairs
    doubted: bool = False  # whether it settles rows that a constraint forbids and that stand all the same
    kind: str = ""  # which of the rows that it finds are its own, where another step finds its own with them
    restores: tuple[str, ...] = ()  # columns that undo fills again from the images it leaves
    respells: tuple[str, ...] = ()  # columns whose spelling it keeps, for undo once their types are back
    known_by: tuple[str, ...] = ()  # columns by which undo finds the rows of its images; none: by the whole row
    added: tuple[Added, ...] = ()  # columns that undo drops
    reverts: tuple[Reversal, ...] = ()  # columns whose types undo brings back
    online: tuple[Step, ...] | None = None  # what stands for it in online mode; None: it does itself
    find: Composable | None = None  # the places of the rows that it writes, where it may write them by their places
    at_places: Composable | None = None  # writes the rows at these places, while nobody else writes
    batch: Composable | None = None  # the same online, where others write: it asks once more whether they are to go
    hold: Composable | None = None  # online: locks rows of a batch that must not change meanwhile
    pages: bool = False  # online: it writes so many rows that it goes by ranges of pages
    asleep: tuple[tuple[Composable, Composable], ...] = ()  # online: what is switched off and on around each batch
    concurrent: bool = False  # online: it cannot run in a transaction

    @property
    def writes_rows(self) -> bool:
        """Whether user triggers would fire."""
        return self.moves or self.inserts or bool(self.changes)


@dataclass(frozen=True)
class Repair:
    """The cure of one finding: its steps, or the reason why a person has to decide."""

    steps: tuple[Step, ...] = ()
    refusal: str | None = None

    @property
    def hazards(self) -> frozenset[Hazard]:
        """The hazards that must be allowed for it."""
        return frozenset(step.hazard for step in self.steps if step.hazard)

    @property
    def label(self) -> str:
        """Say how it can be had: automatic, needs-hazard or manual."""
        if self.refusal or not self.steps:
            return "manual"
        return "needs-hazard" if self.hazards else "automatic"


def refuse(reason: str) -> Repair:
    """Return the repair that only a person can make."""
    return Repair(refusal=reason)


class RefusalError(Exception):
    """Raised while steps are built where no safe way exists; its text is the reason."""


# --- ALTER TABLE ------------------------------------------------------------------------------------


def alter(
    phase: Phase,
    table: QName,
    title: str,
    action: Composable,
    *,
    hazard: Hazard | None = None,
    lock: Lock = Lock.ACCESS_EXCLUSIVE,
    changes: tuple[str, ...] = (),
    rows: int = 0,
    touches: tuple[QName, ...] = (),
    merge: bool = False,
    added: tuple[Added, ...] = (),
    reverts: tuple[Reversal, ...] = (),
) -> Step:
    """Return ``ALTER TABLE table action``; `merge` where it may share one statement with its neighbours."""
    return Step(
        added=added,
        reverts=reverts,
        phase=phase,
        table=table,
        title=title,
        sql=SQL("ALTER TABLE {} {}").format(q.name(table), action),
        hazard=hazard,
        lock=lock,
        changes=changes,
        rows=rows,
        touches=touches,
        action=action if merge else None,
    )


def drop_constraint(table: QName, constraint: str, title: str, *, hazard: Hazard | None = None) -> Step:
    """Return the step that drops a constraint before all other work."""
    action = SQL("DROP CONSTRAINT {}").format(Identifier(constraint))
    return alter(Phase.RELEASE, table, title, action, hazard=hazard)


def drop_foreign_key(key: ForeignKey, reason: str, *, hazard: Hazard | None = None) -> Step:
    """Return the step that drops a foreign key; it locks both its tables."""
    step = drop_constraint(key.table, key.name, f"drop the foreign key {key.name} ({reason})", hazard=hazard)
    return replace(step, phase=Phase.UNLINK, touches=(key.target,))


# --- rows -------------------------------------------------------------------------------------------

IN_BATCH = SQL("t.ctid = ANY (current_setting('pgmend.places')::tid[])")
MANY = 50_000  # rows: so many are not looked up first, the table is gone through by ranges of pages


@dataclass(frozen=True)
class Rivals:
    """Rows that have to go because of another: `source` gives the `place` of each that fulfils `where`.

    Its column `keeper` gives the place of the row `k` that stays; `same` is the condition that this one still
    is a reason for the row `t` to go.
    """

    source: Composable
    where: Composable
    keeper: str
    same: Composable
    search: Composable | None = None  # gives place, keeper and kind of these rows and of others
    kind: str = ""  # which of them these are

    @property
    def condition(self) -> Composed:
        """The condition that a row is one of those that go."""
        return q.among(self.source, self.where)


def places(table: QName, condition: Composable) -> Composed:
    """Return the question where the rows of a condition stand."""
    return SQL("SELECT t.ctid FROM {} AS t WHERE {}").format(q.name(table), condition)


def in_batches(
    step: Step,
    table: Table,
    statement: Callable[[Composable], Composable],
    condition: Composable,
    *,
    rivals: Rivals | None = None,
    guards: Iterable[ForeignKey] = (),
) -> Step:
    """Return a step that does its `statement` over a condition in one go, and online a batch at a time.

    Each batch asks the condition again, since others write meanwhile; no row goes while `guards`, the foreign
    keys that point at it, have rows under it: a delete would cascade to them in silence.
    """
    again: Composable = condition
    keep: Composable = SQL("")
    find: Composable = places(table.name, condition)
    if rivals:
        find = SQL("SELECT t.place, {} FROM {} WHERE {}").format(q.column(rivals.keeper), rivals.source, rivals.where)
        if rivals.search is not None:
            find, step = rivals.search, replace(step, kind=rivals.kind)
        again = SQL(
            "EXISTS (SELECT FROM unnest(current_setting('pgmend.places')::tid[],"
            " current_setting('pgmend.keepers')::tid[]) AS b (place, keeper)"
            " JOIN {} AS k ON k.ctid = b.keeper WHERE b.place = t.ctid AND {})"
        ).format(q.name(table.name), rivals.same)
        stays = SQL("t.ctid = ANY (current_setting('pgmend.keepers')::tid[])")
        keep = SQL("SELECT FROM {} AS t WHERE {} FOR KEY SHARE;\n").format(q.name(table.name), stays)
    children = [
        SQL("NOT EXISTS (SELECT FROM {} AS c WHERE {})").format(
            q.name(key.table), q.equal(key.columns, key.target_columns, "c", "t")
        )
        for key in guards
    ]
    # In a statement of its own: the next one sees every child that came in before the lock was had.
    lock = SQL("SELECT FROM {} AS t WHERE {} FOR UPDATE").format(q.name(table.name), IN_BATCH) if children else None
    once_more = q.all_of([IN_BATCH, SQL("({})").format(again), *children])
    hold = (keep + lock if lock else keep) if rivals else lock
    step = replace(step, sql=statement(condition))
    if table.inherits:  # a place means another row in each partition
        return step
    pages = step.rows > MANY and not rivals
    return replace(step, find=find, at_places=statement(IN_BATCH), batch=statement(once_more), hold=hold, pages=pages)


def quarantine_table(table: QName) -> QName:
    """Return where the rows of a table go that cannot stay."""
    wanted = table.name if table.schema == "public" else f"{table.schema}__{table.name}"
    if len(wanted.encode()) > 63:
        digest = hashlib.sha256(wanted.encode()).hexdigest()[:8]
        wanted = f"{wanted.encode()[:54].decode(errors='ignore')}_{digest}"
    return QName(QUARANTINE, wanted)


def move_statement(table: Table, condition: Composable, reason: str, *, early: bool = False) -> Composed:
    """Return the one statement that takes rows out of a table and into its quarantine."""
    return SQL(
        "WITH moved AS (DELETE FROM {source} AS t WHERE {condition} RETURNING {image} AS image)\n"
        'INSERT INTO {quarantine} (run, step, source, reason, "row")\n'
        "SELECT {run}, {step}, {label}, {reason}, image FROM moved"
    ).format(
        source=q.name(table.name),
        condition=condition,
        image=image(table, early=early),
        quarantine=q.name(quarantine_table(table.name)),
        run=RUN_NUMBER,
        step=STEP_NUMBER,
        label=Literal(str(table.name)),
        reason=Literal(reason),
    )


def rewrite_statement(
    table: Table,
    assignments: Mapping[str, Composable],
    condition: Composable,
    reason: str,
    known_by: tuple[str, ...],
    *,
    early: bool = False,
) -> Composed:
    """Return the one statement that rewrites cells and keeps an image of each row, as it was and as it is known now."""
    mark = cells((*known_by, *assignments)) if known_by else image(table, early=early)
    return SQL(
        "WITH old AS MATERIALIZED (SELECT t.tableoid AS part, t.ctid AS place, {image} AS image\n"
        "  FROM {table} AS t WHERE {condition}),\n"
        "new AS (UPDATE {table} AS t SET {cells} FROM old WHERE t.tableoid = old.part AND t.ctid = old.place\n"
        "  RETURNING old.image, {mark} AS mark)\n"
        'INSERT INTO {journal} (run, step, source, reason, "row", mark)\n'
        "SELECT {run}, {step}, {label}, {reason}, image, mark FROM new"
    ).format(
        table=q.name(table.name),
        condition=condition,
        image=image(table, early=early),
        mark=mark,
        journal=Identifier(JOURNAL, "before_image"),
        run=RUN_NUMBER,
        step=STEP_NUMBER,
        label=Literal(str(table.name)),
        reason=Literal(reason),
        cells=assignment_list(assignments),
    )


def insert_statement(table: Table, row: Mapping[str, Composable], match: Composable, reason: str) -> Composed:
    """Return the one statement that inserts a row where none matches, and marks it as brought by the run."""
    return SQL(
        "WITH new AS (INSERT INTO {table} AS t ({columns}) SELECT {values}\n"
        "  WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE {match}) RETURNING {mark} AS mark)\n"
        "INSERT INTO {journal} (run, step, source, reason, mark)\n"
        "SELECT {run}, {step}, {label}, {reason}, mark FROM new"
    ).format(
        table=q.name(table.name),
        columns=q.names(row),
        values=SQL(", ").join(row.values()),
        match=match,
        mark=image(table),
        journal=Identifier(JOURNAL, "before_image"),
        run=RUN_NUMBER,
        step=STEP_NUMBER,
        label=Literal(str(table.name)),
        reason=Literal(reason),
    )


def assignment_list(assignments: Mapping[str, Composable]) -> Composed:
    """Return what follows SET in an UPDATE."""
    return SQL(", ").join(SQL("{} = {}").format(Identifier(c), value) for c, value in assignments.items())


def move(
    phase: Phase,
    table: Table,
    condition: Composable,
    reason: str,
    *,
    rows: int,
    rivals: Rivals | None = None,
    guards: Iterable[ForeignKey] = (),
) -> Step:
    """Return the step that moves rows to quarantine; what references them has been settled."""
    step = Step(
        phase=phase,
        table=table.name,
        title=f"move {counted(rows)} of {table.name.name} to quarantine: {reason}",
        sql=SQL(""),
        lock=Lock.ROW_EXCLUSIVE,
        hazard=Hazard.MOVES_ROWS,
        rows=rows,
        moves=True,
    )

    def statement(where: Composable) -> Composable:
        return move_statement(table, where, reason, early=phase < Phase.CONVERT)

    own = [key for key in guards if key.table == table.name]
    others = [key for key in guards if key.table != table.name]
    if own:
        # Rows of one table that reference each other go in one statement, with nobody writing beside.
        lock = SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE;\n").format(q.name(table.name))
        whole = replace(step, sql=statement(condition))
        online = replace(whole, sql=lock + whole.sql, lock=Lock.SHARE_ROW_EXCLUSIVE)
        return replace(whole, online=(online,))
    return in_batches(step, table, statement, condition, rivals=rivals, guards=others)


def rewrite(
    phase: Phase,
    table: Table,
    title: str,
    assignments: Mapping[str, Composable],
    condition: Composable,
    *,
    rows: int,
    known_by: tuple[str, ...],
    hazard: Hazard | None = Hazard.REWRITES_VALUES,
    rivals: Rivals | None = None,
) -> Step:
    """Return the step that rewrites cells of rows which are known afterwards `by` these columns."""
    step = Step(
        phase=phase,
        table=table.name,
        title=title,
        sql=SQL(""),
        lock=Lock.ROW_EXCLUSIVE,
        hazard=hazard,
        rows=rows,
        changes=tuple(assignments),
        restores=tuple(assignments),
        known_by=known_by,
    )

    def statement(where: Composable) -> Composable:
        return rewrite_statement(table, assignments, where, title, known_by, early=phase < Phase.CONVERT)

    return in_batches(step, table, statement, condition, rivals=rivals)


def identity(table: Table, wanted: Table | None, phase: Phase) -> tuple[str, ...]:
    """Return the columns by which rows of a table are told apart in a phase; none where nothing proves any."""
    proved = [
        key.columns
        for key in sorted(table.plain_keys, key=lambda key: (not key.primary, key.name))
        if all(c in table.columns and table.columns[c].not_null and not table.columns[c].added for c in key.columns)
    ]
    if proved:
        return proved[0]
    if phase > Phase.KEYS and wanted and wanted.primary_key:
        return wanted.primary_key.columns  # by now each of them stands once
    return ()


@dataclass(frozen=True)
class Mover:
    """Moves rows to quarantine, and settles their children first."""

    actual: Schema
    contract: Contract

    def quarantine(
        self,
        phase: Phase,
        table: QName,
        condition: Composable,
        reason: str,
        *,
        rows: int,
        path: tuple[QName, ...] = (),
        rivals: Rivals | None = None,
    ) -> Iterator[Step]:
        """Yield the steps that move the rows of a condition over `t` out of a table.

        Rows that reference them under an existing foreign key are settled first, as the contract says of
        orphans, because a DELETE would cascade to them in silence. Where the foreign key is only wanted,
        they are settled later, before it is added. Raises RefusalError where references run in a circle.
        """
        if table in path:
            raise RefusalError(f"rows of {table} reference each other in a circle through {path[-1]}")
        keys, condition_before = self.actual.incoming(table), condition
        for key in keys:
            if key.table == table:
                condition = _with_descendants(key, condition)
        for key in keys:
            if key.table != table:
                leaving = SQL("({}) IN (SELECT {} FROM {} AS t WHERE {})").format(
                    q.columns(key.columns), q.columns(key.target_columns), q.name(table), condition
                )
                why = f"its row of {table.name} is in quarantine"
                yield from self.settle(phase, key, leaving, why, rows=0, path=(*path, table))
        rivals = None if condition_before is not condition else rivals
        yield move(phase, self.actual.tables[table], condition, reason, rows=rows, rivals=rivals, guards=keys)
        for key in self.contract.foreign_keys():
            if key.target == table and not any(k.pairs == key.pairs and k.table == key.table for k in keys):
                yield from self.orphans(key, rows=0, path=(*path, table))

    def orphans(self, key: ForeignKey, *, rows: int, path: tuple[QName, ...] = ()) -> Iterator[Step]:
        """Yield the steps that settle the rows under a wanted foreign key that have no parent."""
        reason = f"its {', '.join(key.columns)} points at no row of {key.target.name}"
        yield from self.settle(Phase.ORPHANS, key, self._orphaned(key), reason, rows=rows, path=path)

    def _orphaned(self, key: ForeignKey) -> Composable:
        """Return the condition that the row has no parent, or a text that was mapped to none."""
        table = self.actual.tables.get(key.table)
        column = table.columns.get(key.columns[0]) if table else None
        if column and column.mapped:
            unmapped = SQL("{} AND {}").format(q.is_null(column.name), q.not_null([column.mapped]))
            return SQL("(({}) OR ({}))").format(unmapped, orphaned(key))
        return orphaned(key)

    def settle(
        self,
        phase: Phase,
        key: ForeignKey,
        condition: Composable,
        reason: str,
        *,
        rows: int,
        path: tuple[QName, ...] = (),
    ) -> Iterator[Step]:
        """Yield the steps for rows whose parent is gone: quarantined, adopted or set to NULL."""
        if key.table in path and key.table != key.target:
            raise RefusalError(f"rows of {key.table} reference each other in a circle through {path[-1]}")
        policy = self.policy(key)
        if policy == "adopt" and phase < Phase.ORPHANS:
            policy = "quarantine"  # the row that adopts may not exist yet, and these rows cannot wait for it
        if policy == "quarantine":
            others = tuple(table for table in path if table != key.table)
            yield from self.quarantine(phase, key.table, condition, reason, rows=rows, path=others)
            return
        values = self.adopter(key) if policy == "adopt" else dict.fromkeys(key.columns, SQL("NULL"))
        deed = "give to the default row" if policy == "adopt" else "set to NULL"
        title = f"{deed} {', '.join(key.columns)} of {counted(rows)} of {key.table.name}: {reason}"
        table = self.actual.tables[key.table]
        known_by = identity(table, self.contract.tables.get(key.table), phase)
        yield rewrite(phase, table, title, values, condition, rows=rows, known_by=known_by)

    def policy(self, key: ForeignKey) -> str:
        """Return what the contract says of orphans under a foreign key."""
        wanted = self.contract.tables.get(key.table)
        if wanted is None or not any(k.pairs == key.pairs for k in wanted.foreign_keys):
            return "quarantine"
        policy = self.contract.hints[key.table].of(key.columns[0]).orphans
        if policy == "null" and any(wanted.columns[c].not_null for c in key.columns):
            return "quarantine"
        return policy

    def adopter(self, key: ForeignKey) -> dict[str, Composable]:
        """Return the key of the default row that takes orphans in, column by column."""
        rows = self.contract.hints[key.target].default_rows
        if not rows:
            raise RefusalError(f"orphans of {key.table} should be adopted, but {key.target} declares no default row")
        identity = identity_of(self.contract, key.target, rows[0])
        match = q.all_of(SQL("p.{} = {}").format(Identifier(c), rows[0][c]) for c in identity)
        return {
            column: SQL("(SELECT {} FROM {} AS p WHERE {})").format(q.column(target, "p"), q.name(key.target), match)
            for column, target in zip(key.columns, key.target_columns, strict=True)
        }


def orphaned(key: ForeignKey, parents: Composable | None = None) -> Composed:
    """Return the condition that the row has no parent; `parents` may stand in for the parent table."""
    return SQL("{} AND NOT EXISTS (SELECT FROM {} WHERE {})").format(
        q.not_null(key.columns),
        parents or SQL("{} AS p").format(q.name(key.target)),
        q.equal(key.target_columns, key.columns, "p", "t"),
    )


def identity_of(contract: Contract, table: QName, row: Mapping[str, Composable]) -> tuple[str, ...]:
    """Return the columns by which a default row is known: the first key of the table that it fills."""
    keys = sorted(
        contract.tables[table].plain_keys,
        key=lambda key: (
            not key.primary,
            list(row).index(key.columns[0]) if key.columns[0] in row else len(row),
        ),
    )
    for key in keys:
        if set(key.columns) <= set(row):
            return key.columns
    return tuple(row)


def _with_descendants(key: ForeignKey, condition: Composable) -> Composed:
    """Return the condition for these rows and all that reference them within the same table."""
    return SQL(
        "t.ctid IN (WITH RECURSIVE gone AS (SELECT t.ctid AS place, {keys} FROM {table} AS t WHERE {condition}"
        " UNION SELECT t.ctid, {keys} FROM {table} AS t JOIN gone ON {link}) SELECT place FROM gone)"
    ).format(
        keys=q.columns(key.target_columns),
        table=q.name(key.table),
        condition=condition,
        link=q.equal(key.columns, key.target_columns, "t", "gone"),
    )


def counted(rows: int) -> str:
    """Return a number of rows in words."""
    if not rows:
        return "the rows"
    return "one row" if rows == 1 else f"{rows} rows"
