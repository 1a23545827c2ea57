"""The pipes between the process in which migrations run and the one that started it."""

from __future__ import annotations

import json
import os
from typing import Any  # what JSON may hold


class Line:
    """The way to the process that gave the order."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming, self._outgoing = (
            os.fdopen(incoming, encoding="utf-8"),
            os.fdopen(outgoing, "w", encoding="utf-8"),
        )

    def hear(self) -> Any:
        """Return what comes next."""
        return json.loads(self._incoming.readline())

    def say(self, **values: object) -> None:
        """Send one line."""
        print(json.dumps(values), file=self._outgoing, flush=True)

    def ask(self, **values: object) -> Any:
        """Send one line, and return the answer."""
        self.say(**values)
        return self.hear()
