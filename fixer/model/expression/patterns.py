"""Regular expressions that are compiled when they are first asked: most commands ask few of all there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any  # what a re.Pattern has

if TYPE_CHECKING:
    pattern = re.compile
else:

    class pattern:  # noqa: N801 - it takes the place of re.compile
        """What `re.compile` returns, but that it is compiled later; only its methods and attributes are there."""

        def __init__(self, words: str, flags: int = 0) -> None:
            self.pattern, self._flags = words, flags

        def __getattr__(self, name: str) -> Any:
            found = getattr(re.compile(self.pattern, self._flags), name)
            setattr(self, name, found)  # so that it is asked once
            return found
