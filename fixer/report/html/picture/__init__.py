"""The tables as a picture, with its legend and the same in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fixer.model.report import Comparison
from fixer.model.table import QName
from fixer.report.html.anchors import Anchors
from fixer.report.html.markup import Markup, code, inner, name_of, tag
from fixer.report.html.picture import graph
from fixer.report.html.picture.choosing import choose
from fixer.report.html.picture.drawing import draw, hues, sample, swatch
from fixer.report.html.picture.graph import Box, Graph, State
from fixer.report.html.values import Values
from fixer.report.words import counted

SMALL = 720  # pixels up to which a picture keeps its size on every screen
_ZOOMS = (("fit", "whole"), ("full", "100 %"), ("twice", "200 %"))
_LINES = {
    State.SOUND: "foreign key, sound",
    State.BROKEN: "there, but it does not hold",
    State.MISSING: "missing, or points elsewhere",
    State.EXTRA: "not in the contract",
}
_BOXES = {
    State.SOUND: "sound table",
    State.BROKEN: "broken table",
    State.MISSING: "missing table",
    State.EXTRA: "not in the contract",
}


def section(comparison: Comparison, anchors: Anchors, values: Values, quarantined: Mapping[QName, int]) -> Markup:
    """Return the section with the picture of all tables; `quarantined` counts rows of tables that leave them."""
    whole = graph.of(comparison, quarantined)
    shown = choose(whole)
    parts = [tag("h2", "Tables", id="tables-title"), tag("p", _summary(whole, shown))]
    if shown.boxes:
        links = {name: anchors.table(name) for name, box in shown.boxes.items() if box.findings}
        title = f"{counted(len(shown.boxes), 'table')} and {counted(len(shown.lines), 'foreign key')}"
        drawing = draw(shown, links, title, _summary(whole, shown))
        size = "small" if drawing.width <= SMALL else "large"
        canvas = tag("section", drawing.svg, class_=f"canvas {size}", tabindex="0", aria_label="picture of the tables")
        parts += [tag("figure", _zoom(), canvas, tag("figcaption", _legend(shown)))]
    return tag("section", parts, _in_words(whole, anchors, values), id="tables", aria_labelledby="tables-title")


def _summary(whole: Graph, shown: Graph) -> str:
    """Return what there is, and what of it the picture shows."""
    broken = sum(box.breaking > 0 or box.state is State.MISSING for box in whole.boxes.values())
    lines = sum(line.state in (State.BROKEN, State.MISSING) for line in whole.lines)
    words = f"{counted(len(whole.boxes), 'table')}, {broken or 'none'} broken; "
    words += f"{counted(len(whole.lines), 'foreign key')}, {lines or 'none'} broken."
    if len(shown.boxes) == len(whole.boxes):
        return words
    if not shown.boxes:
        return f"{words} So many tables are not drawn where none is broken."
    return f"{words} The picture shows {len(shown.boxes):,} of the tables: broken ones, and those beside them."


def _zoom() -> Markup:
    """Return the choice of sizes, which works by style alone."""
    parts = [
        (tag("input", type="radio", name="zoom", id=f"zoom-{key}", checked=key == "fit"),
         tag("label", words, for_=f"zoom-{key}"))
        for key, words in _ZOOMS
    ]  # fmt: skip
    return tag("fieldset", tag("legend", "size"), parts, class_="zoom")


def _legend(shown: Graph) -> Markup:
    """Return what the lines, boxes and colours of this picture mean."""
    lines, boxes = {line.state for line in shown.lines}, {box.state for box in shown.boxes.values()}
    boxes = {State.SOUND if state is State.NOTED else state for state in boxes}
    entries = [(sample(state), words) for state, words in _LINES.items() if state in lines]
    entries += [(swatch(state), words) for state, words in _BOXES.items() if state in boxes]
    entries += [(swatch(None, hue), f"schema {schema}") for schema, hue in hues(shown.boxes).items()]
    return tag("ul", [tag("li", drawn, tag("span", words)) for drawn, words in entries], class_="legend")


# ---- the same in words


def _in_words(whole: Graph, anchors: Anchors, values: Values) -> Markup:
    """Return the tables with findings as a list that leads to these, and the names of the others."""
    found = {name: box for name, box in whole.boxes.items() if box.findings}
    sound = [name for name, box in whole.boxes.items() if not box.findings]
    parts = []
    if found:
        entries = [_entry(box, whole, anchors, values) for box in found.values()]
        parts += [tag("h3", "Tables with findings"), tag("ul", entries, class_="tables")]
    if sound:
        names = [tag("li", name_of(str(name))) for name in sound]
        words = f"{counted(len(sound), 'table')} without findings"
        parts.append(tag("details", tag("summary", words), tag("ul", names, class_="names")))
    return inner(parts)


def _entry(box: Box, whole: Graph, anchors: Anchors, values: Values) -> Markup:
    """Return a table with its foreign keys and the links to its findings."""
    lines = sorted((line for line in whole.lines if line.child == box.name), key=lambda line: line.words)
    keys = [tag("li", name_of(line.words), *_state(line.state)) for line in lines]
    findings = [tag("li", _mark(each.breaks), tag("a", name_of(values.message(each)), href=f"#{anchors.finding(each)}"))
                for each in box.findings]  # fmt: skip
    return tag(
        "li",
        tag("p", tag("strong", code(str(box.name))), *_standing(box)),
        tag("ul", findings),
        tag("ul", keys, class_="keys") if keys else "",
        id=anchors.table(box.name),
    )


def _state(state: State) -> Iterator[Markup]:
    if state is not State.SOUND:
        bad = state in (State.BROKEN, State.MISSING)
        yield tag("span", f" {_LINES[state]}", class_="bad" if bad else "dim")


def _mark(breaks: bool) -> Markup:
    return tag("span", "✗ " if breaks else "· ", class_="bad" if breaks else "dim")


def _standing(box: Box) -> Iterator[Markup]:
    words = {State.MISSING: "does not exist", State.EXTRA: "not in the contract"}
    if box.state in words:
        yield tag("span", f" {words[box.state]}", class_="dim")
    if box.today:
        yield tag("span", " today ", code(box.today), class_="dim")
    if box.quarantined:
        yield tag("span", f" {counted(box.quarantined, 'row')} to quarantine", class_="dim")
