"""What rows without a value get, by the contract."""

from __future__ import annotations

from psycopg2.sql import SQL, Composable, Literal
from sqlalchemy import MetaData

from fixer.model.contract import ColumnHints, Contract, TableHints
from fixer.model.schema import Schema
from fixer.model.table import Column, QName, Table

USERS = QName("public", "users")


def value_for(column: Column, backfill: Composable | None = None) -> Composable | None:
    schema = Schema({USERS: Table(USERS, "r", columns={column.name: column})}, {})
    hints = {USERS: TableHints(columns={column.name: ColumnHints(backfill=backfill)})}
    return Contract("contract", schema, hints, MetaData()).value_for(USERS, column)


def test_a_backfill_comes_before_the_default() -> None:
    assert value_for(Column("role", "text", True, "'admin'::text"), Literal("trader")) == Literal("trader")


def test_without_a_backfill_it_is_the_default() -> None:
    assert value_for(Column("role", "text", True, "'admin'::text")) == SQL("'admin'::text")


def test_a_column_that_may_hold_null_is_not_filled_back() -> None:
    assert value_for(Column("role", "text", False), Literal("trader")) is None


def test_a_number_of_a_sequence_is_no_value_for_all() -> None:
    counter = QName("public", "users_id_seq")

    assert value_for(Column("id", "bigint", True, "nextval('users_id_seq'::regclass)", sequence=counter)) is None


def test_what_nobody_declared_has_no_value() -> None:
    assert value_for(Column("role", "text", True)) is None
