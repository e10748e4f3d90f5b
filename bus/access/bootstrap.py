"""The first administration token, and a new one for a lost one: with the service stopped."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bus.access.service import replace_admin_token
from bus.clock import SystemClock
from bus.ids import RandomIds
from bus.store.engine import open_writer
from bus.store.lock import take_lock
from bus.store.transaction import Hooks, Transaction

if TYPE_CHECKING:
    from bus.config import Config


def make_admin_token(config: Config) -> str:
    """Make the one good administration token.

    Raises:
        LockedError: the bus is running.
    """
    lock = take_lock(config.db_path)
    engine = open_writer(config)
    try:
        with engine.connect() as conn, conn.begin():
            tx = Transaction(conn, SystemClock().now_ms(), RandomIds(), config, Hooks())
            return replace_admin_token(tx)
    finally:
        engine.dispose()
        os.close(lock)
