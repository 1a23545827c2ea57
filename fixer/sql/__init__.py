"""SQL as values: names, rows, types, definitions."""
