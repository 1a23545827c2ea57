"""Says what is waited for, once that has taken two seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AFTER = 2.0  # seconds

log = logging.getLogger("pgmend")


class _Reader:
    """Who is shown what is waited for: a person at the command line, else nobody."""

    shown: Callable[[str], None] | None = None


def show(shown: Callable[[str], None] | None) -> None:
    """Let this be called with each sentence from now on."""
    _Reader.shown = shown


@contextmanager
def waits_for(what: str) -> Iterator[None]:
    """Say what is waited for, if this takes long; what goes on beside is waited for by nobody."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    timer = threading.Timer(AFTER, _say, (f"Waiting for {what} …",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say(sentence: str) -> None:
    log.info(sentence)
    if _Reader.shown:
        _Reader.shown(sentence)
