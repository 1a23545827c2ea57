"""What is kept between runs, and when another version would read it otherwise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import field, make_dataclass
from functools import partial
from typing import Any

import pytest

from fixer.model.schema import Schema
from fixer.model.table import Column, QName, Table
from fixer.model.values.codec import decode, encode, form

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


def schema(type_: str) -> Schema:
    """Return a schema of two tables whose columns are of a type."""
    columns = {"id": Column("id", type_), "n": Column("n", "text")}
    names = [QName("public", "a"), QName("public", "b")]
    return Schema(tables={name: Table(name, columns=columns) for name in names})


def test_each_value_has_its_own_columns_also_in_threads_and_after_one_that_fails() -> None:
    texts, numbers = encode(schema("text")), encode(schema("integer"))
    with pytest.raises(IndexError):
        decode(Schema, {**texts, "columns": []})
    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(partial(decode, Schema), [texts, numbers] * 20)]

    assert [schema("text"), schema("integer")] * 20 == found
