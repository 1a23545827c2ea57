"""What equals its contract is not looked at by those who compare shapes: they would find nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, Integer, MetaData, String
from sqlalchemy import Column as SAColumn
from sqlalchemy import Table as SATable

from fixer import defects
from fixer.compare.unchanged import alike, still_alike
from fixer.defects import _databases as specimens
from fixer.model.contract import Contract
from fixer.model.defect import Specimen
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.table import Column, QName, Table
from lab.laboratory import Laboratory

COMPANY = Specimen("company", "", contract=specimens.company, setup=specimens.COMPANY_ROWS)
BOOKS, REVIEWS, EMPLOYEES = (QName("public", name) for name in ("books", "reviews", "employees"))
LOOKED_AT = [(None, BOOKS), (COMPANY, EMPLOYEES)]
NO_SHAPE = ("name", "owner", "readable", "last_value", "owned", "created", "apart")  # of a sequence

NO_PART = ("beside",)  # of a foreign key: what PostgreSQL calls those that come with it


def others(value: object) -> list[Any]:
    """Return other values for a field."""
    if isinstance(value, (bool, int)):
        return [not value] if isinstance(value, bool) else [value + 1, value - 1]
    if isinstance(value, str) and not isinstance(value, tuple):
        return [other for other in ("", "a", "text", "7") if other != value]
    if isinstance(value, tuple) and not isinstance(value, QName):
        return [value[:-1]] if value else [("id",)]
    return ["7"] if value is None else [None]


def varied(part: Any, but: Sequence[str] = ()) -> Iterator[Any]:
    """Yield values that differ in one field from this one."""
    for name in (each.name for each in fields(part) if each.name not in but):
        for other in others(getattr(part, name)):
            yield replace(part, **{name: other})


def varied_tables(table: Table) -> Iterator[Table]:
    """Yield tables of which one part differs in one field, is missing, or is there twice."""
    for name, column in table.columns.items():
        for other in varied(column, ["name", "volatile", "aged"]):  # asked of contracts alone; looked at in all tables
            yield replace(table, columns={**table.columns, name: other})
    yield replace(table, columns={**table.columns, "more": Column("more", "text", not_null=True)})
    for parts in ("indexes", "checks", "foreign_keys"):
        there = getattr(table, parts)
        for place, part in enumerate(there):
            for some in [(), (part, replace(part, name="beside")), *((other,) for other in varied(part, NO_PART))]:
                yield replace(table, **{parts: (*there[:place], *some, *there[place + 1 :])})
    yield replace(table, kind="f")


def varied_schemas(schema: Schema, table: QName) -> Iterator[Schema]:
    """Yield schemas in which one thing about a table or its sequence differs."""
    for other in varied_tables(schema.tables[table]):
        yield schema.with_table(other)
    for name, sequence in schema.sequences.items():
        if sequence.owned_by and sequence.owned_by[0] == table:
            for course in varied(sequence, NO_SHAPE):
                yield replace(schema, sequences={**schema.sequences, name: course})


def found(actual: Schema, contract: Contract) -> list[Finding] | str:
    """Return what all classes see; or that they cannot, in a schema that no database has."""
    try:
        return [finding for defect in defects.all_classes() for finding in defects.detected(defect, actual, contract)]
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        return type(error).__name__


def hidden(actual: Schema, contract: Contract) -> list[Finding]:
    """Return what is not found any longer, or found otherwise, once alike tables are not looked at."""
    whole, rest = found(actual, contract), found(actual, replace(contract, alike=alike(actual, contract)))
    if isinstance(whole, str) or whole == rest:
        return []
    return [finding for finding in whole if finding not in rest] or whole


@pytest.mark.parametrize(("specimen", "table"), LOOKED_AT, ids=["books", "employees"])
def test_whatever_differs_from_the_contract_is_found_as_before(
    laboratory: Laboratory, specimen: Specimen | None, table: QName
) -> None:
    contract = laboratory.sound(18, specimen).contract
    lost = [hidden(actual, contract) for actual in varied_schemas(contract.schema, table)]

    assert [finding.message for each in lost for finding in each] == []


@pytest.mark.parametrize(("specimen", "table"), LOOKED_AT, ids=["books", "employees"])
def test_what_is_a_defect_even_where_the_contract_wants_it_is_found_as_before(
    laboratory: Laboratory, specimen: Specimen | None, table: QName
) -> None:
    contract = laboratory.sound(18, specimen).contract
    lost = [hidden(both, replace(contract, schema=both)) for both in varied_schemas(contract.schema, table)]

    assert [finding.message for each in lost for finding in each] == []


@pytest.mark.parametrize(("specimen", "table"), LOOKED_AT, ids=["books", "employees"])
def test_a_table_is_not_alike_once_anything_about_it_differs(
    laboratory: Laboratory, specimen: Specimen | None, table: QName
) -> None:
    contract = laboratory.sound(18, specimen).contract
    still = [other for other in varied_schemas(contract.schema, table) if table in alike(other, contract)]

    assert still == []


def test_sound_tables_are_alike(laboratory: Laboratory) -> None:
    for specimen, _ in LOOKED_AT:
        contract = laboratory.sound(18, specimen).contract

        assert alike(contract.schema, contract) == contract.tables.keys()


def orders() -> MetaData:
    """Return a contract with a check that PostgreSQL spells otherwise after it has read its own spelling."""
    metadata = MetaData()
    side = SAColumn("side", String(4), CheckConstraint("side IN ('BUY', 'SELL')", name="side"))
    SATable("orders", metadata, SAColumn("id", Integer, primary_key=True), side)
    return metadata


RESTORED = """
DO $$ BEGIN
    EXECUTE (SELECT 'ALTER TABLE orders DROP CONSTRAINT side, ADD CONSTRAINT side ' || pg_get_constraintdef(oid)
               FROM pg_constraint WHERE conname = 'side');
END $$
"""


def test_a_table_whose_check_came_from_a_dump_is_alike(laboratory: Laboratory) -> None:
    with laboratory.database(18, Specimen("orders", "", contract=orders, setup="SELECT")) as case:
        case.break_(RESTORED)
        actual, (name, wanted) = case.check().comparison.actual, *case.sound.contract.tables.items()

        assert actual.tables[name].checks != wanted.checks
        assert alike(actual, case.sound.contract) == {name}


def test_a_sequence_that_nothing_owns_may_have_other_users(laboratory: Laboratory) -> None:
    contract = laboratory.sound(18).contract
    sequences = {name: replace(sequence, owned_by=None) for name, sequence in contract.schema.sequences.items()}
    unowned = replace(contract.schema, sequences=sequences)
    numbered = replace(unowned.tables[REVIEWS].columns["id"], sequence=unowned.tables[BOOKS].columns["id"].sequence)
    shared = unowned.with_table(unowned.tables[REVIEWS].with_column(numbered))

    assert hidden(shared, replace(contract, schema=unowned)) == []


def test_a_table_that_a_repair_changes_is_looked_at_again(laboratory: Laboratory) -> None:
    contract = laboratory.sound(18).contract
    same, actual = alike(contract.schema, contract), contract.schema
    future = actual.with_table(replace(actual.tables[BOOKS], foreign_keys=()))

    assert still_alike(same, actual, future) == same - {BOOKS}
    assert still_alike(same, actual, replace(actual, sequences={})) == frozenset()
