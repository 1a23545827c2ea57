"""What a plan of the tables' owner creates belongs to that owner, whoever applies the plan."""

from __future__ import annotations

import pytest

import fixer
from fixer import defects
from fixer.defects._counters import BOXES, boxed
from fixer.model.defect import Specimen
from lab.database import Database
from lab.laboratory import OWNER, Laboratory
from lab.laws import silence

CREATING = ("missing-table", "missing-type", "missing-sequence", "missing-schema", "missing-function", "missing-view")
OTHERS = f"""
SELECT pg_describe_object(classid, objid, 0) FROM (
    SELECT 'pg_class'::regclass AS classid, oid AS objid, relowner AS owner, relnamespace AS home FROM pg_class
     WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
     UNION ALL SELECT 'pg_type'::regclass, oid, typowner, typnamespace FROM pg_type WHERE typtype IN ('e', 'd')
     UNION ALL SELECT 'pg_proc'::regclass, oid, proowner, pronamespace FROM pg_proc AS p
                WHERE NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'i')  -- as of a range
     UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner, oid FROM pg_namespace) AS o
 WHERE objid >= 16384 AND owner <> '{OWNER}'::regrole AND home::regnamespace::text !~ '^(fixer_|pg_)'
"""
BOXED = Specimen("boxes", "ALTER TABLE boxes DROP COLUMN id", contract=boxed, setup=BOXES)


def creating() -> list[object]:
    specimens = {
        f"{each.SLUG}: {specimen.name}": specimen
        for each in defects.all_classes()
        for specimen in each.SPECIMENS
        if each.SLUG in CREATING and not specimen.manual
    }
    return [pytest.param(each, id=name) for name, each in {"boxes": BOXED, **specimens}.items()]


@pytest.mark.parametrize("specimen", creating())
def test_what_a_plan_creates_belongs_to_who_made_the_plan(laboratory: Laboratory, specimen: Specimen) -> None:
    with laboratory.database(18, specimen, "owner") as case:
        case.break_(specimen.breaks)
        plan, database = case.plan(), Database(case.server, case.name)
        before = database.run(OTHERS)

        fixer.apply(database.dsn, case.sound.contract, plan=plan, allow_hazards="all")

        assert [each for each in database.run(OTHERS) if each not in before] == []
        assert silence(case.check()) == []
