"""A missing column of a domain: what its rows get from the domain, and what the domain is yet to demand of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixer.model.plan import MODES
from lab.laboratory import Laboratory
from lab.outcomes import outcome

BARE = "CREATE TABLE t (id integer PRIMARY KEY);"
LAX, STRICT = (
    f"CREATE DOMAIN \"d %\" AS text DEFAULT 'x'{check};" for check in ("", " CONSTRAINT long CHECK (length(VALUE) > 2)")
)
WIDE = 'CREATE TABLE t (id integer PRIMARY KEY, c "d %" {});'
ROWS = "INSERT INTO t (id) VALUES (1), (2);"
REFUSES = 'which the domain "public"."d %" is to refuse by CHECK ((length(VALUE) > 2)): '
ANEW = 'run ALTER DOMAIN "public"."d %" SET DEFAULT …; then plan again, or declare another value'
NULLED = (
    'CREATE DOMAIN "d %" AS text;',
    '2 rows of t would get NULL in c, which the domain "public"."d %" is to refuse by NOT NULL: ',
)

CASES = {
    "a default that the check refuses": (
        STRICT + WIDE.format(""),
        LAX + BARE + ROWS,
        f"2 rows of t would get 'x'::text in c, {REFUSES}{ANEW}",
    ),
    "no rows that get it": (STRICT + WIDE.format(""), LAX + BARE, "mended"),
    "another default of the column": (STRICT + WIDE.format("DEFAULT 'long'"), LAX + BARE + ROWS, "mended"),
    "a default of the column that it refuses": (
        STRICT + WIDE.format("DEFAULT 'y'"),
        LAX + BARE + ROWS,
        f"2 rows of t would get 'y'::text in c, {REFUSES}declare another value",
    ),
    "a default that comes too late": (
        STRICT.replace("'x'", "'long'") + WIDE.format(""),
        LAX + BARE + ROWS,
        f"2 rows of t would get 'x'::text in c, {REFUSES}{ANEW}",
    ),
    "no default where NULL is refused": (
        NULLED[0].replace(";", " NOT NULL;") + WIDE.format(""),
        NULLED[0] + BARE + ROWS,
        NULLED[1] + ANEW,
    ),
    "a default that is drawn": (
        'CREATE SEQUENCE s; CREATE DOMAIN "d %" AS integer DEFAULT nextval(\'s\') CHECK (VALUE > 0);' + WIDE.format(""),
        'CREATE SEQUENCE s; CREATE DOMAIN "d %" AS integer DEFAULT nextval(\'s\');' + BARE + ROWS,
        "mended",
    ),
    "a default in a column that forbids NULL": (LAX + WIDE.format("NOT NULL"), LAX + BARE + ROWS, "mended"),
    "a default that a check of the table refuses": (
        LAX + WIDE.format("CHECK (length(c) > 2)"),
        LAX + BARE + ROWS,
        "the default of the domain of c would break it",
    ),
    "a default that all rows of a unique column get": (
        LAX + WIDE.format("UNIQUE"),
        LAX + BARE + ROWS,
        "the default of the domain of c would break it",
    ),
    "it is over another domain, which has lost its check": (
        'CREATE DOMAIN "b %" AS integer CHECK (VALUE > 0); CREATE DOMAIN "d %" AS "b %" DEFAULT 7 CHECK (VALUE < 9);'
        + WIDE.format(""),
        'CREATE DOMAIN "b %" AS integer; CREATE DOMAIN "d %" AS "b %" DEFAULT 7 CHECK (VALUE < 9);' + BARE + ROWS,
        "mended",
    ),
    "arrays of it, which is to demand more": (
        STRICT + 'CREATE TABLE t (id integer PRIMARY KEY, c "d %"[]);',
        LAX + BARE + ROWS,
        "arrays are to hold it, so run first",
    ),
    "arrays of it, which come with none": (
        LAX + 'CREATE TABLE t (id integer PRIMARY KEY, c "d %"[] UNIQUE);',
        LAX + BARE + ROWS,
        "mended",
    ),
}  # fmt: skip


@pytest.mark.parametrize("version", [16, 18])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_a_plan_knows_what_rows_get(laboratory: Laboratory, tmp_path: Path, case: str, mode: str, version: int) -> None:
    contract, made, expected = CASES[case]
    (tmp_path / "c.sql").write_text(contract)

    assert expected in outcome(laboratory, str(tmp_path / "c.sql"), made, mode, version)
