"""Several columns of one table that were converted at once come back as they were spelt, with or without a key."""

from __future__ import annotations

import pytest

import fixer
from fixer.model.plan import MODES
from lab.database import all_of, differences, lent
from lab.laboratory import VERSIONS, Laboratory

WANTED = "CREATE TABLE t (id bigint {}, b boolean, c integer, n integer DEFAULT 1)"
FOUND = "CREATE TABLE t (id numeric {}, b text, c text, n integer DEFAULT 1)"
ADDED = "INSERT INTO t (id, b, c) VALUES {}"
PARTED = " PARTITION BY LIST (n); CREATE TABLE u PARTITION OF t FOR VALUES IN (1); ALTER TABLE u ALTER n SET DEFAULT 1"
ROWS = {
    "told apart by what comes back": "(1.0, 'yes', '1'), (2.00, 't', '01'), (3, 'true', '1')",
    "alike but for how they are spelt": "(4.0, 't', '1'), (4.00, 'yes', '01'), (4, 'on', '1')",
    "whose key does not fit": "(1, 't', '1'), (2.5, 'yes', '01'), (3, 'off', '1')",
    "of which some go for another column": "(1.0, 'yes', '01'), (1.0, 't', 'one'), (2, 'maybe', '1'), (3, 't', '+1')",
}
KEYS = {"no key": ("", ""), "a key to come": ("PRIMARY KEY", ""), "a key": ("PRIMARY KEY", "PRIMARY KEY")}
APART = [
    pytest.param(*keys, rows, id=f"{key}, {name}")
    for key, keys in KEYS.items()
    for name, rows in ROWS.items()
    if not (keys[1] and "1.0" in rows and rows.count("1.0") > 1) and not (keys[0] and "4.00" in rows)
]


def comes_back(laboratory: Laboratory, wanted: str, found: str, rows: str, mode: str) -> list[str]:
    server = laboratory.server(max(VERSIONS))
    with lent(server, None) as model, lent(server, None) as database:
        model.run(wanted)
        database.run(f"{found}; {ADDED.format(rows)}")
        before = all_of(database)
        run = fixer.apply(database.dsn, model.dsn, mode=mode, allow_hazards="all").run
        assert run is not None
        fixer.undo(database.dsn, run)
        return differences(before, database)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("wanted", "found", "rows"), APART)
def test_each_column_comes_back(laboratory: Laboratory, wanted: str, found: str, rows: str, mode: str) -> None:
    assert comes_back(laboratory, WANTED.format(wanted), FOUND.format(found), rows, mode) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_each_column_of_partitions_comes_back(laboratory: Laboratory, rows: str, mode: str) -> None:
    """There, they are converted at one go in either mode."""
    wanted, found = (made.format("") + PARTED for made in (WANTED, FOUND))

    assert comes_back(laboratory, wanted, found, rows, mode) == []
