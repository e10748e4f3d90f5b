"""The first administration token, and a new one for a lost one: with the service stopped."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from bus.access import queries
from bus.access.service import replace_admin_token
from bus.clock import SystemClock
from bus.store import lock
from bus.store.alone import work_alone

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.config import Config
    from bus.store.transaction import Transaction


def make_admin_token(
    config: Config, keep: Callable[[str], object], *, only_first: bool
) -> int | None:
    """Make the one good administration token, and `keep` it; gives how many ended for it.

    It is kept before it is good: a disk that is full must not cost the old one. With `only_first`
    nothing happens where there is a good one; then None.

    Raises:
        LockedError: the bus is running.
    """

    def work(tx: Transaction) -> int | None:
        ended = len(queries.admin_tokens(tx.conn))
        if only_first and ended:
            return None
        keep(replace_admin_token(tx))
        return ended

    # On PostgreSQL a bus of another machine may run already; then there is a first one.
    is_beside = config.is_postgresql and only_first
    with nullcontext() if is_beside else lock.alone(config):
        return work_alone(config, work, SystemClock().now_ms())
