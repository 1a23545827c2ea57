"""Findings → ordered steps, and what they cost."""
