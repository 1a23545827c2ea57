"""Tables whose cells triggers keep up, as many applications have some."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSVECTOR

TRIGGERS = """
    CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.made := coalesce(NEW.made, 'x'); NEW.at := now(); NEW.here := localtimestamp AT TIME ZONE 'Asia/Tokyo';
        NEW.day := current_date; NEW.words := to_tsvector(NEW.made); RETURN NEW; END $$;
    CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON kept FOR EACH ROW EXECUTE FUNCTION keep();
    CREATE TRIGGER same BEFORE UPDATE ON kept FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
    CREATE FUNCTION count_on() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN UPDATE counts SET n = n + 1 WHERE id = NEW.count_id; RETURN NULL; END';
    CREATE TRIGGER count_on AFTER INSERT ON counted FOR EACH ROW EXECUTE FUNCTION count_on();
    CREATE FUNCTION notice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER notice AFTER INSERT ON kept DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION notice();
    CREATE TRIGGER once BEFORE INSERT OR DELETE ON kept FOR EACH STATEMENT EXECUTE FUNCTION notice()"""
metadata = sa.MetaData()
sa.Table(
    "kept",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("made", sa.Text),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("here", sa.DateTime),
    sa.Column("day", sa.Date),
    sa.Column("words", TSVECTOR),
    sa.Column("n", sa.Integer, nullable=False),
)
sa.Table(
    "counts", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.SmallInteger, nullable=False)
)
sa.Table(
    "counted",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("count_id", sa.ForeignKey("counts.id"), nullable=False),
)
