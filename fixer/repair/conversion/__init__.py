"""Steps that bring a column to another type."""
