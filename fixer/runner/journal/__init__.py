"""Keeps what was done in the database itself: in schema fixer_journal, and rows in fixer_quarantine."""
