"""Labels of enums: what is added, or what a person pastes, gives the enum that the contract means."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from rich.console import Console
from sqlalchemy import ARRAY, CheckConstraint, Column, Enum, Index, Integer, MetaData, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint

import fixer
from fixer.errors import NeedsPermission
from fixer.model.expression import literal
from fixer.model.plan import MODES
from fixer.report.text import of_undone
from lab.database import Database, role
from lab.examples.models import contract, key
from lab.laboratory import Laboratory
from lab.outcomes import outcome

LABELS = ("a'", "B", "c", "d")


@pytest.mark.parametrize(
    "found",
    [("B", "d"), ("c",), ("d",), ("a'", "B", "c"), ("x", "d"), ("b", "d"), ("A'", "b", "C", "D")],
    ids=" ".join,
)
def test_what_is_pasted_gives_the_labels_of_the_contract_in_their_order(empty: Database, found: tuple[str]) -> None:
    listed = ", ".join(psycopg2.extensions.QuotedString(label).getquoted().decode() for label in found)
    empty.run(f"CREATE TYPE kind AS ENUM ({listed}); CREATE TABLE t (id serial PRIMARY KEY, k kind)")
    wanted = contract(t=(key(), Column("k", Enum(*LABELS, name="kind"))))
    with closing(psycopg2.connect(empty.dsn)) as connection:
        (finding,) = fixer.check(connection, wanted).findings
    for statement in finding.about.ways:
        empty.run(statement)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        left = fixer.check(connection, wanted).findings

    assert left == ()
    assert [label for label in empty.ask("SELECT enum_range(NULL::kind)::text[]") if label != "x"] == list(LABELS)


@pytest.mark.parametrize("mode", MODES)
def test_an_enum_of_another_schema_is_created_and_taken_back(laboratory: Laboratory, mode: str) -> None:
    made = """CREATE SCHEMA "e. s"; CREATE TYPE "e. s".other AS ENUM ('z'); CREATE SEQUENCE "e. s".loose;
        CREATE TABLE t (id serial PRIMARY KEY, k text, o "e. s".other); INSERT INTO t (k) VALUES ('d'), ('c')"""
    wanted = contract(
        t=(key(), *(Column(name, Enum(*LABELS, name="K.k", schema="e. s")) for name in ("k", "added"))),
    )

    assert outcome(laboratory, wanted, made, mode) == "mended"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("made", ["", "CREATE TYPE kind AS ENUM ('a''', 'B', 'c', 'd');"], ids=["to come", "there"])
def test_texts_become_an_enum_that_checks_and_uniques_and_exclusions_name(
    laboratory: Laboratory, made: str, mode: str
) -> None:
    made += """CREATE TABLE t (id serial PRIMARY KEY, n int, k text, ks text[]);
        INSERT INTO t (n, k, ks) VALUES (1, 'a''', '{}'), (1, ' B ', '{c,NULL}'), (0, 'B', NULL), (3, NULL, '{}')"""
    kind = Enum(*LABELS, name="kind")
    wanted = contract(
        t=(
            key(), Column("n", Integer), Column("k", kind), Column("ks", ARRAY(kind)),
            CheckConstraint("k <> 'B' OR n > 0"), CheckConstraint("'d'::kind <> ALL (ks)"),
            Index("few", "n", unique=True, postgresql_where=text("k = 'B'")),
            ExcludeConstraint((text("int4range(n, n + 1)"), "&&"), where="k IN ('B', 'd')"),
        )
    )  # fmt: skip

    assert outcome(laboratory, wanted, made, mode) == "mended"


@pytest.mark.parametrize("mode", MODES)
def test_texts_that_are_null_get_a_label_that_an_exclusion_names(laboratory: Laboratory, mode: str) -> None:
    made = "CREATE TABLE t (id serial PRIMARY KEY, n int, k text); INSERT INTO t (n, k) VALUES (1, 'B'), (1, NULL)"
    kind = Column("k", Enum(*LABELS, name="kind"), nullable=False, server_default="d")
    overlap = ExcludeConstraint((text("int4range(n, n + 1)"), "&&"), where="k = 'd'")

    assert outcome(laboratory, contract(t=(key(), Column("n", Integer), kind, overlap)), made, mode) == "mended"


def test_texts_are_not_compared_in_the_order_of_an_enum_to_come(laboratory: Laboratory) -> None:
    made = "CREATE TABLE t (id serial PRIMARY KEY, k text); INSERT INTO t (k) VALUES ('small'), ('large')"
    sizes = Enum("small", "medium", "large", name="size")
    wanted = contract(t=(key(), Column("k", sizes), CheckConstraint("k < 'large'")))

    assert "t could not be read" in outcome(laboratory, wanted, made, "atomic")


def two(default: str | None = None) -> MetaData:
    """Return a contract of two tables with columns of one enum, the second with arrays of it."""
    of = Enum(*LABELS, name="kind")
    return contract(t=(key(), Column("k", of, server_default=default)), u=(key(), Column("k", ARRAY(of))))


def made_of(*labels: str) -> str:
    """Return the statements that make the tables of that contract, of an enum that has these labels."""
    return f"""CREATE TYPE kind AS ENUM ({", ".join(map(literal, labels))});
        CREATE TABLE t (id serial PRIMARY KEY, k kind); INSERT INTO t (k) VALUES ('B'), (NULL);
        CREATE TABLE u (id serial PRIMARY KEY, k kind[]); INSERT INTO u (k) VALUES ('{{B}}')"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("found", [("B",), ("B", "c"), ("a'", "B", "x", "d")], ids=" ".join)
def test_labels_are_added_once_in_their_places_and_stay_after_undo(
    empty: Database, found: tuple[str, ...], mode: str
) -> None:
    empty.run(made_of(*found))
    with closing(psycopg2.connect(empty.dsn)) as connection:
        run = fixer.apply(connection, two(), mode=mode)
        after = empty.ask("SELECT enum_range(NULL::kind)::text[]")
        done = fixer.undo(connection, 1)
    added = [label for label in LABELS if label not in found]

    assert [label for label in after if label != "x"] == list(LABELS)
    assert len(run.plan.steps) == len(added)
    assert done.stays == tuple(f"the label {literal(label)} of public.kind" for label in added)
    assert empty.ask("SELECT enum_range(NULL::kind)::text[]") == after


def test_undo_says_which_label_stays(empty: Database) -> None:
    empty.run(made_of("a'", "B", "c"))
    fixer.apply(empty.dsn, two())
    console = Console(width=200)
    with console.capture() as printed:
        console.print(of_undone(fixer.undo(empty.dsn, 1)))

    assert "as before, but the label 'd' of public.kind stays: PostgreSQL removes no label." in printed.get()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("made", "wanted", "why"),
    [
        ("", two(default="d"), "'d' is named by the contract"),
        ("ALTER TABLE u ALTER k TYPE text[] USING k::text[]", two(), "values of u.k may become the new ones"),
    ],
    ids=["named", "converted"],
)
def test_a_person_adds_a_label_that_the_same_repair_may_use(
    empty: Database, made: str, wanted: MetaData, why: str, mode: str
) -> None:
    empty.run(f"{made_of(*LABELS[:3])}; {made}")
    before = empty.dump()
    with pytest.raises(NeedsPermission) as refused:
        fixer.apply(empty.dsn, wanted, mode=mode, allow_hazards="all")

    assert f"{why}, and PostgreSQL lets no transaction use a label it added" in str(refused.value)
    assert "run ALTER TYPE" in str(refused.value)
    assert empty.dump() == before


def test_a_person_adds_a_label_to_the_enum_of_another_role(empty: Database) -> None:
    empty.run(made_of(*LABELS[:3]))
    with role(empty, "ALTER TABLE t OWNER TO {}; ALTER TABLE u OWNER TO {}; GRANT CREATE ON SCHEMA public TO {}") as me:
        reports = [fixer.check(empty.seen_by(each), two()) for each in (me, "postgres")]

    assert [(finding.repair.refusal or "").partition(";")[0] for report in reports for finding in report.findings] == [
        *["the enum belongs to another role"] * 2, "", "",
    ]  # fmt: skip
