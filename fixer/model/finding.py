"""Findings, and the probes behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Generic, NamedTuple

from psycopg2.sql import Composable

from fixer.model import POINTS as POINTS
from fixer.model.step import Repair
from fixer.model.subject import Part, Subject
from fixer.model.table import QName
from fixer.model.values import dataclass

if TYPE_CHECKING:
    # Only the type checker needs the default: it reads a bare Finding as one about any subject.
    from typing_extensions import TypeVar

    About = TypeVar("About", bound=Subject, covariant=True, default=Subject)
else:
    from typing import TypeVar

    About = TypeVar("About", bound=Subject, covariant=True)

UNREADABLE = "unreadable-rows"  # not a defect of the database: a probe that failed


@dataclass(frozen=True)
class Accepted:
    """Findings that a project lives with: SLUG or SLUG:OBJECT, with globs; why, and until which day."""

    finding: str
    reason: str
    until: date | None = None
    said_in: str = ""  # the file

    @property
    def slug(self) -> str:
        """The class of the findings."""
        return self.finding.partition(":")[0]

    @property
    def term(self) -> str:
        """How long it is accepted, in words."""
        return f"accepted until {self.until}" if self.until else "accepted"

    @property
    def holds(self) -> bool:
        """Whether its last day is not over, in UTC."""
        return self.until is None or datetime.now(UTC).date() <= self.until

    def fits(self, finding: Finding) -> bool:
        """Return whether it names a finding; an object of the schema public may go without it."""
        object_ = self.finding.partition(":")[2] or "*"
        called = (finding.object, finding.object.removeprefix("public."))
        same = finding.slug != UNREADABLE and fnmatchcase(finding.slug, self.slug)
        return same and any(each == object_ or fnmatchcase(each, object_) for each in called)


@dataclass(frozen=True)
class Probe:
    """A question about rows: which rows `t` of `source` fulfil `condition`."""

    source: Composable  # a FROM item with the alias t
    condition: Composable
    show: tuple[Composable, ...] = ()  # what identifies such a row to a person
    downwards: bool = False  # whether a sample begins with the last rows in order of that
    shared: bool = True  # whether one scan may answer it together with other probes of the same source
    around: bool = False  # whether the table itself is read, for it alone or with others, and never an index
    costly: bool = False  # materialize the result: the search is expensive
    table: QName | None = None  # set if the repair can reuse this probe's search
    places: tuple[Composable, ...] = ()  # what that search returns for each row


@dataclass(frozen=True)
class Places:
    """The places (ctids) of rows at one moment, and what shows the same session later that they are still right.

    Nobody has added or changed a row of the table since if its `file` is the same and none of its rows was written by
    a transaction from `horizon` on: one that was running at that moment, or started later.
    """

    rows: tuple[tuple[str, ...], ...]
    session: str
    horizon: int
    file: int

    @property
    def keepers(self) -> bool:
        """Whether each stands with the place of the row that stays instead, and its kind."""
        return all(len(row) > 1 for row in self.rows)


@dataclass(frozen=True)
class Count:
    """The answer to a probe, or the `error` that prevented it.

    It is `beyond` the fixer if a function of the database works only under the application's search_path, and `denied`
    if the role may not read all the rows; `ways` are statements that let it call what the probe calls. `unmade`: it
    names what does not exist, perhaps because the plan is to create it.
    """

    rows: int = 0
    sample: tuple[tuple[str | None, ...], ...] = ()
    error: str | None = None
    places: Places | None = None
    beyond: bool = False
    denied: bool = False
    ways: tuple[str, ...] = ()
    unmade: bool = False


@dataclass(frozen=True, slots=True)
class Finding(Generic[About]):
    """One occurrence of a defect class.

    `about` is what it concerns. `rows` and `sample` come from its probe, which `asks` composes when it is needed.
    With `only_with_rows`, it is a finding only if the probe finds rows. If it is `vouched`, a valid constraint
    already guarantees its rows, so the probe runs only if that is cheap or asked for; else what it asks `briefly`,
    if that is given. If it is `of_rows`, a table of size zero cannot have it. If it is `of_values`, its probe
    compares two values: rows mean that they differ. Its `further` findings, which are about some of its rows, are
    asked for only if it has rows.
    """

    slug: str
    point: int
    about: About
    message: str
    severity: str = "error"
    asks: Callable[[], Probe] | None = field(default=None, compare=False, repr=False)
    further: Callable[[], Iterable[Finding]] | None = field(default=None, compare=False, repr=False)
    only_with_rows: bool = False
    vouched: bool = False
    briefly: Callable[[], Probe] | None = field(default=None, compare=False, repr=False)
    of_rows: bool = False
    of_values: bool = False
    rows: int = 0
    sample: tuple[tuple[str | None, ...], ...] = ()
    places: Places | None = field(default=None, compare=False, repr=False)
    repair: Repair = field(default_factory=Repair)
    left_out: str = ""  # why it is not repaired, if a person chose so
    accepted: Accepted | None = None  # if the project lives with it
    known: bool | None = None  # whether the baseline has it; None without a baseline
    was: int | None = None  # how many rows the baseline counted, if it has it
    aspect: str = ""  # what tells it from other findings of its class about the same object

    @property
    def id(self) -> str:
        """What names this finding from run to run, and no other of a report: its class, its object and its aspect."""
        return ":".join(filter(None, (self.slug, self.object, self.aspect)))

    @property
    def table(self) -> QName:
        """The table of the contract that it concerns."""
        return self.about.table

    @property
    def object(self) -> str:
        """The name of its subject in a report."""
        return self.about.object

    @property
    def column(self) -> str | None:
        """The column that it concerns, if any."""
        return self.about.column

    @property
    def part(self) -> Part | None:
        """The key, index, check or default row of the contract that it is about, if any."""
        return self.about.part

    @property
    def probe(self) -> Probe | None:
        """The probe for its rows, composed anew; None without one."""
        return self.asks() if self.asks else None

    @property
    def breaks(self) -> bool:
        """Whether it breaks the contract; a warning does not, and nor does what the project accepts."""
        return self.severity == "error" and self.accepted is None

    @property
    def of_constraint(self) -> bool:
        """Whether it says that rows break a constraint."""
        return self.vouched and self.severity == "error" and not self.of_rows

    @property
    def grown(self) -> bool:
        """Whether the baseline has it with fewer rows."""
        return self.was is not None and self.rows > self.was


class Guaranteed(NamedTuple):
    """A vouched finding about rows, an error, which is `made` once they are to be read: few of many thousands are.

    It is `refused` if only a person can repair it.
    """

    slug: str
    table: QName
    made: Callable[[], Finding]
    refused: bool = False

    @property
    def of_constraint(self) -> bool:
        """Whether it says that rows break a constraint: always."""
        return True


def made(each: Finding | Guaranteed) -> Finding:
    """Return a finding, which is made now if it was guaranteed."""
    return each.made() if isinstance(each, Guaranteed) else each


Counter = Callable[[Sequence[Probe]], Sequence[Count]]
