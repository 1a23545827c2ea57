"""`fixer demo`: the whole story on a throw-away server, with real errors of the database."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from fixer import api
from fixer.connect import servers, snapshot
from fixer.connect.failures import told
from fixer.connect.snapshot import Snapshot
from fixer.model.contract import Contract
from fixer.model.plan import Plan
from fixer.model.run import Run
from fixer.report import text as as_text
from fixer.report.findings import of_report
from fixer.report.words import counted

STORY = "where-it-began"
ATTEMPTS = (
    (
        "paper_trades wants to reference users",
        "",
        "ALTER TABLE public.paper_trades ADD FOREIGN KEY (user_id) REFERENCES public.users (id)",
    ),
    (
        "a new user signs up",
        "",
        "INSERT INTO public.users (id, username, email, password_hash) VALUES (900001, 'asha', 'asha@example.in', '…')",
    ),
    (
        "the application creates its default user",
        "Could not create default user: ",
        "INSERT INTO public.users (username, email, password_hash) VALUES"
        " ('PAPER_TRADER_001', 'paper_trader_001@example.invalid', '!') ON CONFLICT (username) DO NOTHING",
    ),
)
NEXT = """\
Now with your own database, of which `check` and `plan` change nothing:
  fixer check postgresql://USER@HOST/DATABASE
And with your own models, a file of SQL, or migrations of Alembic:
  fixer check postgresql://USER@HOST/DATABASE --contract app.models:Base
  fixer check postgresql://USER@HOST/DATABASE --contract schema.sql
  fixer check postgresql://USER@HOST/DATABASE --contract alembic:.
  fixer init      finds them in your project, and notes them in pyproject.toml"""


def tell(console: Console, done: Callable[[Run], None] = lambda _: None) -> int:
    """Show the story, and hand the repair over once it is `done`; return 0 if it ends well."""
    started = time.monotonic()
    story = snapshot.find()[STORY]
    _import_ours(story.contract)
    with _broken_database(story) as connection:
        contract = api.prepare(story.contract, connection, story.schema)
        _chapter(console, "1", "a broken database", story.description)
        _try_all(console, connection)
        plan = _prove_broken(console, connection, contract)
        run = _repair(console, connection, contract, plan)
        ok = _prove_whole(console, connection, contract, run)
    done(run)
    console.print(f"\nDone in {time.monotonic() - started:.1f} s; the server is gone again.\n", style="dim")
    console.print(NEXT, style="bold")
    return 0 if ok else 1


def _import_ours(contract: str) -> None:
    """Import the contract that ships, even where the current directory has a package of the same name."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    import_module(contract.partition(":")[0])


@contextmanager
def _broken_database(story: Snapshot) -> Iterator[Connection]:
    with servers.embedded() as server:
        dsn = server.database_dsn(server.create_database(name="trading"))
        with closing(psycopg2.connect(dsn)) as connection:
            snapshot.load(story, connection)
            yield connection


def _chapter(console: Console, number: str, title: str, remark: str = "") -> None:
    console.print()
    console.rule(Text(f" {number}. {title} ", style="bold"), align="left", style="dim")
    if remark:
        console.print(remark, style="dim")


def _try_all(console: Console, connection: Connection) -> None:
    """Do what the application does, and show what the database answers."""
    for deed, complaint, statement in ATTEMPTS:
        console.print(f"\n  {deed}:")
        error = _try(connection, statement)
        verdict = (
            Text(f"  ✗ {complaint}{error}", style="red") if error else Text("  ✓ done (and rolled back)", style="green")
        )
        console.print(Padding(verdict, (0, 0, 0, 2), expand=False))


def _try(connection: Connection, statement: str) -> str | None:
    """Return why the database refuses a statement, if it does; roll back what it did."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except psycopg2.Error as error:
        return told(error)
    finally:
        connection.rollback()
    return None


def _prove_broken(console: Console, connection: Connection, contract: Contract) -> Plan:
    _chapter(console, "2", "fixer check", "what is wrong, by point; it changes nothing")
    console.print(of_report(api.check(connection, contract)))
    _chapter(console, "3", "fixer plan", "the repair, in the order in which it will be done")
    plan = api.plan(connection, contract)
    console.print(as_text.of_plan(plan))
    return plan


def _repair(console: Console, connection: Connection, contract: Contract, plan: Plan) -> Run:
    hazards = ",".join(sorted(plan.hazards))
    _chapter(console, "4", f"fixer apply --allow-hazards {hazards}", "one transaction: all of it, or nothing")
    run = api.apply(connection, contract, plan=plan, allow_hazards=[str(hazard) for hazard in plan.hazards])
    console.print(as_text.of_run(run))
    return run


def _prove_whole(console: Console, connection: Connection, contract: Contract, run: Run) -> bool:
    _chapter(console, "5", "fixer check --deep", "every row is read again; then the application tries once more")
    report = api.check(connection, contract, deep=True)
    console.print(of_report(report))
    again = api.plan(connection, contract, deep=True)
    console.print(f"\n  a second plan has {counted(len(again.steps), 'step')}")
    for deed, _, statement in ATTEMPTS[1:]:
        error = _try(connection, statement)
        console.print(Text(f"  ✗ {deed}: {error}" if error else f"  ✓ {deed}", style="red" if error else "green"))
    return report.ok and run.ok and not again.steps
