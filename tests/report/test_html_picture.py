"""The picture of the tables: every foreign key in its state, nothing over anything else, at any size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

import fixer
from contracts.trading import metadata
from fixer.report import html
from lab.database import Database, lent
from lab.examples import many_tables
from lab.laboratory import Laboratory
from lab.pages import Page

KEYS = """
SELECT format('%s.%s(%s) → %s.%s(%s)', n.nspname, c.relname, a.attname, m.nspname, d.relname, b.attname),
  k.convalidated AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgconstraint = k.oid AND g.tgenabled = 'D')
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class d ON d.oid = k.confrelid JOIN pg_namespace m ON m.oid = d.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
JOIN pg_attribute b ON b.attrelid = d.oid AND b.attnum = k.confkey[1] WHERE k.contype = 'f'
"""


@contextmanager
def checked(laboratory: Laboratory, tables: int, place: Path) -> Iterator[tuple[Page, Database]]:
    """Lend a broken database of so many tables, with the page of its check."""
    (contract := place / "tables.sql").write_text(made(tables))
    with lent(laboratory.server(18), None) as database:
        database.run(f"{made(tables)} {'; '.join(many_tables.faults(tables))}")
        yield Page.of(html.of_report(fixer.check(database.dsn, str(contract)))), database


def made(tables: int) -> str:
    return "; ".join((*many_tables.statements(tables), ""))


@dataclass(frozen=True)
class Drawn:
    """The page of many tables; the foreign keys that its contract wants, and those that are there, if they hold."""

    tables: int
    page: Page
    wanted: dict[str, bool]
    there: dict[str, bool]


@pytest.fixture(scope="module", params=[20, 50, 200])
def drawn(request: pytest.FixtureRequest, laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    with (
        checked(laboratory, request.param, tmp_path_factory.mktemp("many")) as (page, database),
        lent(laboratory.server(18), None) as sound,
    ):
        sound.run(made(request.param))
        return Drawn(request.param, page, dict(sound.run(KEYS)), dict(database.run(KEYS)))


def test_every_foreign_key_is_drawn_in_its_state(drawn: Drawn) -> None:
    page, there = drawn.page, drawn.there

    assert page.lines("missing") == drawn.wanted.keys() - there.keys()
    assert page.lines("broken") == {words for words, holds in there.items() if not holds}
    assert page.lines("sound") == {words for words, holds in there.items() if holds}
    assert len(page.boxes()) == drawn.tables


def test_no_box_stands_on_another_or_outside(drawn: Drawn) -> None:
    boxes = drawn.page.boxes()
    left, top, width, height = map(float, picture(drawn.page).attrib["viewBox"].split())

    over = [
        (one, other)
        for (one, a), (other, b) in combinations(boxes.items(), 2)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]
    assert over == []
    for box in boxes.values():
        assert left <= box[0] < box[2] <= left + width
        assert top <= box[1] < box[3] <= top + height


def test_no_line_runs_through_a_box_on_its_way(drawn: Drawn) -> None:
    boxes = drawn.page.boxes()
    ways = [each.attrib["d"] for each in drawn.page.classed("line", tag="path") if each.find("title") is not None]
    lanes = {tuple(map(float, lane)) for way in ways for lane in re.findall(r"([\d.-]+) ([\d.-]+)L([\d.-]+) ", way)}

    through = [
        (lane, name)
        for lane in lanes
        for name, (left, top, right, bottom) in boxes.items()
        if top < lane[1] < bottom and min(lane[0], lane[2]) < right and left < max(lane[0], lane[2])
    ]
    assert lanes
    assert through == []


def picture(page: Page) -> Element:
    return next(each for each in page.root.iter("svg") if each.get("role") == "group")


def test_so_many_tables_are_those_that_are_broken_and_those_beside_them(laboratory: Laboratory, tmp_path: Path) -> None:
    with checked(laboratory, 400, tmp_path) as (page, _):
        boxes = [name.partition(",")[0] for name in page.boxes()]
        entries = len([*page.classed("tables")[0]])

    assert entries < len(boxes) < 100
    assert f"The picture shows {len(boxes)} of the tables: broken ones, and those beside them." in page.text
    assert {end for words in page.lines("missing") for end in re.findall(r"(\S+)\(", words)} <= {*boxes}


def test_so_many_tables_of_which_none_is_broken_are_not_drawn(laboratory: Laboratory, tmp_path: Path) -> None:
    (contract := tmp_path / "tables.sql").write_text("".join(f"CREATE TABLE t{n} (id integer);" for n in range(301)))
    with lent(laboratory.server(18), None) as database:
        database.run(contract.read_text())
        page = Page.of(html.of_report(fixer.check(database.dsn, str(contract))))

    assert page.boxes() == {}
    assert "301 tables, none broken; 0 foreign keys, none broken. So many tables are not drawn" in page.text


CIRCLES = """
CREATE TABLE one (id integer PRIMARY KEY, up integer REFERENCES one); CREATE TABLE two (id integer PRIMARY KEY,
  one integer REFERENCES one); CREATE TABLE three (id integer PRIMARY KEY, two integer REFERENCES two);
ALTER TABLE one ADD three integer REFERENCES three; CREATE TABLE alone (id integer PRIMARY KEY);
CREATE TABLE pairs (a integer, b integer, PRIMARY KEY (a, b));
CREATE TABLE parts (a integer, b integer, FOREIGN KEY (a, b) REFERENCES pairs)
"""


def test_circles_and_keys_of_several_columns_are_drawn(empty: Database) -> None:
    empty.run(CIRCLES)
    page = Page.of(html.of_report(fixer.check(empty.dsn, "self")))

    assert page.lines("sound") == {
        "public.one(up) → public.one(id)", "public.one(three) → public.three(id)", "public.two(one) → public.one(id)",
        "public.three(two) → public.two(id)", "public.parts(a, b) → public.pairs(a, b)",
    }  # fmt: skip
    assert len(page.boxes()) == 6


def test_a_box_leads_to_the_findings_of_its_table(broken: Database) -> None:
    page = Page.of(html.of_report(fixer.check(broken.dsn, metadata)))
    links = {each.attrib["aria-label"]: each.attrib["href"][1:] for each in page.classed("box", tag="a")}

    assert set(links) == {"public.users, 6 broken", "public.paper_trades, 2 broken"}
    for said, anchor in links.items():
        assert page.section(anchor).startswith(said.partition(",")[0])
        assert page.section(anchor).count("✗") == int(re.findall(r"\d+", said)[0])


def test_a_renamed_table_and_its_keys_are_no_missing_ones(healthy: Database) -> None:
    healthy.run("ALTER TABLE users RENAME TO user_accounts")
    page = Page.of(html.of_report(fixer.check(healthy.dsn, metadata)))

    assert page.lines("missing") == set()
    assert [each for each in page.boxes() if "user_accounts" in each or "does not exist" in each] == []
    assert "today public.user_accounts" in " ".join("".join(each.itertext()) for each in page.classed("box"))


def test_a_key_that_the_contract_does_not_know_is_drawn_apart(healthy: Database) -> None:
    healthy.run("CREATE TABLE notes (user_id integer REFERENCES users)")
    page = Page.of(html.of_report(fixer.check(healthy.dsn, metadata)))

    assert page.lines("extra") == {"public.notes(user_id) → public.users(id)"}
    assert "public.notes, not in the contract" in page.boxes()


def test_rows_that_went_to_quarantine_are_counted_at_their_table(broken: Database) -> None:
    run = fixer.apply(broken.dsn, metadata, allow_hazards="all")
    boxes = {
        each.attrib["aria-label"]: "".join(each.itertext()) for each in Page.of(html.of_run(run)).classed("box")[:2]
    }

    assert "7 rows to quarantine" in next(words for said, words in boxes.items() if "paper_trades" in said)
