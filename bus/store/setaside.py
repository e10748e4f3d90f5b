"""Rows that could not be processed: set aside, tried again after a pause, and in nobody's way.

In memory, since a row stays due in the database: a restart tries all of them again at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bus.clock import Clock
    from bus.store.transaction import Transaction

FIRST_S, LONGEST_S = 10.0, 3600.0
MOST = 500
"""So many are odd rows; more are a fault of the whole, which the keeper then reports as such."""


@dataclass
class Aside:
    """One row that failed: how often, and when it is tried again."""

    failures: int
    again_s: float
    reason: str


class SetAside:
    """The rows that are set aside, by table and key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[tuple[str, Any], Aside] = {}

    def __len__(self) -> int:
        """Count them."""
        return len(self._rows)

    def now(self, table: str) -> list[Any]:
        """List the keys that are not to be tried now."""
        now_s = self._clock.monotonic_s()
        rows = list(self._rows.items())
        return [key for (of, key), one in rows if of == table and one.again_s > now_s]

    def each(
        self,
        tx: Transaction,
        table: str,
        rows: Iterable[Any],
        do: Callable[[Transaction, Any], None],
    ) -> None:
        """Process rows, each in a savepoint of its own: one that fails is undone and set aside.

        Raises:
            OperationalError: the database itself failed, a full disk for example.
        """
        for row in rows:
            try:
                with tx.apart():
                    do(tx, row)
            except OperationalError:
                raise
            except Exception as error:
                if len(self._rows) >= MOST:
                    raise
                self._add(tx, (table, row.id), error)
            else:
                self._rows.pop((table, row.id), None)

    def _add(self, tx: Transaction, key: tuple[str, Any], error: Exception) -> None:
        before = self._rows.get(key)
        failures = before.failures + 1 if before else 1
        pause_s = min(LONGEST_S, FIRST_S * 2 ** min(failures - 1, 20))
        reason = f"{type(error).__name__}: {error}"[:300]
        self._rows[key] = Aside(failures, self._clock.monotonic_s() + pause_s, reason)
        facts = {"failures": failures, "again_s": pause_s, "reason": reason}
        tx.record("row_set_aside", table=key[0], row=key[1], **facts)
