"""Where results go and in which formats: the standard output in one, and any number of files.

Light, because every command asks it before anything else is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fixer.errors import UsageError
from fixer.model.values import dataclass

FORMATS = ("text", "json", "sarif", "github", "junit", "html")
PLAIN = ("text", "json")  # the formats that every command has
STANDARD = "-"  # the standard output, as a file


@dataclass(frozen=True)
class Output:
    """A format, and the file that gets it."""

    format: str
    path: str = STANDARD


def parsed(values: Iterable[str]) -> tuple[tuple[Output, ...], tuple[str, ...]]:
    """Return what `--output` said: FORMAT=FILE of known formats, and whatever else it was."""
    reports, others = list[Output](), list[str]()
    for value in values:
        name, is_, path = value.partition("=")
        if is_ and name in FORMATS:
            if not path.strip():
                raise UsageError(f"--output {value} names no file: say {name}=FILE.")
            reports.append(Output(name, path))
        else:
            others.append(value)
    return tuple(reports), tuple(others)


def asked(words: Sequence[str]) -> tuple[Output, ...]:
    """Return the outputs for machines that words ask for, even if the command line is refused for other reasons."""
    options = list(_pairs(words))
    standard = [value for name, value in options if name == "--format" and value in FORMATS]
    named = [value for name, value in options if name != "--format" and value.partition("=")[0] in FORMATS]
    reports = [Output(*value.partition("=")[::2]) for value in named if "=" in value]
    wanted = [*(Output(each) for each in standard[-1:]), *(each for each in reports if each.path.strip())]
    by_path = {each.path: each for each in reversed(wanted)}  # if two go to one place, the first
    return tuple(each for each in wanted if each.format != "text" and each is by_path[each.path])


def _pairs(words: Sequence[str]) -> Iterable[tuple[str, str]]:
    for word, following in zip(words, (*words[1:], ""), strict=True):
        for option in ("--format", "--output"):
            if word == option:
                yield option, following
            elif word.startswith(f"{option}="):
                yield option, word.partition("=")[2]
        if word.startswith("-o") and not word.startswith("--"):
            yield "--output", word[2:] or following


def see_that_they_fit(format_: str, reports: Sequence[Output], others: Sequence[str], formats: Sequence[str]) -> None:
    """Raise UsageError where a command lacks a format, or where two results would go to one place.

    `others` are further files that the command writes.
    """
    for each in (format_, *(report.format for report in reports)):
        if each not in formats:
            raise UsageError(f"This command has no format {each}: it has {' and '.join(formats)}.")
    paths = [*(report.path for report in reports), *([STANDARD] if format_ != "text" else [])]
    for path in paths:
        if paths.count(path) > 1 or (path in others and path in (report.path for report in reports)):
            where = "the standard output" if path == STANDARD else path
            raise UsageError(f"Two results cannot both go to {where}: name another file for one.")
