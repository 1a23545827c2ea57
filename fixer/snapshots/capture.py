"""Captures a target: writes a snapshot of it, loads that into a throw-away server, and sees that it shows the same."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import field
from pathlib import Path

from fixer.connect import snapshot
from fixer.contract.scratch import Scratch
from fixer.errors import ContractError, NeedsPermission, PgmendError, SnapshotError, TargetError, UsageError
from fixer.model.finding import UNREADABLE
from fixer.model.report import Report
from fixer.model.step import JOURNAL, QUARANTINE, Hazard
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.runner.limits import Bounds
from fixer.runner.session import Session
from fixer.snapshots import copying, files
from fixer.snapshots.choosing import Choice
from fixer.snapshots.copying import Original
from fixer.snapshots.files import Known
from fixer.snapshots.masks import columns as masking
from fixer.snapshots.masks.values import Masks
from fixer.snapshots.moving import EVERY, TEXT, FromTarget
from fixer.snapshots.spool import Spool
from fixer.snapshots.throwaway import at, differing, link_to


@dataclass(frozen=True)
class Wanted:
    """What a capture takes: all rows, some, or none; as they are, or masked."""

    sample: int | None = None
    rows: bool = True
    mask: bool = False
    mask_as: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.sample is not None and (self.sample < 1 or not self.rows):
            raise UsageError("A sample is of one row at least, and goes with rows.")
        if self.mask_as and not self.mask:
            raise UsageError("Hints for masks go with a mask.")


@dataclass(frozen=True)
class Captured:
    """What a capture wrote: where, which rows, what it masked, and what a snapshot cannot hold."""

    directory: Path
    known: Known
    rows: Mapping[QName, int]
    masked: Mapping[QName, Mapping[str, str]] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    left: Mapping[str, int] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()  # findings of the target that need rows, where none were taken
    new: tuple[str, ...] = ()  # findings that only the snapshot has, where no rows were taken


OURS = (JOURNAL, QUARANTINE)  # what earlier runs kept is no part of a snapshot, nor are the rows that they moved


def capture(session: Session, name: str, directory: Path, schema: str, wanted: Wanted, scratch: Scratch) -> Captured:
    """Write a snapshot of the target into a directory, which must be new or empty; the target is only read.

    Raises SnapshotError, and leaves nothing, where the snapshot would not show the findings of the target.
    """
    if "://" in name:
        raise ContractError("A snapshot cannot name another database as its contract: give models, or a file of SQL.")
    report = _looked(session, deep=True)
    with _anew(directory) as place:
        with copying.read(session.link, _options(wanted), without=OURS) as original, _spooled() as spool:
            taken = _take(original, session, report, wanted, spool)
            with scratch.lend(original.version, original.room if wanted.rows and not wanted.sample else 0) as opened:
                made = copying.copy(original, opened.admin, spool)
            files.write(place, original, made, spool, rows=wanted.rows)
            left = original.beyond.left
        known, lost, new = _verified(place, session, name, schema, report, wanted, scratch)
        (place / "snapshot.toml").write_text(known.text(), encoding="utf-8")
    return Captured(directory, known, made.rows, taken.masked, taken.kept, left, tuple(made.lacking), lost, new)


def _options(wanted: Wanted) -> list[str]:
    """Return what pg_dump leaves out: owners, and where personal data may stand beside rows, comments."""
    return ["--no-owner", *(["--no-comments"] if wanted.mask else [])]


def _looked(session: Session, *, deep: bool) -> Report:
    report = session.check(deep=deep)
    if any(finding.slug == UNREADABLE for finding in report.findings):
        raise TargetError("Not all rows could be read: a snapshot is taken by a role that may read all.")
    return report


@contextmanager
def _anew(directory: Path) -> Iterator[Path]:
    """Lend a directory that takes this name if all goes well, and is gone if not."""
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise UsageError(f"{directory} is there already: name a directory that is new or empty.")
        directory.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror}.") from None
    try:
        yield place
        place.chmod(0o755)
        place.replace(directory)
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _spooled() -> Iterator[Spool]:
    with tempfile.TemporaryDirectory(prefix="pgmend-capture-") as place:
        yield Spool(Path(place))


def _take(original: Original, session: Session, report: Report, wanted: Wanted, spool: Spool) -> masking.Decision:
    """Keep the rows that are wanted, masked where that is wanted."""
    chosen = EVERY
    if wanted.sample:
        with original.reader.cursor() as cursor:
            choice = Choice(cursor, original.tables, session.contract)
            chosen = choice.chosen(wanted.sample, report.comparison.every)
    source = FromTarget(original.reader, chosen) if wanted.rows else _Nothing()
    spool.keep(original.tables, source)
    if not wanted.mask:
        return masking.Decision({}, ())
    pieces = [*original.dumped.before, *original.dumped.after]
    masks = Masks(masking.said_by(pieces, session.contract))
    hints = masking.hinted(session.contract, wanted.mask_as, original.tables)
    decision = masking.decide(original.tables, spool, hints)
    for table in original.tables:
        if table.name in decision.masked:
            spool.change(table, masking.changes(table, decision.masked[table.name], masks))
    return decision


class _Nothing:
    """No rows."""

    def form(self, _: object) -> str:
        """Return how no rows are written."""
        return TEXT

    def send(self, table: object, into: object) -> None:
        """Write nothing."""


def _verified(
    place: Path, session: Session, name: str, schema: str, report: Report, wanted: Wanted, scratch: Scratch
) -> tuple[Known, tuple[str, ...], tuple[str, ...]]:
    """Load the snapshot, see that it shows what the target does, and repair it, to know what that needs."""
    version = session.link.connection.server_version // 10000
    hollow = Known("-", "-", version, name, schema, {}, (), True, {})
    (place / "snapshot.toml").write_text(hollow.text(), encoding="utf-8")
    with scratch.lend(version, copying.TIMES * (place / "data.sql").stat().st_size) as opened:
        snapshot.load(snapshot.read(place), opened.admin)
        link = link_to(opened)
        with closing(link.connection), at(link, session) as there:
            shown = _looked(there, deep=True)
            lost, new = differing(report.findings, shown.findings)
            if (lost or new) and wanted.rows:
                raise SnapshotError(_differs(lost, new, wanted))
            findings = [each for each in _looked(there, deep=False).findings if each.severity != "info"]
            hazards, repairable, moved = _repaired(there)
    objects: dict[str, list[str]] = {}
    for each in findings:
        objects.setdefault(each.slug, []).append(each.object)
    database = "" if wanted.mask else f" {session.link.connection.info.dbname}"
    return (
        Known(
            _described(wanted), f"fixer capture of the database{database}, PostgreSQL {version}", version, name, schema,
            {slug: ", ".join(names) for slug, names in objects.items()}, hazards, repairable, moved,
        ),
        lost,
        new,
    )  # fmt: skip


def _differs(lost: Iterable[str], new: Iterable[str], wanted: Wanted) -> str:
    said = [f"lacks {each}" for each in lost] + [f"has {each} besides" for each in new]
    way = (
        "take more rows"
        if wanted.sample
        else "keep the columns that matter by mask_as"
        if wanted.mask
        else "run it again if others write"
    )
    return f"The snapshot would not show what the target does, it {'; it '.join(said)}: {way}. Nothing was written."


def _described(wanted: Wanted) -> str:
    rows = f"{wanted.sample} rows of each table, and what they reference" if wanted.sample else "all rows"
    return f"Captured with {rows if wanted.rows else 'no rows'}{', personal data masked' if wanted.mask else ''}."


def _repaired(there: Session) -> tuple[list[str], bool, dict[QName, int]]:
    """Repair a copy; return the hazards that it needs, whether it can be repaired, and the rows that it moves."""
    allowed = [str(hazard) for hazard in Hazard]
    try:
        report, plan = there.made()
        bounds = Bounds.of(None, there.contract, there.link.connection, there.link.settings)
        from fixer.runner.preflight import permit

        permit(plan, allowed)
        run = there.apply(plan, report, allowed=allowed, bounds=bounds)
    except NeedsPermission:
        return [], False, {}
    except PgmendError as error:
        raise SnapshotError(f"The snapshot loads, and its repair fails: {error}") from None
    moved = {entry.table: entry.quarantined for entry in run.ledger if entry.quarantined}
    return sorted(str(hazard) for hazard in plan.hazards), True, moved
