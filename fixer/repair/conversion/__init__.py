"""Steps that convert a column to another type."""
