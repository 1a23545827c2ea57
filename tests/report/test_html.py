"""The page: whole, closed to the world, and with all that was found in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

import fixer
from contracts.trading import metadata
from fixer import api
from fixer.connect import snapshot
from fixer.model.baseline import Known
from fixer.model.finding import Accepted
from fixer.model.plan import Plan, from_json
from fixer.report import html
from fixer.report import json as as_json
from lab.database import Database, lent
from lab.laboratory import Laboratory
from lab.pages import Page

SNAPSHOTS = sorted(snapshot.find())


def seen(database: Database) -> tuple[fixer.Report, Plan]:
    with api.session(database.dsn, metadata) as session:
        return session.made()


def repaired(database: Database) -> fixer.Run:
    return fixer.apply(database.dsn, metadata, allow_hazards="all")


def whole(page: Page) -> None:
    """See that a page has no anchor twice, no link to nowhere, and nothing from elsewhere."""
    known = Counter(page.anchors)
    assert [anchor for anchor, times in known.items() if times > 1] == []
    assert [link for link in page.links if link != "data:," and link.removeprefix("#") not in known] == []
    for label in page.root.iter("label"):
        assert label.get("for", "") in known or label.find(".//input") is not None


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_all_pages_of_a_snapshot_are_whole_and_say_all(laboratory: Laboratory, name: str) -> None:
    with lent(laboratory.server(18), name) as database:
        report, plan = seen(database)
        checked, planned = Page.of(html.of_report(report)), Page.of(html.of_plan(plan, report))
        run = None if plan.refusals else repaired(database)
    pages = [checked, planned, Page.of(html.of_plan(plan)), *([Page.of(html.of_run(run))] if run else [])]

    for page in pages:
        whole(page)
        assert [f.id for f in report.findings if f.breaks and f.id not in page.text] == []
    assert [each for each in (*plan.refusals, plan.identity) if each not in planned.text and plan.steps] == []
    for step in plan.steps:
        assert step.title in planned.section(f"step-{step.number}")
        assert str(step.lock).lower() in planned.section(f"step-{step.number}")
    if run and run.run:
        rows = [["".join(cell.itertext()) for cell in row][1:5] for row in pages[-1].under("ledger").iter("tr")]
        wanted = [[f"{n:,}" for n in (e.before, e.inserted, e.after, e.quarantined)] for e in run.ledger]
        assert [row for row in wanted if row not in rows] == []


def test_the_points_say_what_the_report_says(broken: Database, healthy: Database) -> None:
    for database, ok in ((broken, False), (healthy, True)):
        report, _ = seen(database)
        page = Page.of(html.of_report(report))
        states = [each.get("class") for each in page.under("points").iter("li")]

        assert states == ["holds" if holds else "broken" for _, _, holds in report.points]
        assert report.ok is ok


def test_its_policy_allows_its_own_style_and_script_and_nothing_else(broken: Database) -> None:
    page = Page.of(html.of_report(seen(broken)[0]))
    policy = next(each.attrib["content"] for each in page.root.iter("meta") if "http-equiv" in each.attrib)
    said = dict(part.strip().split(" ", 1) for part in policy.split(";"))

    for kind in ("style", "script"):
        (element,) = page.root.iter(kind)
        digest = base64.b64encode(hashlib.sha256((element.text or "").encode()).digest()).decode()
        assert said.pop(f"{kind}-src") == f"'sha256-{digest}'"
    assert said.pop("img-src") == "data:"
    assert {*said.values()} == {"'none'"}
    assert [each for each in page.root.iter() if {"style", "onclick", "onload", "onerror"} & each.attrib.keys()] == []


def test_without_style_the_picture_has_its_colours_still(broken: Database) -> None:
    page = Page.of(html.of_report(seen(broken)[0]))
    shapes = [each for each in page.root.iter() if each.tag in ("rect", "text", "path") and each.get("class") != "tip"]

    assert [each.attrib for each in shapes if not {"fill", "stroke"} & each.attrib.keys()] == []


NAMES = (
    "<script>alert(1)</script>", "it's \"quoted\" & <b>bold</b>", "שלום\u202eabc", "x" * 63, "漢字の表",
    "tab\tand\nline", "ctl\x01\x7f\u200b", "]]>--><!--", "</style></svg>", "\U0001f600", "javascript:alert(1)", "&lt;",
)  # fmt: skip


def quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def test_names_are_text_whatever_they_hold(empty: Database, laboratory: Laboratory) -> None:
    made = "; ".join(
        f"CREATE TABLE {quoted(name)} ({quoted(name)} serial PRIMARY KEY, up integer REFERENCES {quoted(NAMES[0])})"
        for name in NAMES
    )
    empty.run(made)
    with lent(laboratory.server(18), None) as other:
        other.run(made)
        for name in NAMES[1:]:
            other.run(f"ALTER TABLE {quoted(name)} DROP COLUMN up; ALTER TABLE {quoted(name)} ADD up text")
        report = fixer.check(other.dsn, empty.dsn)
        plan = fixer.plan(other.dsn, empty.dsn)
    pages = [Page.of(text) for text in (html.of_report(report), html.of_plan(plan, report, show_values=True))]
    plain = Page.of(html.of_report(replace(report, comparison=replace(report.comparison, findings=()))))

    for page in pages:
        whole(page)
        assert len([*page.root.iter("script")]) == len([*page.root.iter("style")]) == 1
        assert {each.tag for each in page.root.iter()} >= {each.tag for each in plain.root.iter()}
        assert not {"b", "img"} & {each.tag for each in page.root.iter()}
        for name in (NAMES[0], NAMES[1], NAMES[3], NAMES[4], "ctl⟨U+0001⟩⟨U+007F⟩⟨U+200B⟩", "שלום⟨U+202E⟩abc"):
            assert name in page.text
        assert "\u202e" not in page.text


def test_no_password_is_in_a_page(broken: Database) -> None:
    with api.session(f"{broken.dsn}{'&' if '?' in broken.dsn else '?'}password=sesame", metadata) as session:
        report, plan = session.made()

    assert report.target
    for text in (html.of_report(report), html.of_plan(plan, report)):
        assert "sesame" not in text


def test_what_is_accepted_known_new_or_stale_is_marked(broken: Database) -> None:
    report, _ = seen(broken)
    first, second, third, *others = report.findings
    accepted = Accepted(first.id, "lived with for years", date(2999, 1, 1))
    stale = Accepted("missing-index:public.users.nowhere", "once upon a time")
    findings = [replace(first, accepted=accepted), replace(second, known=True), replace(third, known=False), *others]
    contract = replace(report.comparison.contract, accepted=(accepted, stale))
    comparison = replace(report.comparison, findings=tuple(findings), contract=contract)
    page = Page.of(html.of_report(replace(report, comparison=comparison)))
    articles = ["".join(each.itertext()) for each in page.classed("finding")]

    assert "accepted until 2999-01-01: lived with for years" in articles[0]
    assert [re.findall("known|new", text) for text in articles[1:3]] == [["known"], ["new"]]
    assert "once upon a time" in page.section("stale")
    assert "1 of them is new; the baseline knows 1." in page.text


def test_anchors_of_findings_stay_from_run_to_run(broken: Database) -> None:
    first, second = (Page.of(html.of_report(seen(broken)[0])) for _ in range(2))

    assert [each.get("id") for each in first.classed("finding")] == [
        each.get("id") for each in second.classed("finding")
    ]


def test_findings_of_one_name_have_anchors_of_their_own(broken: Database) -> None:
    report, _ = seen(broken)
    twice = replace(report.comparison, findings=(*report.findings, replace(report.findings[0], message="once more")))

    whole(Page.of(html.of_report(replace(report, comparison=twice))))


def test_a_plan_from_a_file_says_that_it_has_no_findings(broken: Database) -> None:
    plan = from_json(json.loads(as_json.of_plan(seen(broken)[1])))
    page = Page.of(html.of_plan(plan))

    whole(page)
    assert "a saved plan keeps none" in page.section("points")
    assert "findings" not in page.anchors
    assert len([*page.under("plan").iter("details")]) == len(plan.steps)


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_a_plan_says_who_waits(broken: Database, mode: str) -> None:
    plan = fixer.plan(broken.dsn, metadata, mode=mode)
    text = Page.of(html.of_plan(plan)).section("plan")

    assert "public.usersaccess exclusivereading and writing wait" in text
    assert ("held until the end" in text) is (mode == "atomic")


def test_a_run_with_nothing_to_do_is_a_page(healthy: Database) -> None:
    page = Page.of(html.of_run(repaired(healthy)))

    whole(page)
    assert "Nothing to do: the contract holds." in page.text


def test_a_run_that_was_not_begun_says_that_nothing_was_changed(broken: Database) -> None:
    plan = seen(broken)[1]
    page = Page.of(html.of_run(fixer.Run(plan.target, plan.contract, plan)))

    whole(page)
    assert "Nothing was changed." in "".join(next(page.root.iter("header")).itertext())
    assert "needs your permission for:moves-rows" in page.section("plan")


def test_a_run_without_its_last_check_is_a_page_that_does_not_say_nothing_was_changed(broken: Database) -> None:
    page = Page.of(html.of_run(replace(repaired(broken), report=None)))

    whole(page)
    assert "Nothing was changed." not in page.text
    assert "fixer undo 1" in page.section("ledger")
    assert "findings" not in page.anchors


KINDS: dict[str, Callable[[fixer.Report, Plan], str]] = {
    "report": lambda report, _: html.of_report(report),
    "plan": lambda report, plan: html.of_plan(plan, report),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_names_target_contract_and_verdict(broken: Database, kind: str) -> None:
    report, plan = seen(broken)
    page = Page.of(KINDS[kind](report, plan))
    header = "".join(next(page.root.iter("header")).itertext())

    assert [each for each in (report.target, report.contract, "8 findings break") if each not in header] == []


def test_what_changed_since_an_earlier_check_is_said(broken: Database) -> None:
    before, _ = seen(broken)
    broken.run("ALTER TABLE users DROP COLUMN user_id; ALTER TABLE users DROP COLUMN full_name")
    broken.run("DELETE FROM paper_trades WHERE user_id = 17 AND id = 659; ALTER TABLE users ALTER email DROP NOT NULL")
    report = seen(broken)[0].since([Known.of(finding) for finding in before.findings])
    page = Page.of(html.of_report(report))
    said = page.section("changes")

    whole(page)
    assert report.changes
    for finding in (*report.changes.new, *report.changes.gone):
        assert finding.message in said
    assert "was 7 rows, now 6" in said


def test_more_rows_than_a_baseline_knows_are_said(broken: Database) -> None:
    report, _ = seen(broken)
    orphans = next(each for each in report.findings if each.slug == "orphan-rows")
    grown = tuple(replace(each, known=True, was=3) if each is orphans else each for each in report.findings)
    gone = (Known("missing-check:public.users.old", "missing-check", 4, "error", "users", "users should have a check"),)
    page = Page.of(html.of_report(replace(report, comparison=replace(report.comparison, findings=grown), gone=gone)))

    whole(page)
    assert "was 3 rows, now 7" in page.section("findings")
    assert "in the baseline, and not found: users should have a check" in page.section("changes")
