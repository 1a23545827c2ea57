"""Random contracts with random rows, broken by the mutations of many classes: the laws hold, or nothing changes.

`PGMEND_COMPOSITION=2000` tries so many, with seeds of its own that it prints; `PGMEND_COMPOSITION_SEED` repeats one.
What breaks a law is printed as a snapshot's schema.sql and data.sql.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table

from fixer import defects
from fixer.model.defect import Specimen
from fixer.model.plan import MODES
from lab.composed_code import code
from lab.composed_rows import rows
from lab.composed_tables import metadata
from lab.composition import SCHEMAS, Models, contracts
from lab.differing import try_different
from lab.evidence.bystanders import KINDS, planted
from lab.laboratory import ROLES, VERSIONS, Case, Laboratory
from lab.mixing import Ordeal

WANTED = os.environ.get("PGMEND_COMPOSITION")
SEED = int(os.environ.get("PGMEND_COMPOSITION_SEED", random.randrange(10**9) if WANTED else 13))
PARTS = 4  # which workers share
EXAMPLES = max(1, int(WANTED or 100) // PARTS)
SHOPS = "; ".join(f'CREATE SCHEMA "{schema}"' for schema in SCHEMAS if schema)
# Classes that may change nothing: a unique over numbers that the database gives, row security that SQL declares.
IDLE = {"rogue-unique", "closed-row-security"}
# Only a superuser can bring such a database about, by hand or by undo.
BY_SUPERUSERS = {"disabled-foreign-key", "disabled-unique", "invalid-index"}


@dataclass(frozen=True)
class Trial:
    """One database to break, and how to repair it."""

    version: int
    role: str
    mode: str
    models: Models
    coded: bool  # whether the contract is SQL, which declares code as well
    wounds: tuple[int, ...]
    beside: tuple[str, ...]


TRIALS = st.builds(
    Trial,
    version=st.sampled_from(VERSIONS),
    role=st.sampled_from(sorted(ROLES)),
    mode=st.sampled_from(MODES),
    models=contracts(),
    coded=st.sampled_from((False, False, True)),
    wounds=st.lists(st.integers(0, 10**6), min_size=1, max_size=12).map(tuple),
    beside=st.lists(st.sampled_from(("", "", *KINDS)), max_size=1).map(tuple),
)


def wounded(case: Case, wounds: tuple[int, ...]) -> dict[str, str]:
    """Break a database by the chosen mutations; return their statements, each with the slug of its class."""
    ways, chosen = list(defects.mutations(case.sound.contract).items()), dict[str, str]()
    for wound in wounds:
        slug, each = ways[wound % len(ways)]
        chosen[each[wound // len(ways) % len(each)].as_string(case.observer)] = slug
    applied = case.break_(*chosen, "SELECT")
    return {statements: slug for statements, slug in chosen.items() if statements in applied}


@pytest.mark.parametrize("part", range(PARTS))
def test_a_composition_obeys_the_laws_or_changes_nothing(laboratory: Laboratory, part: int) -> None:
    ends, classes = Counter[str](), Counter[str]()

    def tried(trial: Trial) -> None:
        ordeal, slugs, evidence = composed(laboratory, trial)
        ends.update([ordeal.end, *([f"undone: {ordeal.undone}"] if ordeal.undone is not None else [])])
        classes.update(set(slugs))

        assert ordeal.found == [], f"{trial}\nseed {SEED + part}\n{evidence}"

    try:
        ran = try_different(
            tried, TRIALS, count=EXAMPLES, first=SEED + part, differs=lambda trial: trial.wounds, shrinks=bool(WANTED)
        )
    finally:
        sys.stderr.write(f"seed {SEED + part}: {dict(ends)}, {dict(classes)}\n")
    assert ran == EXAMPLES


def composed(laboratory: Laboratory, trial: Trial) -> tuple[Ordeal, list[str], str]:
    """Break a database and repair it; return how that went, the slugs of the mutations, and how to break it again."""
    model, filled = metadata(trial.models, trial.version), rows(trial.models)
    over = code(trial.models) if trial.coded else ""
    with laboratory.built(trial.version, model, filled, SHOPS, trial.role, over) as case:
        silent = [f"2 silence: {f.message}" for f in case.check(deep=True).findings if f.severity != "info"]
        case.close()
        case.break_(planted(case, case.sound.contract, trial.beside))
        wounds = wounded(case, trial.wounds)
        superuser = trial.role == "owner" and bool(BY_SUPERUSERS & set(wounds.values()))
        ordeal = Ordeal(case, trial.mode, superuser, beside=True)
        evidence = "\n".join([filled, over, *wounds])
        unseen = [] if IDLE & {*wounds.values()} or case.check(deep=True).findings else [*wounds.values()]
        ordeal.breaches()
        ordeal.found += [*silent, *(f"1 detection: nothing is found of {slug}" for slug in unseen)]
        return ordeal, list(wounds.values()), evidence


UNPLANTED = {
    "broken-function": "it would refuse the rows that the laws write to see whether anything is lost",
    "failing-unique": "an index fails only where a superuser writes pg_index, or the disk or a library is at fault",
    "different-partitioning": "no statement turns a table into a partitioned one, or gives it another key",
    "unfit-default": "the contract is at fault; a database that alone has such a default has a different one",
    "refused-definition": "the contract is at fault, and no statement in a database plants that",
    "hindering-setting": "it would hinder the sessions that look whether its repair lost anything",
    "missing-object": "the random contracts declare none of these kinds",
    "unpopulated-view": "the random contracts have no materialized view",
    "stale-generation": "it takes a function that lies about being IMMUTABLE",
    "different-storage": "the random contracts do not say how they are stored",
    "rogue-default": "models leave open whether the database fills a column",
    "outdated-collation": "a collation is outdated only where a superuser writes pg_database, or a library was updated",
}


@pytest.mark.parametrize("slug", ["lost-grants", "rogue-foreign-key", "swallowing-trigger", "unbound-heirs"])
def test_what_only_a_person_mends_is_planted_and_found(laboratory: Laboratory, slug: str) -> None:
    with laboratory.database(18) as case:
        planting = [each.as_string(case.observer) for each in defects.mutations(case.sound.contract)[slug]]
        case.break_(planting[-1])

        assert {slug} == {each.slug for each in case.check(deep=True).findings if each.severity != "info"}


def test_the_counter_of_a_table_above_is_set_back_by_way_of_its_heir(laboratory: Laboratory) -> None:
    with laboratory.database(18, Specimen("heirs", "", contract=_heirs, setup=HEIRS)) as case:
        for planting in defects.mutations(case.sound.contract)["sequence-behind"]:
            case.break_(planting.as_string(case.observer))

            assert "sequence-behind" in {each.slug for each in case.check().findings}
            case.break_("SELECT setval('above_id_seq', 9)")


def _heirs() -> MetaData:
    made = MetaData()
    Table("above", made, Column("id", Integer, primary_key=True))
    below = Column("id", Integer, primary_key=True, autoincrement=False)
    Table("heir", made, below, postgresql_inherits="above").add_is_dependent_on(made.tables["above"])
    return made


HEIRS = "INSERT INTO above SELECT FROM generate_series(1, 3); INSERT INTO heir SELECT FROM generate_series(4, 6)"


def test_the_databases_differ_by_what_breaks_them() -> None:
    wounds = list[tuple[int, ...]]()
    ran = try_different(
        lambda trial: wounds.append(trial.wounds),
        TRIALS,
        count=EXAMPLES,
        first=SEED,
        differs=lambda trial: trial.wounds,
        shrinks=False,
    )

    assert (ran, len(wounds), len(set(wounds))) == (EXAMPLES, EXAMPLES, EXAMPLES)


def test_a_failure_is_shrunk() -> None:
    def failing(number: int) -> None:
        assert number < 7, f"it fails with {number}"

    with pytest.raises(AssertionError, match="it fails with 7"):
        try_different(failing, st.integers(0, 10**6), count=50, first=SEED, differs=hash, shrinks=True)


def test_every_class_can_be_planted_somewhere_or_says_why_not() -> None:
    planting = {defect.SLUG for defect in defects.all_classes() if isinstance(defect, defects.MUTATING)}

    assert {defect.SLUG for defect in defects.all_classes()} - planting == UNPLANTED.keys()
