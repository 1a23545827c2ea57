"""Which tables a picture shows where there are too many: the broken ones first, then those beside them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from fixer.model.table import QName
from fixer.report.html.picture.graph import Graph, State

MOST = 300  # tables that a person can still look at, and a browser draw at once
DETAILED = 60  # tables up to which sound ones show their keys, too


def choose(graph: Graph) -> Graph:
    """Return the whole graph, or if it is too large, its broken tables and their neighbours."""
    if len(graph.boxes) <= MOST:
        return _brief(graph)
    bad = {line.child for line in graph.lines if line.state in (State.BROKEN, State.MISSING)}
    bad |= {name for name, box in graph.boxes.items() if box.breaking or box.state is State.MISSING}
    chosen = dict.fromkeys(sorted(bad, key=lambda name: (-graph.boxes[name].breaking, name))[:MOST])
    near = _neighbours(graph)
    for name in [*chosen]:
        for other in near.get(name, ()):
            if len(chosen) < MOST:
                chosen[other] = None
    return _brief(_only(graph, chosen))


def _brief(graph: Graph) -> Graph:
    """Return the graph; if it is large, without the columns of tables in which nothing is broken."""
    if len(graph.boxes) <= DETAILED:
        return graph
    boxes = {n: box if box.breaking else replace(box, rows=(), more=0) for n, box in graph.boxes.items()}
    return Graph(boxes, graph.lines)


def _neighbours(graph: Graph) -> dict[QName, list[QName]]:
    """Return the tables at the other ends of each table's lines: those that it references first."""
    near = defaultdict[QName, list[QName]](list)
    for line in graph.lines:
        near[line.child].append(line.parent)
    for line in graph.lines:
        near[line.parent].append(line.child)
    return near


def _only(graph: Graph, chosen: dict[QName, None]) -> Graph:
    boxes = {name: box for name, box in graph.boxes.items() if name in chosen}
    return Graph(boxes, tuple(line for line in graph.lines if line.child in boxes and line.parent in boxes))
