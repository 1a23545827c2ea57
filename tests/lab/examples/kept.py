"""A table whose cells triggers keep up, as many applications have one."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSVECTOR

TRIGGERS = """
    CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.made := coalesce(NEW.made, 'x'); NEW.at := now(); NEW.here := localtimestamp AT TIME ZONE 'Asia/Tokyo';
        NEW.day := current_date; NEW.words := to_tsvector(NEW.made); RETURN NEW; END $$;
    CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON kept FOR EACH ROW EXECUTE FUNCTION keep();
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
