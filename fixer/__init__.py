"""pgmend: proves five things about a PostgreSQL database, repairs what is broken, and loses no row.

``check`` compares a database with its contract and changes nothing; ``plan`` orders the repairs; ``apply``
runs them and rolls everything back unless the contract holds at the end; ``history`` lists past runs, ``undo``
takes one back, ``prune`` forgets what undo needs; ``ensure`` is for the start of an application, and all its
workers may call it at once.
"""

from fixer.connect.startup import importing

with importing():
    from fixer.api import apply, check, ensure, history, plan, prune, undo
    from fixer.model.plan import Plan
    from fixer.model.progress import Progress
    from fixer.model.report import Report
    from fixer.model.run import PastRun, Run, Undone
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
    "check",
    "ensure",
    "history",
    "plan",
    "prune",
    "undo",
]
