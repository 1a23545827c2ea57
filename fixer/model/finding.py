"""Findings, the questions behind them, and what a defect class is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Protocol

from sqlalchemy import MetaData

from fixer.model.contract import Contract
from fixer.model.schema import QName, Schema, Table
from fixer.model.step import Repair
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable

UNREADABLE = "unreadable-rows"  # no defect of the database: a question that could not be asked
POINTS = {
    1: "primary keys",
    2: "foreign keys",
    3: "default users",
    4: "structure",
    5: "operation",
}


class Stage(IntEnum):
    """The order of comparison: each stage looks at the schema as the repairs before it will leave it."""

    TABLES = 1  # tables that are missing or stand under another name
    NAMES = 2  # columns that stand under another name
    KEYS = 3  # key columns that are missing or hold text
    REFERENCES = 4  # columns that hold another key of their parent
    COLUMNS = 5  # columns that are missing or of another type
    COPIES = 6  # columns that stand twice: what is copied is copied between columns of their coming types
    PARTS = 7  # all that is left


@dataclass(frozen=True)
class Probe:
    """A question about rows: which rows `t` of `source` fulfil `condition`."""

    source: Composable  # a FROM item that is called t
    condition: Composable
    show: tuple[Composable, ...] = ()  # what identifies such a row to a person
    shared: bool = True  # whether one scan may answer it together with others of the same source
    costly: bool = False  # whether its rows are kept once found, because to find them again takes long
    table: QName | None = None  # the table that a repair finds its rows in, by the same search as it is asked by
    places: tuple[Composable, ...] = ()  # what that search gives of each


def rows_where(actual: Schema, table: QName, condition: Composable, *, own: bool = False) -> Probe:
    """Return the probe for the rows of a table, as the plan so far leaves them, that fulfil a condition."""
    future = actual.tables[table]
    return Probe(q.rows_of(future, own=own), condition, shown(future))


def rivals_where(table: Table, keys: tuple[str, ...], condition: Composable, show: tuple[Composable, ...]) -> Probe:
    """Return the probe for rows that share a key with others, asked once for whoever asks with the same keys."""
    probe = Probe(q.rivals(q.rows_of(table, own=True), table, keys), condition, show, costly=True)
    return replace(probe, table=table.name, places=q.PLACES) if q.is_stored(table) else probe


def shown(table: Table) -> tuple[Composable, ...]:
    """Return what identifies a row of this table to a person: its key, else its first columns."""
    keys = sorted(table.plain_keys, key=lambda key: (not key.primary, len(key.columns)))
    wanted = keys[0].columns if keys else (("id",) if "id" in table.columns else tuple(table.columns)[:2])
    return tuple(ordered(table, column) for column in wanted)


def ordered(table: Table, column: str) -> Composable:
    """Return a cell of the row as it can be ordered by: its text, where its type has no order."""
    cell = q.column(column)
    return SQL("{}::text").format(cell) if table.columns[column].type in ("json", "xml", "point") else cell


@dataclass(frozen=True)
class Places:
    """Where rows stood at a moment, and what tells the same session later whether they still stand there.

    Nothing was added to a table in the meantime if its `file` is the same and no row of it was written by a
    transaction that was at work at this moment or came later: one from `horizon` on.
    """

    rows: tuple[tuple[str, ...], ...]
    session: str
    horizon: int
    file: int


@dataclass(frozen=True)
class Count:
    """The answer to a probe; `error` where it could not be answered.

    It is `beyond` us where a function of the database's own works under the application's search_path alone.
    """

    rows: int = 0
    sample: tuple[tuple[str | None, ...], ...] = ()
    error: str | None = None
    places: Places | None = None
    beyond: bool = False


@dataclass(frozen=True)
class Finding:
    """One occurrence of a defect class.

    `rows` and `sample` come from the probe, where there is one; `asks` composes it, which is only done when
    it is asked. `only_with_rows` marks a finding that is none when no row is behind it; `vouched` one whose
    rows the catalogue vouches for, so that they are read only where reading is cheap or was asked for; `of_rows` one
    that an empty table answers by its size.
    """

    slug: str
    point: int
    object: str
    message: str
    table: QName
    column: str | None = None
    severity: str = "error"
    part: Any = None  # the wanted key, foreign key, check, index or row it speaks of
    found: Any = None  # what stands in its place
    asks: Callable[[], Probe] | None = field(default=None, compare=False, repr=False)
    only_with_rows: bool = False
    vouched: bool = False
    of_rows: bool = False
    rows: int = 0
    sample: tuple[tuple[str | None, ...], ...] = ()
    places: Places | None = field(default=None, compare=False, repr=False)
    repair: Repair = field(default_factory=Repair)

    @property
    def probe(self) -> Probe | None:
        """The question about its rows, composed anew."""
        return self.asks() if self.asks else None

    @property
    def breaks(self) -> bool:
        """Whether the contract does not hold because of it."""
        return self.severity == "error"


Counter = Callable[[Sequence[Probe]], Sequence[Count]]


@dataclass(frozen=True)
class Specimen:
    """The smallest broken database: a sound one of `contract` with rows, then these statements.

    `rows` counts the rows behind its finding, `hazards` what its repair needs, `quarantined` the rows that
    its repair moves, `also` the slugs that unavoidably come with it. `superuser` where only one can break a
    database in this way.
    """

    name: str
    breaks: str
    hazards: frozenset[str] = frozenset()
    rows: int = 0
    quarantined: int = 0
    also: frozenset[str] = frozenset()
    contract: Callable[[], MetaData] | None = None  # the library of fixer.defects._databases when None
    setup: str | None = None  # rows of a contract of its own
    superuser: bool = False
    minimum_version: int = 13
    manual: bool = False  # whether a person has to decide


class DefectClass(Protocol):
    """What a module in fixer/defects must have. Its file name is its slug, in snake case."""

    SLUG: str
    POINT: int
    STAGE: Stage
    SPECIMENS: tuple[Specimen, ...]
    NEAR_MISSES: tuple[Specimen, ...]

    def detect(self, actual: Schema, contract: Contract) -> Iterable[Finding]:
        """Yield what may be wrong, judging by the catalogue; probes tell the rest."""

    def repair(self, finding: Finding, actual: Schema, contract: Contract) -> Repair:
        """Return the cure of one finding."""

    # Optional: foresee(finding, actual, contract) -> Schema, the schema as its repair leaves it,
    # for classes that change names or shapes which later stages look at.
