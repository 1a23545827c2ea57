"""Contracts that come from no models: the target's own catalogue, another database, SQL; and which one is meant."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixer.contract.project import contract_named
from fixer.contract.sources import load
from fixer.errors import ContractError, PgmendError, UsageError
from lab.database import Database, lent, lent_copy, role
from lab.evidence.facts import facts
from lab.laboratory import Laboratory
from lab.process import fixer, started

# Two schemas, a domain, an enum, a function, partitions, heirs, a view, computed and identity columns, an exclusion.
SCHEMA = """
CREATE SCHEMA app;
CREATE TYPE app.state AS ENUM ('new', 'done');
CREATE DOMAIN app.email AS text CHECK (VALUE ~ '@');
CREATE FUNCTION app.code() RETURNS text LANGUAGE sql AS $$ SELECT md5(random()::text) $$;
CREATE TABLE app.users (
    id bigserial PRIMARY KEY, mail app.email UNIQUE, state app.state NOT NULL DEFAULT 'new',
    code text DEFAULT app.code()
);
CREATE TABLE app.visits (
    id integer, day date, user_id bigint REFERENCES app.users, PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);
CREATE TABLE app.visits_1 PARTITION OF app.visits FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE app.visits_2 PARTITION OF app.visits FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE INDEX ON app.visits (user_id);
CREATE UNIQUE INDEX alone ON app.visits_1 (user_id, id);
CREATE VIEW app.everybody AS SELECT id FROM app.users;
CREATE TABLE public.plain (a integer, b text);
CREATE TABLE public.root (a integer PRIMARY KEY, b text);
CREATE TABLE public.heir (c integer) INHERITS (public.root);
CREATE TABLE public.rooms (
    a integer PRIMARY KEY, b integer GENERATED ALWAYS AS (a * 2) STORED, during tsrange,
    EXCLUDE USING gist (during WITH &&)
);
CREATE TABLE public.notes (id integer PRIMARY KEY, user_id bigint REFERENCES app.users);
CREATE TABLE public.users (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Odd; name" text, CHECK (id > 0));
"""
_NOTHING = "The contract schema.sql declares nothing that is compared: it should create a table, a type or a function."
ROWS = """
INSERT INTO app.users (mail) VALUES ('a@b'), ('c@d');
INSERT INTO app.visits SELECT n, '2026-01-15', 1 FROM generate_series(1, 3) n;
INSERT INTO public.rooms (a, during) VALUES (1, '[2026-01-01,2026-01-02)');
INSERT INTO public.plain VALUES (1, 'x');
"""


@pytest.fixture
def made(laboratory: Laboratory) -> Iterator[Database]:
    with lent_copy(laboratory, 18, "sources", lambda database: database.run(SCHEMA + ROWS)) as database:
        yield database


def slugs(database: Database, contract: str, *words: object, cwd: Path | None = None) -> dict[str, str]:
    """Give the objects of the findings by their slugs."""
    options = {"cwd": cwd} if cwd else {}
    ended = fixer("check", "--format", "json", "--contract", contract, *words, "--dsn", database.dsn, **options)
    answer = json.loads(ended.stdout)
    assert ended.returncode == (0 if answer["ok"] else 1), ended.stderr
    return {finding["slug"]: finding["object"] for finding in answer["findings"] if finding["severity"] != "info"}


# ---- the target's own catalogue


def test_a_sound_database_is_what_its_catalogue_says(made: Database) -> None:
    assert slugs(made, "self", "--deep") == {}


def test_a_catalogue_that_does_not_keep_its_word_is_found_and_mended(made: Database) -> None:
    made.run(
        "SET session_replication_role = replica; INSERT INTO app.visits VALUES (9, '2026-02-03', 77);"
        "RESET session_replication_role; SELECT setval('app.users_id_seq', 1);"
        "ALTER TABLE app.visits DISABLE TRIGGER ALL;"
        "ALTER TABLE public.rooms ADD CONSTRAINT small CHECK (a < 100) NOT VALID;"
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'app.users_mail_key'::regclass"
    )
    found = slugs(made, "self")
    ended = fixer("apply", "--yes", "-q", "--contract", "self", "--allow-hazards", "all", "--dsn", made.dsn)

    assert found == {
        "disabled-foreign-key": "app.visits.user_id",
        "orphan-rows": "app.visits.user_id",
        "sequence-behind": "app.users.id",
        "invalid-index": "app.users.users_mail_key",
        "missing-unique": "app.users.users_mail_key",
        "unvalidated-check": "public.rooms.small",
    }
    assert (ended.returncode, ended.stderr) == (0, "")
    assert slugs(made, "self", "--deep") == {}


def test_what_a_catalogue_lacks_is_noted_and_what_a_partition_has_alone_is_meant(made: Database) -> None:
    made.run(
        "DELETE FROM app.visits WHERE id = 3; ALTER TABLE app.visits_1 ADD CHECK (id < 100), ADD UNIQUE (id),"
        "ADD FOREIGN KEY (id) REFERENCES app.users, ALTER user_id SET NOT NULL;"
        "CREATE TABLE known (a integer NOT NULL UNIQUE)"
    )
    ended = fixer("check", "--format", "json", "--deep", "--contract", "self", "--dsn", made.dsn)
    answer = json.loads(ended.stdout)

    assert (ended.returncode, answer["ok"]) == (0, True)
    assert [(f["slug"], f["object"], f["severity"]) for f in answer["findings"]] == [
        ("missing-primary-key", "public.heir", "info"),
        ("missing-primary-key", "public.plain", "info"),
    ]


def test_nulls_under_a_not_null_are_found_deep(made: Database) -> None:
    """A person decides: undo could not bring back such a row."""
    made.run(
        "INSERT INTO plain VALUES (2, NULL); INSERT INTO app.visits VALUES (9, '2026-01-16', NULL);"
        "UPDATE pg_attribute SET attnotnull = true WHERE (attrelid::regclass::text, attname)"
        " IN (('plain', 'b'), ('app.visits', 'user_id'), ('app.visits_1', 'user_id'))"
    )
    ended = fixer("check", "--format", "json", "--deep", "--contract", "self", "--dsn", made.dsn)

    assert {
        (f["slug"], f["object"], f["rows"], f["repair"])
        for f in json.loads(ended.stdout)["findings"]
        if f["slug"] == "null-rows"
    } == {
        ("null-rows", "public.plain.b", 1, "manual"),
        ("null-rows", "app.visits.user_id", 1, "manual"),
    }


def test_the_next_command_names_what_was_named_without_the_password(made: Database, tmp_path: Path) -> None:
    made.run("ALTER TABLE public.rooms ADD CONSTRAINT small CHECK (a < 100) NOT VALID")
    named = made.dsn.replace("://postgres@", "://postgres:top%20secret@")
    said = fixer("check", named, "--contract", "self", "--deep", cwd=tmp_path).stdout

    assert named != made.dsn
    shown = named.replace("top%20secret", "***")
    assert said.splitlines()[-1] == f"See the repair with: fixer plan --deep '{shown}' --contract self"
    assert "secret" not in said


def test_what_only_rows_tell_is_found_deep(made: Database) -> None:
    made.run("SET session_replication_role = replica; INSERT INTO notes VALUES (9, 77)")

    assert slugs(made, "self", "--deep") == {"orphan-rows": "public.notes.user_id"}


def test_an_empty_database_declares_nothing(empty: Database) -> None:
    ended = fixer("check", empty.dsn, "--contract", "self")

    assert (ended.returncode, ended.stderr) == (
        2, "fixer: The target has no tables of its own: is it the right database?\n"
    )  # fmt: skip


def test_an_empty_database_is_no_contract_of_another(made: Database, empty: Database) -> None:
    ended = fixer("check", made.dsn, "--contract", empty.dsn)

    assert ended.returncode == 2
    assert ended.stderr.endswith(" declares nothing that is compared: is it the right database?\n")


@pytest.mark.parametrize("source", ["self", "other"])
def test_a_schema_that_is_not_there_is_refused_though_the_contract_names_its_own(made: Database, source: str) -> None:
    ended = fixer("check", made.dsn, "--schema", "No", "--contract", made.dsn if source == "other" else source)

    assert (ended.returncode, ended.stderr) == (2, "fixer: The target has no schema No: leave out --schema No.\n")


# ---- another database, and SQL


def test_another_database_is_a_contract_and_is_only_read(laboratory: Laboratory, made: Database) -> None:
    with lent(laboratory.server(18), None) as other:
        other.run(SCHEMA)
        other.run("ALTER TABLE app.users DROP CONSTRAINT users_mail_key; DROP TABLE public.rooms")
        before = facts(made.dump())
        found = slugs(other, made.dsn)

        assert found == {"missing-unique": "app.users.users_mail_key", "missing-table": "public.rooms"}
        assert slugs(made, made.dsn) == {}
        assert facts(made.dump()) == before


def test_a_type_of_an_extension_that_the_target_lacks_comes_with_its_statement(
    laboratory: Laboratory, empty: Database
) -> None:
    with lent(laboratory.server(18), None) as other:
        if not other.ask("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"):
            pytest.skip("the server has no vector")
        other.run("CREATE EXTENSION vector; CREATE TABLE t (id integer PRIMARY KEY, near vector(3))")
        empty.run("CREATE TABLE t (id integer PRIMARY KEY)")
        ended = fixer("check", empty.dsn, "--contract", other.dsn)

    assert ended.returncode == 1
    assert "which does not exist: run CREATE EXTENSION vector; then plan again" in " ".join(ended.stdout.split())


def test_sql_is_a_contract(made: Database, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(SCHEMA)

    assert slugs(made, "schema.sql", cwd=tmp_path) == {}


def test_what_is_declared_not_valid_is_wanted_of_new_rows_alone(laboratory: Laboratory, tmp_path: Path) -> None:
    made = """
        CREATE TABLE "Odd.%" (id integer PRIMARY KEY, up integer, n integer);
        INSERT INTO "Odd.%" VALUES (1, 77, -1);
        ALTER TABLE "Odd.%" ADD CONSTRAINT up FOREIGN KEY (up) REFERENCES "Odd.%" NOT VALID;
        ALTER TABLE "Odd.%" ADD CONSTRAINT n CHECK (n > 0) NOT VALID;
    """
    (tmp_path / "schema.sql").write_text(made)
    with lent(laboratory.server(18), None) as database:
        database.run(made)
        of_the_file = slugs(database, "schema.sql", "--deep", cwd=tmp_path)
        of_a_database = slugs(database, database.dsn, "--deep")
        of_itself = slugs(database, "self")
        (tmp_path / "strict.sql").write_text(made.replace(" NOT VALID", ""))
        strict = slugs(database, "strict.sql", cwd=tmp_path)
        database.run('ALTER TABLE "Odd.%" DROP CONSTRAINT up, ADD FOREIGN KEY (up) REFERENCES "Odd.%" ON DELETE CASCADE'
                     ' NOT VALID; ALTER TABLE "Odd.%" DROP CONSTRAINT n; UPDATE "Odd.%" SET n = 1')  # fmt: skip
        other = slugs(database, "schema.sql", cwd=tmp_path)

    assert (of_the_file, of_a_database) == ({}, {})
    assert set(of_itself) == {"unvalidated-foreign-key", "unvalidated-check", "orphan-rows", "broken-check"}
    assert strict == of_itself
    assert set(other) == {"wrong-foreign-key-actions", "orphan-rows", "missing-check"}


@pytest.mark.parametrize("home", ["public", "ext"])
def test_an_extension_that_is_not_to_be_had_lends_the_shapes_of_its_types(
    empty: Database, tmp_path: Path, home: str
) -> None:
    own = "" if home == "public" else f"CREATE SCHEMA {home};"  # a dump makes it, too, and may use what is in it
    (tmp_path / "schema.sql").write_text(f"{own} CREATE TABLE t (a {home}.small, b {home}.mood, c {home}.pair);")
    empty.run(
        f"{own} CREATE DOMAIN {home}.small AS integer CHECK (VALUE < 9);"
        f"CREATE TYPE {home}.mood AS ENUM ('it''s', 'no'); CREATE TYPE {home}.pair AS (a integer, b varchar(3));"
        f"SET search_path = {home}, public; CREATE TABLE public.t (a small, b mood, c pair);"
        "SET allow_system_table_mods = on;"
        f"INSERT INTO pg_extension VALUES (99999, 'ghost', 10, '{home}'::regnamespace, false, '1');"
        "INSERT INTO pg_depend SELECT 'pg_type'::regclass, t::regtype, 0, 'pg_extension'::regclass, 99999, 0, 'e'"
        " FROM unnest(ARRAY['small', 'mood', 'pair']) t"
    )

    assert slugs(empty, "schema.sql", cwd=tmp_path) == {}


def test_a_language_that_every_database_has_is_no_fault_of_an_old_dump(made: Database, tmp_path: Path) -> None:
    old = "CREATE PROCEDURAL LANGUAGE plpgsql; COMMENT ON LANGUAGE plpgsql IS 'x'; CREATE LANGUAGE plpgsql;"
    (tmp_path / "schema.sql").write_text(f"{old} ALTER LANGUAGE plpgsql OWNER TO me; {made.dump()}")

    assert slugs(made, str(tmp_path / "schema.sql")) == slugs(made, "self")


def test_what_pg_dump_writes_is_a_contract_by_which_the_database_is_mended(made: Database, tmp_path: Path) -> None:
    with role(made, "ALTER TABLE app.users OWNER TO {}", "GRANT SELECT ON public.plain TO {}"):
        (tmp_path / "schema.sql").write_text(made.dump())
    made.run(
        "ALTER TABLE app.users DROP CONSTRAINT users_mail_key, ALTER id DROP DEFAULT, DROP code;"
        "ALTER TABLE app.visits DROP CONSTRAINT visits_user_id_fkey; DROP INDEX app.visits_user_id_idx;"
        "ALTER TABLE public.users DROP CONSTRAINT users_id_check; DROP TABLE public.plain"
    )
    words = ("--contract", "schema.sql", "--dsn", made.dsn)
    broken = slugs(made, "schema.sql", cwd=tmp_path)
    ended = fixer("apply", "--yes", "-q", "--allow-hazards", "all", *words, cwd=tmp_path)

    assert broken == {
        "missing-unique": "app.users.users_mail_key",
        "missing-generator": "app.users.id",
        "missing-column": "app.users.code",
        "missing-foreign-key": "app.visits.user_id",
        "missing-index": "app.visits.visits_user_id_idx",
        "missing-check": "public.users.users_id_check",
        "missing-table": "public.plain",
        "missing-grant": "public.plain",  # a warning: its role is gone
    }
    assert (ended.returncode, ended.stderr) == (0, "")
    assert slugs(made, "schema.sql", cwd=tmp_path) == {"missing-grant": "public.plain"}


def test_the_files_of_a_directory_run_in_order_without_the_way_back(empty: Database, tmp_path: Path) -> None:
    place = tmp_path / "migrations"
    place.mkdir()
    (place / "1.up.sql").write_text("CREATE TABLE t (id integer PRIMARY KEY);")
    (place / "1.down.sql").write_text("DROP TABLE t;")
    (place / "2_more.sql").write_text(
        "-- migrate:up\nLOCK TABLE t;\nALTER TABLE t ADD v text;\n-- migrate:down\nALTER TABLE t DROP v;"
    )
    empty.run("CREATE TABLE t (id integer PRIMARY KEY)")

    assert slugs(empty, str(place)) == {"missing-column": "public.t.v"}


def test_names_without_a_schema_are_wanted_in_the_one_that_is_said(empty: Database, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text("CREATE TABLE t (id integer PRIMARY KEY); CREATE TABLE public.p (id integer)")
    empty.run("CREATE SCHEMA tenant; CREATE TABLE public.t (a text)")

    found = slugs(empty, "schema.sql", "--schema", "tenant", cwd=tmp_path)
    ended = fixer("check", "--format", "json", "--contract", "schema.sql", "--schema", "tenant", "--dsn", empty.dsn,
                  cwd=tmp_path)  # fmt: skip

    assert set(found) == {"missing-table"}
    assert [each["object"] for each in json.loads(ended.stdout)["findings"]] == ["public.p", "tenant.t"]


def test_sql_runs_without_the_rights_of_a_superuser(empty: Database, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "schema.sql").write_text(f"CREATE TABLE t (id integer);\nCOPY t TO PROGRAM 'touch {mark}';")
    ended = fixer("check", "--contract", "schema.sql", "--dsn", empty.dsn, cwd=tmp_path)

    assert ended.returncode == 2
    assert ended.stderr.startswith("fixer: schema.sql, line 2: permission denied to COPY")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("CREATE TABLE t (id integer);\nSELECT 'x", "schema.sql, line 2: the text in ' has no end."),
        ("\nCREATE TABEL t ();", 'schema.sql, line 2: syntax error at or near "TABEL" (42601).'),
        ("\\i other.sql", "schema.sql, line 1: psql's \\i is not understood here."),
        ("SELECT 1 AS one\n\\gset", "schema.sql, line 2: psql's \\gset is not understood here."),
        ("CREATE TABLE t (id nothing);", 'schema.sql, line 1: type "nothing" does not exist (42704).'),
        ("SELECT 1;", _NOTHING),
        ("CREATE SCHEMA side; SET search_path = side;", _NOTHING),
    ],
)
def test_sql_that_cannot_be_a_contract_is_refused_with_its_line(
    empty: Database, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "schema.sql").write_text(text)
    ended = fixer("check", "--contract", "schema.sql", "--dsn", empty.dsn, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (2, f"fixer: {said}\n")


def test_commands_of_psql_that_create_nothing_are_passed_over(empty: Database, tmp_path: Path) -> None:
    commands = (
        "set ON_ERROR_STOP 1",
        "unset ON_ERROR_STOP",
        "pset pager off",
        "timing",
        "qecho made",
        "warn x",
        "c app",
    )
    said = "\n".join(f"\\{each}" for each in commands)
    (tmp_path / "schema.sql").write_text(f"{said}\nCREATE TABLE t (id integer);")

    assert slugs(empty, "schema.sql", cwd=tmp_path) == {"missing-table": "public.t"}


def test_what_a_script_begins_and_leaves_open_counts(empty: Database, tmp_path: Path) -> None:
    (tmp_path / "1.sql").write_text("BEGIN; CREATE TABLE a (id integer PRIMARY KEY);")
    (tmp_path / "2.sql").write_text("CREATE TABLE b (id integer PRIMARY KEY);")
    ended = fixer("check", "--format", "json", "--contract", ".", "--dsn", empty.dsn, cwd=tmp_path)

    assert [f["object"] for f in json.loads(ended.stdout)["findings"]] == ["public.a", "public.b"]


@pytest.mark.parametrize(
    ("contract", "said"),
    [
        ("mysql://me:secret@db/x", "The contract 'mysql://me:***@db/x' is no URL of PostgreSQL"),
        ("https://me:secret@db/schema.sql", "The contract 'https://me:***@db/schema.sql' is no URL of PostgreSQL"),
        ("alembic:migrations@head", "There is no directory migrations: correct --contract."),
    ],
)
def test_what_is_no_source_is_said_without_passwords(empty: Database, contract: str, said: str) -> None:
    ended = fixer("check", empty.dsn, "--contract", contract)

    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert said in ended.stderr
    assert "secret" not in ended.stderr


def test_files_that_are_not_there_are_said(empty: Database, tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_bytes(b"\xff\xfe")
    (tmp_path / "none").mkdir()
    said = [
        fixer("check", "--contract", name, "--dsn", empty.dsn, cwd=tmp_path).stderr
        for name in ("schema.sql", "none", "bad.sql")
    ]

    assert said == [
        "fixer: There is no file schema.sql: correct --contract.\n",
        "fixer: The directory none has no file that ends in .sql.\n",
        "fixer: bad.sql is not text in UTF-8: convert it, as by iconv.\n",
    ]


# ---- which one is meant


def test_the_environment_comes_before_the_project_and_the_project_before_the_target(tmp_path: Path) -> None:
    inner = tmp_path / "src" / "app"
    inner.mkdir(parents=True)
    nothing = contract_named({}, inner)
    (tmp_path / "pyproject.toml").write_text('[tool.pgmend]\ncontract = "app.models:Base"\n')

    assert nothing == "self"
    assert contract_named({}, inner) == "app.models:Base"
    assert contract_named({"PGMEND_CONTRACT": "other:metadata"}, inner) == "other:metadata"


def test_the_nearest_project_counts(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pgmend]\ncontract = "app.models:Base"\n')
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "pyproject.toml").write_text("[project]\nname = 'part'\n")

    assert contract_named({}, tmp_path / "part") == "self"


def test_sql_that_a_project_names_is_found_from_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pgmend]\ncontract = "db/schema.sql"\n')
    for name in ("db", "part"):
        (tmp_path / name).mkdir()
    (tmp_path / "db" / "schema.sql").touch()
    monkeypatch.chdir(tmp_path / "part")
    below = contract_named({})
    monkeypatch.chdir(tmp_path)

    assert (below, contract_named({})) == ("../db/schema.sql", "db/schema.sql")


@pytest.mark.parametrize(("named", "below"), [("alembic:.", ".."), ("alembic:db@a1", "../db@a1"), ("alembic:no", "no")])
def test_migrations_that_a_project_names_are_found_from_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, below: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.pgmend]\ncontract = "{named}"\n')
    for name in ("db", "part"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "part")
    from_below = contract_named({})
    monkeypatch.chdir(tmp_path)

    assert (from_below, contract_named({})) == (f"alembic:{below}", named)


def test_models_that_a_project_names_are_found_from_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pgmend]\ncontract = "models_above:metadata"\n')
    (tmp_path / "models_above.py").write_text("from sqlalchemy import MetaData\n\nmetadata = MetaData()\n")
    (tmp_path / "part").mkdir()
    monkeypatch.chdir(tmp_path / "part")
    monkeypatch.setattr("sys.path", [*sys.path])

    assert load().name == "models_above:metadata"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.pgmend", "is not TOML"),
        ("[tool.pgmend]\ncontarct = 'a:b'", r"\[tool.pgmend\] knows no contarct; it knows accept, contract"),
        ("[tool.pgmend]\ncontract = 3", "should be a text"),
        ("[tool.pgmend]\ncontract = ' '", "should be a text"),
        ("[tool]\npgmend = 3", "should be a table"),
    ],
)
def test_a_project_that_says_it_wrong_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ContractError, match=said):
        contract_named({}, tmp_path)


def test_an_empty_variable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="PGMEND_CONTRACT is empty"):
        contract_named({"PGMEND_CONTRACT": " "}, tmp_path)


def test_the_database_may_be_the_argument_and_is_named_once(made: Database, tmp_path: Path) -> None:
    alone = fixer("check", made.dsn, cwd=tmp_path, env={"PGMEND_CONTRACT": "self"})
    twice = fixer("check", made.dsn, "--dsn", made.dsn, cwd=tmp_path)

    assert (alone.returncode, alone.stderr) == (0, "")
    assert (twice.returncode, twice.stderr) == (
        2, "fixer: The database is named twice: leave out --dsn, or the argument.\n"
    )  # fmt: skip


def test_no_password_of_a_contract_is_printed(made: Database) -> None:
    dsn = made.dsn.replace("postgres@", "postgres:hush-hush@")
    for words in (("check",), ("plan", "-o", "-"), ("check", "--format", "json")):
        ended = fixer(*words, "--contract", dsn, "--dsn", made.dsn)

        assert ended.returncode in (0, 1), ended.stderr
        assert "hush-hush" not in ended.stdout + ended.stderr


def test_errors_of_a_contract_that_cannot_be_reached_name_it(made: Database) -> None:
    ended = fixer("check", "--contract", "postgresql://nobody:hush@/missing?host=/nowhere", "--dsn", made.dsn)

    assert ended.returncode == 2
    assert "hush" not in ended.stderr
    assert issubclass(ContractError, PgmendError)


def test_a_package_that_hides_another_of_its_name_is_named(tmp_path: Path) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "__init__.py").write_text("")
    words = ("check", "--contract", "contracts.trading:metadata", "--dsn", "postgresql://u@127.0.0.1:1/d")
    with started(*words, cwd=tmp_path) as process:
        said = process.communicate(timeout=60)[1]

    assert f"No module named 'contracts.trading' in the package {tmp_path / 'contracts'}; if that hides" in said
    assert process.returncode == 2
