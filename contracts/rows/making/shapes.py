"""Texts that people write into columns, and texts that match a LIKE pattern or a regular expression."""

from __future__ import annotations

import re
import string
import warnings
from collections.abc import Iterator
from random import Random
from typing import Any  # Python publishes no type for it

SHAPES = [
    "a",
    "abc",
    "A",
    "ABC",
    "1",
    "123",
    "a1",
    "somebody@example.org",
    "https://example.org/a",
    "example.org",
    "a-b",
    "a_b",
    "+4915112345678",
    "DE",
    "EUR",
    "de_DE",
    "12345",
    "1234567890",
    "AB-1234",
    "#aabbcc",
    "2024-01-31",
    "12:30",
    "1.2.3",
    "192.0.2.1",
    "00000000-0000-4000-8000-000000000000",
    "DE89370400440532013000",
    "{}",
    "/a/b",
    "Europe/Berlin",
    "text/plain",
    "a.b.c",
    "d41d8cd98f00b204e9800998ecf8427e",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "A b",
    "",
]
_TOKEN = 12
_Parts = Any  # Python publishes no type for what its parser of regular expressions makes
_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits)


def likenesses(pattern: str, random: Random) -> Iterator[str]:
    """Yield texts that a literal of a check may accept: itself, and matches of it as a pattern or an expression."""
    yield pattern
    if "%" in pattern or "_" in pattern:
        for filling in ("abc", "A", "", "123"):
            text = re.sub(r"(?<!\\)%", filling, pattern)
            yield re.sub(r"\\(.)", r"\1", re.sub(r"(?<!\\)_", "a", text))
    for _ in range(12):
        matching = _matching(pattern, random)
        if matching is not None:
            yield matching


def _matching(pattern: str, random: Random) -> str | None:
    """Return a text that matches a regular expression, None where Python does not understand it."""
    spelt = pattern.replace("[[:alpha:]]", "[a-zA-Z]").replace("[[:digit:]]", "[0-9]")
    for posix, usual in _POSIX.items():
        spelt = spelt.replace(posix, usual)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "".join(_spell(_parsed(spelt), random))
    except (re.error, LookupError, NotImplementedError, OverflowError, RecursionError, ValueError):
        return None


_POSIX = {
    "[:alpha:]": "a-zA-Z",
    "[:digit:]": "0-9",
    "[:alnum:]": "a-zA-Z0-9",
    "[:lower:]": "a-z",
    "[:upper:]": "A-Z",
    "[:space:]": " ",
    "[:xdigit:]": "0-9a-f",
    r"\m": "",
    r"\M": "",
    r"\y": "",
}


def _parsed(pattern: str) -> _Parts:
    from re import _parser  # type: ignore[attr-defined]

    return _parser.parse(pattern)


def _spell(parts: _Parts, random: Random) -> Iterator[str]:
    """Yield the pieces of one text that matches a parsed expression."""
    for op, value in parts:
        match str(op):
            case "LITERAL":
                yield chr(value)
            case "NOT_LITERAL":
                yield "a" if value != ord("a") else "b"
            case "ANY":
                yield random.choice("abcxyz")
            case "IN":
                yield random.choice(_set(value))
            case "BRANCH":
                yield from _spell(random.choice(value[1]), random)
            case "SUBPATTERN":
                yield from _spell(value[-1], random)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                low, high, inner = value
                for _ in range(random.randint(low, min(int(high), max(low + 4, 6)))):
                    yield from _spell(inner, random)
            case "AT" | "ASSERT_NOT":
                continue
            case _:
                raise NotImplementedError(str(op))


def _set(parts: _Parts) -> str:
    """Return characters of a set in brackets."""
    chosen, banned = "", False
    for op, value in parts:
        match str(op):
            case "NEGATE":
                banned = True
            case "LITERAL":
                chosen += chr(value)
            case "RANGE":
                chosen += "".join(map(chr, range(value[0], min(value[1], value[0] + 200) + 1)))
            case "CATEGORY":
                chosen += _CATEGORIES[str(value)]
            case _:
                raise NotImplementedError(str(op))
    return "".join(c for c in string.ascii_letters + string.digits + "-. " if c not in chosen) if banned else chosen


_CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_letters + string.digits,
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_SPACE": string.ascii_letters,
    "CATEGORY_NOT_DIGIT": string.ascii_letters,
    "CATEGORY_NOT_WORD": "-",
}


def varied(text: str, random: Random, turn: int = 0) -> str:
    """Return a text of the same shape with other letters and digits; in every third turn it is longer by a token."""
    places = [at for at, character in enumerate(text) if any(character in each for each in _CLASSES)]
    if not places:
        return text + "".join(random.choices(string.ascii_lowercase, k=_TOKEN))
    if turn % 3 == 0:
        at = random.choice(places)
        alphabet = next(each for each in _CLASSES if text[at] in each)
        return text[: at + 1] + "".join(random.choices(alphabet, k=_TOKEN)) + text[at + 1 :]
    kept = text if turn % 3 == 1 else text[: random.choice(places)]
    return kept[: len(kept) if turn % 3 == 2 else 0] + "".join(
        random.choice(next((each for each in _CLASSES if c in each), c))
        for c in text[len(kept) if turn % 3 == 2 else 0 :]
    )
