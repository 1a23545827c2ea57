"""Copies of a target: kept in files (`fixer capture`), or made in a throw-away server (`fixer prove`).

Both take the same parts: the schema as pg_dump writes it, rows by COPY, and what a dump cannot carry, planted again.
The target is only read.
"""
