"""Tables whose rows triggers delete, divert or keep as they are, and what a mere role may do there."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
NAMES = (
    "moved",
    "deleted",
    "partly",
    "added",
    "stated",
    "softly",
    "held",
    "faulty",
    "diverted",
    "picky",
    "lossy",
    "tenanted",
    "audited",
    "stamped",
    "counted",
    "mistaken",
    "asserted",
    "divided",
    "logged",
    "read",
    "own",
    "Their %s",
)
for name in NAMES:
    sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("a", sa.Text, nullable=False),
        sa.Column("n", sa.Integer),
    )
sa.Table("keyless", metadata, sa.Column("a", sa.Text), sa.Column("n", sa.Integer))


def _trigger(table: str, when: str, body: str, each: str = "ROW") -> str:
    return (
        f'CREATE FUNCTION "f {table}"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$;'
        f'CREATE TRIGGER act {when} ON "{table}" FOR EACH {each} EXECUTE FUNCTION "f {table}"();'
    )


TRIGGERS = (
    "CREATE TABLE archive (LIKE moved); CREATE TABLE heir () INHERITS (diverted);"
    + _trigger("moved", "AFTER INSERT", "INSERT INTO archive VALUES (NEW.*); PERFORM drop_moved(NEW.id); RETURN NULL")
    + "CREATE FUNCTION drop_moved(integer) RETURNS void LANGUAGE sql AS 'DELETE FROM moved WHERE id = $1';"
    + _trigger("keyless", "AFTER INSERT", "EXECUTE 'DELETE FROM keyless'; RETURN NULL", "STATEMENT")
    + _trigger("deleted", "AFTER INSERT", "DELETE FROM deleted WHERE id = NEW.id; RETURN NULL")
    + _trigger("partly", "AFTER INSERT", "DELETE FROM partly WHERE n > 0; RETURN NULL", "STATEMENT")
    + _trigger("added", "BEFORE UPDATE OR DELETE", "RAISE EXCEPTION 'add only'", "STATEMENT")
    + _trigger("stated", "BEFORE UPDATE", "IF NEW.a <> OLD.a THEN RAISE restrict_violation; END IF; RETURN NEW")
    + _trigger("softly", "BEFORE DELETE", "UPDATE softly SET n = 1 WHERE id = OLD.id; RETURN NULL")
    + _trigger("held", "AFTER DELETE", "PERFORM 1; RAISE check_violation USING MESSAGE = 'kept'")
    + _trigger("faulty", "BEFORE UPDATE", "NEW.gone := 1; RETURN NEW")
    + _trigger("picky", "BEFORE INSERT", "IF NEW.id IS NOT NULL THEN RAISE 'closed'; END IF; RETURN NEW")
    + _trigger("lossy", "BEFORE INSERT", "IF NEW.id IS NOT NULL THEN RETURN NULL; END IF; RETURN NEW")
    + "ALTER TABLE tenanted ADD COLUMN tenant text NOT NULL DEFAULT current_setting('app.tenant', true);"
    + _trigger("audited", "BEFORE INSERT", "NEW.a := current_setting('app.user'); RETURN NEW")
    + _trigger("stamped", "BEFORE INSERT", "NEW.a := current_setting('app.user', true); RETURN NEW")
    + _trigger("counted", "BEFORE INSERT", "NEW.n := coalesce(current_setting('app.user', true), '')::int; RETURN NEW")
    + _trigger("mistaken", "BEFORE INSERT", "NEW.a := current_setting('appuser'); RETURN NEW")
    + _trigger("asserted", "BEFORE INSERT", "ASSERT NEW.id > 2147483646, 'too small'; RETURN NEW")
    + _trigger("divided", "BEFORE INSERT", "NEW.n := 1 / (NEW.id - NEW.id); RETURN NEW")
    + _trigger("logged", "AFTER INSERT", "INSERT INTO read (id, a) VALUES (1, ''), (1, ''); RETURN NULL")
    + _trigger("diverted", "BEFORE INSERT", "INSERT INTO heir VALUES (NEW.*); RETURN NULL")
)
RIGHTS = """
    DO $$ BEGIN CREATE ROLE pgmend_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO pgmend_app; GRANT ALL ON own, "Their %s", archive TO pgmend_app;
    GRANT INSERT, UPDATE ON stated TO pgmend_app; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO pgmend_app;
    ALTER TABLE own ENABLE ROW LEVEL SECURITY; ALTER TABLE "Their %s" ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON own USING (n = current_setting('app.tenant')::integer);
    CREATE POLICY seen ON "Their %s" FOR SELECT USING (true);
    CREATE POLICY added ON "Their %s" FOR INSERT WITH CHECK (true);
    CREATE POLICY kept ON "Their %s" FOR UPDATE USING (n < -2147483647);
    CREATE POLICY gone ON "Their %s" FOR DELETE USING (n < -2147483647)"""
