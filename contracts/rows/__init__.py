"""Rows for the tables of any MetaData: good families of rows, and families whose last row is bad in one way.

What a column takes follows from its type and from the checks that can be read; what a row needs, from the
keys. The engine knows no column by name: ``info={"examples": [...]}`` of a column mixes real values in.
"""

from contracts.rows.bad.examples import bad_example
from contracts.rows.bad.ways import bad_ways, edges
from contracts.rows.inserting import insert, resolved, spelt
from contracts.rows.insertions import Bad, Insertion, Ref, Row, Swallowed
from contracts.rows.kinds.literals import Array, Document
from contracts.rows.kinds.text import NUL_TEXT
from contracts.rows.laws.relations import underived_checks
from contracts.rows.making.columns import values
from contracts.rows.making.examples import changes, example_for, rows

__all__ = [
    "NUL_TEXT",
    "Array",
    "Bad",
    "Document",
    "Insertion",
    "Ref",
    "Row",
    "Swallowed",
    "bad_example",
    "bad_ways",
    "changes",
    "edges",
    "example_for",
    "insert",
    "resolved",
    "rows",
    "spelt",
    "underived_checks",
    "values",
]
