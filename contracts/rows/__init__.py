"""Rows for the tables of any MetaData: good families of rows, and families whose last row is bad in one way.

What a column takes follows from its type and from the checks that can be read; what a row needs, from the
keys. The engine knows no column by name: ``info={"examples": [...]}`` of a column mixes real values in.
"""

from contracts.rows.bad_examples import bad_example
from contracts.rows.columns import values
from contracts.rows.examples import changes, example_for, rows
from contracts.rows.inserting import insert, resolved, spelt
from contracts.rows.insertions import Bad, Insertion, Ref, Row, Swallowed
from contracts.rows.literals import Array, Document
from contracts.rows.relations import underived_checks
from contracts.rows.text import NUL_TEXT
from contracts.rows.ways import bad_ways, edges

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
