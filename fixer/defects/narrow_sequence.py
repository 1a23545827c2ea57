"""The sequence ends before its column does.

Costs: 2200H nextval: reached maximum value of sequence, on some ordinary day.
Cure: ALTER SEQUENCE to the type and maximum of the contract.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixer.model.contract import Contract
from fixer.model.finding import Finding, Specimen, Stage
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, Step
from fixer.repair.sequences import own_sequences
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Literal

SLUG = "narrow-sequence"
POINT = 1
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the columns whose sequence has a lower maximum than the contract's."""
    for table, wanted, sequence in own_sequences(actual, contract.differing()):
        model = contract.schema.sequences.get(wanted.sequence) if wanted.sequence else None
        if model and sequence.increment > 0 and sequence.maximum < model.maximum:
            message = (
                f"{table.name}.{wanted.name} should count up to {model.maximum},"
                f" {sequence.name.name} ends at {sequence.maximum}"
            )
            yield Finding(
                SLUG, POINT, f"{table}.{wanted.name}", message, table, wanted.name, part=model, found=sequence
            )


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Widen the sequence."""
    name, model = finding.found.name, finding.part
    widen = SQL("ALTER SEQUENCE {} AS {} MAXVALUE {}").format(q.name(name), SQL(model.type), Literal(model.maximum))
    return Repair((Step(Phase.GENERATORS, finding.table, f"let {name.name} count up to {model.maximum}", widen),))


SPECIMENS = (
    Specimen("smallint", "ALTER SEQUENCE reviews_id_seq AS smallint"),
    Specimen("a low maximum", "ALTER SEQUENCE reviews_id_seq MAXVALUE 1000"),
)
NEAR_MISSES = (Specimen("bigint", "ALTER SEQUENCE reviews_id_seq AS bigint"),)
