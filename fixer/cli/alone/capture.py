"""`fixer capture`: a snapshot of the target in a directory, as `pytest --snapshots` runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from fixer.cli import options
from fixer.cli.commands import session_on
from fixer.cli.options import Settings, common
from fixer.contract.project import scratch_named
from fixer.contract.scratch import Scratch
from fixer.errors import UsageError
from fixer.model.plan import VERSION
from fixer.snapshots.capture import Captured, Wanted
from fixer.snapshots.capture import capture as captured


@click.command(name="capture")
@options.dsn
@options.option(
    "-o", "--output", type=click.Path(file_okay=False), metavar="DIR", help="Where it is written: new, or empty."
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Take N rows of each table, what they reference, and those behind findings.",
)
@click.option("--no-rows", is_flag=True, help="Take no rows.")
@click.option("--mask", is_flag=True, help="Put others in place of personal data; keys agree across tables.")
@click.option(
    "--mask-as",
    multiple=True,
    metavar="TABLE.COLUMN=KIND",
    help="How a column is masked: keep, text or personal; repeatable.",
)
@common
def command(
    settings: Settings,
    dsn_argument: str | None,
    output: str | None,
    sample: int | None,
    no_rows: bool,
    mask: bool,
    mask_as: tuple[str, ...],
) -> int:
    """Write a snapshot of the target, with all rows or some, masked or not; only read the target."""
    if not output:
        raise UsageError("Name the directory of the snapshot: -o DIR.")
    wanted = Wanted(sample, not no_rows, mask, mask_as)
    scratch = Scratch.of(settings.scratch or scratch_named())
    with session_on(settings, dsn_argument) as work:
        done = captured(work, work.contract.name, Path(output), settings.schema, wanted, scratch)
    settings.show(
        "\n".join(_told(done)), lambda: json.dumps(_document(done, work.link.target), indent=2, ensure_ascii=False)
    )
    return 0


def _told(done: Captured) -> Iterator[str]:
    """Yield what was captured, line by line."""
    rows = sum(done.rows.values())
    yield f"{done.directory} holds {rows} rows of {len(done.rows)} tables, and shows the findings of the target:"
    yield from (f"  {slug}: {objects}" for slug, objects in done.known.findings.items())
    if not done.known.findings:
        yield "  none"
    for table, kinds in done.masked.items():
        yield f"masked in {table}: {', '.join(kinds)}"
    if done.kept:
        yield f"kept, since they hold codes or a hint says so: {', '.join(done.kept)}"
    if done.lost:
        yield f"not shown without rows: {', '.join(done.lost)}"
    if done.new:
        yield f"shown only without rows: {', '.join(done.new)}"
    for what, count in done.left.items():
        yield f"not captured: {what}: {count}"
    yield f"Run it with: pytest --pyargs contracts --snapshots {done.directory}"


def _document(done: Captured, target: str) -> dict[str, object]:
    return {
        "version": VERSION,
        "target": target,
        "contract": done.known.contract,
        "ok": True,
        "directory": str(done.directory),
        "rows": {str(table): rows for table, rows in done.rows.items()},
        "findings": list(done.known.findings),
        "hazards": list(done.known.hazards),
        "repairable": done.known.repairable,
        "masked": {str(table): dict(kinds) for table, kinds in done.masked.items()},
        "kept": list(done.kept),
        "lost": list(done.lost),
        "new": list(done.new),
        "not_captured": dict(done.left),
    }
