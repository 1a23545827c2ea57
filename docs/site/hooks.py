"""Makes the pages of the site that no file holds: the first from the README, and one for each defect class.

MkDocs calls it (docs/site/mkdocs.yml); nothing is written but the site.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fixer.model.finding import POINTS
from fixer.report.explain import page, told
from fixer.report.explain.told import Example, Told
from fixer.report.findings import CURES

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

DOCS = Path(__file__).parents[1]
HOUSE = DOCS.parent
# Of the reference; others follow by name.
FIRST = ("contracts.md", "safety.md", "guides.md", "alembic.md", "peers.md", "ways.md")
TITLES = {"guides.md": "Frameworks", "alembic.md": "Alembic"}  # shorter than their own
TABLE = "defects.md"
COLUMNS = 7  # parts of a line of that table, between its bars


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add to the navigation what is there: the pages of docs/, and one for each defect."""
    config.nav = [*(config.nav or []), {"Reference": reference()}, {"Defects": [TABLE, *defects()]}]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    from mkdocs.structure.files import File

    made = {"index.md": front((HOUSE / "README.md").read_text(encoding="utf-8"))}
    made |= {f"defects/{each.slug}.md": of_defect(each) for each in told.every()}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead from the table of defects to their pages, and from any page to what is no page."""
    if page.file.src_uri == TABLE:
        markdown = short(markdown)
    return re.sub(r"\]\(\.\./README\.md(#[a-z-]+)?\)", "](index.md)", markdown)


def short(table: str) -> str:
    """Return the table of defects with a way to the page of each, which says what it costs and its cure."""
    lines = []
    for line in table.splitlines():
        cells = re.split(r"(?<!\\)\|", line)
        if len(cells) == COLUMNS:
            cells = [*cells[:3], *cells[5:]]
            cells[1] = re.sub(r"`([a-z-]+)`", r"[`\1`](defects/\1.md)", cells[1])
        if not line.startswith("Written by"):
            lines.append("|".join(cells))
    return "\n".join(lines)


def reference() -> list[Any]:
    """Return the pages that stand in docs/ itself, but for the table of defects."""
    names = {each.name for each in DOCS.glob("*.md")} - {TABLE}
    listed = [*(name for name in FIRST if name in names), *sorted(names - {*FIRST})]
    return [{TITLES[name]: name} if name in TITLES else name for name in listed]


def defects() -> list[Any]:
    """Return the pages of defects, by point."""
    return [
        {f"{point} {title}": [f"defects/{each.slug}.md" for each in told.every() if each.point == point]}
        for point, title in POINTS.items()
    ]


def front(readme: str) -> str:
    """Return the first page: the beginning of the README, then where to go from there."""
    text = readme.partition("\n## Your own models")[0]
    text = re.sub(r"\]\(docs/", "](", text)
    return f"{text}\n{WAYS}"


WAYS = """
## Where to go

| you want to | read |
|---|---|
| look at a database, and repair it | [First run](guides/first-run.md) |
| say what it should be | [Your models](guides/models.md), [SQL contracts](guides/sql.md) |
| trust a restored database | [After a restore](guides/restore.md) |
| keep it so | [CI gate](guides/ci.md), [Image, Action and hook](guides/image.md), [Snapshots](guides/snapshots.md) |
| answer what the fixer asks | [Decisions](guides/decisions.md) |
| take a repair back | [Undo](guides/undo.md) |
| let a coding agent look | [Coding agents](guides/agent.md) |
| know what cannot happen | [What is never done](guides/never.md), [Safety](safety.md) |
| know what a finding means | [Defects](defects.md) |
"""


def of_defect(defect: Told) -> str:
    """Return the page of one defect: what its file says of it, and an example."""
    seen = told.seen(defect.slug)
    rows = {"What it costs": defect.costs, "The cure": defect.cure, "The hint that decides": defect.hint}
    rows["The repair needs"] = re.sub(r"(--allow-hazards [a-z,-]+)", r"`\1`", page.needs_in_words(seen))
    parts = [
        f"# {defect.slug}\n",
        f"*Point {defect.point}, {POINTS[defect.point]}*\n",
        f"{_linked(defect.what)}\n",
        *(f"**{name}:** {_linked(text)}\n" for name, text in rows.items() if text),
    ]
    if seen.example:
        parts += _example(defect, seen.example)
    parts += [
        "## If it should stay\n",
        f"For one repair: `fixer apply --skip {defect.slug}`. For good, with a reason, in pyproject.toml:\n",
        f'```toml\n[[tool.pgmend.accept]]\nfinding = "{defect.slug}:SCHEMA.TABLE"\nreason = "…"\n```\n',
        "More about it: [Decisions](../guides/decisions.md).",
    ]
    return "\n".join(parts)


def _example(defect: Told, example: Example) -> list[str]:
    mark, cure = ("✗", f"; {CURES[example.repair]}") if example.repair else ("·", "")
    rows = f": {example.rows} row{'s' * (example.rows != 1)}" if example.rows else ""
    said = [f"{mark} {example.message}{rows}  [{defect.slug}{cure}]"]
    said += [f"  {example.refusal}"] if example.refusal else []
    text = "\n".join(said)
    parts = [
        "## An example\n",
        f"*{example.name}*\n\n```sql\n{page.statements(example.sql)}\n```\n",
        f"`fixer check` says\n\n```text\n{text}\n```\n",
    ]
    if example.steps:
        steps = [f"| {_cell(s['title'])} | {s['lock']} | {_code(s['hazard'])} |" for s in example.steps]
        parts += ["`fixer plan` says\n", "| step | lock | hazard |\n|---|---|---|", *steps, ""]
    return parts


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return _linked(text).replace("|", "\\|")


def _linked(text: str) -> str:
    """Lead from the names of other defects to their pages; show what looks like HTML as it is."""
    slugs = "|".join(re.escape(each.slug) for each in told.every())
    return re.sub(rf"(?<![`\w-])({slugs})(?![\w-])", r"[\1](\1.md)", text.replace("<", "&lt;").replace("*", "\\*"))
