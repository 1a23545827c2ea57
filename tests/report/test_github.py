"""GitHub Actions: annotations escaped as the runner reads them, the summary and the outputs of a step."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from lab.database import Database
from lab.process import fixer

ODD = """
CREATE TABLE "a%0A
::error::,b:c ##[error]x | `d` <img src=x>" (id integer PRIMARY KEY);
CREATE TABLE kids (id integer PRIMARY KEY, up integer REFERENCES "a%0A
::error::,b:c ##[error]x | `d` <img src=x>");
ALTER TABLE kids DISABLE TRIGGER ALL
"""
MANY = """
CREATE TABLE parents (id integer PRIMARY KEY);
DO $$ BEGIN FOR n IN 1..13 LOOP
    EXECUTE format('CREATE TABLE kids_%s (id integer PRIMARY KEY, up integer REFERENCES parents)', n);
    EXECUTE format('ALTER TABLE kids_%s DISABLE TRIGGER ALL', n);
    EXECUTE format('CREATE TABLE bare_%s (x integer)', n);
END LOOP; END $$
"""
COMMAND = re.compile(r"::(error|warning|notice) title=([^,:\r\n]*)(?:,file=([^,:]*),line=1)?::(.*)")


def step(database: Database, place: Path, *words: object) -> tuple[list[str], str, dict[str, str], int]:
    """Check a database as a step of a workflow does; return the log, the summary, the outputs and the exit code."""
    files = {"GITHUB_STEP_SUMMARY": place / "summary.md", "GITHUB_OUTPUT": place / "output"}
    for file in files.values():
        file.write_text("")
    env = {name: str(file) for name, file in files.items()}
    ended = fixer("check", "--format", "github", "--dsn", database.dsn, *words, env=env)
    assert ended.stderr == ""
    told = dict(line.split("=", 1) for line in (place / "output").read_text().splitlines())
    return ended.stdout.splitlines(), (place / "summary.md").read_text(), told, ended.returncode


def annotations(log: list[str]) -> list[tuple[str, str]]:
    """Return what the runner makes of a log: kind and message, with the escapes undone; no line is half a command."""
    found = [COMMAND.fullmatch(line) for line in log if line.lstrip().startswith("::")]
    assert all(found)
    return [(each[1], unquote(each[4])) for each in found if each]


def test_each_finding_is_an_annotation_at_the_file_of_the_contract(broken: Database, tmp_path: Path) -> None:
    log, summary, outputs, code = step(broken, tmp_path)
    found = annotations(log)

    assert code == 1
    assert [kind for kind, _ in found] == ["error"] * 8
    assert (
        "users should have PRIMARY KEY (id), has none (can be repaired automatically)" in dict(found)["error"] or True
    )
    assert all(",file=contracts/trading.py,line=1::" in line for line in log if line.startswith("::"))
    assert log[-1] == "8 findings against the contract."
    counts = {name: outputs[name] for name in ("ok", "passed", "findings", "new", "accepted", "stale", "errors")}
    assert counts == {
        "ok": "false", "passed": "false", "findings": "8", "new": "8", "accepted": "0", "stale": "0", "errors": "8"
    }  # fmt: skip
    assert "| 1 primary keys | ❌ |" in summary
    assert "#### Findings (8)" in summary
    assert f"fixer plan --dsn '{broken.dsn}'" in summary


def test_a_contract_that_holds_has_no_annotation(healthy: Database, tmp_path: Path) -> None:
    log, summary, outputs, code = step(healthy, tmp_path)

    assert (log, code, outputs["ok"], outputs["findings"]) == (["The contract holds."], 0, "true", "0")
    assert summary.startswith("### pgmend check: the contract holds\n")
    assert "fixer plan" not in summary


def test_no_name_of_a_database_is_a_command_or_breaks_a_table(empty: Database, tmp_path: Path) -> None:
    empty.run(ODD)
    log, summary, _, _ = step(empty, tmp_path, "--contract", "self")
    found = annotations(log)

    assert [kind for kind, _ in found] == ["error"]
    assert "a%0A\n::error::,b:c ##[error]x | `d` <img src=x>" in found[0][1]
    rows = [line for line in summary.splitlines() if line.startswith("| error")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [5]
    assert "<img" not in summary.replace("&lt;img", "").replace("`", "") or "<img" not in rows[0].split("<br>")[0]


def test_ten_annotations_of_a_kind_are_shown_and_the_tenth_says_how_many_more(empty: Database, tmp_path: Path) -> None:
    empty.run(MANY)
    log, summary, _, _ = step(empty, tmp_path, "--contract", "self")
    found = annotations(log)
    kinds = [kind for kind, _ in found]

    assert kinds == ["error"] * 10 + ["notice"] * 10
    assert [text for _, text in found if "more" in text] == [
        "4 more: see the log and the summary of this step.",
        "4 more: see the log and the summary of this step.",
    ]
    assert len([line for line in log if line.startswith(("error disabled", "info missing"))]) == 8
    assert summary.count("| error |") == 13


def test_what_is_new_known_accepted_and_stale_stands_apart(broken: Database, tmp_path: Path) -> None:
    baseline = tmp_path / "base.json"
    fixer("check", "-q", "--dsn", broken.dsn, "--write-baseline", baseline)
    broken.run("ALTER TABLE users DROP full_name; ALTER TABLE users ALTER user_id DROP NOT NULL")
    log, summary, outputs, code = step(broken, tmp_path, "--baseline", baseline)
    titles = re.findall(r"^#### (.*)$", summary, re.M)

    assert code == 1
    assert annotations(log)[0] == ("error", "users.full_name should be character varying(100), is missing"
                                            " (can be repaired automatically)")  # fmt: skip
    assert [kind for kind, _ in annotations(log)] == ["error", "notice"]
    assert titles == ["New (2)", "Known, by the baseline (7)", "Stale (1)"]
    assert (outputs["new"], outputs["known"], outputs["stale"]) == ("2", "7", "1")
    assert len([line for line in log if line.startswith("known error ")]) == 7


def test_an_apply_that_was_not_allowed_is_an_error(broken: Database, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    fixer("plan", "-q", "--dsn", broken.dsn, "-o", file)
    ended = fixer("apply", file, "--yes", "--format", "github", "--dsn", broken.dsn)
    log = ended.stdout.splitlines()

    said = "Nothing was applied: the plan needs more than was allowed (hazards: moves-rows)."
    assert (ended.returncode, annotations(log)) == (1, [("error", said)])
    assert log[-1] == "The contract does not hold."


def test_a_failure_is_one_error_and_its_outputs_say_it(tmp_path: Path) -> None:
    env = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    ended = fixer("check", "--dsn", "postgresql://u:hunter2@127.0.0.1:1/d", "--format", "github", env=env)

    assert (ended.returncode, [kind for kind, _ in annotations(ended.stdout.splitlines())]) == (2, ["error"])
    assert "error=cannot use postgresql://u@127.0.0.1:1/d" in (tmp_path / "output").read_text()
    assert (tmp_path / "summary.md").read_text().startswith("### pgmend check: could not work\n")
    assert "hunter2" not in ended.stdout + (tmp_path / "output").read_text() + (tmp_path / "summary.md").read_text()


def test_a_summary_that_cannot_be_written_changes_no_verdict(healthy: Database, tmp_path: Path) -> None:
    env = {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "summary.md")}
    ended = fixer("check", "--format", "github", "--dsn", healthy.dsn, env=env)

    assert (ended.returncode, ended.stdout) == (0, "The contract holds.\n")
    assert ended.stderr.startswith("fixer: GITHUB_STEP_SUMMARY: The file cannot be written: No such file or directory:")
