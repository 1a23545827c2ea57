"""The ways in which a row is bad, and rows that are bad in one of them."""
