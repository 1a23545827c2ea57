"""Draws boxes and lines as SVG; colours come from the page's style, or from attributes where that is blocked."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.report.html.markup import Markup, inner, tag, visible
from fixer.report.html.picture.graph import Box, Graph, Line, Row, State
from fixer.report.html.picture.places import Places, Point, Size, place
from fixer.report.words import counted

HEAD, SCHEMA, ROW, FOOT, PAD = 26.0, 14.0, 18.0, 18.0, 10.0
WIDE, NARROW = 270.0, 120.0  # boxes
_LETTER, _TITLE = 7.25, 7.9  # width of a letter of a column, and of the name of a table
_MARK = 19.0  # room for PK, or for FK
_MARGIN = 14.0
_BREAKS = {9: "⇥", 10: "↵", 13: "↵"}
HUES = 6  # colours of schemas; further schemas begin anew

# Stroke, dashes and width of a line by its state, where the style of the page is blocked.
_LINES = {
    State.SOUND: ("#8a94a3", None, 1.2),
    State.EXTRA: ("#8a94a3", "2 4", 1.2),
    State.NOTED: ("#8a94a3", "7 4", 1.2),
    State.BROKEN: ("#c77700", None, 2.2),
    State.MISSING: ("#d11a2a", "7 4", 2.2),
}
_BOXES = {
    State.SOUND: "#8a94a3",
    State.NOTED: "#8a94a3",
    State.EXTRA: "#8a94a3",
    State.BROKEN: "#d11a2a",
    State.MISSING: "#d11a2a",
}
_SIGNS = {State.BROKEN: "✗", State.MISSING: "missing", State.NOTED: "·"}


@dataclass(frozen=True)
class Drawing:
    """The picture, and how wide it is."""

    svg: Markup
    width: float


def draw(graph: Graph, links: Mapping[QName, str], title: str, description: str) -> Drawing:
    """Return the picture of a graph; `links` are the anchors of the boxes that lead somewhere."""
    colours = hues(graph.boxes)
    sizes = {name: _size(box, named=bool(colours)) for name, box in graph.boxes.items()}
    pairs = [(line.child, line.parent) for line in graph.lines]
    places = place(sizes, pairs)
    width, height = places.width + 2 * _MARGIN, places.height + 2 * _MARGIN
    drawn = tag(
        "svg",
        tag("title", title, id="picture-title"),
        tag("desc", description, id="picture-words"),
        tag("defs", *map(_arrow, _LINES)),
        tag("g", *_lines(graph, places, sizes), aria_hidden="true", fill="none"),
        tag("g", *(_box(box, places.boxes[n], sizes[n], colours, links.get(n)) for n, box in graph.boxes.items())),
        view_box=f"{-_MARGIN} {-_MARGIN} {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        role="group",
        aria_labelledby="picture-title",
        aria_describedby="picture-words",
        font_family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
        font_size="12",
    )
    return Drawing(drawn, width)


def sample(state: State) -> Markup:
    """Return a short line of a state, for the legend."""
    stroke, dashes, width = _LINES[state]
    line = tag("path", d="M2 7H42", class_=f"line {state}", stroke=stroke, stroke_dasharray=dashes, stroke_width=width)
    return tag("svg", line, view_box="0 0 44 14", width="44", height="14", aria_hidden="true", fill="none")


def swatch(state: State | None, hue: int | None = None) -> Markup:
    """Return a small box of a state, or with the colour of a schema, for the legend."""
    dashes = "4 3" if state is State.MISSING else None
    stroke = _BOXES[state] if state else "#8a94a3"
    body = tag(
        "rect", x=2, y=2, width=22, height=10, rx=2, class_="body", fill="#ffffff", stroke=stroke,
        stroke_dasharray=dashes,
    )  # fmt: skip
    strip = tag("rect", x=2, y=2, width=6, height=10, class_=f"hue h{hue}", fill="#8a94a3") if hue is not None else ""
    drawn = tag("g", body, strip, class_=f"box {state or State.SOUND}")
    return tag("svg", drawn, view_box="0 0 26 14", width="26", height="14", aria_hidden="true")


# ---- boxes


def _size(box: Box, *, named: bool) -> Size:
    """Return how large a box is; with several schemas, each has a line for the name of its own."""
    title = _width(box.name.name) * _TITLE + (46 if box.findings else 2 * PAD)
    columns = [
        _start(box) + _width(row.name) * _LETTER + (60 if row.state is State.MISSING else 20) for row in box.rows
    ]
    notes = [_width(note) * 6.3 + 2 * PAD for note in _notes(box)]
    width = min(WIDE, max([NARROW, title, *(each + PAD for each in columns), *notes]))
    height = (
        HEAD
        + (SCHEMA if named and box.rows else 0)
        + ROW * len(box.rows)
        + FOOT * len(_notes(box))
        + (6 if box.rows else 0)
    )
    return width, height


def _start(box: Box) -> float:
    """Return where the names of the columns begin, after PK and FK."""
    return PAD + _MARK * max((row.key + row.reference for row in box.rows), default=0)


def _notes(box: Box) -> list[str]:
    """Return the lines below the columns."""
    lines = [f"… {box.more} more" if box.more else "", f"today {box.today}" if box.today else ""]
    if box.state is State.MISSING:
        lines.append("does not exist")
    if box.state is State.EXTRA:
        lines.append("not in the contract")
    if box.quarantined:
        lines.append(f"{counted(box.quarantined, 'row')} to quarantine")
    return [line for line in lines if line]


def _box(box: Box, at: Point, size: Size, colours: Mapping[str, int], link: str | None) -> Markup:
    (x, y), (width, height) = at, size
    dashes = "6 4" if box.state is State.MISSING else None
    stroke = _BOXES[box.state]
    parts = [
        tag("title", said(box)),
        tag("rect", width=width, height=height, rx=5, class_="body", fill="#ffffff", stroke=stroke,
            stroke_dasharray=dashes),
        tag("path", d=f"M0 {HEAD:.0f}H{width:.0f}", class_="rule", stroke=stroke) if box.rows else "",
    ]  # fmt: skip
    if colours:
        hue = colours[box.name.schema]
        parts.append(tag("rect", width=5, height=height, rx=2, class_=f"hue h{hue}", fill="#8a94a3"))
    drawn = inner([*parts, *_head(box, width), *_inside(box, width, named=bool(colours))])
    where = {"transform": f"translate({x:.1f} {y:.1f})", "class_": f"box {box.state}"}
    if link:
        return tag("a", drawn, href=f"#{link}", aria_label=said(box), **where)
    return tag("g", drawn, role="img", aria_label=said(box), **where)


def said(box: Box) -> str:
    """Return what a box says, for a screen reader and for whoever points at it."""
    states = {State.MISSING: ", does not exist", State.EXTRA: ", not in the contract"}
    found = f", {box.breaking} broken" if box.breaking else ""
    noted = len(box.findings) - box.breaking
    return f"{box.name}{states.get(box.state, '')}{found}{f', {noted} noted' if noted else ''}"


def _head(box: Box, width: float) -> Iterator[Markup]:
    room = width - (46 if box.findings else 2 * PAD)
    yield _text(_cut(box.name.name, room / _TITLE), PAD, 17, class_="name", font_size="13", font_weight="bold")
    if box.breaking:
        yield _text(f"✗{box.breaking}", width - PAD, 17, class_="bad", fill="#d11a2a", text_anchor="end")
    elif box.findings:
        yield _text(f"·{len(box.findings)}", width - PAD, 17, class_="dim", fill="#5b6573", text_anchor="end")


def _inside(box: Box, width: float, *, named: bool) -> Iterator[Markup]:
    y = HEAD
    if named and box.rows:
        yield _text(_cut(box.name.schema, (width - 2 * PAD) / 6.2), PAD, y + 12, class_="dim", font_size="10")
        y += SCHEMA
    for row in box.rows:
        y += ROW
        yield from _row(row, y - 3, width, _start(box))
    for note in _notes(box):
        y += FOOT
        bad = box.state is State.MISSING and note == "does not exist"
        words = _cut(note, (width - 2 * PAD) / 6.2)
        yield _text(words, PAD, y - 4, class_="bad" if bad else "dim", fill="#5b6573", font_size="10.5")


def _row(row: Row, y: float, width: float, start: float) -> Iterator[Markup]:
    marks = " ".join(word for word, is_so in (("PK", row.key), ("FK", row.reference)) if is_so)
    if marks:
        yield _text(marks, PAD, y, class_="dim", fill="#5b6573", font_size="9")
    sign = _SIGNS.get(row.state, "")
    bad = row.state in (State.BROKEN, State.MISSING)
    room = width - start - (60 if row.state is State.MISSING else 20)
    colour = "#d11a2a" if bad else "#1c2430"
    yield _text(_cut(row.name, room / _LETTER), start, y, class_="bad" if bad else None, fill=colour)
    if sign:
        yield _text(sign, width - PAD, y, class_="bad" if bad else "dim", fill=colour, text_anchor="end")


def _text(words: str, x: float, y: float, **attributes: str | None) -> Markup:
    return tag("text", words, x=x, y=y, **{"fill": "#1c2430", **attributes})


def _width(text: str) -> int:
    """Return how many letters a text is wide: those of East Asia count twice."""
    return sum(1 + (unicodedata.east_asian_width(sign) in "WF") for sign in visible(text))


def _cut(text: str, room: float) -> str:
    """Return a text, or its beginning, that fits into so many letters; always from left to right, as in a column."""
    text = visible(text).translate(_BREAKS)
    if _width(text) > room:
        while text and _width(text) + 1 > room:
            text = text[:-1]
        text += "…"
    return text


# ---- lines


def _lines(graph: Graph, places: Places, sizes: Mapping[QName, Size]) -> Iterator[Markup]:
    """Yield the lines, those that are broken last, above the others."""
    named = bool(hues(graph.boxes))
    order = [*_LINES]
    for line in sorted(graph.lines, key=lambda each: order.index(each.state)):
        stroke, dashes, width = _LINES[line.state]
        points = _points(line, graph, places, sizes, named=named)
        yield tag(
            "path",
            tag("title", line.words),
            d=_path(points, loop=line.child == line.parent),
            class_=f"line {line.state}",
            stroke=stroke,
            stroke_dasharray=dashes,
            stroke_width=width,
            marker_end=f"url(#arrow-{line.state})",
        )


def _points(line: Line, graph: Graph, places: Places, sizes: Mapping[QName, Size], *, named: bool) -> Sequence[Point]:
    """Return the points of a line from child to parent: where it leaves, each end of a lane, where it arrives."""
    ends = []
    for name, column in ((line.child, line.columns[0]), (line.parent, line.targets[0])):
        (x, y), box = places.boxes[name], graph.boxes[name]
        at = next((n for n, row in enumerate(box.rows) if row.name == column), None)
        ends.append((x, y + (HEAD / 2 if at is None else HEAD + (SCHEMA if named else 0) + ROW * at + 11)))
    (x, y), (to_x, to_y) = ends
    if line.child == line.parent:
        width = sizes[line.child][0]
        return [(x + width, y), (to_x + width, to_y)]
    way = places.ways[line.child, line.parent]
    if x < to_x:
        return [(x + sizes[line.child][0], y), *way, (to_x, to_y)]
    return [(x, y), *reversed(way), (to_x + sizes[line.parent][0], to_y)]


def _path(points: Sequence[Point], *, loop: bool) -> str:
    (x, y), *rest = points
    if loop:
        ((to_x, to_y),) = rest
        away = x + 30
        return f"M{x:.1f} {y - 3:.1f}C{away:.1f} {y - 8:.1f} {away:.1f} {to_y + 8:.1f} {to_x:.1f} {to_y + 3:.1f}"
    words = [f"M{x:.1f} {y:.1f}"]
    for number, (to_x, to_y) in enumerate(rest):
        if number % 2:  # along a lane
            words.append(f"L{to_x:.1f} {to_y:.1f}")
        else:
            middle = (x + to_x) / 2
            words.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return "".join(words)


def _arrow(state: State) -> Markup:
    tip = tag("path", d="M0 0L8 4L0 8Z", class_=f"tip {state}", fill=_LINES[state][0])
    return tag(
        "marker", tip, id=f"arrow-{state}", view_box="0 0 8 8", ref_x=7, ref_y=4, marker_width=8, marker_height=8,
        orient="auto", markerUnits="userSpaceOnUse",
    )  # fmt: skip


def hues(names: Iterable[QName]) -> dict[str, int]:
    """Return the colour of each schema, if there are several."""
    schemas = sorted({name.schema for name in names})
    return {schema: number % HUES for number, schema in enumerate(schemas)} if len(schemas) > 1 else {}
