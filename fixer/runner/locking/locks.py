"""Takes the locks of a transaction in one order, with short waits, so that no session waits long behind it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping

from psycopg2 import errors as pg
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.connect.settings import WHILE_HOLDING, setting, waiting
from fixer.model.step import Lock
from fixer.model.table import QName
from fixer.sql import compose as q
from fixer.sql.compose import SQL

log = logging.getLogger("pgmend.apply")


def lock(cursor: Cursor, modes: Mapping[QName, Lock]) -> None:
    """Lock tables; if one is not free soon, release the others and try again, so that no deadlock arises.

    Raises LockNotAvailable once all of this has taken longer than lock_timeout; 0 means no limit.
    """
    cursor.execute("SELECT setting::integer / 1000.0 FROM pg_catalog.pg_settings WHERE name = 'lock_timeout'")
    (patience,) = cursor.fetchone() or (0,)
    begun = time.monotonic()
    cursor.execute("SAVEPOINT pgmend_locks")
    briefly = waiting(min(WHILE_HOLDING, float(patience) or WHILE_HOLDING))
    cursor.execute(setting(briefly))
    while True:
        try:
            for table, mode in sorted(modes.items()):
                cursor.execute(SQL("LOCK TABLE {} IN {} MODE").format(q.name(table), SQL(mode)))
            break
        except pg.LockNotAvailable as error:
            if patience and time.monotonic() - begun >= patience:
                raise
            cursor.execute("ROLLBACK TO SAVEPOINT pgmend_locks")
            log.info("locks are given back and tried for again: %s", told(error))
            time.sleep(0.1 * (0.5 + random.random()))
            cursor.execute(setting(briefly))
    cursor.execute(setting(waiting(float(patience))))
