"""pgmend: proves five things about a PostgreSQL database, repairs what is broken, and loses no row.

``check`` compares a database with its contract and changes nothing; ``plan`` orders the repairs; ``apply``
runs them and rolls everything back unless the contract holds at the end; ``history`` lists past runs, ``undo``
takes one back, ``prune`` forgets what undo needs; ``capture`` writes a
snapshot, ``prove`` rehearses a repair on a copy; ``ensure`` is for the start of an application, and all its
workers may call it at once.
"""

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all of this
if TYPE_CHECKING:
    from fixer.api import apply, capture, check, ensure, history, plan, prove, prune, undo
    from fixer.model.plan import Plan
    from fixer.model.report import Report
    from fixer.model.run import PastRun, Run, Undone
    from fixer.model.step.progress import Progress
    from fixer.runner.online.pace import Pace

__all__ = [
    "Pace",
    "PastRun",
    "Plan",
    "Progress",
    "Report",
    "Run",
    "Undone",
    "apply",
    "capture",
    "check",
    "ensure",
    "history",
    "plan",
    "prove",
    "prune",
    "undo",
]

_HOMES = {
    "Pace": "fixer.runner.online.pace",
    "Plan": "fixer.model.plan",
    "Progress": "fixer.model.step.progress",
    "Report": "fixer.model.report",
    "PastRun": "fixer.model.run",
    "Run": "fixer.model.run",
    "Undone": "fixer.model.run",
}


def __getattr__(name: str) -> object:
    """Import what is asked for: the command line, and who wants one name, need not wait for all."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = vars(import_module(_HOMES.get(name, "fixer.api")))[name]
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
