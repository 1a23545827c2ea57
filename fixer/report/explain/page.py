"""What a defect class says of itself, as text for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any  # JSON

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fixer.model.finding import POINTS, UNREADABLE
from fixer.report.explain.told import Example, Seen, Told
from fixer.report.findings import CURES
from fixer.report.words import counted

VERSION = 1
WIDEST = 100  # columns; longer lines are hard to read
_NEEDS = {
    "automatic": "no permission",
    "a person": "a person, who decides",
    "report": "nothing: it is a note that breaks no contract",
}
_UNREADABLE = (
    "Rows could not be read, so nobody knows whether they keep the contract. It is no defect of the database: the"
    " finding says which right or function was missing. Give it to the role, or check as another one."
)


def of_one(told: Told, seen: Seen) -> RenderableType:
    """Return one class: what it is, costs, cure, hint, what its repair needs, and an example."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold", max_width=WIDEST)
    rows = {"is": told.what, "costs": told.costs, "cure": told.cure, "hint": told.hint, "needs": needs_in_words(seen)}
    for name, value in rows.items():
        if value:
            facts.add_row(name, Text(value))
    title = Text.assemble((told.slug, "bold"), f"  point {told.point}, {POINTS[told.point]}\n")
    parts: list[RenderableType] = [title, Padding(facts, (0, 0, 0, 2), expand=False)]
    if seen.example:
        parts += [Text(), *_of_example(told, seen.example)]
    return Group(*parts, Text(), *map(_indented, _ways(told)))


def needs_in_words(seen: Seen) -> str:
    """Return what the repair may need, in words."""
    hazards = [need for need in seen.needs if need not in _NEEDS]
    allowed = [f"--allow-hazards {','.join(hazards)}"] if hazards else []
    words = [_NEEDS[need] for need in seen.needs if need in _NEEDS]
    order = words[:1] + allowed + words[1:] if seen.needs[0] == "automatic" else allowed + words
    return "; or ".join(order)


def statements(sql: str) -> str:
    """Return SQL with a line for each statement, where no body stands between."""
    parts = [sql] if "$" in sql else [part.strip() for part in sql.split(";")]
    return "\n".join(f"{part.rstrip(';')};" for part in parts if part)


def _of_example(told: Told, example: Example) -> list[RenderableType]:
    finding = Text.assemble(("✗ " if example.repair else "· ", "red"), example.message)
    if example.rows:
        finding.append(f": {counted(example.rows, 'row')}")
    cure = f"; {CURES[example.repair]}" if example.repair else ""
    finding.append(f"  [{told.slug}{cure}]", style="dim")
    if example.refusal:
        finding.append(f"\n  {example.refusal}", style="yellow")
    parts: list[RenderableType] = [
        _indented(f"An example ({example.name}). After"),
        Padding(Text(statements(example.sql), style="cyan"), (0, 0, 0, 4), expand=False),
        _indented("check says"),
        Padding(finding, (0, 0, 0, 4), expand=False),
    ]
    if example.steps:
        parts += [_indented("and plan"), Padding(_of_steps(example), (0, 0, 0, 4), expand=False)]
    return parts


def _of_steps(example: Example) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold", max_width=WIDEST - 30)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(style="yellow", no_wrap=True)
    for step in example.steps:
        table.add_row(Text(step["title"]), f"lock {step['lock']}", step["hazard"])
    return table


def _ways(told: Told) -> Sequence[str]:
    return (
        f"Leave it out of one repair: fixer apply --skip {told.slug}",
        f'Live with it: [[tool.pgmend.accept]] finding = "{told.slug}:SCHEMA.TABLE" in pyproject.toml, with a reason',
    )


def _indented(text: str) -> Padding:
    return Padding(Text(text, style="dim"), (0, 0, 0, 2), expand=False)


def of_all(every: Iterable[Told]) -> RenderableType:
    """Return all classes by point, each with what it is."""
    every, parts = [*every], list[RenderableType]()
    widest = max(len(each.slug) for each in every)
    for point, title in POINTS.items():
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, min_width=widest)
        table.add_column(style="dim", overflow="fold", max_width=WIDEST)
        for each in every:
            if each.point == point:
                table.add_row(each.slug, first_sentence(each.what))
        parts += [Text(f"{point} {title}", "bold"), Padding(table, (0, 0, 1, 2), expand=False)]
    return Group(*parts, Text(f"{counted(len(every), 'defect')}. More about one: fixer explain SLUG"))


def first_sentence(text: str) -> str:
    """Return the first sentence of a text."""
    first, stop, _ = text.partition(". ")
    return first + "." if stop else first


def of_unreadable() -> Text:
    """Return what is said of rows that cannot be read."""
    return Text.assemble((UNREADABLE, "bold"), f"\n\n  {_UNREADABLE}")


def json_of_one(told: Told, seen: Seen) -> str:
    """Return one class as a JSON document."""
    return _document({"slug": told.slug, **_head(told), **_claims(told), **asdict(seen)})


def json_of_all(every: Iterable[Told]) -> str:
    """Return all classes as a JSON document."""
    return _document({"defects": [{"slug": each.slug, **_head(each), **_claims(each)} for each in every]})


def json_of_unreadable() -> str:
    """Return what is said of rows that cannot be read as a JSON document."""
    return _document({"slug": UNREADABLE, "what": _UNREADABLE})


def _head(told: Told) -> dict[str, Any]:
    return {"point": told.point, "title": POINTS[told.point]}


def _claims(told: Told) -> dict[str, Any]:
    hint = {"names": [*told.hints], "says": told.hint} if told.hint else None
    return {"what": told.what, "costs": told.costs, "cure": told.cure, "hint": hint}


def _document(body: dict[str, Any]) -> str:
    return json.dumps({"version": VERSION, **body}, indent=2, ensure_ascii=False)
