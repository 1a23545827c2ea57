"""Writes rows into a target, reads them back, and explains what the target refuses."""
