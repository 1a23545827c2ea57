"""Who counts by a sequence, in schemas of many."""

from __future__ import annotations

from collections.abc import ValuesView

from sqlalchemy import MetaData

from fixer.defects._walk import sequences
from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.table import Column, QName, Sequence, Table
from fixer.repair.counting.users import Users

NAMES = [QName("public", f"t{number}") for number in range(3)]


class Watched(dict[QName, Table]):
    """Tables that count how often somebody goes through all of them."""

    passes = 0

    def values(self) -> ValuesView[Table]:
        self.passes += 1
        return super().values()


def numbered(*sequences: QName, owned: bool = False) -> Schema:
    """Return tables t0, t1, … that count by these sequences."""
    columns = [Column("id", "integer", sequence=sequence) for sequence in sequences]
    tables = {name: Table(name, columns={"id": column}) for name, column in zip(NAMES, columns, strict=False)}
    owners = [(name, "id") if owned else None for name in NAMES]
    return Schema(
        Watched(tables),
        {
            name: Sequence(name, "integer", 1, 1, 1, 9, False, "", owner)
            for name, owner in zip(sequences, owners, strict=False)
        },
    )


def wanted(actual: Schema) -> Contract:
    """Return the contract that wants all this."""
    return Contract("", Schema(dict(actual.tables), actual.sequences), {}, MetaData())


def test_all_columns_are_looked_at_once_however_many_sequences_nothing_owns() -> None:
    actual = numbered(*NAMES)
    found = [table.name for table, *_ in sequences(actual, wanted(actual))]

    assert (found, actual.tables.passes) == (NAMES, 1)  # type: ignore[attr-defined]


def test_no_column_is_looked_at_where_every_sequence_is_owned() -> None:
    actual = numbered(*NAMES, owned=True)
    found = [table.name for table, *_ in sequences(actual, wanted(actual))]

    assert (found, actual.tables.passes) == (NAMES, 0)  # type: ignore[attr-defined]


def test_a_sequence_that_nothing_owns_is_shared_by_all_that_count_by_it() -> None:
    actual = numbered(NAMES[0], NAMES[0], NAMES[2])
    users = Users(actual)

    assert [users.share(name, actual.tables[name].columns["id"]) for name in NAMES] == [True, True, False]
