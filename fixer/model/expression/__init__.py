"""Names and expressions in PostgreSQL's spelling: how to quote them, which columns they name, which are equal."""

from fixer.model.expression.alike import CAST, canonical, parts_of, plain, without_casts
from fixer.model.expression.names import (
    TEXT,
    as_needed,
    bare_type,
    in_full,
    literal,
    mentioned,
    names_column,
    names_in,
    of_row,
    parts_of_name,
    quoted,
    respelt,
    sequences_in,
    unquoted,
    with_relations,
)
from fixer.model.expression.tails import Tail, column_of, compared, split, tail_of

__all__ = [
    "CAST",
    "TEXT",
    "Tail",
    "as_needed",
    "bare_type",
    "canonical",
    "column_of",
    "compared",
    "in_full",
    "literal",
    "mentioned",
    "names_column",
    "names_in",
    "of_row",
    "parts_of",
    "parts_of_name",
    "plain",
    "quoted",
    "respelt",
    "sequences_in",
    "split",
    "tail_of",
    "unquoted",
    "with_relations",
    "without_casts",
]
