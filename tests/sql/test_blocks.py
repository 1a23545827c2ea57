"""SQL bodies in files: a reader knows what each does, and no file is left that nobody sends."""

from __future__ import annotations

from pathlib import Path
from string import Formatter

import pytest

import fixer
from fixer.sql.block import written
from fixer.sql.compose import SQL, Composed, Literal

ROOT = Path(fixer.__file__).parent
FILES = sorted((ROOT / "sql" / "blocks").rglob("*.sql"))
SOURCE = "\n".join(path.read_text() for path in ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT / "sql" / "blocks").with_suffix("").as_posix()


def parts_of(text: str) -> set[str]:
    return {part for _, part, _, _ in Formatter().parse(text) if part is not None}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_says_what_it_does_and_is_used(path: Path) -> None:
    first = path.read_text().splitlines()[0]

    assert (first.startswith("-- "), first.endswith("."), SOURCE.count(f'"{name_of(path)}"')) == (True, True, 1)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_body_is_sent_without_its_comments(path: Path) -> None:
    parts = parts_of(path.read_text())
    body = written(name_of(path), **{part: Literal(part) for part in parts})

    assert "" not in parts
    assert isinstance(body, Composed)
    assert not any("--" in piece.string for piece in body if isinstance(piece, SQL))


def test_every_server_takes_the_sql_whatever_its_encoding() -> None:
    house = Path(fixer.__file__).parent
    odd = {file.name for file in house.rglob("*.sql") if not file.read_text(encoding="utf-8").isascii()}

    assert odd == set()
