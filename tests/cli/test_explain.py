"""`fixer explain`: what each defect is, what it costs, its cure, and the hint that decides."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fixer import defects
from fixer.report.explain import page, told
from lab.database import Database
from lab.process import CLEAN, HOUSE, fixer

NOWHERE = {"DATABASE_URL": "postgresql://u@127.0.0.1:1/d"}


def test_every_defect_is_explained_by_its_own_file() -> None:
    classes = {each.SLUG: (each.POINT, " ".join((each.__doc__ or "").split())) for each in defects.all_classes()}
    parts = {
        each.slug: (
            each.point,
            f"{each.what} Costs: {each.costs} Cure: {each.cure}{each.hint and ' Hint: '}{each.hint}",
        )
        for each in told.every()
    }

    assert parts == classes


def test_each_that_a_database_can_show_has_an_example_with_its_message() -> None:
    specimens = {each.SLUG: {" ".join(s.breaks.split()) for s in each.SPECIMENS} for each in defects.all_classes()}
    examples = {slug: told.seen(slug).example for slug in specimens}
    shown = {slug: " ".join(each.sql.split()) in specimens[slug] for slug, each in examples.items() if each}

    assert {slug for slug, known in shown.items() if not known} == set()
    assert {slug for slug, each in examples.items() if not each} == {slug for slug, own in specimens.items() if not own}
    assert all(each.message for each in examples.values() if each)


def test_one_is_explained_with_an_example_and_its_repair_without_a_database() -> None:
    ended = fixer("explain", "orphan-rows", env={**NOWHERE, "COLUMNS": "160"})
    lines = [line.strip() for line in ended.stdout.splitlines()]

    assert ended.returncode == 0
    assert lines[0] == "orphan-rows  point 2, foreign keys"
    assert lines[2] == "is     Rows reference a parent that does not exist."
    assert any(line.startswith("hint   `orphans`") for line in lines)
    assert "UPDATE books SET author_id = 77 WHERE id < 3;" in lines
    assert (
        "✗ books.author_id points at no row of authors: 2 rows  [orphan-rows; can be repaired with permission]" in lines
    )
    assert any(line.endswith("lock row exclusive  moves-rows") for line in lines)


@pytest.mark.parametrize("wide", [80, 160])
def test_no_line_is_wider_than_the_screen_and_no_word_is_cut_off(wide: int) -> None:
    every = fixer("explain", env={"COLUMNS": str(wide)}).stdout
    one = fixer("explain", "wrong-type", env={"COLUMNS": str(wide)}).stdout
    said, sentences = told.of("wrong-type"), [page.first_sentence(each.what) for each in told.every()]

    assert [line for line in (every + one).splitlines() if len(line) > wide] == []
    assert [each for each in sentences if each not in " ".join(every.split())] == []
    assert [each for each in (said.what, said.costs, said.cure) if each not in " ".join(one.split())] == []


def test_it_survives_a_python_that_throws_docstrings_away() -> None:
    words = [sys.executable, "-OO", "-m", "fixer", "explain", "null-key"]
    ended = subprocess.run(words, cwd=HOUSE, env=CLEAN, capture_output=True, text=True)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Rows have NULL in a column of the primary key." in ended.stdout


def test_without_a_slug_all_are_listed_by_point() -> None:
    ended = fixer("explain", env=NOWHERE)
    slugs = [line.split()[0] for line in ended.stdout.splitlines() if line.startswith("  ") and line[2] != " "]

    assert slugs == [each.slug for each in told.every()]
    assert ended.stdout.splitlines()[-1] == f"{len(slugs)} defects. More about one: fixer explain SLUG"


@pytest.mark.parametrize(
    ("slug", "way"),
    [
        ("orphan-row", "did you mean orphan-rows?"),
        ("mising_primary_key", "did you mean missing-primary-key?"),
        ("xyzzy", "`fixer explain` lists them all."),
    ],
)
def test_an_unknown_one_is_answered_with_the_nearest(slug: str, way: str) -> None:
    ended = fixer("explain", slug)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"fixer: There is no defect {slug!r}: {way}\n"


@pytest.mark.parametrize("slug", ["ORPHAN_ROWS", "orphan-rows:public.orders.user_id", " orphan-rows "])
def test_a_slug_may_be_pasted_as_it_stands_elsewhere(slug: str) -> None:
    assert fixer("explain", slug).stdout == fixer("explain", "orphan-rows").stdout


def test_as_json_it_is_one_document() -> None:
    one = json.loads(fixer("explain", "orphan-rows", "--format", "json").stdout)
    every = json.loads(fixer("explain", "--format", "json").stdout)["defects"]

    assert (one["slug"], one["point"], one["hint"]["names"]) == ("orphan-rows", 2, ["orphans"])
    assert one["needs"] == ["moves-rows", "rewrites-values", "a person"]
    assert one["example"]["steps"][0]["hazard"] == "moves-rows"
    assert len(every) == len(defects.all_classes())


def test_rows_that_cannot_be_read_are_explained_too() -> None:
    assert "no defect of the database" in " ".join(fixer("explain", "unreadable-rows").stdout.split())


def test_hints_that_decide_are_hints_of_the_contract() -> None:
    known = {"backfill", "default_rows", "legacy_keys", "legacy_names", "oldest_by", "orphans", "timezone"}

    assert {name for each in told.every() for name in each.hints} == known


def test_needs_are_said_in_words() -> None:
    assert page.needs_in_words(told.Seen(("automatic", "moves-rows", "a person"), None)) == (
        "no permission; or --allow-hazards moves-rows; or a person, who decides"
    )


def test_a_verbose_check_names_the_command_that_explains(broken: Database) -> None:
    verbose, plain = (fixer("check", *words, broken.dsn).stdout for words in (["-v"], []))

    assert verbose.splitlines()[-1].startswith("See what a finding means with: fixer explain ")
    assert fixer(*verbose.splitlines()[-1].split("fixer ")[1].split()).returncode == 0
    assert "fixer explain" not in plain
