"""Several formats at once: one check, many files, each whole or as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixer.connect import snapshot
from lab.commands import APPLY
from lab.database import Database, role
from lab.passwords import PASSWORD, SECRETS
from lab.process import begun, cramped, fixer

FORMATS = ("text", "json", "sarif", "github", "junit", "html")


def named(place: Path) -> list[str]:
    """Return the options that write each format to a file of its name."""
    return [word for each in FORMATS for word in ("--output", f"{each}={place / each}")]


def test_one_check_writes_all_formats_beside_what_a_person_sees(broken: Database, tmp_path: Path) -> None:
    alone = fixer("check", "--dsn", broken.dsn)
    ended = fixer("check", "--dsn", broken.dsn, *named(tmp_path))
    texts = {each: (tmp_path / each).read_text(encoding="utf-8") for each in FORMATS}

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, alone.stdout, "")
    assert texts["text"] == alone.stdout
    assert [each for each, text in texts.items() if "users should have PRIMARY KEY (id)" not in text] == []


def test_a_format_on_the_standard_output_takes_the_place_of_the_text(broken: Database, tmp_path: Path) -> None:
    by_format = fixer("check", "--dsn", broken.dsn, "--format", "json").stdout
    by_output = fixer("check", "--dsn", broken.dsn, "-o", "json=-", "-o", f"sarif={tmp_path}/a").stdout

    assert json.loads(by_output) == json.loads(by_format)


PLACES: dict[str, tuple[str, ...]] = {
    "a format and an output": ("check", "--format", "json", "-o", "sarif=-"),
    "two outputs": ("check", "-o", "json=-", "-o", "sarif=-"),
    "one file": ("check", "-o", "json=a", "-o", "sarif=a"),
    "a report and the plan": ("plan", "-o", "-", "-o", "json=-"),
    "a report and the script": ("plan", "--sql", "a", "-o", "json=a"),
}


@pytest.mark.parametrize("words", PLACES.values(), ids=PLACES.keys())
def test_two_results_do_not_go_to_one_place(words: tuple[str, ...], tmp_path: Path) -> None:
    ended = fixer(*words, "--dsn", "postgresql://u@127.0.0.1:1/d", cwd=tmp_path)

    assert (ended.returncode, "Two results cannot both go to " in ended.stderr) == (2, True)


WORDS: dict[str, tuple[tuple[str, ...], str]] = {
    "no format": (("check", "-o", "report.json"), "--output report.json names no format: say FORMAT=FILE"),
    "an unknown format": (("check", "-o", "pdf=a.pdf"), "--output pdf=a.pdf names no format"),
    "no file": (("check", "-o", "json="), "--output json= names no file: say json=FILE."),
    "two plans": (("plan", "-o", "a", "-o", "b"), "A plan is kept in one file"),
    "history in SARIF": (("history", "--format", "sarif"), "This command has no format sarif: it has text and json."),
    "undo in SARIF": (("undo", "1", "--yes", "--format", "sarif"), "This command has no format sarif"),
    "a folder": (("check", "-o", "json=."), "The file cannot be written: Is a directory: .."),
    "no such folder": (("check", "-o", "json=no/a.json"), "The file cannot be written: No such file or directory"),
}


@pytest.mark.parametrize("case", WORDS)
def test_words_that_cannot_be_meant_are_refused_before_anything_else(case: str, tmp_path: Path) -> None:
    words, said = WORDS[case]
    ended = fixer(*words, "--dsn", "postgresql://u@127.0.0.1:1/d", cwd=tmp_path)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert said in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_plan_keeps_its_file_and_writes_reports_beside_it(broken: Database, tmp_path: Path) -> None:
    kept, report = tmp_path / "plan.json", tmp_path / "report.json"
    ended = fixer("plan", "-q", "-o", kept, "--output", f"json={report}", "--dsn", broken.dsn)
    applied = fixer("apply", kept, "--yes", "--allow-hazards", "all", "-q", "--dsn", broken.dsn)

    assert (ended.returncode, applied.returncode) == (1, 0)
    assert kept.read_text() == report.read_text()


def test_apply_changes_nothing_where_a_report_cannot_be_written(broken: Database, tmp_path: Path) -> None:
    before = broken.dump()
    ended = fixer(*APPLY, "--dsn", broken.dsn, "-o", f"sarif={tmp_path}/a.sarif", "-o", "junit=/proc/nowhere/a.xml")

    assert (ended.returncode, ended.stderr.count("\n"), broken.dump()) == (2, 1, before)
    assert "nowhere/a.xml" in json.loads((tmp_path / "a.sarif").read_text())["runs"][0]["invocations"][0][
        "toolExecutionNotifications"
    ][0]["message"]["text"]  # fmt: skip


def test_what_was_committed_is_the_verdict_though_a_report_cannot_be_written(broken: Database, tmp_path: Path) -> None:
    report = tmp_path / "a.json"
    ended = fixer(*APPLY, "-q", "--dsn", broken.dsn, "-o", "sarif=/dev/full", "-o", f"json={report}")

    assert (ended.returncode, json.loads(report.read_text())["run"]) == (0, 1)
    assert "No space left on device: /dev/full. Run 1 was committed, and the contract holds." in ended.stderr


@pytest.mark.parametrize("before", ["an older report", None])
def test_a_file_without_room_stays_as_it_was(broken: Database, tmp_path: Path, before: str | None) -> None:
    file = tmp_path / "a.sarif"
    if before:
        file.write_text(before)
    ended = cramped(4000, "check", "-q", "--dsn", broken.dsn, "-o", f"sarif={file}", cwd=tmp_path)

    assert (ended.returncode, "File too large" in ended.stderr) == (2, True)
    assert (file.read_text() if file.exists() else None) == before


def test_every_output_says_why_a_command_could_not_work(tmp_path: Path) -> None:
    ended = fixer("check", "--dsn", "postgresql://u@127.0.0.1:1/d", *named(tmp_path))
    written = {file.name: file.read_text() for file in tmp_path.iterdir()}

    assert ended.returncode == 2
    assert set(written) == {*FORMATS} - {"text"}
    assert [name for name, text in written.items() if "the connection was refused" not in text] == []


def test_an_option_that_is_refused_leaves_no_older_report(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"ok": true}')
    ended = fixer("check", "--nonsense", "-o", f"json={tmp_path}/a.json")

    assert (ended.returncode, json.loads((tmp_path / "a.json").read_text())["ok"]) == (2, False)


def test_rows_that_cannot_be_read_are_an_error_with_findings_in_every_format(broken: Database, tmp_path: Path) -> None:
    with role(broken, "GRANT USAGE ON SCHEMA public TO {}") as stranger:
        ended = fixer("check", "--dsn", broken.seen_by(stranger), *named(tmp_path))
    run = json.loads((tmp_path / "sarif").read_text())["runs"][0]

    assert (ended.returncode, "could not be read" in ended.stdout) == (2, True)
    assert not run["invocations"][0]["executionSuccessful"]
    assert "unreadable-rows" in {each["ruleId"] for each in run["results"]}
    assert "unreadable-rows" in (tmp_path / "junit").read_text()


def test_no_output_holds_a_password(broken: Database, tmp_path: Path) -> None:
    from urllib.parse import quote

    dsn = broken.dsn.replace("//postgres@", f"//postgres:{quote(PASSWORD, safe='')}@")
    nowhere = f"postgresql://u:{quote(PASSWORD, safe='')}@127.0.0.1:1/d"
    texts = []
    for each in (dsn, nowhere):
        ended = fixer("check", "--dsn", each, *named(tmp_path), "--format", "github")
        texts += [ended.stdout, ended.stderr, *(file.read_text() for file in tmp_path.iterdir())]

    assert [text for text in texts for secret in SECRETS if secret in text] == []


@pytest.mark.parametrize("form", ["sarif", "github", "junit", "html"])
def test_a_reader_that_goes_away_changes_no_verdict_in_any_format(broken: Database, form: str) -> None:
    with begun("check", "--format", form, "--dsn", broken.dsn) as process:
        process.stdout.close()
        said = process.stderr.read()

    assert (process.returncode, said) == (1, "")


@pytest.mark.parametrize("name", sorted(snapshot.find()))
def test_all_formats_of_each_snapshot_are_valid(laboratory, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    from lab.database import lent

    with lent(laboratory.server(18), name) as database:
        before = fixer("check", "-q", "--deep", "--dsn", database.dsn, *named(tmp_path)).returncode
        again = fixer("check", "-q", "--deep", "--dsn", database.dsn, "--write-baseline", tmp_path / "base")
        known = fixer("check", "-q", "--deep", "--dsn", database.dsn, "--baseline", tmp_path / "base", *named(tmp_path))
        plan = fixer("plan", "-q", "--dsn", database.dsn, *named(tmp_path)).returncode
        applied = fixer(*APPLY, "-q", "--dsn", database.dsn, *named(tmp_path)).returncode

    assert (again.returncode, known.returncode) == (0, 0)
    assert (before, plan) in [(0, 0), (1, 1), (0, 1)]
    assert applied == (0 if snapshot.find()[name].repairable else 1)
