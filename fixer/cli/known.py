"""What is known of the running command, and the sentences that it says beside its result."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fixer.cli.outputs import Output

if TYPE_CHECKING:
    from fixer.connect.target import Target
    from fixer.model.finding import Finding

NOTHING = "Nothing was changed."


class Known:
    """What is known of the running command; a process runs one."""

    command: str = "fixer"
    outputs: tuple[Output, ...] = ()  # documents for machines that were asked for
    log_file: str | None = None
    target: Target | None = None
    contract: str | None = None
    findings: tuple[Finding, ...] = ()
    stands: str = NOTHING  # what is true of the database
    verdict: int | None = None  # once it is committed

    def __init__(self) -> None:
        self.written = set[Output]()

    def committed(self, words: str, verdict: int = 0) -> None:
        """Note what was committed, in case the report fails."""
        self.stands, self.verdict = words, verdict

    def wrote(self, path: str) -> None:
        """Note that a document was written there."""
        self.written |= {output for output in self.outputs if output.path == path}


known = Known()


def complain(message: str) -> None:
    """Write one sentence about what went wrong."""
    from fixer.connect.redact import redact

    sys.stderr.write(f"fixer: {redact(message, known.target)}\n")
    sys.stderr.flush()


def note(sentences: Iterable[str]) -> None:
    """Write sentences about what is said in vain, which hold up nothing."""
    for each in sentences:
        complain(each)
