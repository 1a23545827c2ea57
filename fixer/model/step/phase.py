"""What a step says of itself: its place in the order of work, its hazard, and its lock."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Phase(IntEnum):
    """The order of work: when a phase begins, all earlier phases are done in every table."""

    SCHEMAS = 0  # create schemas
    SEQUENCES = 1  # create sequences that defaults call
    TYPES = 2  # create types that columns need, and whose defaults may call sequences
    FUNCTIONS = 3  # create functions that need no table, because defaults and checks may call them
    TABLES = 4  # create and rename tables; all later phases use the new names
    UNLINK = 5  # drop foreign keys that are in the way
    RELEASE = 10  # drop everything else that is in the way
    NAMES = 30  # give columns the names that the contract knows
    ASIDE = 32  # keep old keys and texts under other names
    MISFITS = 35  # move rows whose values do not fit the new type
    SPELLINGS = 37  # keep how values are spelt, in the rows that stay
    CONVERT = 40  # add columns, change types
    SHADOWS = 41  # online: add shadow columns, and triggers that fill them in new rows
    FILLS = 42  # online: fill them in existing rows
    FILL_PROOFS = 43  # online: prove that every row is filled
    FITTINGS = 44  # online: build on them the indexes of the old columns
    COPY = 45  # fill new columns from old ones
    EXCHANGES = 46  # online: each takes the place of its old column
    EXCHANGE_PROOFS = 47  # online: prove for old rows the constraints that moved to the new columns
    LEGACY = 48  # copy what only a legacy column holds, before rows are judged by what they hold
    GENERATORS = 50  # create sequences, attach them, and move them past the highest id
    ANCHOR = 52  # find room for new numbers
    BLEEDING = 53  # online: as DEFAULTS, so that new rows are right before old ones are repaired
    APART = 54  # online: keep new numbers from being taken twice
    COPIES = 55  # move identical rows that repeat a key
    KEYS = 60  # number rows, resolve duplicates
    REFERENCES = 65  # map references, now that every row has its final number
    VALUES = 70  # fill NULLs, and move or change rows that break checks or unique constraints
    INDEXES = 80  # primary keys, uniques, indexes
    KEY_GUARDS = 81  # online: keep new NULLs out of keys
    KEY_PROOFS = 82  # online: prove that keys hold no NULL
    KEY_COLUMNS = 83  # online: set NOT NULL on the proved columns
    KEYS_PROMOTED = 84  # online: turn an index into the key
    DEFAULTS = 85  # set defaults, and drop unwanted NOT NULLs
    OLD_KEYS = 86  # online: let columns of a key that another has replaced be NULL, which default rows may need
    DEFAULT_ROWS = 90
    GUARDS = 92  # online: add foreign keys that bind new rows only
    ORPHANS = 95  # quarantine, adopt or empty rows whose parent is gone
    RULES = 100  # NOT NULL, checks
    PROOFS = 105  # online: prove them for old rows too
    PROMOTED = 110  # online: set NOT NULL on the proved columns
    HEIRS = 115  # let tables INHERIT, which by now have all that this needs
    FOREIGN_KEYS = 120
    REPLACED = 125  # online: drop what has been replaced
    FINISH = 130
    VIEWS = 140  # create views, and functions that need tables, when the tables are as they will be
    VIEW_TRIGGERS = 145
    TRIGGERS = 150  # when all rows are where they belong
    POLICIES = 160
    GRANTS = 170


class Hazard(StrEnum):
    """A risk of a step, which the user must allow by name."""

    MOVES_ROWS = "moves-rows"
    REWRITES_VALUES = "rewrites-values"
    REWRITES_TABLE = "rewrites-table"
    REPLACES_CONSTRAINT = "replaces-constraint"
    REPLACES_CODE = "replaces-code"
    STOPS_SUBSCRIBERS = "stops-subscribers"  # on other servers, so "all" does not include it
    CREATES_SCHEMA = "creates-schema"


class Lock(StrEnum):
    """The strongest table lock a step takes (PostgreSQL manual, 13.3.1)."""

    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    NONE = "none"


APART = frozenset(
    {Phase.FUNCTIONS, Phase.VIEWS, Phase.VIEW_TRIGGERS, Phase.GRANTS}
)  # whose steps neither lock a table nor write rows
# Whose steps keep expressions without evaluating one.
KEEPING = APART | {Phase.SEQUENCES, Phase.TYPES, Phase.TABLES, Phase.EXCHANGES, Phase.GENERATORS, Phase.BLEEDING}
KEEPING |= {Phase.DEFAULTS, Phase.OLD_KEYS, Phase.TRIGGERS, Phase.POLICIES}
