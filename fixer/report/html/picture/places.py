"""Gives every box its place: layers beside each other, components apart, tables without lines in a grid below."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fixer.model.table import QName
from fixer.report.html.picture import layers
from fixer.report.html.picture.layers import Lane, Layers, Node, Pair

ASPECT = 1.6  # width to height that the picture should have
GAP, LANE, BETWEEN, APART = 14.0, 7.0, 50.0, 36.0  # of boxes, height of lanes, of layers at least, of components
ROUNDS = 6

Point = tuple[float, float]
Size = tuple[float, float]


@dataclass
class Places:
    """Where boxes stand (their upper left corners), and through which points each line runs, from its left end."""

    width: float = 0
    height: float = 0
    boxes: dict[QName, Point] = field(default_factory=dict)
    ways: dict[Pair, list[Point]] = field(default_factory=dict)  # by (child, parent): the ends of each lane
    backward: set[Pair] = field(default_factory=set)  # lines whose child is on the left

    def add(self, other: Places, x: float, y: float) -> None:
        """Add what was placed by itself, moved to a corner."""
        self.boxes |= {node: (left + x, top + y) for node, (left, top) in other.boxes.items()}
        self.ways |= {pair: [(a + x, b + y) for a, b in way] for pair, way in other.ways.items()}
        self.backward |= other.backward
        self.width, self.height = max(self.width, x + other.width), max(self.height, y + other.height)


def place(sizes: Mapping[QName, Size], pairs: Iterable[Pair]) -> Places:
    """Return the places of all boxes."""
    pairs = [*pairs]
    parts = sorted(_components(sizes, pairs), key=lambda part: (-len(part), str(part[0])))
    among = defaultdict[QName, list[Pair]](list)
    home = {node: part[0] for part in parts for node in part}
    for pair in pairs:
        among[home[pair[0]]].append(pair)
    joined = [_component(part, sizes, among[part[0]]) for part in parts if len(part) > 1]
    alone = [part[0] for part in parts if len(part) == 1]
    whole = sum(each.width * each.height for each in joined) + sum(_room(sizes[node]) for node in alone)
    width = max([math.sqrt(whole * ASPECT), *(each.width for each in joined)], default=0)
    placed = Places()
    for each, x, y in _on_shelves(joined, width):
        placed.add(each, x, y)
    grid = _grid(sorted(alone), sizes, width)
    placed.add(grid, 0, placed.height + (APART if placed.boxes and alone else 0))
    return placed


def _room(size: Size) -> float:
    return (size[0] + GAP) * (size[1] + GAP)


def _components(nodes: Iterable[QName], pairs: Iterable[Pair]) -> list[list[QName]]:
    """Return the sets of connected nodes, each in the order of all."""
    above = {node: node for node in nodes}

    def root(node: QName) -> QName:
        while above[node] != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    for one, other in pairs:
        above[root(one)] = root(other)
    parts = defaultdict[QName, list[QName]](list)
    for node in above:
        parts[root(node)].append(node)
    return [*parts.values()]


def _on_shelves(parts: Sequence[Places], width: float) -> Iterator[tuple[Places, float, float]]:
    """Yield the corner of each component, in rows from the highest to the lowest."""
    x = y = shelf = 0.0
    for part in sorted(parts, key=lambda each: -each.height):
        if x and x + part.width > width:
            x, y, shelf = 0.0, y + shelf + APART, 0.0
        yield part, x, y
        x, shelf = x + part.width + APART, max(shelf, part.height)


def _grid(nodes: Sequence[QName], sizes: Mapping[QName, Size], width: float) -> Places:
    """Return tables without lines in columns, each under the lowest column so far."""
    placed = Places()
    if not nodes:
        return placed
    column = max(sizes[node][0] for node in nodes)
    number = max(1, min(len(nodes), int((width + GAP) // (column + GAP))))
    filled = [0.0] * number
    for node in nodes:
        lowest = min(range(number), key=filled.__getitem__)
        placed.boxes[node] = (lowest * (column + GAP), filled[lowest])
        filled[lowest] += sizes[node][1] + GAP
    placed.width, placed.height = number * (column + GAP) - GAP, max(filled) - GAP
    return placed


# ---- one component


def _component(nodes: Sequence[QName], sizes: Mapping[QName, Size], pairs: Sequence[Pair]) -> Places:
    """Return the places of connected boxes."""
    area = sum((width + BETWEEN) * (height + GAP) for width, height in (sizes[node] for node in nodes))
    most = max(math.sqrt(area / ASPECT), *(sizes[node][1] for node in nodes))
    heights = {node: sizes[node][1] + GAP for node in nodes}
    made = layers.arrange(nodes, pairs, heights, most)
    tall = {node: LANE if isinstance(node, Lane) else sizes[node][1] for layer in made.layers for node in layer}
    tops = _tops(made, tall)
    starts, widths = _columns(made, sizes)
    placed = Places(backward=set(made.backward))
    for number, layer in enumerate(made.layers):
        for node in layer:
            if not isinstance(node, Lane):
                placed.boxes[node] = (starts[number], tops[node])
    for pair, way in made.ways.items():
        ends = [(starts[at.layer], starts[at.layer] + widths[at.layer], tops[at] + LANE / 2) for at in way]
        placed.ways[pair] = [point for left, right, y in ends for point in ((left, y), (right, y))]
    placed.width = starts[-1] + widths[-1]
    placed.height = max(tops[node] + tall[node] for node in tops)
    return placed


def _columns(made: Layers, sizes: Mapping[QName, Size]) -> tuple[list[float], list[float]]:
    """Return where each layer starts, and how wide it is; the more lines between two, the wider apart they are."""
    widths = [max((sizes[n][0] for n in layer if not isinstance(n, Lane)), default=0.0) for layer in made.layers]
    starts, at = list[float](), 0.0
    for layer, width in zip(made.layers, widths, strict=True):
        starts.append(at)
        lines = sum(len(made.links.get(node, ())) for node in layer)
        at += width + BETWEEN + min(50.0, lines)
    return starts, widths


def _tops(made: Layers, tall: Mapping[Node, float]) -> dict[Node, float]:
    """Return the upper edge of each box and lane: near what it is linked to, as far as its layer has room."""
    middle = dict[Node, float]()
    for layer in made.layers:
        y = 0.0
        for node in layer:
            middle[node], y = y + tall[node] / 2, y + tall[node] + _gap(node)
    for turn in range(ROUNDS):
        for layer in made.layers if turn % 2 == 0 else reversed(made.layers):
            wanted = [_mean([middle[o] for o in made.links.get(node, ())], middle[node]) for node in layer]
            middle |= dict(zip(layer, _apart(layer, wanted, tall), strict=True))
    top = min(middle[node] - tall[node] / 2 for node in middle)
    return {node: y - tall[node] / 2 - top for node, y in middle.items()}


def _gap(node: Node) -> float:
    return 2.0 if isinstance(node, Lane) else GAP


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise


def _apart(layer: Sequence[Node], wanted: Sequence[float], tall: Mapping[Node, float]) -> list[float]:
    """Return the middles nearest to the wanted ones at which nothing overlaps, in the same order.

    Subtracting what stands above turns it into a regression that never falls: neighbours that would, are pooled.
    """
    offsets, at = list[float](), 0.0
    for node in layer:
        offsets.append(at + tall[node] / 2)
        at += tall[node] + _gap(node)
    pools = list[tuple[float, int]]()  # the sum and the number of pooled places
    for want, offset in zip(wanted, offsets, strict=True):
        total, count = want - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            more, others = pools.pop()
            total, count = total + more, count + others
        pools.append((total, count))
    level = [total / count for total, count in pools for _ in range(count)]
    return [base + offset for base, offset in zip(level, offsets, strict=True)]
