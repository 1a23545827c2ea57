"""Constraints and indexes: comparisons, and the steps that add and settle them."""
