"""What a defect class says of itself besides what it finds: its stage of the comparison, and its specimens."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlalchemy import MetaData


class Stage(IntEnum):
    """The order of comparison: each stage sees the schema as the repairs of earlier stages will leave it."""

    SCHEMAS = -2  # schemas that are missing
    TYPES = -1  # types that are missing, and that functions, tables and columns to come need
    SEQUENCES = 0  # sequences and functions that are missing, and that tables and columns to come need
    TABLES = 1  # tables that are missing or have another name
    NAMES = 2  # columns that have another name
    KEYS = 3  # key columns that are missing or hold text
    REFERENCES = 4  # columns that hold another key of their parent
    COLUMNS = 5  # columns that are missing or of another type
    COPIES = 6  # columns that exist twice; by now both have the types between which values are copied
    PARTS = 7  # everything else
    CODE = 8  # what acts on tables and views, or opens them, all of which are there by now


class Specimen(NamedTuple):
    """The smallest broken database: a sound one of `contract` with rows, then the statements of `breaks`.

    `rows` counts the rows behind its finding, `quarantined` those that its repair moves; `hazards` are what the repair
    needs, `also` the slugs that unavoidably come with it. `superuser`: only a superuser can break a database so.
    `deep`: only a deep check sees it; `final`: nothing brings such a database about again, so undo is refused.
    """

    name: str
    breaks: str
    hazards: frozenset[str] = frozenset()
    rows: int = 0
    quarantined: int = 0
    also: frozenset[str] = frozenset()
    # What models or SQL declare; the library of fixer.defects._databases when None.
    contract: Callable[[], MetaData] | Callable[[], str] | None = None
    setup: str | None = None  # statements that insert rows, for a contract of its own
    superuser: bool = False
    minimum_version: int = 13
    manual: bool = False  # whether it needs a human decision
    deep: bool = False
    final: bool = False
