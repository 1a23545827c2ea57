"""pgmend: proves five things about a PostgreSQL database, repairs what is broken, and loses no row.

``check`` compares a database with its contract and changes nothing; ``plan`` orders the repairs; ``apply``
carries them out and rolls everything back unless the contract holds at the end; ``undo`` takes a run back;
``ensure`` is for the start of an application, safe from all its workers at once.
"""

from fixer.connect.startup import importing

with importing():
    from fixer.api import apply, check, ensure, plan, undo
    from fixer.compare.examine import Report
    from fixer.model.progress import Progress
    from fixer.model.run import Run, Undone
    from fixer.planner.build import Plan
    from fixer.runner.online.pace import Pace

__all__ = ["Pace", "Plan", "Progress", "Report", "Run", "Undone", "apply", "check", "ensure", "plan", "undo"]
