"""Migrations of Alembic as a contract: what they make of an empty database, and that they reach no other."""

from __future__ import annotations

import contextlib
import io
import json
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg2
import pytest
from alembic import command
from alembic.config import Config
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from fixer.contract.migrations import prepare, upgrade
from fixer.contract.migrations.environ import environment
from fixer.contract.migrations.project import parts_of, project_at
from fixer.contract.place import ROLE, Place
from fixer.errors import ContractError
from lab.database import Database, lent, written
from lab.laboratory import Laboratory
from lab.process import begun, fixer, wait_for

USERS = """
op.create_table("users", sa.Column("id", sa.Integer, primary_key=True), sa.Column("mail", sa.String(20), unique=True))
op.execute("INSERT INTO users (mail) VALUES ('a%b')")
"""
NOTES = """
print("noise")
op.execute('CREATE SCHEMA "Odd.%"')
op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("by", sa.Integer, sa.ForeignKey("users.id")), schema="Odd.%")
with op.get_context().autocommit_block():
    op.create_index("notes_by", "notes", ["by"], schema="Odd.%", postgresql_concurrently=True)
"""
# Roles and extensions that are not there; other drivers see other errors.
RIGHTS = '''
op.execute("""
-- a role of production's
GRANT SELECT ON users TO "Odd ""role.%";""")
op.execute("""DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') THEN CREATE ROLE anon; END IF;
END $$""")
op.execute("CREATE POLICY own ON users TO anon, authenticated USING (true)")
op.execute("ALTER TABLE users OWNER TO app_owner")
op.execute("ALTER SYSTEM SET work_mem = '8MB'")
op.execute("CREATE EXTENSION IF NOT EXISTS nowhere")
assert op.get_bind().exec_driver_sql("SELECT 'a role'").scalar() == "a role"
'''
BESIDE = "op.execute('CREATE EXTENSION nowhere; CREATE TABLE beside (id integer PRIMARY KEY)')"
LATE = "with op.get_context().autocommit_block(): op.execute('GRANT SELECT ON users TO late')"
TABLE = 'op.create_table("{0}", sa.Column("id", sa.Integer, primary_key=True))'
PLAIN = """
import os
from alembic import context
from sqlalchemy import create_engine
{}
with connectable.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
# What `alembic init` writes.
URL = "driver://user:pass@localhost/dbname"
CONFIGURED = "connection=connection, target_metadata=target_metadata"
RUN = "        with context.begin_transaction():\n            context.run_migrations()\n\n\nif"
OWNING = f"""
DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
ALTER DATABASE {{}} OWNER TO {ROLE}; ALTER SCHEMA public OWNER TO {ROLE}
"""
Tables = Callable[..., list[str]]


def project(home: Path, revisions: Mapping[str, str], template: str = "generic", env: str = "") -> Path:
    """Make a project as `alembic init` does, with revisions that follow each other; or each what it says."""
    home.mkdir(parents=True, exist_ok=True)
    config = Config(home / "alembic.ini", home / "pyproject.toml" if "pyproject" in template else None)
    with contextlib.chdir(home), contextlib.redirect_stdout(io.StringIO()):
        command.init(config, "migrations", template)
    down: str | None = None
    for name, body in revisions.items():
        words = {"revision": name, "down_revision": down, "branch_labels": None, "depends_on": None}
        down, found = name, re.match(r"# (\{.*\})\n", body)
        words |= json.loads(found[1]) if found else {}
        text = "from alembic import op\nimport sqlalchemy as sa\n" + "".join(f"{k} = {v!r}\n" for k, v in words.items())
        path = home / "migrations" / "versions" / f"{name}.py"
        path.write_text(f"{text}def upgrade():\n{textwrap.indent(body.strip(), '    ')}\n")
    if env:
        (home / "migrations" / "env.py").write_text(env)
    return home


def alter(home: Path, old: str, new: str) -> Path:
    """Change the text of env.py."""
    env = home / "migrations" / "env.py"
    before = env.read_text()
    assert before.count(old) == 1
    env.write_text(before.replace(old, new))
    return home


# ---- as a command


def ran(home: Path, database: Database, *words: object) -> subprocess.CompletedProcess[str]:
    given = (*words, "--contract", "alembic:.", "--dsn", database.dsn)
    return fixer(*given, cwd=home, env={"XDG_CACHE_HOME": str(home.parent / "cache")})


def objects(home: Path, database: Database, slug: str = "") -> list[str]:
    """Give what is found, of one class; on an empty database, these are the tables of the contract."""
    ended = ran(home, database, "check", "--format", "json")
    assert ended.returncode in (0, 1), ended.stderr
    found = json.loads(ended.stdout)["findings"]
    return [each["object"] for each in found if slug in ("", each["slug"])]


@pytest.fixture
def made(laboratory: Laboratory, tmp_path: Path) -> Iterator[tuple[Path, Database]]:
    """Lend a project, and a database that `alembic upgrade heads` made."""
    home = project(tmp_path / "made", {"first": USERS, "second": NOTES})
    kept = 'version_table="of %", version_table_schema="public", transaction_per_migration=True'
    alter(home, f"            {CONFIGURED}", f"            {CONFIGURED}, {kept}")
    with lent(laboratory.server(18), None) as database:
        url = database.dsn.replace("://", "+psycopg2://").replace("%", "%%")
        (home / "own.ini").write_text((home / "alembic.ini").read_text().replace(URL, url))
        words = [sys.executable, "-m", "alembic", "-c", "own.ini", "upgrade", "heads"]
        subprocess.run(words, cwd=home, check=True, capture_output=True)
        yield home, database


def test_migrations_are_a_contract_by_which_their_database_is_mended(made: tuple[Path, Database]) -> None:
    home, database = made
    silent = ran(home, database, "check", "-q", "--deep")
    database.run(
        'ALTER TABLE users DROP CONSTRAINT users_mail_key; DROP INDEX "Odd.%".notes_by; DROP TABLE public."of %";'
        'ALTER TABLE "Odd.%".notes DROP CONSTRAINT notes_by_fkey; INSERT INTO "Odd.%".notes VALUES (7, 77)'
    )
    broken = objects(home, database)
    ended = ran(home, database, "apply", "--yes", "-q", "--allow-hazards", "all")

    assert (silent.returncode, silent.stdout + silent.stderr) == (0, "")
    assert set(broken) == {"Odd.%.notes.by", "Odd.%.notes.notes_by", "Odd.%.notes.id", "public.users.users_mail_key"}
    assert (ended.returncode, ended.stderr) == (0, "")
    assert objects(home, database) == []


def test_roles_and_extensions_that_are_not_there_stand_in_no_way(empty: Database, tmp_path: Path) -> None:
    home = project(tmp_path / "rights", {"first": USERS, "second": f"{RIGHTS}\n{BESIDE}", "third": LATE})

    assert objects(home, empty, "missing-table") == ["public.beside", "public.users"]
    assert objects(home, empty, "missing-policy") == ["public.users.own"]


def test_an_env_that_is_async_takes_the_url(empty: Database, tmp_path: Path) -> None:
    pytest.importorskip("asyncpg")
    home = project(tmp_path / "rights", {"first": USERS, "second": RIGHTS, "third": LATE}, "async")

    assert objects(home, empty, "missing-table") == ["public.users"]


def test_a_migration_that_fails_is_one_sentence(empty: Database, tmp_path: Path) -> None:
    home = project(tmp_path / "fails", {"first": USERS, "second": 'op.execute("ALTER TABLE nothing ADD a integer")'})
    ended = ran(home, empty, "check")

    assert (ended.returncode, ended.stdout, ended.stderr) == (
        2, "", "fixer: The contract alembic:. cannot be made: revision second (migrations/versions/second.py, line 8)"
        ' fails: relation "nothing" does not exist (42P01).\n'
    )  # fmt: skip


def test_an_interrupted_contract_leaves_no_process(empty: Database, tmp_path: Path) -> None:
    body = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(300)"
    home = project(tmp_path / "slow", {"first": body})
    pid = home / "pid"
    with begun("check", "--contract", "alembic:.", "--dsn", empty.dsn, cwd=home) as process:
        wait_for(lambda: pid.exists() and pid.read_text())
        process.send_signal(signal.SIGINT)
        process.communicate()

    assert (process.returncode, is_running(pid.read_text())) == (130, False)


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# ---- in a place on a server of the laboratory


@pytest.fixture
def tables(
    laboratory: Laboratory, empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tables]:
    """Lend the way to the names of the tables that a contract has."""

    @contextlib.contextmanager
    def lend(version: int, _: object) -> Iterator[Place]:
        with lent(laboratory.server(version), None) as database:
            database.run(OWNING.format(database.name))
            with connected(database.dsn) as admin, connected(database.seen_by(ROLE)) as owner:
                yield Place(admin, owner)

    monkeypatch.setattr(prepare, "throw_away", lend)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with connected(empty.dsn) as connection:
        yield lambda at, schema="public": [str(n) for n in prepare.prepare(f"alembic:{at}", connection, schema).tables]


@contextlib.contextmanager
def connected(dsn: str) -> Iterator[Connection]:
    with contextlib.closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        yield connection


def why(tables: Tables, at: object) -> str:
    """Give the sentence that says why there is no contract."""
    with pytest.raises(ContractError) as raised:
        tables(at)
    return str(raised.value).replace(f"The contract alembic:{at} cannot be made: ", "")


def test_a_pyproject_configures_alembic(tables: Tables, tmp_path: Path) -> None:
    home = project(tmp_path / "pyproject", {"first": USERS}, "pyproject")
    (home / "alembic.ini").unlink()

    assert tables(home, "tenant") == ["tenant.users"]
    assert project_at(home / "migrations") == project_at(home)


def test_a_contract_goes_up_to_all_heads_or_to_the_revision_that_is_named(tables: Tables, tmp_path: Path) -> None:
    left = '# {"down_revision": "first", "branch_labels": ["left"]}\n' + TABLE.format("a")
    right = '# {"down_revision": "first", "branch_labels": ["right"]}\n' + TABLE.format("b")
    at = project(tmp_path / "branches", {"first": TABLE.format("users"), "second": left, "third": right})

    assert tables(at) == ["public.a", "public.b", "public.users"]
    assert tables(f"{at}/migrations@first") == ["public.users"]
    assert tables(f"{at}/alembic.ini@left@head") == ["public.a", "public.users"]
    assert why(tables, f"{at}@nope") == "Can't locate revision identified by 'nope'."
    assert why(tables, f"{at}@head").startswith("Multiple head revisions are present for given argument 'head'")
    assert why(tables, f"{at}@base").endswith("declares nothing: no migration up to base makes a table.")


def test_a_migration_that_raises_is_named_with_its_line(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = project(tmp_path / "fails", {"first": "op.execute('SELECT 1')\ninput('no: 5%?')"})
    monkeypatch.chdir(home)

    assert (
        why(tables, ".")
        == "revision first (migrations/versions/first.py, line 9) fails: EOFError: EOF when reading a line."
    )


def test_a_run_that_does_not_reach_the_revision_is_no_contract(tables: Tables, tmp_path: Path) -> None:
    late = (
        "op.execute('CREATE TABLE c (a integer UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO c VALUES (1), (1)')"
    )
    hiding = project(tmp_path / "hiding", {"first": "op.execute('selekt')"})
    alter(
        hiding,
        RUN,
        "        import contextlib\n        with contextlib.suppress(Exception): context.run_migrations()\n\n\nif",
    )
    losing = alter(project(tmp_path / "losing", {"first": USERS}), RUN, "        context.run_migrations()\n\n\nif")
    alter(losing, f"            {CONFIGURED}", f"            {CONFIGURED}, transactional_ddl=False")
    alter(losing, "    with connectable.connect() as connection:", "    with connectable.connect() as connection:\n"
          "        connection.begin()")  # fmt: skip

    assert why(tables, hiding) == "env.py hides an error of revision first."
    assert why(tables, losing).startswith("revision first was not recorded in the throw-away database.")
    assert why(tables, project(tmp_path / "none", {"first": USERS}, env="pass")) == "env.py runs no migrations."
    assert why(tables, project(tmp_path / "late", {"first": late})) == (
        'the end of the migrations fails: duplicate key value violates unique constraint "c_a_key" (23505).'
    )
    assert why(tables, project(tmp_path / "gone", {"first": "import os; print('bye', flush=True); os._exit(3)"})) == (
        "its process ended early, and said bye."
    )


def test_migrations_that_take_too_long_are_ended(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrade, "PATIENCE", 3.0)
    home = project(tmp_path / "slow", {"first": "op.execute('SELECT pg_sleep(300)')"})

    assert why(tables, home) == "its migrations take longer than 3 seconds."


def test_alembic_that_is_not_installed_is_said(tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "_NEEDED", ("alembic-that-is-not-there",))
    home = project(tmp_path / "made", {"first": USERS})

    assert why(tables, home).endswith("which is not installed: pip install 'pgmend[alembic]'.")


# ---- no other database


@pytest.mark.parametrize(
    "connecting",
    [
        "connectable = create_engine('{url}')",
        "import psycopg2\ncreator = lambda: psycopg2.connect('{dsn}')\n"
        "connectable = create_engine('postgresql+psycopg2://', creator=creator)",
        "import time\nwhile True:\n    try: connectable = create_engine('{url}').connect().engine\n"
        "    except Exception: time.sleep(1)\n    else: break",
        "try: create_engine('{url}').connect()\nexcept BaseException: pass\n"
        "connectable = create_engine(os.environ['DATABASE_URL'])",
    ],
    ids=["engine", "creator", "again", "hidden"],
)
def test_a_database_that_env_names_itself_is_refused_and_unchanged(
    laboratory: Laboratory, tables: Tables, tmp_path: Path, connecting: str
) -> None:
    with lent(laboratory.server(16), None) as other:
        before = written(other)
        url = other.dsn.replace("://", "+psycopg2://")
        home = project(
            tmp_path / "other", {"first": USERS}, env=PLAIN.format(connecting.format(url=url, dsn=other.dsn))
        )
        said = why(tables, home)

        assert re.fullmatch(
            rf"its env\.py connects to /.*/{other.name}, not to the throw-away database that it is given, so that was"
            r' refused\. Let env\.py take config\.get_main_option\("sqlalchemy\.url"\), or the variable DATABASE_URL\.',
            said,
        )
        assert written(other) == before


def test_migrations_have_no_network(tables: Tables, tmp_path: Path) -> None:
    """Nor do programs that they start, whatever opens the connection."""
    opening = "import socket; socket.socket()"
    body = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{opening}'], check=True)"
    remote = "create_engine('postgresql+psycopg2://me:secret@prod.example:5433/app')"
    tcp = project(tmp_path / "tcp", {"first": USERS}, env=PLAIN.format(f"connectable = {remote}"))

    assert "CalledProcessError" in why(tables, project(tmp_path / "program", {"first": body}))
    assert why(tables, tcp).startswith("its env.py connects to prod.example/app, not to the throw-away database")


@pytest.mark.parametrize(
    "connecting",
    [
        "connectable = create_engine('postgresql+psycopg2://' + os.environ['DATABASE_URL'].partition('://')[2])",
        "from app.settings import url\nconnectable = create_engine(url)",
        "class connectable: connect = lambda: context.config.attributes['connection']",
    ],
    ids=["variable", "settings", "attributes"],
)
def test_env_takes_the_place_from_the_environment_or_the_attributes(
    tables: Tables, tmp_path: Path, connecting: str
) -> None:
    home = project(tmp_path / "takes", {"first": USERS}, env=PLAIN.format(connecting))
    (home / "app").mkdir()
    (home / "app" / "settings.py").write_text(
        "from os import environ\n"
        "url = 'postgresql+psycopg2://{POSTGRES_USER}:{POSTGRES_PASSWORD}@{POSTGRES_SERVER}/x'.format(**environ)"
    )

    assert tables(home) == ["public.users"]


# ---- what is kept


def test_a_contract_is_kept_until_something_that_was_read_for_it_changes(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = 'from helper import name\nimport os\nopen("ran", "a").write(".")\n' + TABLE.replace('"{0}"', "name()")
    home = project(tmp_path / "kept", {"first": body + "\nos.environ.get('SUFFIX')"})
    monkeypatch.setenv("SUFFIX", "w")
    (home / "helper.py").write_text("def name(): return open('table.txt').read()")
    (home / "table.txt").write_text("a")
    first, again = tables(home), tables(home)
    once = (home / "ran").read_text()
    (home / "table.txt").write_text("b")
    other = tables(home)
    monkeypatch.setenv("SUFFIX", "x")

    assert (first, again, once) == (["public.a"], ["public.a"], ".")
    assert (other, tables(home)) == (["public.b"], ["public.b"])
    assert (home / "ran").read_text() == "..."


# ---- without a database


def test_the_place_is_reached_by_whatever_names_a_database(tmp_path: Path) -> None:
    said = "export APP_DSN='postgresql+asyncpg://me@prod/app?ssl=require'\nAPP_DB_HOST=prod\nX=1"
    (tmp_path / ".env").write_text(said)
    known = {
        "DATABASE_URL": "postgres://me:pw@prod:5433/shop?options=-csearch_path%3Dapp&sslmode=require",
        "PGHOST": "prod",
        "PGSERVICE": "prod",
        "POSTGRES_DB": "shop",
        "HOME": "/",
    }
    place = {"host": "/tmp/place", "port": "5432", "user": "owner", "dbname": "postgres"}
    found = environment(known, tmp_path, place, "postgresql")

    assert {name: found.get(name) for name in (*known, "APP_DSN", "APP_DB_HOST", "DB_PORT", "X", "PGUSER")} == {
        "DATABASE_URL": "postgres://owner:pgmend@pgmend.invalid:5432/shop?options=-csearch_path%3Dapp",
        "PGHOST": "/tmp/place",
        "PGSERVICE": None,
        "POSTGRES_DB": "pgmend",
        "HOME": "/",
        "APP_DSN": "postgresql+asyncpg://owner:pgmend@pgmend.invalid:5432/app",
        "APP_DB_HOST": "pgmend.invalid",
        "DB_PORT": "5432",
        "X": None,
        "PGUSER": "owner",
    }


def test_names_may_have_what_divides_them_from_revisions(tmp_path: Path) -> None:
    (tmp_path / "me@work" / "app").mkdir(parents=True)
    at = f"alembic:{tmp_path}/me@work/app"

    assert parts_of(at) == (tmp_path / "me@work" / "app", "heads")
    assert parts_of(f"{at}@left@head") == (tmp_path / "me@work" / "app", "left@head")
    assert parts_of("alembic:") == (Path(), "heads")
    assert parts_of("alembic:none@a1") == (Path("none"), "a1")


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("none", "There is no directory none: correct --contract."),
        (
            ".",
            ". is no project of Alembic: no alembic.ini with [alembic], no pyproject.toml, no env.py.",
        ),
        ("setup.ini", "setup.ini does not configure Alembic: it has no [alembic]."),
    ],
)
def test_what_is_no_project_of_alembic_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("setup.ini").write_text("[other]\n")
    with pytest.raises(ContractError, match=re.escape(said)):
        project_at(Path(at))


def test_scripts_are_found_where_the_configuration_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scripts = tmp_path / "back" / "db" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "env.py").touch()
    homes = {}
    for said in ("%(here)s/db/scripts", "db/scripts", "back/db/scripts", "db:scripts"):
        (tmp_path / "back" / "alembic.ini").write_text(f"[alembic]\nscript_location = {said}\n")
        found = project_at(Path("back"))
        homes[said] = found.home, found.script

    assert homes["%(here)s/db/scripts"] == homes["db/scripts"] == (tmp_path / "back", scripts)
    assert homes["back/db/scripts"] == (tmp_path, scripts)
    assert homes["db:scripts"][0] == tmp_path / "back"
