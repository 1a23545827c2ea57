"""The command line: `python -m bench NAME`."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from bench import chart, harness
from bench.harness import Options

NAMES = (
    "catalog",
    "check",
    "deep",
    "repair",
    "stall",
    "convert",
    "suite",
    "memory",
    "kills",
    "start",
    "service",
    "page",
    "prove",
    "detection",
    "ways",
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", type=click.Choice([*NAMES, "chart"]))
@click.option("--size", "sizes", type=int, multiple=True, help="Tables, or users (trades are twice as many).")
@click.option("--full", is_flag=True, help="The sizes that the bounds are stated for.")
@click.option("--runs", default=3, show_default=True, help="Of which the median is taken.")
@click.option("--tuned", is_flag=True, help="A server with the settings of a person who knows the machine.")
@click.option("--steps", is_flag=True, help="Also tell the time of each step.")
@click.option("--kills", default=6, show_default=True, help="How often to kill, for each mode.")
@click.option("--against", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another source tree.")
@click.option("--pg-version", "version", type=int, help="The major version of PostgreSQL.")
@click.option("--json", "place", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the figures.")
def main(name: str, place: Path | None, **given: object) -> None:
    """Measure NAME and print a table; draw the chart of what was measured."""
    if name == "chart":
        chart.draw()
        return
    options = Options(**given)  # type: ignore[arg-type]
    result = importlib.import_module(f"bench.{name}").run(options)
    harness.show(result)
    if place:
        harness.write(result, options, place)


if __name__ == "__main__":
    main()
