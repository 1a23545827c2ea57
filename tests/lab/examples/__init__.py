"""Contracts and databases that several tests need: sound ones, odd ones, broken ones."""
