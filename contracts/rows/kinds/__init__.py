"""Kinds of values: what a column of a type holds, and how such values are made."""
