"""Random contracts with random rows, broken by the mutations of many classes: the laws hold, or nothing changes.

`PGMEND_COMPOSITION=2000` tries so many, with seeds of its own that it prints; `PGMEND_COMPOSITION_SEED` repeats one.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fixer import defects
from fixer.defects import Mutating
from fixer.model.contract import Contract
from fixer.model.plan import MODES
from lab.composition import SCHEMAS, Models, contracts, metadata, rows
from lab.evidence.bystanders import bystanders, planted
from lab.laboratory import ROLES, VERSIONS, Case, Laboratory
from lab.mixing import ordeal

WANTED = os.environ.get("PGMEND_COMPOSITION")
SEED = int(os.environ.get("PGMEND_COMPOSITION_SEED", random.randrange(10**9) if WANTED else 13))
PARTS = 4  # which workers share
EXAMPLES = max(1, int(WANTED or 100) // PARTS)
SHOPS = "; ".join(f'CREATE SCHEMA "{schema}"' for schema in SCHEMAS if schema)
CLASSES = [defect for defect in defects.all_classes() if isinstance(defect, Mutating)]
BY_SUPERUSERS = {"disabled-foreign-key"}  # only a superuser can bring such a database about, by hand or by undo


@dataclass(frozen=True)
class Trial:
    """One database to break, and how to repair it."""

    version: int
    role: str
    mode: str
    models: Models
    wounds: tuple[int, ...]


TRIALS = st.builds(
    Trial,
    version=st.sampled_from(VERSIONS),
    role=st.sampled_from(sorted(ROLES)),
    mode=st.sampled_from(MODES),
    models=contracts(),
    wounds=st.lists(st.integers(0, 10**6), min_size=1, max_size=12).map(tuple),
)


def mutations(contract: Contract, case: Case, wounds: tuple[int, ...]) -> dict[str, str]:
    """Return the chosen mutations of a contract: statements, each with the slug of its class."""
    found: dict[str, str] = {}
    for wound in wounds:
        defect = CLASSES[wound % len(CLASSES)]
        ways = [way for table in contract.tables.values() for way in defect.mutate(table)]
        if ways:
            found[ways[wound // len(CLASSES) % len(ways)].as_string(case.observer)] = defect.SLUG
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_a_composition_obeys_the_laws_or_changes_nothing(laboratory: Laboratory, part: int) -> None:
    ends = Counter[str]()

    @seed(SEED + part)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink) if WANTED else (Phase.generate,),
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(TRIALS)
    def tried(trial: Trial) -> None:
        end, breaches, wounds = composed(laboratory, trial)
        ends[end] += 1

        assert breaches == [], "\n".join([f"{trial}", f"seed {SEED + part}", rows(trial.models), *wounds])

    try:
        tried()
    finally:
        sys.stderr.write(f"seed {SEED + part}: {dict(ends)}\n")


def composed(laboratory: Laboratory, trial: Trial) -> tuple[str, list[str], list[str]]:
    """Break a database and repair it; return how that ended, the breaches of the laws, and the mutations."""
    model = metadata(trial.models)
    with laboratory.built(trial.version, model, rows(trial.models), SHOPS, trial.role) as case:
        silent = [f"2 silence: {f.message}" for f in case.check(deep=True).findings if f.severity != "info"]
        contract = case.sound.contract
        wounds = mutations(contract, case, trial.wounds)
        case.break_(planted(case, contract))
        case.break_(*wounds, "SELECT")
        before = bystanders(case)
        superuser = trial.role == "owner" and bool(BY_SUPERUSERS & set(wounds.values()))
        end, breaches = ordeal(case, [], superuser=superuser, mode=trial.mode)
        return end, silent + breaches + [f"8 bystanders: {b}" for b in before - bystanders(case)], list(wounds)
