"""Identical rows that are left out of the plan stay identical: none gets a value of its own."""

from __future__ import annotations

import pytest

import fixer
from fixer.errors import NeedsPermission
from fixer.model.plan import MODES
from lab.database import lent
from lab.laboratory import VERSIONS, Laboratory

PLAIN = "CREATE TABLE h (id integer PRIMARY KEY, n integer, a {});"
HEIR = (
    "CREATE TABLE p (id integer PRIMARY KEY, n integer, a {});"
    "CREATE TABLE h (PRIMARY KEY (id)) INHERITS (p); CREATE TABLE hh () INHERITS (h);"
)
COPIES = "ALTER TABLE h DROP CONSTRAINT h_pkey; INSERT INTO h VALUES (1, 1), (1, 1), (2, 2);"
OWN = ("uuid NOT NULL DEFAULT gen_random_uuid()", "integer GENERATED ALWAYS AS IDENTITY", "serial")
LEFT = "duplicate-row:public.h"


TABLES = {
    "a default": (PLAIN, OWN[0]),
    "an identity": (PLAIN, OWN[1]),
    "a sequence": (PLAIN, OWN[2]),
    "above them": (HEIR, OWN[0]),
    "one value for all": (PLAIN, "integer DEFAULT 7"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("made", "type_"), TABLES.values(), ids=TABLES.keys())
def test_copies_stay_identical(laboratory: Laboratory, made: str, type_: str, mode: str) -> None:
    above = "p" if made is HEIR else "h"
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(made.format(type_))
        wanted = database.server.database_dsn(database.server.create_database(database.name))
        database.run(f"ALTER TABLE {above} DROP a; {COPIES}")
        column = f"missing-column:public.{above}.a"
        if type_ in OWN:
            with pytest.raises(NeedsPermission, match=f"leave out {column} as well"):
                fixer.apply(database.dsn, wanted, mode=mode, skip=(LEFT,), allow_hazards="all")
        skip = (LEFT, column) if type_ in OWN else (LEFT,)
        fixer.apply(database.dsn, wanted, mode=mode, skip=skip, allow_hazards="all")

        assert database.ask("SELECT count(DISTINCT h) FROM ONLY h") == 2
