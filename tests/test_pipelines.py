"""What pipelines start: the body of the Action, and the files that Action, pre-commit and image are made of."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fixer.cli.group import WORDS
from lab.database import Database
from lab.passwords import PASSWORD
from lab.process import CLEAN, HOUSE

ACTION = HOUSE / ".ci" / "action"


def acted(place: Path, **given: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str], str]:
    """Run the body of the Action; return how it ended, its outputs and its summary."""
    (bin_ := place / "bin").mkdir()
    for name, words in (("fixer", f'"{sys.executable}" -m fixer'), ("python3", f'"{sys.executable}"')):
        (bin_ / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (bin_ / name).chmod(0o755)
    files = {"GITHUB_OUTPUT": place / "output", "GITHUB_STEP_SUMMARY": place / "summary", "RUNNER_TEMP": place}
    path = {"PATH": f"{bin_}:{os.environ['PATH']}", "PYTHONPATH": str(HOUSE)}
    environment = {**CLEAN, **path, **{name: str(file) for name, file in files.items()}, **given}
    ended = subprocess.run([ACTION], cwd=HOUSE, env=environment, capture_output=True, text=True, timeout=120)
    outputs = (place / "output").read_text() if (place / "output").exists() else ""
    summary = (place / "summary").read_text() if (place / "summary").exists() else ""
    return ended, dict(line.split("=", 1) for line in outputs.splitlines()), summary


def test_a_database_that_keeps_the_contract_passes(healthy: Database, tmp_path: Path) -> None:
    ended, outputs, summary = acted(tmp_path, PGMEND_DSN=healthy.dsn)

    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "The contract holds.")
    assert (outputs["exit-code"], outputs["errors"]) == ("0", "0")
    assert summary.startswith("### pgmend check: the contract holds\n")


def test_each_finding_is_an_annotation_and_the_repair_stands_in_the_summary(broken: Database, tmp_path: Path) -> None:
    ended, outputs, summary = acted(tmp_path, DATABASE_URL=broken.dsn, PGMEND_ARGUMENTS="--lock-timeout 3s")
    report = json.loads(Path(outputs["report"]).read_text())
    errors = [each["slug"] for each in report["findings"] if each["severity"] == "error"]

    assert (ended.returncode, outputs["exit-code"], outputs["errors"]) == (1, "1", str(len(errors)))
    assert sorted(re.findall(r"^::error title=([a-z-]+)%3A", ended.stdout, re.M)) == sorted(errors)
    assert "fixer plan" in summary
    assert f"{len(errors)} findings against the contract." in ended.stdout


@pytest.mark.parametrize(("deep", "code"), [("false", 0), ("true", 1)])
def test_rows_that_the_catalogue_vouches_for_are_read_where_it_is_asked_to(
    healthy: Database, tmp_path: Path, deep: str, code: int
) -> None:
    column = "WHERE attrelid = 'users'::regclass AND attname = 'email'"
    healthy.run(f"UPDATE pg_attribute SET attnotnull = false {column}")
    healthy.run("UPDATE users SET email = NULL WHERE id = (SELECT min(id) FROM users)")
    healthy.run(f"UPDATE pg_attribute SET attnotnull = true {column}")
    ended = acted(tmp_path, PGMEND_DSN=healthy.dsn, PGMEND_DEEP=deep)[0]

    assert ended.returncode == code, ended.stdout


def test_a_check_that_could_not_work_fails_too(tmp_path: Path) -> None:
    ended, outputs, _ = acted(tmp_path, PGMEND_DSN=f"postgresql://u:{PASSWORD}@127.0.0.1:1/d".replace("%", "%25"))

    assert (ended.returncode, outputs["exit-code"]) == (2, "2")
    assert "::error title=fixer check" in ended.stdout
    assert PASSWORD not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "given", [{"PGMEND_DEEP": "yes"}, {"PGMEND_ARGUMENTS": "--nonsense"}, {"PGMEND_CONTRACT_GIVEN": "nowhere:x"}]
)
def test_words_that_make_no_sense_fail(healthy: Database, tmp_path: Path, given: dict[str, str]) -> None:
    assert acted(tmp_path, PGMEND_DSN=healthy.dsn, **given)[0].returncode == 2


def test_the_action_hands_over_what_its_body_reads() -> None:
    action = (HOUSE / "action.yml").read_text()
    handed = set(re.findall(r"^ +(PGMEND_\w+): ", action, re.M))

    assert handed == set(re.findall(r"\$\{?(PGMEND_\w+)", ACTION.read_text()))
    assert "/.ci/action" in action


def test_the_action_hands_over_inputs_and_outputs_that_there_are(healthy: Database, tmp_path: Path) -> None:
    action = (HOUSE / "action.yml").read_text()
    inputs = action.partition("\ninputs:\n")[2].partition("\noutputs:\n")[0]
    given = acted(tmp_path, PGMEND_DSN=healthy.dsn)[1]

    assert set(re.findall(r"inputs\.([\w-]+)", action)) == set(re.findall(r"^  ([\w-]+):$", inputs, re.M))
    assert set(re.findall(r"steps\.check\.outputs\.([\w-]+)", action)) <= {*given}
    assert re.findall(r"^ +id: (\w+)$", action, re.M) == ["check"]


def test_the_hook_starts_a_check_that_is_given_no_file_names() -> None:
    hooks = (HOUSE / ".pre-commit-hooks.yaml").read_text()
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]

    assert re.findall(r"^  entry: (.+)", hooks, re.M) == ["fixer check"]
    assert "check" in WORDS
    assert "fixer" in project["scripts"]
    assert re.findall(r"^  pass_filenames: (\w+)", hooks, re.M) == ["false"]  # else one would be taken for the DSN


def test_the_image_starts_what_there_is_and_is_not_root() -> None:
    image = (HOUSE / "Dockerfile").read_text()
    wheel = tomllib.loads((HOUSE / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert re.findall(r'^ENTRYPOINT \["(\w+)"\]', image, re.M) == ["fixer"]
    assert re.findall(r"^USER (\d+)", image, re.M) == ["65532"]
    assert {*wheel["packages"], *wheel["force-include"]} <= {*re.findall(r"^COPY (\w+) /src/", image, re.M)}


@pytest.mark.parametrize(
    ("schema", "file", "block"),
    [
        ("github-actions", "action.yml", None),
        ("github-workflows", "docs/gate.md", "on: pull_request"),
        ("github-workflows", "docs/guides/image.md", "on: pull_request"),
        ("gitlab-ci", "docs/gate.md", "contract:"),
    ],
)
def test_what_a_pipeline_takes_is_valid_by_its_schema(
    schema: str, file: str, block: str | None, tmp_path: Path
) -> None:
    text = (HOUSE / file).read_text("utf-8")
    if block is not None:
        (text,) = (each for each in re.findall(r"^```yaml\n(.*?)^```$", text, re.M | re.S) if each.startswith(block))
    (tmp_path / "it.yaml").write_text(text, "utf-8")
    words = ["check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(tmp_path / "it.yaml")]
    ended = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)

    assert ended.returncode == 0, ended.stdout
