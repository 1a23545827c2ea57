"""Begins the process in which migrations run.

It is run as a plain file, and takes nothing of ours but what stands beside it: importing all of the fixer takes longer
than most migrations, and no module of ours may hide one of the application's. Orders come by one pipe, in lines of
JSON; what it says and asks goes back by another; its output is what migrations print.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
PACKAGES = ("fixer", "fixer.contract", "fixer.contract.migrations", "fixer.contract.migrations.inside")


def main(incoming: int, outgoing: int) -> None:
    """Take one order, run the migrations, and say how it went."""
    for name, home in zip(PACKAGES, (*reversed(HERE.parents[:3]), HERE), strict=True):
        package = ModuleType(name)  # so that its modules are found, and its own code does not run
        package.__path__ = [str(home)]
        sys.modules[name] = package
    from fixer.contract.migrations.inside.doors import Doors
    from fixer.contract.migrations.inside.line import Line
    from fixer.contract.migrations.inside.statements import Statements
    from fixer.contract.migrations.inside.upgrade import Upgrade, outcome

    for name in PACKAGES:
        del sys.modules[name]
    line = Line(incoming, outgoing)
    order = line.hear()
    die_with(order["parent"])
    doors = Doors(order["place"], line)
    doors.close()
    Statements(line, order["naming"], order["heeding"]).listen()
    sys.path.append(str(Path.cwd()))
    line.say(**outcome(Upgrade(order), doors))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads and pools of the application are not waited for


def die_with(parent: int) -> None:
    """End this process when the one that started it does, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
