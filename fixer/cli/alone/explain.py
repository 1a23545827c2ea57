"""`fixer explain SLUG`: what a defect is, what it costs, its cure, and the hint that decides; no database is needed."""

from __future__ import annotations

import click

from fixer.cli import options
from fixer.cli.options import Settings, common
from fixer.model.finding import UNREADABLE
from fixer.report.explain import page, told


@click.command(name="explain")
@click.argument("slug", required=False, metavar="[SLUG]", callback=options.filled)
@common
def command(settings: Settings, slug: str | None) -> int:
    """Explain a defect: what it is, what it costs, its cure, and the hint that decides; all by point."""
    if slug is None:
        settings.show(page.of_all(told.every()), lambda: page.json_of_all(told.every()))
    elif slug == UNREADABLE:
        settings.show(page.of_unreadable(), page.json_of_unreadable)
    else:
        found = told.of(slug)
        seen = told.seen(found.slug)
        settings.show(page.of_one(found, seen), lambda: page.json_of_one(found, seen))
    return 0
