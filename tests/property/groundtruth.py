"""What the database says, asked with plain SQL and none of the bus's own queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from bus.store.store import Store

DELIVERIES = """
SELECT d.*, m.thread, m.type, m.body, m.in_reply_to, m.deliver_ms, m.expires_ms, m.created_ms,
       s.name AS from_name, r.name AS to_name,
       (SELECT l.state FROM ladder l WHERE l.delivery_id = d.id ORDER BY l.id DESC LIMIT 1)
         AS last_rung
FROM deliveries d JOIN messages m ON m.id = d.message_id
JOIN participants r ON r.id = d.recipient_id LEFT JOIN participants s ON s.id = m.sender_id
ORDER BY d.id
"""
WAKES = """
SELECT w.*, p.name AS to_name FROM wakes w JOIN participants p ON p.id = w.participant_id
ORDER BY w.generation
"""
WAITING = ("queued", "notified", "woken")


@dataclass(frozen=True)
class Truth:
    """All that counts, at one moment."""

    deliveries: dict[tuple[str, str], Any]
    log: list[Any]
    wakes: dict[str, Any]
    holds: set[str]
    trimmed: int

    @property
    def head(self) -> int:
        return self.log[-1].seq if self.log else self.trimmed

    def waiting(self, name: str) -> list[Any]:
        """List what a wake of an agent would be for."""
        return [
            row
            for row in self.deliveries.values()
            if row.to_name == name and row.state in WAITING and row.wakes
        ]

    def open_wake(self, name: str) -> Any:
        found = [one for one in self.wakes.values() if one.to_name == name and not one.closed_ms]
        assert len(found) <= 1, found
        return found[0] if found else None

    def turn(self, name: str) -> str | None:
        """Name the wake whose turn an agent is in, as far as a watcher said so."""
        wake = self.open_wake(name)
        return wake.id if wake and wake.state in {"received", "admitted"} else None


def look(store: Store) -> Truth:
    """Read everything in one snapshot."""
    with store.read() as conn:
        every = {text: conn.execute(sa.text(text)).all() for text in (DELIVERIES, WAKES)}
        log = conn.execute(sa.text("SELECT * FROM log ORDER BY seq")).all()
        holds = (
            conn.execute(sa.text("SELECT thread FROM holds WHERE released_ms IS NULL"))
            .scalars()
            .all()
        )
        trimmed = conn.execute(
            sa.text("SELECT value FROM meta WHERE key = 'log_trimmed_to'")
        ).scalar()
    return Truth(
        {(row.message_id, row.to_name): row for row in every[DELIVERIES]},
        list(log),
        {row.id: row for row in every[WAKES]},
        set(holds),
        int(trimmed or 0),
    )
