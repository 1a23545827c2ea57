"""The docs lead where they say, name only options that there are, and have a page for each defect."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fixer.cli.group import WORDS, cli
from fixer.report.explain import told
from lab.process import HOUSE

PAGES = [HOUSE / "README.md", *sorted((HOUSE / "docs").rglob("*.md"))]
NAMES = [str(each.relative_to(HOUSE)) for each in PAGES]


def hooks() -> object:
    """Return what makes the pages of the site that no file holds."""
    spec = importlib.util.spec_from_file_location("hooks", HOUSE / "docs/site/hooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command of ours in the blocks of a page."""
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S):
        for line in block.splitlines():
            found = re.search(r"(?:^|[\s/])(?:fixer|pgmend) ([a-z]+(?: |$).*)", line)
            if found:
                yield shlex.split(re.split(r" \|\| | > |; done", found[1])[0], comments=True)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    local = [each for each in links if "://" not in each]

    assert [each for each in local if not (page.parent / each).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_names_options_that_there_are(page: Path) -> None:
    context, unknown = click.Context(cli), []
    for name, *words in commands(page.read_text("utf-8")):
        assert name in WORDS
        command = cli.resolve_command(context, [name])[1]
        assert command
        known = {option for each in command.params for option in each.opts}
        unknown += [(name, word) for word in words if word.startswith("-") and word.partition("=")[0] not in known]

    assert unknown == []


def test_each_defect_has_a_page_with_what_its_file_says() -> None:
    of_defect = hooks().of_defect  # type: ignore[attr-defined]
    pages = {each.slug: of_defect(each) for each in told.every()}
    slugs = {*pages}

    assert all("**What it costs:**" in text and "**The cure:**" in text for text in pages.values())
    assert {link for text in pages.values() for link in re.findall(r"\]\(([a-z-]+)\.md\)", text)} <= slugs
    assert "**The hint that decides:** `orphans` on the column" in pages["orphan-rows"]
    assert "| `moves-rows` |" in pages["orphan-rows"]


def test_the_short_table_leads_to_the_page_of_each() -> None:
    table = hooks().short((HOUSE / "docs/defects.md").read_text("utf-8"))  # type: ignore[attr-defined]
    rows = re.findall(r"^\| \[`([a-z-]+)`\]\(defects/\1\.md\) \|.*$", table, re.M)

    assert sorted(rows) == sorted(each.slug for each in told.every())


def test_the_site_is_built_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="pip install pgmend[docs]")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "docs/site/mkdocs.yml", "-d", tmp_path]
    ended = subprocess.run(words, cwd=HOUSE, capture_output=True, text=True)
    html = {file: file.read_text("utf-8") for file in tmp_path.rglob("*.html")}
    fetched = re.compile(r'<(?:script|link|img)[^>]+(?:src|href)="?https?://')

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len([file for file in html if file.parent.parent.name == "defects"]) == len(told.every())
    assert [file for file, text in html.items() if fetched.search(text)] == []
