"""Findings, the questions behind them, and the specimens of a defect class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Generic

from psycopg2.sql import Composable
from sqlalchemy import MetaData

from fixer.model.step import Repair
from fixer.model.subject import Part, Subject
from fixer.model.table import QName

if TYPE_CHECKING:
    # The default is for the type checker alone, which takes a bare Finding as one about any subject.
    from typing_extensions import TypeVar

    About = TypeVar("About", bound=Subject, covariant=True, default=Subject)
else:
    from typing import TypeVar

    About = TypeVar("About", bound=Subject, covariant=True)

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
class Finding(Generic[About]):
    """One occurrence of a defect class.

    `about` says in its type what it concerns. `rows` and `sample` come from the probe, where there is one; `asks`
    composes it, which is only done when it is asked. `only_with_rows` marks a finding that is none when no row is
    behind it; `vouched` one whose rows the catalogue vouches for, so that they are read only where reading is cheap or
    was asked for; `of_rows` one that an empty table answers by its size.
    """

    slug: str
    point: int
    about: About
    message: str
    severity: str = "error"
    asks: Callable[[], Probe] | None = field(default=None, compare=False, repr=False)
    only_with_rows: bool = False
    vouched: bool = False
    of_rows: bool = False
    rows: int = 0
    sample: tuple[tuple[str | None, ...], ...] = ()
    places: Places | None = field(default=None, compare=False, repr=False)
    repair: Repair = field(default_factory=Repair)

    @property
    def table(self) -> QName:
        """The table of the contract that it concerns."""
        return self.about.table

    @property
    def object(self) -> str:
        """The name by which a report calls what it is about."""
        return self.about.object

    @property
    def column(self) -> str | None:
        """The column that it lies on, if any."""
        return self.about.column

    @property
    def part(self) -> Part | None:
        """The key, index, check or default row of the contract that it is about, if any."""
        return self.about.part

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
