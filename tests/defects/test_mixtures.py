"""Many defects in one database, in any order, under odd names: the laws hold all the same, or nothing changes."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, Numeric, String, Table, text

from fixer import defects
from fixer.defects._databases import company, tenancy
from fixer.model.defect import Specimen
from fixer.model.plan import MODES
from lab.laboratory import ROLES, VERSIONS, Laboratory
from lab.mixing import mixed

WANTED = os.environ.get("PGMEND_MIXTURES")
PHASES = (Phase.explicit, Phase.generate, *([Phase.shrink] if WANTED else []))  # to shrink takes minutes
MIXTURES = settings(
    max_examples=int(WANTED or 25),
    derandomize=not WANTED,
    database=None,
    deadline=None,
    phases=PHASES,
    print_blob=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def mixable(contract: Callable[[], MetaData] | None) -> dict[str, Specimen]:
    """Return the specimens of a contract that can be repaired, by their classes and names."""
    return {
        f"{defect.SLUG}: {specimen.name}": specimen
        for defect in defects.all_classes()
        for specimen in defect.SPECIMENS
        if specimen.contract is contract and not (specimen.manual or specimen.deep)
    }


LIBRARY = mixable(None)
OTHERS = {**mixable(company), **mixable(tenancy)}


@MIXTURES
@given(
    version=st.sampled_from(VERSIONS),
    role=st.sampled_from(sorted(ROLES)),
    names=st.lists(st.sampled_from(sorted(LIBRARY)), min_size=2, max_size=5, unique=True),
    mode=st.sampled_from(MODES),
)
def test_a_mixture_obeys_the_laws_or_changes_nothing(
    laboratory: Laboratory, version: int, role: str, names: list[str], mode: str
) -> None:
    with laboratory.database(version, role=role) as case:
        superuser = any(LIBRARY[name].superuser for name in names)
        breaches = mixed(case, [LIBRARY[name].breaks for name in names], superuser=superuser, mode=mode)

        assert "\n".join(breaches) == "", f"{mode}: {' + '.join(names)}"


@MIXTURES
@given(
    version=st.sampled_from(VERSIONS),
    role=st.sampled_from(sorted(ROLES)),
    names=st.sampled_from([company, tenancy]).flatmap(
        lambda contract: st.lists(st.sampled_from(sorted(mixable(contract))), min_size=2, max_size=4, unique=True)
    ),
    mode=st.sampled_from(MODES),
)
def test_a_mixture_over_another_contract_obeys_the_laws(
    laboratory: Laboratory, version: int, role: str, names: list[str], mode: str
) -> None:
    with laboratory.database(version, OTHERS[names[0]], role) as case:
        superuser = any(OTHERS[name].superuser for name in names)
        breaches = mixed(case, [OTHERS[name].breaks for name in names], superuser=superuser, mode=mode)

        assert "\n".join(breaches) == "", f"{mode}: {' + '.join(names)}"


NOT_LIGHTLY = ["text-key: a key of texts with children", "wrong-type: not a number among floats"]
FOUND = [  # mixtures that once went wrong, cut down to what it takes
    ["missing-default-row: deleted", "missing-unique: a deferrable one in its place"],
    ["missing-generator: the sequence is there and not wired", "cycling-sequence: cycles"],
    ["missing-generator: the sequence is there and not wired", "narrow-sequence: a low maximum"],
    ["text-reference: some texts map to nothing"],
    ["text-reference: texts of the old key", "wrong-type: not a number among floats"],
    NOT_LIGHTLY,
    ["missing-table: a leaf is missing", "orphan-rows: to quarantine, with what hangs on them"],
    ["wrong-foreign-key-actions: it cascades updates", "orphan-rows: under a key that is valid by the catalogue"],
    ["wrong-foreign-key-actions: it cascades updates", "disabled-foreign-key: disabled, and orphans came in"],
    ["disabled-foreign-key: disabled, and orphans came in", "broken-check: prices below zero"],
    ["text-key: a key of texts with children", "broken-check: prices below zero"],
    ["orphan-rows: adopted by the default row", "wrong-type: texts that are no moments"],
    [
        "broken-check: prices below zero",
        "text-key: a key of texts with children",
        "missing-foreign-key: dropped together with the key it used",
    ],
    ["legacy-table: renamed", "broken-check: prices below zero"],
    [
        "text-reference: a foreign key to the old key",
        "wrong-type: not a number among floats",
        "duplicate-values: two accounts of one name",
        "wrong-type: floats for money",
    ],
    ["narrow-column: fewer digits after the point", "legacy-table: renamed"],
    ["wrong-type: moments without a zone", "legacy-table: renamed"],
    [
        "divided-column: a legacy column of another type",
        "null-key: the next number stands in an orphan",
        "wrong-type: floats for money",
    ],
    [
        "shared-sequence: the default points at a sequence of another schema",
        "duplicate-key: two rows under two keys each",
    ],
    ["unvalidated-foreign-key: rows are not", "wrong-type: a moment with more digits than the type keeps"],
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("names", FOUND, ids=" + ".join)
def test_a_mixture_that_once_went_wrong_obeys_the_laws(
    laboratory: Laboratory, names: list[str], mode: str, role: str
) -> None:
    superuser = any(LIBRARY[name].superuser for name in names)
    with laboratory.database(18, role=role) as case:
        breaches = mixed(
            case, [LIBRARY[name].breaks for name in names], superuser=superuser and role == "owner", mode=mode
        )

        assert "\n".join(breaches) == ""


TEXTS = "text-reference: texts of the old key"
REPEATED = {
    "copies": "SELECT * FROM books WHERE id IN (8, 9)",
    "rivals": "SELECT id, author_id, editor_id, reviewer_id, 'another ' || id, price, pages FROM books WHERE id < 3",
}


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("kind", REPEATED)
def test_rows_that_repeat_a_key_may_hold_texts_of_an_old_key(laboratory: Laboratory, kind: str, mode: str) -> None:
    repeat = (
        "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey;"
        "ALTER TABLE books DROP CONSTRAINT books_pkey, DROP CONSTRAINT books_author_id_title_key;"
        f"INSERT INTO books {REPEATED[kind]}"
    )
    with laboratory.database(18, role="owner") as case:
        assert "\n".join(mixed(case, [LIBRARY[TEXTS].breaks, repeat], mode=mode)) == ""


def circle() -> MetaData:
    """Return a contract of two tables that reference each other, and themselves."""
    metadata = MetaData()
    for name, other in (("left", "right"), ("right", "left")):
        Table(
            name,
            metadata,
            Column("id", Integer, primary_key=True, info={"legacy_keys": ["code"]}),
            Column("code", String(10)),
            Column("own", Integer, ForeignKey(f"{name}.id")),
            Column("other", Integer, ForeignKey(f"{other}.id", use_alter=True, name=f"{name}_other")),
        )
    return metadata


CIRCLE = """
INSERT INTO "left" (id, code) VALUES (1, 'L-1'), (2, 'L-2');
INSERT INTO "right" (id, code) VALUES (1, 'R-1'), (2, 'R-2');
ALTER TABLE "left" DROP CONSTRAINT left_own_fkey, DROP CONSTRAINT left_other;
ALTER TABLE "right" DROP CONSTRAINT right_own_fkey, DROP CONSTRAINT right_other;
ALTER TABLE "left" DROP CONSTRAINT left_pkey, ALTER own TYPE text, ALTER other TYPE text;
ALTER TABLE "right" DROP CONSTRAINT right_pkey, ALTER own TYPE text, ALTER other TYPE text;
UPDATE "left" SET id = 1, own = 'L-2', other = 'R-2';
UPDATE "right" SET id = 1, own = 'R-2', other = 'L-2';
"""
MEANT = """
SELECT t.code, own.code, other.code FROM {} AS t JOIN {} AS own ON own.id = t.own JOIN {} AS other ON other.id = t.other
 ORDER BY 1
"""


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_references_in_a_circle_mean_the_rows_that_carry_their_texts(laboratory: Laboratory, mode: str) -> None:
    with laboratory.database(18, Specimen("circle", CIRCLE, contract=circle), role="owner") as case:
        case.break_(CIRCLE)
        case.apply(mode=mode, allow_hazards="all")
        cursor, found = case.observer.cursor(), list[tuple[str, ...]]()
        for names in (('"left"', '"left"', '"right"'), ('"right"', '"right"', '"left"')):
            cursor.execute(MEANT.format(*names))
            found += cursor.fetchall()

        assert found == [("L-1", "L-2", "R-2"), ("L-2", "L-2", "R-2"), ("R-1", "R-2", "L-2"), ("R-2", "R-2", "L-2")]


# ---- odd names


def odd() -> MetaData:
    """Return a contract whose names have to be quoted, each for a reason of its own."""
    metadata = MetaData()
    Table(
        "User",
        metadata,
        Column("select", Integer, primary_key=True),
        Column("größe: 100%", Integer, nullable=False, server_default=text("7"), info={"backfill": 7}),
        Column('na"me', String(30), nullable=False, unique=True),
        info={"default_rows": [{'na"me': "it's 100% :me"}]},
    )
    orders = Table(
        "order %s:x",
        metadata,
        Column("Id", Integer, primary_key=True),
        Column("User Id", Integer, ForeignKey("User.select", ondelete="CASCADE"), nullable=False),
        Column("%(price)s", Numeric(8, 2), nullable=False),
        Column("naïve", String(12), server_default="50% {} :a"),
        Index("Ix: %", "naïve"),
    )
    orders.append_constraint(CheckConstraint(orders.c["%(price)s"] > 0, name="Check %"))
    return metadata


ODD_ROWS = """
INSERT INTO "User" ("größe: 100%", "na""me")
SELECT n, CASE n WHEN 1 THEN 'it''s 100% :me' ELSE 'üser ' || n || ' %s' END FROM generate_series(1, 8) AS n;
INSERT INTO "order %s:x" ("User Id", "%(price)s") SELECT 1 + n % 8, n FROM generate_series(1, 20) AS n;
"""
ODD = Specimen("odd names", "", contract=odd, setup=ODD_ROWS)
ODD_BREAKS = {
    "no primary key": 'ALTER TABLE "User" DROP CONSTRAINT "User_pkey" CASCADE',
    "a key is NULL": 'ALTER TABLE "order %s:x" DROP CONSTRAINT "order %s:x_pkey";'
    'ALTER TABLE "order %s:x" ALTER COLUMN "Id" DROP NOT NULL; UPDATE "order %s:x" SET "Id" = NULL WHERE "Id" = 4',
    "a row is there twice": 'ALTER TABLE "order %s:x" DROP CONSTRAINT "order %s:x_pkey";'
    'INSERT INTO "order %s:x" SELECT * FROM "order %s:x" WHERE "Id" = 5',
    "a key is there twice": 'ALTER TABLE "order %s:x" DROP CONSTRAINT "order %s:x_pkey";'
    'INSERT INTO "order %s:x" SELECT "Id", "User Id", 77 FROM "order %s:x" WHERE "Id" = 6',
    "orphans": 'ALTER TABLE "order %s:x" DROP CONSTRAINT "order %s:x_User Id_fkey";'
    'UPDATE "order %s:x" SET "User Id" = 99 WHERE "Id" < 3',
    "a name is there twice": 'ALTER TABLE "User" DROP CONSTRAINT "User_na""me_key";'
    'UPDATE "User" SET "na""me" = \'üser 3 %s\' WHERE "select" IN (3, 4)',
    "a check is broken": 'ALTER TABLE "order %s:x" DROP CONSTRAINT "Check %";'
    'UPDATE "order %s:x" SET "%(price)s" = -1 WHERE "Id" = 9',
    "a default is gone": 'ALTER TABLE "order %s:x" ALTER COLUMN "naïve" DROP DEFAULT',
    "NULLs": 'ALTER TABLE "User" ALTER COLUMN "größe: 100%" DROP NOT NULL; UPDATE "User" SET "größe: 100%" = NULL',
    "no index": 'DROP INDEX "Ix: %"',
    "no generator": 'ALTER TABLE "User" ALTER COLUMN "select" DROP DEFAULT',
    "a column is gone": 'ALTER TABLE "order %s:x" DROP COLUMN "naïve"',
    "a text for a number": 'ALTER TABLE "order %s:x" ALTER COLUMN "%(price)s" TYPE text',
    "floats": 'ALTER TABLE "order %s:x" ALTER COLUMN "%(price)s" TYPE double precision',
    "a rogue column": 'ALTER TABLE "User" ADD COLUMN "rôgue %s" integer;'
    'UPDATE "User" SET "rôgue %s" = 1; ALTER TABLE "User" ALTER COLUMN "rôgue %s" SET NOT NULL',
    "no default user": 'DELETE FROM "User" WHERE "select" = 1',
    "a sequence behind": """SELECT setval(pg_get_serial_sequence('"User"', 'select'), 3)""",
    "a narrow column": """ALTER TABLE "User" ALTER COLUMN "na""me" TYPE varchar(15)""",
}


@MIXTURES
@given(
    version=st.sampled_from(VERSIONS),
    role=st.sampled_from(sorted(ROLES)),
    names=st.lists(st.sampled_from(sorted(ODD_BREAKS)), min_size=1, max_size=5, unique=True),
    mode=st.sampled_from(MODES),
)
def test_odd_names_are_names_like_any(
    laboratory: Laboratory, version: int, role: str, names: list[str], mode: str
) -> None:
    with laboratory.database(version, ODD, role) as case:
        breaches = mixed(case, [ODD_BREAKS[name] for name in names], mode=mode)

        assert "\n".join(breaches) == "", f"{mode}: {' + '.join(names)}"


ODD_FOUND = [["a name is there twice", "orphans"], ["a name is there twice", "orphans", "a check is broken", "NULLs"]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("names", ODD_FOUND, ids=" + ".join)
def test_a_mixture_under_odd_names_that_once_went_wrong_obeys_the_laws(
    laboratory: Laboratory, names: list[str], mode: str
) -> None:
    with laboratory.database(18, ODD, "owner") as case:
        assert "\n".join(mixed(case, [ODD_BREAKS[name] for name in names], mode=mode)) == ""
