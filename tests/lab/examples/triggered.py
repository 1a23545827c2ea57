"""A table whose rows a trigger changes that a listener of the models makes, and one that nobody declared."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import DDL, event

metadata = sa.MetaData()
for name in ("declared", "rogue"):
    sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer, nullable=False))
ACTS = "CREATE TRIGGER {0} BEFORE INSERT ON {0} FOR EACH ROW EXECUTE FUNCTION act()"
FUNCTION = "CREATE OR REPLACE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.n := 7; RETURN NEW; END'"
for said in (FUNCTION, ACTS.format("declared")):
    event.listen(metadata.tables["declared"], "after_create", DDL(said))  # type: ignore[no-untyped-call]
