"""Which findings a person wants repaired now, and which are left for later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from shlex import quote

from fixer.model.finding import Finding


@dataclass(frozen=True)
class Choice:
    """Names of findings, each as SLUG or SLUG:OBJECT: those to repair (`only`, all if empty), and those to `skip`."""

    skip: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def leaves_out(self, finding: Finding) -> bool:
        """Return whether the finding is to be left as it is."""
        chosen = not self.only or any(names(each, finding) for each in self.only)
        return not chosen or any(names(each, finding) for each in self.skip)

    def unmatched(self, findings: Iterable[Finding]) -> list[str]:
        """Return the options that name none of these findings."""
        found = list(findings)
        named = [("--skip", each) for each in self.skip] + [("--only", each) for each in self.only]
        return [f"{option} {each}" for option, each in named if not any(names(each, finding) for finding in found)]


EVERYTHING = Choice()
FEW = 3  # findings that a sentence names one by one


def names(name: str, finding: Finding) -> bool:
    """Return whether SLUG or SLUG:OBJECT names a finding; an object of the schema public may go without it."""
    slug, _, object_ = name.partition(":")
    return slug == finding.slug and object_ in ("", finding.object, finding.object.removeprefix("public."))


def skipping(findings: Sequence[Finding]) -> str:
    """Return the options that leave these findings out, as a shell takes them; by their classes if they are many."""
    each = [f"--skip {quote(f'{finding.slug}:{finding.object}')}" for finding in findings]
    whole = [f"--skip {slug}" for slug in sorted({finding.slug for finding in findings})]
    return " ".join(dict.fromkeys(each if len(each) <= FEW else whole))


@dataclass(frozen=True)
class Left:
    """A finding that a plan leaves out, and why."""

    slug: str
    object: str
    why: str
