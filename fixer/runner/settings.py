"""How much of the server a repair may use: as much as its memory allows, for this transaction alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.step import Phase
from fixer.planner.build import PlannedStep

# Beside others: one processor and no more, and no second session.
MODESTLY = {"max_parallel_workers_per_gather": "0", "max_parallel_maintenance_workers": "0"}
# Who waits for a lock does not wait for the disk as well. What a crash of the server takes back is whole steps, the
# last ones; they are planned again, and the end of the run is on disk after all of them (PostgreSQL manual, 28.4).
SWIFTLY = {"synchronous_commit": "off"}
# At least what the server has; at most what its shared buffers are worth, since nobody knows more of its memory.
_GENEROUS = """
WITH server AS (SELECT pg_size_bytes(current_setting('shared_buffers')) AS buffers)
SELECT set_config('maintenance_work_mem', greatest(pg_size_bytes(current_setting('maintenance_work_mem')),
                  least(1024 * 1024 * 1024, buffers)) / 1024 || 'kB', {local}),
       set_config('work_mem', greatest(pg_size_bytes(current_setting('work_mem')),
                  least(256 * 1024 * 1024, buffers / 2)) / 1024 || 'kB', {local}),
       set_config('max_parallel_maintenance_workers',
                  greatest(current_setting('max_parallel_maintenance_workers')::integer,
                           current_setting('max_parallel_workers')::integer / 2)::text, {local})
  FROM server
"""


def generously(cursor: Cursor, *, local: bool = True) -> None:
    """Let builds and sorts of this transaction (or session) use memory and workers."""
    cursor.execute(_GENEROUS.format(local="true" if local else "false"))


@contextmanager
def planned_for(cursor: Cursor, step: PlannedStep) -> Iterator[None]:
    """Let orphans be found and references be proved along the indexes: to hash both tables takes four times as long."""
    if step.phase not in (Phase.ORPHANS, Phase.FOREIGN_KEYS):
        yield
        return
    cursor.execute("SET LOCAL enable_hashjoin = off")
    yield
    cursor.execute("SET LOCAL enable_hashjoin TO DEFAULT")
