"""Which findings may be why PostgreSQL refuses a row, by the SQLSTATE that it says.

Only what refuses more than the contract does, or gives a row other values, can cause a refusal. A table that lacks a
constraint refuses less, and a function that names what is gone fails with an error of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Findings that cause errors of some classes only: of names that are missing, of rights.
ONLY = {
    **dict.fromkeys(("broken-function", "missing-function", "missing-object", "missing-schema"), ("42", "3F")),
    **dict.fromkeys(("lost-grants", "missing-grant"), ("42",)),
}
# What gives a row other values than the contract, or leaves out what another row needs.
_CODE = frozenset(f"{state}-{kind}" for state in ("missing", "different", "disabled") for kind in ("trigger", "rule"))
_CODE |= {"different-function", "rogue-rule", "swallowing-trigger", "different-view", "missing-view"}
_VALUES = frozenset(
    f"{state}-{kind}"
    for state in ("missing", "different", "renamed", "legacy", "text", "wrong", "narrow", "divided")
    for kind in ("default", "column", "key", "key-column", "type", "labels", "generation", "generator", "table")
)
_VALUES |= {"guarded-domain", "text-reference", "default-row-clash", "shadowed-table", "rogue-not-null", "null-key"}
_PLACES = {"bare-partition", "different-partitioning"}
_NUMBERS = {
    *("sequence-behind", "code-behind", "shared-sequence", "cycling-sequence", "different-sequence"),
    *("missing-sequence", "narrow-sequence"),
}
CAUSES: Mapping[str, frozenset[str]] = {
    "23502": frozenset({"wrong-primary-key"} | _PLACES),
    "23503": frozenset(
        {
            *("rogue-foreign-key", "duplicate-foreign-key", "wrong-foreign-key-target", "wrong-foreign-key-actions"),
            *("missing-default-row", "orphan-rows", "failing-unique"),
        }
        | _PLACES
    ),
    "23505": frozenset(
        {
            *("rogue-unique", "wrong-primary-key", "different-comparison", "failing-unique", "invalid-index"),
            *("duplicate-key", "duplicate-row", "duplicate-values", "missing-default-row"),
        }
        | _NUMBERS
    ),
    "23514": frozenset({"rogue-check", "different-check", "broken-check", "unvalidated-check"} | _PLACES),
    "23P01": frozenset({"rogue-unique", "different-exclusion", "conflicting-rows"}),
}


def can_cause(slugs: Iterable[str], sqlstate: str | None) -> bool:
    """Return whether one of these findings may be why a row is refused; any may for an error that says no SQLSTATE."""
    return any(_can(slug, sqlstate or "") for slug in slugs)


def _can(slug: str, sqlstate: str) -> bool:
    if slug in ONLY:
        return not sqlstate or sqlstate.startswith(ONLY[slug])
    causes = CAUSES.get(sqlstate)
    return causes is None or slug in causes | _CODE | _VALUES
