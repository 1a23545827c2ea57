"""The checks of a table, read as conditions on its columns."""
