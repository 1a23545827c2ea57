"""Draws."""


def draw() -> None:
    """Draw."""
