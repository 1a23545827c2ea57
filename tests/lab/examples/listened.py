"""Tables to which listeners add rules that the models do not know."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import DDL, event
from sqlalchemy.dialects import postgresql as pg

metadata = sa.MetaData()
paints = sa.Table(
    "paints",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False, info={"examples": ["RAL 9010"]}),
    sa.Column("n", sa.Integer),
)
coats = sa.Table(
    "coats",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("paint_id", sa.ForeignKey("paints.id"), nullable=False),
    sa.Column("a", sa.Integer),
    sa.Column("span", pg.INT4RANGE, nullable=False),
)
sa.Table(
    "walls",
    metadata,
    sa.Column("paint_id", sa.ForeignKey("paints.id"), primary_key=True),
    sa.Column("coat_id", sa.ForeignKey("coats.id"), primary_key=True),
    schema="public",
)
RULES = {
    "paints": [
        "CREATE UNIQUE INDEX ON paints (md5(name), coalesce(n, -1))",
        "ALTER TABLE paints ADD CHECK (kind IN ('oil', 'lime'))",
        "ALTER TABLE paints ADD CHECK (md5(code) = 'ddf27260f3031a4eb7b70894ae368130')",
        "ALTER TABLE paints ALTER n SET NOT NULL",
    ],
    "coats": [
        "ALTER TABLE coats ADD EXCLUDE USING gist (span WITH &&)",
        "ALTER TABLE coats ADD UNIQUE (paint_id, a)",
        "ALTER TABLE coats ADD FOREIGN KEY (a) REFERENCES paints (id)",
    ],
}
for name, rules in RULES.items():
    for rule in rules:
        event.listen(metadata.tables[name], "after_create", DDL(rule))  # type: ignore[no-untyped-call]
