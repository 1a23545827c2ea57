"""Patterns are as `re.compile` makes them, but later."""

from __future__ import annotations

import re

import pytest

from fixer.model.expression.patterns import pattern


def test_a_pattern_is_compiled_when_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = pattern("a[0-9]+", re.IGNORECASE)
    asked: list[str] = []
    real = re.compile

    def noted(words: str, flags: int) -> re.Pattern[str]:
        asked.append(words)
        return real(words, flags)

    monkeypatch.setattr(re, "compile", noted)
    assert digits.pattern == "a[0-9]+"
    assert asked == []
    assert digits.sub("-", "A12b") == "-b"
    assert digits.sub("-", "a1") == "-"
    assert asked == ["a[0-9]+"]
