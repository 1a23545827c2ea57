"""Puts what is connected into layers, parents before children, and orders each layer so that few lines cross.

The steps are those of Sugiyama's method: cut circles, choose layers, order by barycentre. Lines that run past layers go
through lanes; all lines to the same table share its lanes, so that a table that everybody references adds one lane to a
layer, and not hundreds.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from itertools import pairwise

from fixer.model.table import QName
from fixer.model.values import dataclass

SWEEPS = 10


@dataclass(frozen=True)
class Lane:
    """Where lines run past a layer, on their way from or to the table on the left."""

    of: QName
    layer: int
    back: bool = False  # whether the node on the left is the one that references


Node = QName | Lane
Pair = tuple[QName, QName]  # a table that references, and the one that it references


@dataclasses.dataclass
class Layers:
    """The layers from left to right, each from top to bottom, and the way of each line through its lanes."""

    layers: list[list[Node]] = field(default_factory=list)
    ways: dict[Pair, tuple[Lane, ...]] = field(default_factory=dict)  # by (child, parent), from left to right
    backward: set[Pair] = field(default_factory=set)  # lines that close a circle: their child is on the left
    links: dict[Node, list[Node]] = field(default_factory=dict)  # neighbours in layers beside, left or right


def arrange(nodes: Sequence[QName], pairs: Iterable[Pair], heights: Mapping[QName, float], most: float) -> Layers:
    """Return the layers of connected nodes; `pairs` are (child, parent), no layer is much higher than `most`."""
    kept = sorted({pair for pair in pairs if pair[0] != pair[1]})
    parents, backward = _without_circles(nodes, kept)
    places = _layered(nodes, parents, heights, most)
    made = Layers([[] for _ in range(max(places.values(), default=0) + 1)], backward=backward)
    for node in nodes:
        made.layers[places[node]].append(node)
    _lay_lanes(made, kept, places)
    _order(made)
    return made


def _without_circles(nodes: Sequence[QName], pairs: Sequence[Pair]) -> tuple[dict[QName, set[QName]], set[Pair]]:
    """Return the parents of each node, where lines that close a circle are turned round, and those lines."""
    above = defaultdict[QName, list[QName]](list)
    for child, parent in pairs:
        above[child].append(parent)
    seen, open_, turned = set[QName](), set[QName](), set[Pair]()
    for start in nodes:
        stack = [] if start in seen else [(start, iter(above[start]))]
        open_.update([start] if stack else [])
        while stack:
            node, rest = stack[-1]
            for parent in rest:
                if parent in open_:
                    turned.add((node, parent))
                elif parent not in seen:
                    open_.add(parent)
                    stack.append((parent, iter(above[parent])))
                    break
            else:
                stack.pop()
                open_.discard(node)
                seen.add(node)
    parents: dict[QName, set[QName]] = {node: set() for node in nodes}
    for child, parent in pairs:
        left, right = (child, parent) if (child, parent) in turned else (parent, child)
        parents[right].add(left)
    return parents, turned


def _layered(
    nodes: Sequence[QName], parents: Mapping[QName, set[QName]], heights: Mapping[QName, float], most: float
) -> dict[QName, int]:
    """Return the layer of each node: right of its parents, in the first layer with room."""
    children = defaultdict[QName, list[QName]](list)
    for node in nodes:
        for parent in parents[node]:
            children[parent].append(node)
    depth = _depths(nodes, parents, children)
    for node in nodes:  # a table without parents stands beside its first child
        if not parents[node] and children[node]:
            depth[node] = max(0, min(depth[child] for child in children[node]) - 1)
    filled, places = defaultdict[int, float](float), dict[QName, int]()
    for node in sorted(nodes, key=lambda each: depth[each]):
        layer = max([depth[node] if not parents[node] else 0, *(places[parent] + 1 for parent in parents[node])])
        while filled[layer] and filled[layer] + heights[node] > most:
            layer += 1
        filled[layer] += heights[node]
        places[node] = layer
    used = {layer: place for place, layer in enumerate(sorted({*places.values()}))}
    return {node: used[layer] for node, layer in places.items()}


def _depths(
    nodes: Sequence[QName], parents: Mapping[QName, set[QName]], children: Mapping[QName, list[QName]]
) -> dict[QName, int]:
    """Return the length of the longest way to each node from one without parents."""
    depth, waits = dict.fromkeys(nodes, 0), {node: len(parents[node]) for node in nodes}
    ready = [node for node in nodes if not waits[node]]
    for node in ready:
        for child in children.get(node, ()):
            depth[child] = max(depth[child], depth[node] + 1)
            waits[child] -= 1
            if not waits[child]:
                ready.append(child)
    return depth


def _lay_lanes(made: Layers, pairs: Sequence[Pair], places: Mapping[QName, int]) -> None:
    """Add the lanes of lines that run past layers, and link what stands in layers beside each other."""
    lanes, links = dict[Lane, None](), defaultdict[Node, dict[Node, None]](dict)
    for child, parent in pairs:
        back = places[child] < places[parent]
        left, right = (child, parent) if back else (parent, child)
        way = tuple(Lane(left, layer, back) for layer in range(places[left] + 1, places[right]))
        made.ways[child, parent] = way
        lanes |= dict.fromkeys(way)
        stops: tuple[Node, ...] = (left, *way, right)
        for one, other in pairwise(stops):
            links[one][other] = links[other][one] = None
    for lane in lanes:
        made.layers[lane.layer].append(lane)
    made.links = {node: list(others) for node, others in links.items()}


def _order(made: Layers) -> None:
    """Sort each layer by where its neighbours stand in the layer before, forth and back; keep the best order."""
    layer_of = {node: number for number, layer in enumerate(made.layers) for node in layer}
    best, least = [list(layer) for layer in made.layers], _crossings(made, layer_of)
    for sweep in range(SWEEPS):
        step = 1 if sweep % 2 == 0 else -1
        numbers = range(len(made.layers))[::step]
        for number in numbers:
            beside = number - step
            if 0 <= beside < len(made.layers):
                _sort(made, number, beside, layer_of)
        crossings = _crossings(made, layer_of)
        if crossings < least:
            best, least = [list(layer) for layer in made.layers], crossings
    made.layers = best


def _sort(made: Layers, number: int, beside: int, layer_of: Mapping[Node, int]) -> None:
    at = {node: place for place, node in enumerate(made.layers[beside])}
    scale = len(made.layers[beside]) / max(1, len(made.layers[number]))
    centre = dict[Node, float]()
    for place, node in enumerate(made.layers[number]):
        near = [at[other] for other in made.links.get(node, ()) if layer_of[other] == beside]
        centre[node] = sum(near) / len(near) if near else place * scale
    made.layers[number].sort(key=centre.__getitem__)


def _crossings(made: Layers, layer_of: Mapping[Node, int]) -> int:
    """Return how many lines cross between layers beside each other, counted by a binary indexed tree."""
    total = 0
    for number, layer in enumerate(made.layers[1:], start=1):
        at = {node: place for place, node in enumerate(made.layers[number - 1])}
        ends = [
            place
            for node in layer
            for place in sorted(at[o] for o in made.links.get(node, ()) if layer_of[o] == number - 1)
        ]
        total += _inversions(ends, len(at))
    return total


def _inversions(ends: Sequence[int], size: int) -> int:
    tree, found = [0] * (size + 1), 0
    for seen, end in enumerate(ends):
        before, place = 0, end + 1
        while place:
            before, place = before + tree[place], place & (place - 1)
        found += seen - before
        place = end + 1
        while place <= size:
            tree[place] += 1
            place += place & -place
    return found
