"""Numbers with their nouns, times, bytes and commands as people read them; and styled lines, which need no rich."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # only a terminal, and what is too long for its line, wait for it
    from rich.console import Group
    from rich.text import Text

_PIPE, _NARROWEST = 160, 30  # columns of a pipe, and the fewest that text is written for
_MARKS = str.maketrans(dict.fromkeys("✓✗·…≠→", "*"))  # which take one column, as ASCII does
_TERMINALS = frozenset({"FORCE_COLOR", "TTY_COMPATIBLE"})  # variables by which rich may take a pipe for a terminal


class Line:
    """A text for people, with its styles: one that breaks holds several lines, and a `whole` one is never folded."""

    def __init__(self, *parts: str | tuple[str, str], style: str = "", whole: bool = False) -> None:
        self.parts, self.style, self.whole = [*parts], style, whole

    def append(self, text: str, style: str = "") -> Line:
        """Add a text, and return the line."""
        self.parts.append((text, style))
        return self

    @property
    def plain(self) -> str:
        """Its text alone."""
        return "".join(part if isinstance(part, str) else part[0] for part in self.parts)

    def __rich__(self) -> Text:
        """Return it as rich shows it."""
        from rich.text import Text

        return Text.assemble(
            *self.parts,
            style=self.style,
            no_wrap=True if self.whole else None,
            overflow="ignore" if self.whole else None,
        )


class Lines:
    """Lines one below the other, each after how far it is indented."""

    def __init__(self, lines: Iterable[Line | tuple[int, Line]]) -> None:
        self.lines = [(0, each) if isinstance(each, Line) else each for each in lines]

    def __rich__(self) -> Group:
        """Return them as rich shows them."""
        from rich.console import Group
        from rich.padding import Padding

        return Group(*(Padding(line, (0, 0, 0, by), expand=False) if by else line for by, line in self.lines))

    def plainly(self, width: int) -> str | None:
        """Return the text without styles; None if a line has to be folded, or has letters beyond ASCII."""
        shown = [(" " * by + each, line.whole) for by, line in self.lines for each in line.plain.split("\n")]
        blank = any(by and not line.plain.strip() for by, line in self.lines)  # of which rich leaves some out
        if blank or not all(_is_plain(text) and (whole or len(text) <= width) for text, whole in shown):
            return None
        return "".join(f"{text.rstrip()}\n" for text, _ in shown)


def _is_plain(text: str) -> bool:
    """Return whether each character of a text takes one column."""
    said = text.translate(_MARKS)
    return said.isascii() and said.isprintable()


def plainly(shown: object) -> str | None:
    """Return a text as it stands where no terminal is; None if it takes rich to show it."""
    is_pipe = not sys.stdout.isatty() and os.environ.keys().isdisjoint(_TERMINALS)
    return shown.plainly(width_of_pipe()) if is_pipe and isinstance(shown, Lines) else None


def width_of_pipe() -> int:
    """Return how many columns are written where no terminal is: as COLUMNS says, or 160."""
    wide = os.environ.get("COLUMNS", "")
    return max(_NARROWEST, int(wide)) if wide.isdecimal() else _PIPE


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: 1 step, 2 steps."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def time_of(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def bytes_of(number: float) -> str:
    """Return a number of bytes in words; nothing for none."""
    units = ["GB", "MB", "kB", "B"]
    while number >= 1000 and units[1:]:
        number /= 1000
        units.pop()
    return f"{number:.0f} {units[-1]}" if number else ""


def typed(what: str, command: str) -> Line:
    """Return a line with a command to type; no screen folds it, because its first part alone would run if pasted."""
    return Line(f"{what}: ", (command, "bold"), whole=True)
