"""The beginning of sentences about published tables."""

from __future__ import annotations

from fixer.model.plan import Published


def named(published: Published) -> str:
    """Return the beginning of a sentence, such as: The publication p publishes"""
    names, one = ", ".join(published.publications), len(published.publications) == 1
    return f"The publication {names} publishes" if one else f"The publications {names} publish"
