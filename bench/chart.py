"""Draws docs/bench.svg, cost against size, from the figures in bench/results: `python -m bench chart`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from bench.harness import HERE, RESULTS

PLACE = HERE.parent / "docs" / "bench.svg"
COLORS = ("#1f6feb", "#bf3989", "#1a7f37", "#9a6700", "#656d76")
# Of each bench: the title, what its sizes count, and the subjects that are drawn, ours first.
PANELS: Mapping[str, tuple[str, str, Sequence[str]]] = {
    "catalog": (
        "Reading a catalogue",
        "tables",
        ("fixer.introspect.read", "bare queries", "MetaData.reflect", "Alembic compare_metadata"),
    ),
    "repair": (
        "Repairing a database",
        "users (and twice as many trades)",
        ("fixer apply, atomic", "script by hand", "fixer apply, online", "fixer undo, atomic", "drop and recreate"),
    ),
}


def draw(place: Path = PLACE) -> None:
    """Draw what was measured, the same bytes for the same figures."""
    mpl.use("svg")
    # No date, no chance, and text that stays text.
    mpl.rcParams.update({"svg.hashsalt": "pgmend", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})
    from matplotlib import pyplot

    panels = [name for name in PANELS if (RESULTS / f"{name}.json").exists()]
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5 * len(panels), 3.6), squeeze=False)
    for name, axis in zip(panels, axes[0], strict=True):
        _panel(axis, name)
    figure.tight_layout()
    figure.savefig(place, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    # Matplotlib leaves blanks at the ends of lines.
    lines = place.read_text(encoding="utf-8").splitlines()
    place.write_text("".join(f"{line.rstrip()}\n" for line in lines), encoding="utf-8")
    print(f"{place} is drawn.")


def _panel(axis: Any, name: str) -> None:
    title, counted, subjects = PANELS[name]
    points = _points(name)
    drawn = [subject for subject in subjects if subject in points]
    for subject, color in zip(drawn, COLORS, strict=False):
        sizes, values = zip(*sorted(points[subject]), strict=True)
        axis.plot(sizes, values, marker="o", markersize=3.5, linewidth=1.4, color=color, label=subject)
    axis.set(title=title, xlabel=counted, ylabel="seconds", xscale="log", yscale="log")
    measured = sorted({size for subject in drawn for size, _ in points[subject]})
    axis.set_xticks(measured, [f"{size:,}" for size in measured])
    axis.set_xticks([], minor=True)
    axis.yaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
    axis.grid(visible=True, linewidth=0.4, color="#d0d7de")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)


def _points(name: str) -> Mapping[str, list[tuple[int, float]]]:
    points: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for figure in _figures(name):
        points[figure["subject"]].append((figure["size"], figure["value"]))
    return points


def _figures(name: str) -> Iterator[Any]:
    yield from json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["figures"]
