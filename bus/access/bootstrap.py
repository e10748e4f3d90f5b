"""The first administration token, and a new one for a lost one: with the service stopped."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from bus.access import queries
from bus.access.service import replace_admin_token
from bus.clock import SystemClock
from bus.ids import RandomIds
from bus.store.engine import open_writer
from bus.store.lock import take_lock
from bus.store.transaction import Hooks, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.config import Config

T = TypeVar("T")
NONE_MADE = -1


def make_admin_token(config: Config, keep: Callable[[str], object], *, only_first: bool) -> int:
    """Make the one good administration token, and `keep` it; gives how many ended for it.

    It is kept before it is good: a disk that is full must not cost the old one. With `only_first`
    nothing happens where there is a good one; then -1.

    Raises:
        LockedError: the bus is running.
    """

    def work(tx: Transaction) -> int:
        ended = len(queries.admin_tokens(tx.conn))
        if only_first and ended:
            return NONE_MADE
        keep(replace_admin_token(tx))
        return ended

    lock = take_lock(config.db_path)
    try:
        return work_alone(config, work, SystemClock().now_ms())
    finally:
        os.close(lock)


def work_alone(config: Config, work: Callable[[Transaction], T], now_ms: int) -> T:
    """Do something in one transaction of a database that nobody else uses: its lock is held."""
    engine = open_writer(config)
    try:
        with engine.connect() as conn, conn.begin():
            return work(Transaction(conn, now_ms, RandomIds(), config, Hooks()))
    finally:
        engine.dispose()
