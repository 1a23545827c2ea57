"""Draws the picture of the README from a real run of `fixer demo`: `python docs/picture.py [FILE]`.

With `--check` it draws nothing, and fails if the picture does not show what the demo shows today, times aside.
"""

from __future__ import annotations

import html
import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from fixer.cli.alone.demo import tell

WIDTH = 118
PICTURE = Path(__file__).with_name("demo.svg")
FIRST, LAST = " 1. ", " 5. "  # of the chapters, the first that is drawn and the first that is not


def story() -> list[Text]:
    """Tell the story, and return its lines without the name of the target, which is another each time."""
    console = Console(record=True, file=io.StringIO(), width=WIDTH, highlight=False, emoji=False, markup=False)
    if tell(console):
        sys.exit("The demo did not end well: no picture was drawn.")
    lines = Text.from_ansi(console.export_text(styles=True)).split("\n")
    first, last = (next(n for n, line in enumerate(lines) if line.plain.startswith(c)) for c in (FIRST, LAST))
    return [line for line in lines[first:last] if not line.plain.startswith("postgresql://")]


def picture(lines: list[Text]) -> str:
    """Return the lines as SVG that fetches no font from anywhere."""
    console = Console(record=True, file=io.StringIO(), width=WIDTH, highlight=False)
    for line in _without_gaps(lines):
        line.rstrip()
        console.print(line, no_wrap=True, crop=True)
    drawn = console.export_svg(title="fixer demo", unique_id="demo")
    return re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL) + "\n"


def _without_gaps(lines: list[Text]) -> list[Text]:
    """Return the lines with no more than one empty line between others."""
    empty = [not line.plain.strip() for line in lines]
    return [line for number, line in enumerate(lines) if not empty[number] or (number and not empty[number - 1])]


def words(svg: str) -> list[str]:
    """Return what a picture says, without times and sizes, which differ from run to run."""
    drawn = "".join(re.findall(r"<text [^>]*>([^<]*)</text>", svg))
    return re.sub(r"\d+(\.\d+)?(?=\s(ms|s|B|kB|MB)\b)", "", html.unescape(drawn).replace("\xa0", " ")).split()


if __name__ == "__main__":
    drawn = picture(story())
    if sys.argv[1:] == ["--check"]:
        if words(drawn) != words(PICTURE.read_text(encoding="utf-8")):
            sys.exit(f"{PICTURE} shows another demo than today's: run python docs/picture.py")
    else:
        place = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
        place.write_text(drawn, encoding="utf-8")
        print(f"{place} is drawn.")
