"""The laws every defect obeys, each a function that names what breaks it; and the laboratory they are tried in.

A law takes what was seen before and after, and returns its breaches as sentences, none where it holds.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
from dumps import TableFacts, dump, everything, facts, lines, losses
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from sqlalchemy import MetaData, create_engine, create_mock_engine
from sqlalchemy.pool import NullPool

import fixer
from fixer.contract import build as contracts
from fixer.connect import servers
from fixer.defects import _databases as specimens
from fixer.contract.build import Contract
from fixer.errors import NeedsPermission, PgmendError, UndoRefused
from fixer.model.finding import Specimen
from fixer.planner.build import Plan
from fixer.connect.servers import Server
from fixer.repair.shadow import KEPT

OWNER = "pgmend_owner"  # owns its tables, and may create in its database and in public: nothing else
BREAKER = "pgmend_breaker"  # a superuser, so that all it made can be given to the owner at once
# The wheel brings these; others by PGMEND_LAWS=13,17 and PGMEND_BINDIRS. Where it is set, each specimen is tried in
# both roles on each of them, else in one.
VERSIONS = tuple(map(int, os.environ.get("PGMEND_LAWS", "16,18").split(",")))
ROLES = {"superuser": "postgres", "owner": OWNER}
PEOPLE = f"""
DO $$ BEGIN
    CREATE ROLE {BREAKER} LOGIN SUPERUSER;
    CREATE ROLE {OWNER} LOGIN NOSUPERUSER;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""


Made = TypeVar("Made")


# ---- the laboratory


@dataclass(frozen=True)
class Sound:
    """A sound database with rows, to be copied."""

    template: str
    contract: Contract
    look: Callable[[], Mapping[str, TableFacts]] = field(repr=False)

    @cached_property
    def facts(self) -> Mapping[str, TableFacts]:
        """What a dump of it shows."""
        return self.look()


class Laboratory:
    """Servers by version, and on each one a sound database for each contract: made when first asked for, by one worker.

    What the workers share is noted in their directory; it goes with the servers, as the session ends.
    """

    def __init__(self, directory: Path, keeper: int) -> None:
        self._directory, self._keeper = directory, keeper
        self._servers: dict[int, Server] = {}
        self._sound: dict[tuple[int, Any, str | None], Sound] = {}

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """Return what the first worker made that asked for it."""
        note = self._directory / re.sub(r"[^\w.-]", "_", name)
        with note.with_name(f"{note.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released as the file closes
            if not note.exists():
                note.write_bytes(pickle.dumps(make()))
        made: Made = pickle.loads(note.read_bytes())
        return made

    def server(self, version: int) -> Server:
        if version not in self._servers:
            self._servers[version] = servers.shared(self._directory, version, self._keeper)
            with closing(psycopg2.connect(self._servers[version].dsn)) as connection, connection:
                connection.cursor().execute(PEOPLE)
        return self._servers[version]

    def sound(self, version: int, specimen: Specimen | None = None) -> Sound:
        metadata = (specimen and specimen.contract) or specimens.library
        rows = (specimen and specimen.setup) or (specimens.ROWS if metadata is specimens.library else None)
        key = (version, metadata, rows)
        if key not in self._sound:
            self._sound[key] = self._build(self.server(version), metadata(), rows)
        return self._sound[key]

    def _build(self, server: Server, metadata: MetaData, rows: str | None) -> Sound:
        with closing(_connect(server, "postgres", BREAKER)) as connection:
            contract = contracts.prepare(metadata, connection)
        said = "\0".join([*_spelt(metadata), rows or ""])
        key = f"{server.version}-{hashlib.sha256(said.encode()).hexdigest()[:32]}"
        template = self.once(f"sound-{key}", partial(_create, server, metadata, rows))
        return Sound(template, contract, partial(self.once, f"facts-{key}", lambda: facts(dump(server, template))))

    @contextmanager
    def database(self, version: int, specimen: Specimen | None = None, role: str = "superuser") -> Iterator[Case]:
        """Lend a copy of the sound database, seen as a role."""
        server, sound = self.server(version), self.sound(version, specimen)
        name = server.create_database(sound.template)
        try:
            with closing(_connect(server, name, BREAKER)) as observer:
                _grant(observer, name)
                case = Case(server, name, sound, observer, ROLES[role])
                try:
                    yield case
                finally:
                    case.close()
        finally:
            server.drop_database(name)


def _spelt(metadata: MetaData) -> list[str]:
    """Return the statements that create a contract."""
    statements: list[str] = []
    engine = create_mock_engine(
        "postgresql+psycopg2://", lambda each, *_, **__: statements.append(str(each.compile(dialect=engine.dialect)))
    )
    metadata.create_all(engine, checkfirst=False)
    return statements


def _create(server: Server, metadata: MetaData, rows: str | None) -> str:
    """Make a sound database and return its name."""
    template = server.create_database()
    with closing(_connect(server, template, BREAKER)) as connection:
        _grant(connection, template)
        connection.cursor().execute(f"GRANT CREATE ON SCHEMA public TO {OWNER}")
    creator = partial(psycopg2.connect, server.database_dsn(template, OWNER))
    engine = create_engine("postgresql+psycopg2://", creator=creator, poolclass=NullPool)
    metadata.create_all(engine)
    engine.dispose()
    if rows:
        with closing(_connect(server, template, OWNER)) as connection:
            connection.cursor().execute(rows)
    return template


def _connect(server: Server, database: str, user: str) -> Connection:
    connection = psycopg2.connect(server.database_dsn(database, user))
    connection.autocommit = True
    return connection


def _grant(connection: Connection, database: str) -> None:
    grant = sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(OWNER))
    connection.cursor().execute(grant)


@dataclass
class Case:
    """One database under test: broken and watched by a superuser, repaired in its role."""

    server: Server
    name: str
    sound: Sound
    observer: Connection
    role: str
    _connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The fixer's own; opened late, since a database may have settings by then."""
        if self._connection is None:
            self._connection = psycopg2.connect(self.server.database_dsn(self.name, self.role))
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def dump(self, *options: str) -> str:
        return dump(self.server, self.name, *options)

    def state(self, *, dumped: bool) -> State:
        return State(stamps(self.observer), self.dump() if dumped else "")

    def break_(self, *breaks: str) -> list[str]:
        """Break the database, then give all that came of it to the owner; return the breaks that applied."""
        applied = []
        for statements in breaks:
            try:
                self.observer.autocommit = False
                self.observer.cursor().execute(statements)
                self.observer.commit()
                applied.append(statements)
            except psycopg2.Error:
                self.observer.rollback()
                if len(breaks) == 1:
                    raise
            finally:
                self.observer.autocommit = True
        self.observer.cursor().execute(f"REASSIGN OWNED BY {BREAKER} TO {OWNER}")
        return applied

    def check(self, **options: Any) -> fixer.Report:
        return fixer.check(self.connection, self.sound.contract, **options)

    def plan(self, **options: Any) -> Plan:
        return fixer.plan(self.connection, self.sound.contract, **options)

    def apply(self, **options: Any) -> fixer.Run:
        return fixer.apply(self.connection, self.sound.contract, **options)


# ---- what a database holds


@dataclass
class Rows:
    """The rows of one table: each cell as text, and as JSON as quarantine keeps it; by attribute number."""

    name: str
    columns: dict[int, tuple[str, str]]  # name and type
    cells: list[dict[int, tuple[str | None, Any]]] = field(default_factory=list)

    def number(self, column: str) -> int | None:
        return next((n for n, (name, _) in self.columns.items() if name == column), None)


Copy = dict[int, Rows]  # by the table's oid, which outlives a new name

_TABLES = """
SELECT c.oid, n.nspname, c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema$|fixer_)'
 ORDER BY c.oid, a.attnum
"""


def copy_rows(connection: Connection) -> Copy:
    """Copy every table of a database but the system's and the fixer's own."""
    cursor, copies, names = connection.cursor(), Copy(), dict[int, sql.Identifier]()
    cursor.execute("SET TimeZone = 'UTC'")
    cursor.execute(_TABLES)
    for oid, schema, table, number, column, type_ in cursor.fetchall():
        rows = copies.setdefault(oid, Rows(f"{schema}.{table}", {}))
        names[oid] = sql.Identifier(schema, table)
        if number is not None:
            rows.columns[number] = (column, type_)
    for oid, rows in copies.items():
        cells = [sql.SQL("t.{}::text").format(sql.Identifier(name)) for name, _ in rows.columns.values()]
        query = sql.SQL("SELECT {} FROM ONLY {} AS t").format(
            sql.SQL(", ").join([sql.SQL("to_jsonb(t)::text"), *cells]), names[oid]
        )
        cursor.execute(query)
        for record, *texts in cursor.fetchall():
            known = _parse(record)
            values = zip(rows.columns.items(), texts, strict=True)
            rows.cells.append({n: (text, known[name]) for (n, (name, _)), text in values})
    return copies


def _parse(record: str) -> dict[str, Any]:
    return json.loads(record, parse_float=str, parse_int=str)  # type: ignore[no-any-return]


def copy_quarantine(connection: Connection) -> list[tuple[int, str, dict[str, Any]]]:
    """Return run, source and row of all that lies in quarantine."""
    cursor = connection.cursor()
    cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('fixer_quarantine')")
    found = []
    for (table,) in cursor.fetchall():
        query = sql.SQL('SELECT run, source, "row"::text, reason, moved_at FROM {}')
        cursor.execute(query.format(sql.Identifier("fixer_quarantine", table)))
        found += [(run, source, _parse(row)) for run, source, row, *_ in cursor.fetchall()]
    return found


_STAMPS = """
SELECT format('SELECT %L, count(*), coalesce(sum(xmin::text::bigint), 0) FROM %s', c.oid::regclass, c.oid::regclass)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND (n.nspname !~ '^(pg_|information_schema$)' OR c.oid::regclass::text IN (
       'pg_class', 'pg_attribute', 'pg_attrdef', 'pg_constraint', 'pg_index', 'pg_trigger', 'pg_namespace', 'pg_proc',
       'pg_type', 'pg_sequence', 'pg_rewrite', 'pg_description', 'pg_policy', 'pg_inherits', 'pg_enum',
       'pg_default_acl', 'pg_event_trigger', 'pg_statistic_ext', 'pg_extension', 'pg_publication',
       'pg_publication_rel'))
UNION ALL
SELECT format('SELECT %L, count(*), coalesce(sum(xmin::text::bigint), 0) FROM %1$s WHERE setdatabase = %s',
              'pg_db_role_setting', d.oid)
  FROM pg_database d WHERE d.datname = current_database()
UNION ALL
SELECT format('SELECT %L, last_value, is_called::int FROM %s', c.oid::regclass, c.oid::regclass)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND n.nspname !~ '^pg_'
"""


def stamps(connection: Connection) -> list[tuple[str, int, int]]:
    """Return a stamp of every table, catalogues included, and of every sequence: any write changes one."""
    cursor = connection.cursor()
    cursor.execute(_STAMPS)
    cursor.execute("\nUNION ALL\n".join(query for (query,) in cursor.fetchall()))
    return sorted(cursor.fetchall())


@dataclass(frozen=True)
class State:
    """What shows that a database changed: a stamp for every write, and a dump where one was asked for."""

    stamps: list[tuple[str, int, int]]
    dump: str

    @property
    def lines(self) -> Counter[tuple[str, str]]:
        return lines(self.dump)

    def changed(self, connection: Connection) -> list[str]:
        """Name the tables and sequences that were written to since."""
        return sorted({name for name, *_ in set(self.stamps) ^ set(stamps(connection))})


# ---- the laws


def detection(report: fixer.Report | Plan, slug: str, specimen: Specimen) -> list[str]:
    """Law 1: a specimen yields its own finding, counts its rows, and accuses nothing else."""
    heard = [finding for finding in report.findings if finding.severity != "info"]
    own, slugs = [f for f in heard if f.slug == slug], {f.slug for f in heard}
    breaches = [f"yields {sorted(slugs - {slug} - specimen.also)} as well"] if slugs - {slug} - specimen.also else []
    if not own:
        return [*breaches, f"does not yield {slug}, only {sorted(slugs)}"]
    if specimen.rows and specimen.rows != sum(f.rows for f in own):
        breaches.append(f"counts {[f.rows for f in own]} rows, not {specimen.rows}")
    if specimen.manual != any(f.repair.label == "manual" for f in heard):
        breaches.append(f"calls its repairs {[(f.slug, f.repair.label, f.repair.refusal) for f in heard]}")
    return breaches


def silence(report: fixer.Report | Plan) -> list[str]:
    """Law 2: what is sound yields no finding."""
    return [f"{f.severity} {f.slug}: {f.message}" for f in report.findings if f.severity != "info"]


def cure(case: Case, again: Again, *, owners: bool = True) -> list[str]:
    """Law 3: the contract holds for a deep look, and a dump shows what one of a fresh database shows."""
    return silence(again.run.plan) + losses(case.sound.facts, facts(case.dump("--schema-only")), owners=owners)


@dataclass(frozen=True)
class Again:
    """A second run, with a deep look, on what a first one repaired; and what it wrote to."""

    run: fixer.Run
    changed: list[str]

    @staticmethod
    def of(case: Case) -> Again:
        before = case.state(dumped=False)
        return Again(case.apply(allow_hazards="all", deep=True), before.changed(case.observer))


def idempotence(again: Again) -> list[str]:
    """Law 5: there is nothing more to do, and doing it changes nothing."""
    breaches = [f"the second plan would {step.title}" for step in again.run.plan.steps]
    breaches += [f"the second run kept a ledger: {again.run.ledger}"] if again.run.ledger else []
    return breaches + ([f"the second run changed {again.changed}"] if again.changed else [])


def return_(case: Case, run: fixer.Run, before: Counter[tuple[str, str]], *, refusable: bool) -> list[str]:
    """Law 6: undo gives back what pg_dump showed before, but for the order of rows.

    `refusable` where only a superuser could bring such a database about.
    """
    assert run.run is not None
    untouched = case.state(dumped=False) if refusable else None
    try:
        fixer.undo(case.connection, run.run)
    except PgmendError as error:
        if untouched and isinstance(error, UndoRefused):
            changed = untouched.changed(case.observer)
            return [f"a refused undo changed {changed}"] if changed else []
        return [f"{type(error).__name__}: {error}"]
    after = everything(case.server, case.name)
    lacking = [f"lacks {line!r} of {statement!r}" for statement, line in before - after]
    return lacking + [f"has {line!r} in {statement!r}" for statement, line in after - before]


def refusal(case: Case, specimen: Specimen, plan: Plan, before: State, *, mode: str, dumped: bool = False) -> list[str]:
    """Law 7: where a hazard is not allowed, or a person has to decide, not a byte changes; nor by a check or a plan.

    Every write leaves a stamp; `dumped` says whether pg_dump, which takes its time, is asked as well.
    """
    tries: list[Iterable[str] | str] = [plan.hazards - {hazard} for hazard in sorted(plan.hazards)]
    if specimen.manual:
        tries = ["all", ()]
    breaches = [breach for allowed in tries for breach in _refused(case, allowed, plan, specimen, mode)]
    changed = before.changed(case.observer)
    breaches += [f"to check, to plan or to refuse changed {changed}"] if changed else []
    if dumped and tries and before.dump != case.dump():
        breaches.append("changed the database")
    return breaches


def _refused(case: Case, allowed: Iterable[str] | str, plan: Plan, specimen: Specimen, mode: str) -> list[str]:
    try:
        run = case.apply(allow_hazards=allowed, mode=mode)
    except NeedsPermission as refused:
        wanted = plan.hazards - set(allowed) if not specimen.manual else set()
        return [f"does not name {hazard}: {refused}" for hazard in sorted(wanted) if hazard not in str(refused)]
    if specimen.manual and not run.steps and not any(finding.breaks for finding in plan.findings):
        return []  # only a warning: the contract holds, and there is nothing to refuse
    return [f"went ahead with {allowed or 'no hazard'} allowed"]


def survival(
    before: Copy, after: Copy, quarantine: list[Any], plan: Plan, run: fixer.Run, *, whole: bool = True
) -> list[str]:
    """Law 4: every row is in its table or in quarantine, cell for cell but for what the plan announced.

    `whole` where even announced cells should lie in quarantine as they were: many repairs of one row may
    rewrite a cell first and move the row then.
    """
    breaches = [f"the ledger does not add up: {entry}" for entry in run.ledger if not _adds_up(entry)]
    breaches += [f"{source} lies in quarantine for run {r}" for r, source, _ in quarantine if r != run.run]
    for oid, rows in before.items():
        if oid not in after:
            breaches.append(f"{rows.name} is gone, or was made anew")
            continue
        table = _Passage(rows, after[oid], quarantine, plan, run, after)
        breaches += [f"{table.new.name}: {breach}" for breach in table.breaches(whole)]
    born = [rows for oid, rows in after.items() if oid not in before]
    breaches += [f"{rows.name}: {b}" for rows in born for b in _ledger(rows, 0, 0, run)]
    known = {rows.name for rows in (*before.values(), *after.values())}
    breaches += [f"{source} in quarantine is no table" for _, source, _ in quarantine if source not in known]
    return breaches


def _adds_up(entry: Any) -> bool:
    return bool(entry.before + entry.inserted == entry.after + entry.quarantined)


def _ledger(rows: Rows, before: int, moved: int, run: fixer.Run) -> Iterator[str]:
    """Compare what the ledger says of one table with what is there."""
    entry = next((entry for entry in run.ledger if str(entry.table) == rows.name), None)
    if entry is None:
        if (before, 0) != (len(rows.cells), moved):
            yield f"had {before} rows, has {len(rows.cells)}, {moved} in quarantine; the ledger is silent"
    elif (entry.before, entry.after, entry.quarantined) != (before, len(rows.cells), moved):
        yield f"had {before} rows, has {len(rows.cells)}, {moved} in quarantine; the ledger says {entry}"


class _Passage:
    """One table on its way through a repair."""

    def __init__(self, old: Rows, new: Rows, quarantine: list[Any], plan: Plan, run: fixer.Run, after: Copy) -> None:
        self.old, self.new, self.run, self.after = old, new, run, after
        self.names = {old.name, new.name}
        self.steps = [step for step in plan.steps if str(step.table) in self.names]
        self.moved = [self._kept(row) for _, source, row in quarantine if source in self.names]
        announced = {column for step in self.steps for column in step.changes}
        self.announced = {n for n, (name, _) in old.columns.items() if {name, new.columns.get(n, ("",))[0]} & announced}
        self.still = sorted(set(old.columns) & set(new.columns) - self.announced)

    def _kept(self, row: Mapping[str, Any]) -> dict[int, Any]:
        """Return a row from quarantine by attribute numbers, whichever names it was moved under."""
        kept = {}
        for number, (name, _) in self.old.columns.items():
            new = self.new.columns.get(number, (name,))[0]
            first, second = (new, name) if name in self._taken() else (name, new)
            kept[number] = row.get(first, row.get(second, "not kept"))
        return kept

    def _taken(self) -> set[str]:
        """Return the names that another column bears now."""
        return {name for n, (name, _) in self.old.columns.items() if self.new.number(name) not in (n, None)}

    def breaches(self, whole: bool) -> Iterator[str]:
        yield from self._columns()
        yield from self._rows()
        if whole:
            yield from self._as_it_was()
        yield from self._mapped()
        for column in sorted(self.announced):
            if column in self.new.columns:
                yield from self._cells(column)
        yield from _ledger(self.new, len(self.old.cells), len(self.moved), self.run)

    def _mapped(self) -> Iterator[str]:
        """Demand that a column which took the name of another holds what points at the rows it named."""
        for number, (name, _) in self.old.columns.items():
            heir = self.new.number(name)
            if heir in (None, number) or number not in self.new.columns:
                continue
            pairs = ((row[number][1], row[heir][1]) for row in self.new.cells)
            means = self._converts(heir) if self.new.columns[number][0].startswith(KEPT) else self._maps
            lost = [pair for pair in pairs if pair[0] is not None and not means(*pair)]
            yield from (f"{name} became {new} from {old}" for old, new in lost[:3])

    def _columns(self) -> Iterator[str]:
        yield from (f"column {self.old.columns[n][0]} is gone" for n in self.old.columns if n not in self.new.columns)
        announced = {tuple(pair) for step in self.steps for pair in step.renames}
        pairs = [(name, self.new.columns[n][0]) for n, (name, _) in self.old.columns.items() if n in self.new.columns]
        yield from (f"renamed {a} to {b} unannounced" for a, b in pairs if a != b and (a, b) not in announced)

    def _value(self, number: int, cell: Any) -> Any:
        """Return a cell as JSON gave it, normalised where its column has another type now."""
        new_type = self.new.columns.get(number, self.old.columns[number])[1]
        if new_type == self.old.columns[number][1]:
            return _canonical(cell)
        return normal(cell, new_type)

    def _key(self, cells: Mapping[int, Any]) -> tuple[Any, ...]:
        return tuple(self._value(number, cells[number]) for number in self.still)

    def _rows(self) -> Iterator[str]:
        old = [{n: cell[1] for n, cell in row.items()} for row in self.old.cells]
        new = [{n: cell[1] for n, cell in row.items()} for row in self.new.cells]
        before = Counter(map(self._key, old))
        found = Counter(map(self._key, new)) + Counter(map(self._key, self.moved))
        yield from (f"lost {count} × {row}" for row, count in (before - found).items())
        appeared = sum((found - before).values())
        entry = next((entry for entry in self.run.ledger if str(entry.table) == self.new.name), None)
        inserted = entry.inserted if entry else 0
        if appeared != inserted:
            yield f"{appeared} rows appeared, the ledger says {inserted}: {list(found - before)[:3]}"
        if inserted and not any(step.inserts for step in self.steps):
            yield f"{inserted} rows were inserted unannounced"
        same = [n for n in self.still if self.old.columns[n][1] == self.new.columns[n][1]]
        texts = Counter(tuple(row[n][0] for n in same) for row in self.new.cells)
        strange = texts - Counter(tuple(row[n][0] for n in same) for row in self.old.cells)
        if sum(strange.values()) > inserted:
            yield f"respelt {list(strange)[:3]}"

    def _as_it_was(self) -> Iterator[str]:
        """Demand of rows in quarantine that they are whole."""
        numbers = sorted(self.old.columns)

        def whole(row: Mapping[int, Any]) -> tuple[Any, ...]:
            return tuple(self._value(n, row[n]) for n in numbers)

        before = Counter(whole({n: cell[1] for n, cell in row.items()}) for row in self.old.cells)
        strange = Counter(map(whole, self.moved)) - before
        yield from (f"{row} lies in quarantine, and was never there so" for row in list(strange)[:3])

    def _cells(self, column: int) -> Iterator[str]:
        """Demand of an announced column that no more cells differ than announced, and no value by conversion."""
        name, type_ = self.new.columns[column]
        converted = type_ != self.old.columns[column][1]
        pairs = list(self._pairs(column))
        different = [(old, new) for old, new in pairs if self._value(column, old) != self._value(column, new)]
        names = {name, self.old.columns[column][0]}
        told = [step.rows for step in self.steps if names & set(step.changes)]
        if converted:
            lost = [(old, new) for old, new in different if old is not None and not self._maps(old, new)]
            yield from (f"{name} became {new} from {old}" for old, new in lost[:3])
            different = [(old, new) for old, new in different if old is None]
        if len(different) > sum(told) and all(told):  # who settles what other steps leave behind cannot tell how many
            yield f"{len(different)} cells of {name} differ, {sum(told)} were announced: {different[:3]}"

    def _pairs(self, column: int) -> Iterator[tuple[Any, Any]]:
        """Pair the cells of one column, before and after, over rows that are alike otherwise."""
        groups: dict[tuple[Any, ...], tuple[list[Any], list[Any]]] = {}
        for row in self.old.cells:
            cells = {n: cell[1] for n, cell in row.items()}
            groups.setdefault(self._key(cells), ([], []))[0].append(cells[column])
        for row in self.new.cells:
            cells = {n: cell[1] for n, cell in row.items()}
            groups.setdefault(self._key(cells), ([], []))[1].append(cells[column])
        for kept in self.moved:
            groups.setdefault(self._key(kept), ([], []))[1].append(kept[column])
        for olds, news in groups.values():
            yield from _matched(olds, news, lambda cell: self._value(column, cell))

    def _converts(self, heir: int) -> Callable[[Any, Any], bool]:
        """Return whether a new cell is the old one, by the type of the column that took the place of the old."""
        type_ = self.new.columns[heir][1]
        return lambda old, new: bool(normal(old, type_) == normal(new, type_))

    def _maps(self, old: Any, new: Any) -> bool:
        """Tell whether a new reference points at the one row that bears the old text."""
        bearers = [
            row for rows in self.after.values() for row in rows.cells
            if (n := rows.number("id")) is not None and row[n][1] == new and old in _own(rows, row)
        ]  # fmt: skip
        return old is not None and new is not None and len(bearers) == 1


def _own(rows: Rows, row: Mapping[int, Any]) -> list[Any]:
    """Return the cells of a row that speak of itself, not of the row that it references."""
    aside = {number for number, (name, _) in rows.columns.items() if name.startswith("legacy_") and name != "legacy_id"}
    return [cell[1] for number, cell in row.items() if number not in aside]


def _matched(olds: list[Any], news: list[Any], value: Callable[[Any], Any]) -> Iterator[tuple[Any, Any]]:
    """Pair what is equal first, then the rest as it comes; what has no partner was inserted or lost."""
    rest = list(news)
    left = []
    for old in olds:
        match = next((new for new in rest if value(new) == value(old)), rest)
        if match is rest:
            left.append(old)
        else:
            rest.remove(match)
            yield old, match
    yield from zip(left, rest, strict=False)


def _canonical(cell: Any) -> Any:
    return json.dumps(cell, sort_keys=True) if isinstance(cell, dict | list) else cell


_TRUE, _FALSE = {"true", "t", "yes", "y", "on", "1"}, {"false", "f", "no", "n", "off", "0"}


def normal(cell: Any, type_: str) -> Any:
    """Return the value of a cell as a type understands it, or the cell itself where that makes no sense of it."""
    if cell is None:
        return None
    text = str(cell).strip().lower()
    try:
        if type_ == "boolean":
            return True if text in _TRUE else False if text in _FALSE else cell
        if re.match(r"numeric|integer|bigint|smallint|double|real", type_):
            return Decimal(text).normalize() if text != "nan" else "nan"
        if type_.startswith(("timestamp", "date")):
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (InvalidOperation, ValueError):
        return _canonical(cell)
    return str(cell)
