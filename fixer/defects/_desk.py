"""A sound database whose contract is SQL, which declares functions, views, triggers, policies and grants."""

from __future__ import annotations

_DESK = """
CREATE SCHEMA desk;
CREATE SCHEMA "Odd.%";
CREATE TYPE desk.state AS ENUM ('new', 'done');
CREATE FUNCTION desk.code() RETURNS text LANGUAGE plpgsql STABLE
    AS $$ BEGIN RETURN 'T' || (SELECT count(*) FROM desk.tickets); END $$;
CREATE FUNCTION desk."Sum %"(a integer, b numeric DEFAULT 1) RETURNS numeric
    LANGUAGE sql IMMUTABLE AS $$ SELECT a + b -- it's all; 100 % $$;
CREATE FUNCTION desk.mark() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'fine' $$;
CREATE FUNCTION desk.fine(t text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT t = 'fine' $$;
CREATE TABLE desk.notes (id serial PRIMARY KEY, mark text DEFAULT desk.mark(), said text DEFAULT 'fine',
    CHECK (desk.fine(said)));
ALTER TABLE desk.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON desk.notes FOR SELECT TO pg_monitor, pg_signal_backend USING (id <> 7 AND said IS NOT NULL);
CREATE POLICY "Fine %" ON desk.notes AS RESTRICTIVE TO pg_monitor USING (desk.fine(said)) WITH CHECK (id > 0);
CREATE TABLE desk.tickets (
    id serial PRIMARY KEY, title text CONSTRAINT tickets_title_key UNIQUE, state desk.state DEFAULT 'new',
    seen timestamptz, weight numeric DEFAULT desk."Sum %"(1, 2), CHECK (desk."Sum %"(id, 0) > 0)
);
CREATE TABLE desk.visits (id integer, day date, ticket_id integer REFERENCES desk.tickets, PRIMARY KEY (id, day))
    PARTITION BY RANGE (day);
CREATE TABLE desk.visits_1 PARTITION OF desk.visits FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE FUNCTION desk.stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.id := coalesce(NEW.id, 7);
    RETURN NEW;
END $$;
CREATE FUNCTION desk.late() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ BEGIN RETURN NULL; END $$;
REVOKE ALL ON FUNCTION desk.late() FROM PUBLIC;
CREATE FUNCTION desk.whole(t desk.tickets) RETURNS text LANGUAGE sql STABLE AS $$ SELECT t.title || t.state $$;
CREATE PROCEDURE desk.tidy(before date) LANGUAGE plpgsql AS $$ BEGIN DELETE FROM desk.visits WHERE day < before; END $$;
CREATE VIEW "Odd.%"."a open" AS SELECT id, title FROM desk.tickets WHERE state = 'new';
CREATE FUNCTION "Odd.%".put() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO desk.tickets (title) VALUES (NEW.title);
    RETURN NEW;
END $$;
CREATE TRIGGER put INSTEAD OF INSERT ON "Odd.%"."a open" FOR EACH ROW EXECUTE FUNCTION "Odd.%".put();
CREATE VIEW desk.open_count AS SELECT count(*) AS n FROM "Odd.%"."a open";
CREATE MATERIALIZED VIEW desk.totals AS SELECT 1 AS n, count(*) AS rows FROM desk.tickets;
CREATE UNIQUE INDEX ON desk.totals (n);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE OF id ON desk.tickets
    FOR EACH ROW WHEN (NEW.title IS NOT NULL) EXECUTE FUNCTION desk.stamp('an argument');
CREATE TRIGGER "Sleeps %" AFTER DELETE ON desk.tickets FOR EACH STATEMENT EXECUTE FUNCTION desk.late();
ALTER TABLE desk.tickets DISABLE TRIGGER "Sleeps %";
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON desk.tickets DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION desk.late();
CREATE TRIGGER stamp BEFORE INSERT ON desk.notes FOR EACH ROW EXECUTE FUNCTION desk.stamp();
GRANT SELECT, INSERT ON desk.notes TO pg_monitor WITH GRANT OPTION;
GRANT SELECT ON desk.visits TO PUBLIC;
GRANT SELECT ON desk.open_count TO pg_monitor;
GRANT UPDATE (title) ON desk.tickets TO pg_monitor;
GRANT USAGE ON SEQUENCE desk.notes_id_seq TO pg_monitor;
GRANT USAGE ON SCHEMA desk TO pg_monitor;
GRANT EXECUTE ON FUNCTION desk.late() TO pg_monitor;
CREATE TRIGGER stamp BEFORE INSERT ON desk.visits FOR EACH ROW EXECUTE FUNCTION desk.stamp();
"""
DESK_ROWS = """
INSERT INTO desk.notes SELECT FROM generate_series(1, 3);
INSERT INTO desk.tickets (title) SELECT 'title ' || n FROM generate_series(1, 6) AS n;
INSERT INTO desk.visits SELECT n, '2026-01-15', n FROM generate_series(1, 4) AS n;
"""


def desk() -> str:
    """Return a contract of tickets and visits, with code over them, in two schemas."""
    return _DESK
