"""One table of items, converted online by the contract that a test wrote into `things.py`."""

from __future__ import annotations

from pathlib import Path

from lab.database import Database
from lab.process import Begun, begun, wait_for


def words(database: Database, *more: object) -> tuple[object, ...]:
    chosen = ("--contract", "things:metadata", "--dsn", database.dsn)
    return ("apply", "--yes", "--allow-hazards", "all", "-q", *more, *chosen)


def kept(database: Database) -> list[str]:
    """Give the old columns that stay, which tells that columns were exchanged."""
    return [name for (name,) in database.run("SELECT attname FROM pg_attribute WHERE attname ~ '^pgmend_was'")]


def dozing(database: Database, contract: Path, at: str) -> Begun:
    """Start an apply that sleeps once in the transaction of a statement, and return it as it sleeps."""
    database.run(
        "CREATE FUNCTION doze() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF current_setting('application_name') = 'pgmend' AND current_query() ~ '{at}'"
        " AND coalesce(current_setting('doze.done', true), '') = '' THEN"
        " PERFORM set_config('doze.done', 'yes', true); PERFORM pg_sleep(2); END IF; END $$;"
        "CREATE EVENT TRIGGER doze ON ddl_command_end EXECUTE FUNCTION doze()"
    )
    process = begun(*words(database, "--mode", "online"), cwd=contract)
    sleeps = "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    wait_for(lambda: database.ask(sleeps))
    return process
