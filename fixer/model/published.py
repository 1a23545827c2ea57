"""How sentences about published tables begin."""

from __future__ import annotations

from fixer.model.plan import Published


def named(published: Published) -> str:
    """Begin a sentence with the publications."""
    names, one = ", ".join(published.publications), len(published.publications) == 1
    return f"The publication {names} publishes" if one else f"The publications {names} publish"
