"""Undo of rows that left a table after columns of it were converted: every cell comes back as it was spelt."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Column, Enum, Integer, MetaData, Numeric, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from lab.laboratory import Laboratory
from lab.outcomes import outcome

CELLS: dict[str, tuple[str, str, Callable[[], TypeEngine[object]]]] = {
    "a number held as a text": ("text", "' 1e1 '", lambda: Numeric(8, 2)),
    "json": ("json", """'{"a":  1, "a": 2}'""", JSONB),
    "an array that starts at two": ("integer[]", "'[2:3]={1,2}'", lambda: ARRAY(BigInteger)),
}


@pytest.mark.parametrize("enum", [False, True], ids=["plain", "beside a type that the fixer does not know"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_row_comes_back_with_its_old_cells(laboratory: Laboratory, cell: str, enum: bool, mode: str) -> None:
    found, value, wanted = CELLS[cell]
    metadata = MetaData()
    kind = Enum("open", name="state") if enum else Integer()
    checked = CheckConstraint("n > 0", name="t_n_check")
    columns = [Column("n", Integer, nullable=False), Column("cell", wanted()), Column("kind", kind)]
    Table("t", metadata, Column("id", Integer, primary_key=True, autoincrement=False), *columns, checked)
    broken = f"""
        CREATE TABLE t (id integer PRIMARY KEY, n integer, cell {found}, kind {"state" if enum else "integer"});
        INSERT INTO t VALUES (1, -1, {value}, NULL), (2, NULL, {value}, NULL), (3, 1, {value}, NULL);
    """

    assert (
        outcome(laboratory, metadata, ("CREATE TYPE state AS ENUM ('open');" if enum else "") + broken, mode)
        == "mended"
    )
