"""Generates rows for the tables of any MetaData: good rows with their parents, and rows that are bad in one way.

The values of a column follow from its type and its checks, the parents of a row from its foreign keys. No column is
known by name: ``info={"examples": [...]}`` of a column adds real values.
"""

from contracts.rows.bad.examples import bad_example
from contracts.rows.bad.ways import bad_ways, edges
from contracts.rows.inserting import Way, insert, resolved, returning, spelt
from contracts.rows.insertions import Bad, Insertion, Ref, Row, Swallowed
from contracts.rows.kinds.literals import Array, Document
from contracts.rows.kinds.text import NUL_TEXT
from contracts.rows.laws.generated import fixed
from contracts.rows.laws.law import counted
from contracts.rows.laws.relations import underived_checks
from contracts.rows.making.columns import fresh_number, values
from contracts.rows.making.draws import Draws, made_by, quickly
from contracts.rows.making.examples import changes, example_for, rows
from contracts.rows.making.twins import twins

__all__ = [
    "NUL_TEXT",
    "Array",
    "Bad",
    "Document",
    "Draws",
    "Insertion",
    "Ref",
    "Row",
    "Swallowed",
    "Way",
    "bad_example",
    "bad_ways",
    "changes",
    "counted",
    "edges",
    "example_for",
    "fixed",
    "fresh_number",
    "insert",
    "made_by",
    "quickly",
    "resolved",
    "returning",
    "rows",
    "spelt",
    "twins",
    "underived_checks",
    "values",
]
