"""Rules of tables to which a foreign key passes a DELETE on: PostgreSQL fails (XX000) where they rewrite that."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixer.model.plan import MODES
from lab.database import Database
from lab.process import fixer

MADE = """
CREATE TABLE k (id integer PRIMARY KEY, n integer NOT NULL);
CREATE TABLE o (id integer PRIMARY KEY, k_id integer REFERENCES k ON DELETE {});
"""
ROWS = "INSERT INTO k VALUES (1, 1), (2, 2); INSERT INTO o VALUES (1, 2);"
BROKEN = "ALTER TABLE k ALTER n DROP NOT NULL; UPDATE k SET n = NULL WHERE id = 1; CREATE RULE r AS ON {} TO o DO {};"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("deletes", "event", "does"),
    [
        ("CASCADE", "DELETE", "INSTEAD NOTHING"),
        ("SET NULL", "UPDATE", "INSTEAD NOTHING"),
        ("CASCADE", "DELETE", "ALSO NOTIFY n"),
    ],
)
def test_rows_of_a_parent_go_whatever_rules_their_children_have(
    empty: Database, tmp_path: Path, deletes: str, event: str, does: str, mode: str
) -> None:
    (tmp_path / "contract.sql").write_text(MADE.format(deletes))
    empty.run(MADE.format(deletes) + ROWS + BROKEN.format(event, does))
    words = ("--contract", str(tmp_path / "contract.sql"), "--mode", mode, "--yes", "--allow-hazards", "all")
    done = fixer("apply", "--dsn", empty.dsn, *words, "--skip", "rogue-rule")

    assert done.returncode in (0, 1), done.stderr
    assert empty.ask("SELECT count(*) FROM k") == 1
    assert empty.ask("SELECT ev_enabled::text FROM pg_rewrite WHERE rulename = 'r'") == "O"
