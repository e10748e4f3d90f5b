"""One transaction of a database that no bus runs on: what a command does with the lock held."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bus.ids import RandomIds
from bus.store.engine import engine_of
from bus.store.transaction import Hooks, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.config import Config

T = TypeVar("T")


def work_alone(config: Config, work: Callable[[Transaction], T], now_ms: int) -> T:
    """Do something in one transaction; whoever calls holds the lock."""
    kind = engine_of(config)
    engine = kind.open_writer()
    try:
        with engine.connect() as conn, conn.begin():
            tx = Transaction(conn, now_ms, RandomIds(), config, Hooks())
            done = work(tx)
            tx.write_out()
            return done
    finally:
        engine.dispose()
        kind.close()
