"""Many defects in one database: broken, repaired, tried by the laws, undone."""

from __future__ import annotations

from fixer.errors import NeedsPermission, PgmendError
from lab.evidence.copies import copy_images, copy_quarantine, copy_rows
from lab.laboratory import Case
from lab.laws import Again, cure, idempotence, return_, survival

REPAIRED, REFUSED, NOTHING = "repaired", "refused", "nothing to do"


def mixed(case: Case, breaks: list[str], *, superuser: bool = False, mode: str = "atomic") -> list[str]:
    """Break a database in many ways, repair it, and return the breaches of the laws.

    `superuser` where only one could bring such a database about.
    """
    return ordeal(case, breaks, superuser=superuser, mode=mode)[1]


def ordeal(
    case: Case, breaks: list[str], *, superuser: bool = False, mode: str = "atomic", undone: bool = True
) -> tuple[str, list[str]]:
    """Break a database in many ways, repair it, and return how that ended and the breaches of the laws."""
    case.break_(*breaks, "SELECT")
    before, untouched = copy_rows(case.observer), case.state(dumped=True)
    plan = case.plan(mode=mode)
    try:
        run = case.apply(plan=plan if mode == "atomic" else None, mode=mode, allow_hazards="all")
    except PgmendError as error:
        changed = untouched.changed(case.observer)
        found = [f"7 refusal: a repair that did not come about changed {changed}"] if changed else []
        expected = isinstance(error, NeedsPermission) and plan.refusals
        return REFUSED, found if expected else [*found, f"3 cure: {type(error).__name__}: {error}"]
    after, moved = copy_rows(case.observer), copy_quarantine(case.observer)
    images = copy_images(case.observer)
    found = [f"4 survival: {b}" for b in survival(before, after, moved, run.plan, run, whole=False, images=images)]
    again, known = Again.of(case), {str(name) for name in case.sound.contract.tables}
    theirs = any(rows.name in known for rows in before.values())  # of which new tables take the owner
    found += [f"3 cure: {b}" for b in cure(case, again, owners=theirs)]
    found += [f"5 idempotence: {b}" for b in idempotence(again)]
    if not run.steps:
        return NOTHING, found
    refusable = superuser  # not every such database can be brought about even by one
    if undone:
        found += [f"6 return: {b}" for b in return_(case, run, untouched.lines, refusable=refusable)]
    return REPAIRED, found
