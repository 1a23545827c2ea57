"""A sound database whose contract is SQL, which declares rules: of a table for adding only, and of a view."""

from __future__ import annotations

_LEDGER = """
CREATE TABLE ledger (id integer PRIMARY KEY, amount numeric NOT NULL, note text);
CREATE TABLE told (id integer, at timestamptz DEFAULT now());
CREATE RULE keep AS ON UPDATE TO ledger DO INSTEAD NOTHING;
CREATE RULE "Hold %" AS ON DELETE TO ledger WHERE old.amount > 0 DO INSTEAD NOTHING;
COMMENT ON RULE "Hold %" ON ledger IS 'it''s meant';
CREATE RULE tell AS ON INSERT TO ledger DO ALSO INSERT INTO told (id) VALUES (new.id);
ALTER TABLE ledger DISABLE RULE tell;
CREATE VIEW doubled AS SELECT id, amount * 2 AS amount FROM ledger;
CREATE RULE put AS ON INSERT TO doubled DO INSTEAD INSERT INTO ledger (id, amount) VALUES (new.id, new.amount / 2);
"""
LEDGER_ROWS = "INSERT INTO ledger SELECT n, n - 2 FROM generate_series(1, 4) AS n"


def ledger() -> str:
    """Return a contract of a table that takes rows and changes none, with a view that one writes through."""
    return _LEDGER
