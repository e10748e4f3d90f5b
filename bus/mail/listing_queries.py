"""The statements of lists of messages; none reads a body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.mail.queries import recipient, sender
from bus.store.schema import deliveries, messages
from bus.store.statement import Statement, bind

if TYPE_CHECKING:
    from bus.store.statement import Row

BEHIND_ALL = "n"
"""A place behind every id of a message."""
LINES = sa.select(
    *(messages.c[name] for name in ("thread", "type", "subject", "sender_id", "created_ms")),
    *(messages.c[name] for name in ("in_reply_to", "reply_key")),
    *(deliveries.c[name] for name in ("message_id", "recipient_id", "seq", "state", "reason")),
    sender.c.name.label("from_name"),
    recipient.c.name.label("to_name"),
).select_from(
    deliveries.join(messages, messages.c.id == deliveries.c.message_id)
    .join(recipient, recipient.c.id == deliveries.c.recipient_id)
    .outerjoin(sender, sender.c.id == messages.c.sender_id)
)
"""A delivery as a line of a list."""
BELOW = Statement(
    LINES.where(deliveries.c.message_id < bind("below"))
    .order_by(deliveries.c.message_id.desc())
    .limit(bind("most"))
)
OF_THREAD = Statement(
    LINES.where(messages.c.thread == bind("thread"))
    .order_by(messages.c.created_ms.desc(), messages.c.id.desc())
    .limit(bind("most"))
)


def below(conn: sa.Connection, below: str, limit: int) -> list[Row]:
    """Read the deliveries of the messages below an id, the newest first: by the key's index."""
    return BELOW.rows(conn, below=below or BEHIND_ALL, most=limit)


def of_thread(conn: sa.Connection, thread: str, limit: int) -> list[Row]:
    """Read the deliveries of a thread's messages, the newest first."""
    return OF_THREAD.rows(conn, thread=thread, most=limit)
