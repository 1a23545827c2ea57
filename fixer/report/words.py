"""Numbers with their nouns, times, bytes and commands as people read them: words of no table and no page."""

from __future__ import annotations

from rich.text import Text


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


def typed(what: str, command: str) -> Text:
    """Return a line with a command to type; no screen folds it, because its first part alone would run if pasted."""
    return Text.assemble(f"{what}: ", (command, "bold"), no_wrap=True, overflow="ignore")
