"""What is kept between runs, and when another version would read it otherwise."""

from __future__ import annotations

from dataclasses import field, make_dataclass
from typing import Any

import pytest

from fixer.model.codec import form

FIELDS: list[Any] = [("name", "str"), ("size", "int", field(default=0)), ("kept", "bool", field(default=True))]


@pytest.mark.parametrize(
    "other",
    [
        FIELDS[:2],
        [*FIELDS[:1], FIELDS[2], FIELDS[1]],
        [*FIELDS[:2], ("kept", "bool", field(default=False))],
        [*FIELDS[:2], ("kept", "bool | None", field(default=True))],
        [*FIELDS[:2], ("held", "bool", field(default=True))],
    ],
    ids=["fewer", "another order", "another default", "another type", "another name"],
)
def test_a_dataclass_that_is_kept_otherwise_has_another_form(other: list[Any]) -> None:
    assert form(make_dataclass("Kept", FIELDS)) != form(make_dataclass("Kept", other))
