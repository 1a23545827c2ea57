"""Modules and large values are made without Python's collector: it would walk them often and find no garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the collector away while values are made that are all to stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # nobody's objects but these: they are old now, without a walk
            gc.freeze()
            gc.unfreeze()
        if enabled:
            gc.enable()


def leave() -> None:
    """Let the process end without a search for garbage: the system takes it all, and the search a fifth of a second."""
    gc.freeze()
