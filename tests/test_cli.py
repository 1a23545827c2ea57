"""The command line, as users run it: a process, its exit code, what it prints, and what it never prints."""

from __future__ import annotations

import atexit
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
from dumps import dump
from laws import Laboratory
from psycopg2 import sql
from psycopg2.extensions import parse_dsn

from fixer.connect import _supervise, servers, snapshot
from fixer.connect.servers import Server

HOUSE = Path(__file__).resolve().parent.parent
STORY, HEALTHY = "where-it-began", "healthy"
CLEAN = {name: value for name, value in os.environ.items() if not re.match("PG|DATABASE_|NO_COLOR|FORCE_COLOR", name)}
SECRETS = ("xK9zQw7m", "Yp4vRt2n")  # however the rest is spelt, these two would show
PASSWORD = "@/:p%w?#ä'\" \\x&+".join(SECRETS)
templates: dict[tuple[str, str], str] = {}


# ---- what the tests of the whole corridor stand on


@dataclass(frozen=True)
class Database:
    """One database under test, seen as its superuser."""

    server: Server
    name: str

    @property
    def dsn(self) -> str:
        return self.server.database_dsn(self.name)

    def seen_by(self, role: str) -> str:
        return self.server.database_dsn(self.name, role)

    def run(self, statements: str) -> Any:
        """Run statements, and give the rows of the last."""
        with closing(psycopg2.connect(self.dsn)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statements)
                return cursor.fetchall() if cursor.description else None

    def ask(self, query: str) -> Any:
        return self.run(query)[0][0]

    def dump(self) -> str:
        return dump(self.server, self.name)


@contextmanager
def lent(server: Server, name: str | None) -> Iterator[Database]:
    """Lend a database of its own: a snapshot, or an empty one."""
    template = template_of(server, name) if name else None
    database = Database(server, server.create_database(template))
    try:
        yield database
    finally:
        server.drop_database(database.name)


def template_of(server: Server, name: str) -> str:
    if (server.dsn, name) not in templates:
        template = server.create_database()
        with closing(psycopg2.connect(server.database_dsn(template))) as connection:
            snapshot.load(snapshot.find()[name], connection)
        templates[server.dsn, name] = template
    return templates[server.dsn, name]


@contextmanager
def role(database: Database, *grants: str, words: str = "LOGIN") -> Iterator[str]:
    """Lend a role that has these grants; `{}` in them is its name."""
    name = f"role_{os.urandom(4).hex()}"
    database.run(f"CREATE ROLE {name} {words}; " + "; ".join(grants).replace("{}", name))
    try:
        yield name
    finally:
        database.run(f"REASSIGN OWNED BY {name} TO postgres; DROP OWNED BY {name}; DROP ROLE {name}")


def started(*words: object, cwd: Path = HOUSE, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fixer", *map(str, words)],
        cwd=cwd,
        env={**CLEAN, "PYTHONPATH": str(HOUSE), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def fixer(*words: object, cwd: Path = HOUSE, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the fixer to its end, in a process of its own; no way out of it may show a traceback."""
    with TemporaryDirectory() as place:
        order = {"words": list(map(str, words)), "cwd": str(cwd), "env": {**CLEAN, **(env or {})}, "place": place}
        exit_code = nursery().bear(order)
        out, err = (Path(place, name).read_text() for name in ("out", "err"))
    assert "Traceback" not in out + err
    return subprocess.CompletedProcess(words, exit_code, out, err)


class Nursery:
    """A process that has imported the fixer once, and forks for every run of it, which saves half a second each."""

    SCRIPT = """
import json, os, signal, sys, traceback
from fixer import cli
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    signal.alarm(120)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    places = [os.devnull, order["place"] + "/out", order["place"] + "/err"]
    for number, place in enumerate(places):
        os.dup2(os.open(place, os.O_RDWR | os.O_CREAT), number)
    sys.argv = ["fixer", *order["words"]]
    try:
        cli.main()
    except SystemExit as end:
        exit_code = end.code or 0
    except BaseException:
        traceback.print_exc()
        exit_code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
"""

    def __init__(self) -> None:
        words = [sys.executable, "-c", self.SCRIPT]
        env = {**CLEAN, "PYTHONPATH": str(HOUSE)}
        self.process = subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def bear(self, order: dict[str, Any]) -> int:
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def close(self) -> None:
        with self.process:
            assert self.process.stdin
            self.process.stdin.close()


@cache
def nursery() -> Nursery:
    made = Nursery()
    atexit.register(made.close)
    return made


def refusal(*words: object, **options: Any) -> tuple[int, int]:
    """Run the fixer, and give its exit code and how many lines it complained in."""
    ended = fixer(*words, **options)
    return ended.returncode, len(ended.stderr.splitlines())


@pytest.fixture
def server(laboratory: Laboratory) -> Server:
    return laboratory.server(18)


@pytest.fixture
def broken(server: Server) -> Iterator[Database]:
    with lent(server, STORY) as database:
        yield database


@pytest.fixture
def healthy(server: Server) -> Iterator[Database]:
    with lent(server, HEALTHY) as database:
        yield database


@pytest.fixture
def empty(server: Server) -> Iterator[Database]:
    with lent(server, None) as database:
        yield database


# ---- check


def test_check_exits_0_where_the_contract_holds(healthy: Database) -> None:
    ended = fixer("check", "--dsn", healthy.dsn)

    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_backslash_is_a_backslash_whatever_the_database_says(broken: Database, healthy: Database) -> None:
    for database in (broken, healthy):
        database.run(f"ALTER DATABASE {database.name} SET standard_conforming_strings = off")
    repaired = fixer("apply", "--yes", "-q", "--allow-hazards", "all", "--dsn", broken.dsn)

    assert (repaired.returncode, repaired.stderr) == (0, "")
    assert [fixer("check", "-q", "--dsn", each.dsn).returncode for each in (broken, healthy)] == [0, 0]


def test_check_exits_1_where_it_finds_something(broken: Database) -> None:
    ended = fixer("check", "--dsn", broken.dsn)

    assert (ended.returncode, ended.stderr) == (1, "")


def test_check_names_the_five_points_and_what_is_wrong_with_each(broken: Database) -> None:
    printed = fixer("check", "--dsn", broken.dsn).stdout

    assert re.findall(r"^  ([✓✗] \d) ", printed, re.MULTILINE) == ["✗ 1", "✗ 2", "✗ 3", "✗ 4", "✗ 5"]


def test_check_changes_nothing(broken: Database) -> None:
    before = broken.dump()
    fixer("check", "--deep", "--dsn", broken.dsn)

    assert before == broken.dump()


def test_json_of_check_has_the_keys_that_pipelines_lean_on(broken: Database) -> None:
    answer = json.loads(fixer("check", "--format", "json", "--dsn", broken.dsn).stdout)
    finding = "slug point severity object message rows sample repair"

    assert (
        {"version", "target", "contract", "ok", "points", "findings"},
        {frozenset(["point", "title", "ok"])},
        {frozenset(finding.split())},
    ) == (set(answer), set(map(frozenset, answer["points"])), set(map(frozenset, answer["findings"])))


def test_json_of_check_says_what_the_snapshot_declares(broken: Database) -> None:
    answer = json.loads(fixer("check", "--format", "json", "--dsn", broken.dsn).stdout)

    assert snapshot.find()[STORY].findings == {
        found["slug"] for found in answer["findings"] if found["severity"] == "error"
    }


def test_json_survives_quiet(healthy: Database) -> None:
    assert json.loads(fixer("check", "-q", "--format", "json", "--dsn", healthy.dsn).stdout)["ok"]


def test_quiet_leaves_only_the_exit_code(broken: Database) -> None:
    ended = fixer("check", "-q", "--dsn", broken.dsn)

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")


@pytest.mark.parametrize(("words", "env"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})], ids=["flag", "variable"])
def test_colour_is_left_out_where_it_is_not_wanted(broken: Database, words: list[str], env: dict[str, str]) -> None:
    printed = fixer(
        "check", *words, "--dsn", broken.dsn, env={"FORCE_COLOR": "1", "TERM": "xterm-256color", **env}
    ).stdout

    assert not re.findall(r"\x1b\[[\d;]*3\dm", printed)


# ---- plan and apply


def test_plan_shows_lock_hazard_rows_bytes_and_time_of_its_steps(broken: Database) -> None:
    ended = fixer("plan", "--dsn", broken.dsn)
    moving = next(line for line in ended.stdout.splitlines() if "to quarantine" in line)

    words = " ".join(moving.split())
    assert (
        ended.returncode,
        bool(re.search(r" row exclusive moves-rows 7 \d+ kB \d+ kB \d+ ms$", words)),
    ) == (1, True)


def test_a_plan_or_a_script_is_printed_where_no_file_is_meant(broken: Database, tmp_path: Path) -> None:
    script = fixer("plan", "--dsn", broken.dsn, "--sql", "-", cwd=tmp_path)
    made = fixer("plan", "--dsn", broken.dsn, "-o", "-", cwd=tmp_path)

    assert (script.returncode, script.stdout.startswith("-- A repair by pgmend")) == (1, True)
    assert (made.returncode, "steps" in json.loads(made.stdout), [*tmp_path.iterdir()]) == (1, True, [])


def test_plan_of_a_healthy_database_exits_0(healthy: Database) -> None:
    assert fixer("plan", "--dsn", healthy.dsn).returncode == 0


def test_plan_changes_nothing(broken: Database, tmp_path: Path) -> None:
    before = broken.dump()
    fixer("plan", "--dsn", broken.dsn, "-o", tmp_path / "plan.json", "--sql", tmp_path / "plan.sql")

    assert before == broken.dump()


def test_apply_carries_out_exactly_the_plan_that_was_kept(broken: Database, tmp_path: Path) -> None:
    file = planned(broken, tmp_path)
    answer = json.loads(
        fixer("apply", file, "--yes", "--allow-hazards", "all", "--format", "json", "--dsn", broken.dsn).stdout
    )

    assert [step["sql"] for step in json.loads(file.read_text())["steps"]] == [step["sql"] for step in answer["steps"]]


def test_a_kept_plan_is_refused_when_the_database_has_changed_since(broken: Database, tmp_path: Path) -> None:
    file = planned(broken, tmp_path)
    broken.run("ALTER TABLE users ADD nickname text")
    before = broken.dump()
    exit_code = fixer("apply", file, "--yes", "--allow-hazards", "all", "--dsn", broken.dsn).returncode

    assert (2, before) == (exit_code, broken.dump())


EDITS = {
    "a statement": lambda kept: kept["steps"][0].update(sql="SELECT 1"),
    "a step left out": lambda kept: kept["steps"].pop(0),
    "two steps exchanged": lambda kept: kept["steps"].reverse(),
    "a hazard hidden": lambda kept: [step.update(hazard=None) for step in kept["steps"]],
    "what it inserts": lambda kept: [step.update(inserts=False) for step in kept["steps"]],
    "what it moves": lambda kept: [step.update(moves=False) for step in kept["steps"]],
    "a lock": lambda kept: [step.update(lock="none") for step in kept["steps"]],
    "the contract": lambda kept: kept.update(contract="contracts.other:metadata"),
    "the fingerprint": lambda kept: kept.update(fingerprint="0" * 64),
    "the version": lambda kept: kept.update(version=2),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_plan_that_was_edited_is_refused(broken: Database, tmp_path: Path, edit: Any) -> None:
    file, before = planned(broken, tmp_path), broken.dump()
    kept = json.loads(file.read_text())
    edit(kept)
    file.write_text(json.dumps(kept))
    ended = fixer("apply", file, "--yes", "--allow-hazards", "all", "--dsn", broken.dsn)

    assert (2, True, before) == (ended.returncode, ended.stderr.startswith("fixer: The plan "), broken.dump())


def test_a_refusal_struck_out_of_a_plan_does_not_let_it_pass(server: Server, tmp_path: Path) -> None:
    with lent(server, "must-be-refused") as database:
        file = planned(database, tmp_path)
        kept = json.loads(file.read_text())
        file.write_text(json.dumps({**kept, "refusals": []}))

        assert fixer("apply", file, "--yes", "--allow-hazards", "all", "--dsn", database.dsn).returncode == 2


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "plan", "\0", '{"version": 1}', '{"version": 1, "steps": 5}'])
def test_what_is_no_plan_is_refused(healthy: Database, tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)

    assert refusal("apply", file, "--yes", "--dsn", healthy.dsn) == (2, 1)


def test_apply_without_hazards_changes_not_a_byte(broken: Database) -> None:
    before = broken.dump()
    ended = fixer("apply", "--yes", "--dsn", broken.dsn)

    assert (1, before, True) == (ended.returncode, broken.dump(), "--allow-hazards moves-rows" in ended.stderr)


def test_apply_with_another_hazard_allowed_changes_not_a_byte(broken: Database) -> None:
    before = broken.dump()
    ended = fixer("apply", "--yes", "--allow-hazards", "rewrites-values,rewrites-table", "--dsn", broken.dsn)

    assert (1, before) == (ended.returncode, broken.dump())


def test_apply_without_a_terminal_does_not_take_silence_for_consent(broken: Database) -> None:
    before = broken.dump()
    ended = fixer("apply", "--allow-hazards", "all", "--dsn", broken.dsn)

    assert (2, before, True) == (ended.returncode, broken.dump(), "--yes" in ended.stderr)


def test_what_only_a_person_can_decide_exits_1_and_changes_nothing(server: Server) -> None:
    with lent(server, "must-be-refused") as database:
        before = database.dump()
        ended = fixer("apply", "--yes", "--allow-hazards", "all", "--dsn", database.dsn)

        assert (1, before) == (ended.returncode, database.dump())


def test_apply_exits_0_and_a_second_one_finds_nothing_to_do(broken: Database) -> None:
    first = applied(broken)
    second = applied(broken)

    assert (first["ok"], bool(first["steps"]), second["steps"], second["run"]) == (True, True, [], None)


def test_json_of_apply_has_the_head_of_check_and_its_own_keys(broken: Database) -> None:
    answer = applied(broken)
    entry = {"table", "before", "after", "inserted", "quarantined"}

    assert (
        {"version", "target", "contract", "ok", "points", "findings", "steps", "run", "ledger"},
        [entry, entry],
    ) == (
        set(answer),
        [set(line) for line in answer["ledger"]],
    )


def test_the_ledger_of_apply_is_the_truth(broken: Database) -> None:
    count = "SELECT (SELECT count(*) FROM paper_trades), (SELECT count(*) FROM users)"
    before, ledger, after = broken.run(count), applied(broken)["ledger"], broken.run(count)

    assert [(*before[0], *after[0])] == [(*(line["before"] for line in ledger), *(line["after"] for line in ledger))]


def test_history_lists_the_runs_and_their_quarantine(broken: Database) -> None:
    steps = len(applied(broken)["steps"])
    (run,) = json.loads(fixer("history", "--format", "json", "--dsn", broken.dsn).stdout)["runs"]

    assert (1, steps, 7) == (run["run"], run["steps"], sum(line["quarantined"] for line in run["ledger"]))


def test_history_of_a_database_that_was_never_repaired_is_empty(healthy: Database) -> None:
    assert json.loads(fixer("history", "--format", "json", "--dsn", healthy.dsn).stdout)["runs"] == []


def planned(database: Database, place: Path) -> Path:
    fixer("plan", "-q", "--dsn", database.dsn, "-o", place / "plan.json")
    return place / "plan.json"


def applied(database: Database) -> Any:
    ended = fixer("apply", "--yes", "--allow-hazards", "all", "--format", "json", "--dsn", database.dsn)
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


# ---- demo


def test_demo_tells_the_whole_story_in_time() -> None:
    began = time.monotonic()
    with started("demo") as process:
        ended = subprocess.CompletedProcess("demo", 0, *process.communicate(timeout=60))
    ended.returncode = process.returncode
    seconds = time.monotonic() - began
    parts = [
        "there is no unique constraint matching given keys for referenced table", "(42830)",
        'null value in column "user_id" of relation "users" violates not-null constraint', "(23502)",
        "Could not create default user", "fixer plan", "before + inserted = after + quarantined",
    ]  # fmt: skip
    greens = re.findall(r"✓ (\d) ", ended.stdout.partition("check --deep")[2])

    assert (0, [], list("12345"), True) == (
        ended.returncode, [part for part in parts if part not in ended.stdout], greens, seconds < 15,
    )  # fmt: skip


def test_demo_leaves_no_server_behind(tmp_path: Path) -> None:
    fixer("demo", "-q", env={"TMPDIR": str(tmp_path)})

    assert list(tmp_path.iterdir()) == []


# ---- what cannot work is said in one sentence


CONTRACTS = {
    "no such module": ("nowhere:metadata", ""),
    "no such attribute": ("shapes:other", "metadata = 1"),
    "no colon": ("shapes", ""),
    "no attribute": ("shapes:", ""),
    "of another kind": ("shapes:metadata", "metadata = 5"),
    "raises": ("shapes:metadata", "raise RuntimeError('boom')"),
    "raises in two lines": ("shapes:metadata", "raise RuntimeError('boom\\nand more')"),
    "ends the interpreter": ("shapes:metadata", "raise SystemExit(3)"),
    "is interrupted by itself": ("shapes:metadata", "raise SystemExit"),
    "does not parse": ("shapes:metadata", "def ("),
    "no tables": ("shapes:metadata", "metadata = MetaData()"),
    "a callable that raises": ("shapes:make", "def make(): raise ValueError('no')"),
    "a callable that wants arguments": ("shapes:make", "def make(more): return MetaData()"),
    "references no key": (
        "shapes:m",
        "m = MetaData(); Table('p', m, Column('x', Integer)); Table('c', m, Column('x', Integer, ForeignKey('p.x')))",
    ),
    "references no table": ("shapes:m", "m = MetaData(); Table('c', m, Column('x', Integer, ForeignKey('p.x')))"),
    "default calls no function": (
        "shapes:m",
        "m = MetaData(); Table('c', m, Column('x', Integer, server_default=text('nothing()')))",
    ),
    "unknown orphan policy": (
        "shapes:m",
        "m = MetaData(); Table('c', m, Column('x', Integer, info={'orphans': 'eat'}))",
    ),
    "default row of no column": (
        "shapes:m",
        "m = MetaData(); Table('c', m, Column('x', Integer), info={'default_rows': [{'y': 1}]})",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), CONTRACTS.values(), ids=CONTRACTS.keys())
def test_a_contract_that_is_none_is_refused(healthy: Database, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "shapes.py").write_text(f"from sqlalchemy import *\n{text}\n")

    assert refusal("check", "--dsn", healthy.dsn, "--contract", name, cwd=tmp_path) == (2, 1)


@pytest.mark.parametrize(
    "words",
    [
        ["check", "--format", "xml"],
        ["check", "--lock-timeout", "soon"],
        ["check", "--statement-timeout", "-1"],
        ["check", "--nonsense"],
        ["apply", "--allow-hazards", "explodes"],
        ["apply", "--mode", "magic"],
        ["apply", "no-such-file.json"],
        ["check", "--log-file", "/nowhere/fixer.log"],
        ["plan", "-o", "/nowhere/plan.json"],
        ["plan", "--sql", "/nowhere/plan.sql"],
        ["check", "--schema", "nowhere"],
        ["check", "--schema", ""],
        ["dance"],
    ],
    ids=" ".join,
)
def test_words_that_make_no_sense_exit_2_and_are_named(broken: Database, words: list[str]) -> None:
    known = words[0] != "dance"
    ended = fixer(*words, *(["--dsn", broken.dsn] if known else []))

    assert (ended.returncode, ended.stdout, words[-1] in ended.stderr) == (2, "", True)


EVERYWHERE = ["--dsn", "--contract", "--schema", "--lock-timeout", "--statement-timeout", "--log-file"]
COMMANDS = ["check", "plan", "apply", "undo 1", "history", "demo"]
EMPTY = [
    *([command, option] for command in COMMANDS for option in EVERYWHERE),
    *(["plan", option] for option in ("--output", "--sql")),
]


@pytest.mark.parametrize(("command", "option"), EMPTY, ids=map(" ".join, EMPTY))
@pytest.mark.parametrize("value", ["", " "], ids=["empty", "blank"])
def test_an_empty_option_is_an_error(command: str, option: str, value: str) -> None:
    elsewhere = {"DATABASE_URL": "postgresql://u@127.0.0.1:1/d"}
    ended = fixer(*command.split(), option, value, env=elsewhere)
    told = f"fixer: {option} is empty: see whether the shell variable behind it is set, or leave it out.\n"

    assert (2, "", told) == (ended.returncode, ended.stdout, ended.stderr)


def test_an_empty_path_of_a_plan_is_no_order_to_make_a_fresh_one(broken: Database) -> None:
    before = broken.dump()
    ended = fixer("apply", "", "--dsn", broken.dsn, "--yes", "--allow-hazards", "all")

    assert (2, True, before) == (ended.returncode, "PLAN.JSON is empty" in ended.stderr, broken.dump())


def test_without_a_target_one_is_asked_for() -> None:
    assert refusal("check") == (2, 1)


UNREACHABLE = {
    "unknown host": "postgresql://u@no-such-host.invalid/d?connect_timeout=3",
    "another system": "mysql://u@h/d",
    "nobody listens": "postgresql://u@127.0.0.1:1/d",
}


@pytest.mark.parametrize("dsn", UNREACHABLE.values(), ids=UNREACHABLE.keys())
def test_a_target_out_of_reach_exits_2_in_one_sentence(dsn: str) -> None:
    ended = fixer("check", "--dsn", dsn)

    assert (ended.returncode, ended.stdout, ended.stderr.splitlines()[-1][:7]) == (2, "", "fixer: ")


def test_what_answers_with_http_is_not_taken_for_postgresql() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=answer_in_http, args=[listener], daemon=True).start()
        ended = fixer(
            "check", "--dsn", f"postgresql://u:{quote(PASSWORD, safe='')}@127.0.0.1:{listener.getsockname()[1]}/d"
        )

    assert (ended.returncode, len(ended.stderr.splitlines()), "not a PostgreSQL server" in ended.stderr) == (2, 1, True)


def answer_in_http(listener: socket.socket) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            client.recv(1024)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


# ---- roles and places that lack a right


def reading(*more: str) -> list[str]:
    return ["GRANT USAGE ON SCHEMA public TO {}", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", *more]


@pytest.mark.parametrize(("name", "exit_code"), [(HEALTHY, 0), (STORY, 1)])
def test_check_needs_no_more_than_select(server: Server, name: str, exit_code: int) -> None:
    with lent(server, name) as database, role(database, *reading()) as reader:
        database.run(f"REVOKE TEMPORARY ON DATABASE {database.name} FROM PUBLIC")
        ended = fixer("check", "--deep", "--dsn", database.seen_by(reader))

        assert (exit_code, "") == (ended.returncode, ended.stderr)


def test_apply_as_a_reader_says_what_the_owner_may_run(broken: Database) -> None:
    with role(broken, *reading()) as reader:
        before = broken.dump()
        ended = fixer("apply", "--yes", "--allow-hazards", "all", "--dsn", broken.seen_by(reader))

        assert (2, before, True) == (ended.returncode, broken.dump(), "GRANT " in ended.stderr)


def test_what_apply_asks_the_owner_to_run_is_enough(broken: Database) -> None:
    with role(broken, *reading()) as reader:
        words = ("apply", "--yes", "--allow-hazards", "all", "--dsn", broken.seen_by(reader))
        broken.run(" ".join(re.findall(r"(?:ALTER|GRANT) [^;]*;", fixer(*words).stderr)))

        assert (fixer(*words, "--format", "json").returncode, "") == (0, "")


def test_an_owner_who_may_not_create_in_the_database_is_told(broken: Database) -> None:
    owners = "ALTER TABLE users OWNER TO {}; ALTER TABLE paper_trades OWNER TO {}; GRANT CREATE ON SCHEMA public TO {}"
    with role(broken, owners) as owner:
        before = broken.dump()
        ended = fixer("apply", "--yes", "--allow-hazards", "all", "--dsn", broken.seen_by(owner))

        assert (2, before, True) == (ended.returncode, broken.dump(), "GRANT CREATE ON DATABASE" in ended.stderr)


def test_a_role_without_any_right_reads_no_traceback(healthy: Database) -> None:
    with role(healthy) as stranger:
        assert fixer("check", "--dsn", healthy.seen_by(stranger)).returncode in (1, 2)


def test_a_read_only_database_is_checked_and_not_repaired(broken: Database) -> None:
    broken.run(f"ALTER DATABASE {broken.name} SET default_transaction_read_only = on")
    before = broken.dump()
    codes = [
        fixer(*words, "--dsn", broken.dsn).returncode
        for words in (["check"], ["apply", "--yes", "--allow-hazards", "all"])
    ]

    assert ([1, 2], before) == (codes, broken.dump())


@pytest.fixture(scope="module")
def standby() -> Iterator[str]:
    """Give the DSN of a broken database on a server in recovery."""
    _, bindir = servers._choose(18)
    guise = _supervise.choose_guise(bindir, servers.GUISES)
    with _supervise.home(guise) as place:
        data = place / "data"
        dsn = f"postgresql://postgres@/postgres?host={quote(str(place), safe='')}"
        initdb = _supervise.spawn(
            [str(bindir / "initdb"), "-D", str(data), "-U", "postgres", "--no-sync"], place, guise, -3
        )
        assert initdb.wait() == 0
        command = [
            str(bindir / "postgres"),
            "-D",
            str(data),
            "-k",
            str(place),
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
        ]
        with running(command, place, guise), closing(psycopg2.connect(dsn)) as connection:
            snapshot.load(snapshot.find()[STORY], connection)
        os.close(os.open(data / "standby.signal", os.O_CREAT, 0o600))
        if guise == "nobody":
            os.chown(data / "standby.signal", _supervise.nobody().pw_uid, -1)
        with running(command, place, guise):
            yield dsn


@contextmanager
def running(command: list[str], place: Path, guise: str) -> Iterator[None]:
    process = _supervise.spawn(command, place, guise, subprocess.DEVNULL)
    with _supervise.stopped(process):
        while not _supervise.is_ready(place / "data"):
            assert process.poll() is None
            time.sleep(0.02)
        yield


def test_a_standby_is_checked(standby: str) -> None:
    ended = fixer("check", "--deep", "--dsn", standby)

    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_standby_is_not_repaired(standby: str) -> None:
    ended = fixer("apply", "--yes", "--allow-hazards", "all", "--dsn", standby)

    assert (ended.returncode, "standby" in ended.stderr) == (2, True)


# ---- the password is never seen


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Give a broken database on a server that asks everyone but its superuser for a password."""
    with servers.embedded(18) as server, lent(server, STORY) as database:
        statement = sql.SQL("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD {}").format(sql.Literal(PASSWORD))
        with closing(psycopg2.connect(database.dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)
        rules = Path(parse_dsn(server.dsn)["host"], "data", "pg_hba.conf")
        rules.write_text("local all guarded scram-sha-256\nlocal all all trust\n")
        database.run("SELECT pg_reload_conf()")
        yield database


def dsn_with(database: Database, password: str) -> str:
    return database.seen_by("guarded").replace("//guarded@", f"//guarded:{quote(password, safe='')}@")


LEAKS = {
    "check": ["check"],
    "a plan, kept": ["plan", "-o", "plan.json", "--sql", "plan.sql"],
    "no permission": ["apply", "--yes"],
    "no consent": ["apply", "--allow-hazards", "all"],
    "JSON": ["check", "--format", "json"],
    "history": ["history"],
    "a contract that is none": ["check", "--contract", "nowhere:metadata"],
    "no such schema": ["check", "--schema", "nowhere"],
    "a lock timeout": ["apply", "--yes", "--allow-hazards", "all", "--lock-timeout", "soon"],
}


@pytest.mark.parametrize("words", LEAKS.values(), ids=LEAKS.keys())
def test_the_password_is_seen_nowhere(guarded: Database, tmp_path: Path, words: list[str]) -> None:
    ended = fixer(*words, "-vv", "--log-file", "log", "--dsn", dsn_with(guarded, PASSWORD), cwd=tmp_path)

    assert leaks(ended, tmp_path) == []


@pytest.mark.parametrize("words", [["check"], ["apply", "--yes"], ["history"]], ids=" ".join)
def test_a_wrong_password_is_not_quoted(guarded: Database, tmp_path: Path, words: list[str]) -> None:
    wrong = f"{PASSWORD}!"
    ended = fixer(*words, "-vv", "--log-file", "log", "--dsn", dsn_with(guarded, wrong), cwd=tmp_path)

    assert (ended.returncode, leaks(ended, tmp_path), "password of role" in ended.stderr) == (2, [], True)


def test_the_password_in_variables_is_seen_nowhere(guarded: Database, tmp_path: Path) -> None:
    place = {"DATABASE_HOST": parse_dsn(guarded.dsn)["host"], "DATABASE_NAME": guarded.name, "DATABASE_USER": "guarded"}
    env = {**place, "DATABASE_PASSWORD": PASSWORD}
    ended = fixer("check", "-vv", "--log-file", "log", cwd=tmp_path, env=env)

    assert (ended.returncode, leaks(ended, tmp_path)) == (1, [])


def test_the_password_is_not_kept_in_the_journal(guarded: Database, tmp_path: Path) -> None:
    with lent(guarded.server, STORY) as database:
        database.run("ALTER TABLE users OWNER TO guarded; ALTER TABLE paper_trades OWNER TO guarded")
        words = (
            "apply",
            "--yes",
            "--allow-hazards",
            "all",
            "-vv",
            "--log-file",
            "log",
            "--dsn",
            dsn_with(database, PASSWORD),
        )
        ended = fixer(*words, cwd=tmp_path)
        kept = database.dump()

        assert (ended.returncode, leaks(ended, tmp_path), [secret for secret in SECRETS if secret in kept]) == (
            0,
            [],
            [],
        )


def leaks(ended: subprocess.CompletedProcess[str], place: Path) -> list[str]:
    texts = [ended.stdout, ended.stderr, *(path.read_text() for path in place.iterdir() if path.is_file())]
    return [text for text in texts if any(secret in text for secret in SECRETS)]


# ---- the log


def test_the_log_file_has_the_sqlstate_of_what_failed(broken: Database, tmp_path: Path) -> None:
    with closing(psycopg2.connect(broken.dsn)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE users IN ACCESS SHARE MODE")
        words = ("apply", "--yes", "--allow-hazards", "all", "--lock-timeout", "50ms", "--log-file", tmp_path / "log")
        fixer(*words, "--dsn", broken.dsn)

    assert "55P03" in (tmp_path / "log").read_text()
