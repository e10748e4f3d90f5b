"""What is in an inbox and who has it: its statements, one named function each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.mail.model import ENTRY_KEY, WAITING
from bus.mail.queries import FULL, MINE, open_in, sender
from bus.store.schema import BEGUN_BY_BUS, deliveries, messages, participants
from bus.store.statement import Statement, Update, beginning, bind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.store.statement import Row


IN_INBOX = sa.and_(
    deliveries.c.recipient_id == MINE,
    deliveries.c.ended_ms.is_(None),
    deliveries.c.seq.is_not(None),
)
"""What an inbox holds: a delivery has its place in the log from when it can be read."""
READ_NEXT = FULL.where(IN_INBOX).order_by(deliveries.c.priority, deliveries.c.seq, deliveries.c.id)
"""What quiet hours held comes in one place of the log, with the brief that tells of it."""
READ_INBOX = Statement(READ_NEXT.limit(bind("most")))
READ_ONE = Statement(
    FULL.where(IN_INBOX, deliveries.c.message_id == bind("only")).limit(bind("most"))
)
COUNT_INBOX = Statement(sa.select(sa.func.count()).where(IN_INBOX))
OF_SESSION = messages.c.reply_key.startswith(bind("key"))
READ_SESSION = Statement(READ_NEXT.where(OF_SESSION).limit(bind("most")))
COUNT_SESSION = Statement(
    sa.select(sa.func.count())
    .select_from(deliveries.join(messages, messages.c.id == deliveries.c.message_id))
    .where(IN_INBOX, OF_SESSION)
)
IS_ANY = sa.select(deliveries.c.id).where(IN_INBOX)
IS_READABLE = Statement(IS_ANY.limit(1))
IS_ONE_READABLE = Statement(IS_ANY.where(deliveries.c.message_id == bind("only")))
READ: sa.ColumnElement[str] = sa.literal_column("'read'")
"""Written out: a bound value would keep SQLite from the index of leased deliveries."""
LEASED = Statement(
    FULL.where(deliveries.c.recipient_id == MINE, deliveries.c.state == READ).order_by(
        deliveries.c.id
    )
)


SETTLED = Statement(
    sa.select(
        *(messages.c[name] for name in ("thread", "hops", "path", "sender_id", "reply_key")),
        sender.c.kind.label("from_kind"),
    )
    .select_from(
        deliveries.join(messages, messages.c.id == deliveries.c.message_id).outerjoin(
            sender, sender.c.id == messages.c.sender_id
        )
    )
    .where(
        deliveries.c.recipient_id == MINE,
        deliveries.c.ended_ms > bind("since_ms"),
        deliveries.c.attempt > 0,
        messages.c.path != BEGUN_BY_BUS,
    )
    .order_by(deliveries.c.ended_ms.desc(), deliveries.c.id.desc())
    .limit(bind("most"))
)


@dataclass(frozen=True)
class Only:
    """What of an inbox is wanted: one message, or what tells of one session."""

    message_id: str | None = None
    session: str | None = None

    @property
    def key(self) -> str:
        """How the keys begin of what tells of the session."""
        return f"{ENTRY_KEY}{self.session} "


ALL = Only()


def readable(conn: sa.Connection, recipient_id: int, limit: int, only: Only = ALL) -> Sequence[Row]:
    """Read what an inbox shows: urgent first, then oldest."""
    mine = {"recipient_id": recipient_id, "most": limit}
    if only.message_id:
        return READ_ONE.rows(conn, only=only.message_id, **mine)
    if only.session:
        return READ_SESSION.rows(conn, key=only.key, **mine)
    return READ_INBOX.rows(conn, recipient_id=recipient_id, most=limit)


def is_readable(conn: sa.Connection, recipient_id: int, only: str | None = None) -> bool:
    """Say whether an inbox holds anything, or one message; cheaper than to count it."""
    if only:
        return IS_ONE_READABLE.first(conn, recipient_id=recipient_id, only=only) is not None
    return IS_READABLE.first(conn, recipient_id=recipient_id) is not None


def count_readable(conn: sa.Connection, recipient_id: int, only: Only = ALL) -> int:
    """Count what an inbox holds, of one session or in all."""
    if only.session:
        return int(COUNT_SESSION.scalar(conn, recipient_id=recipient_id, key=only.key))
    return int(COUNT_INBOX.scalar(conn, recipient_id=recipient_id))


NOTES_BEYOND = Statement(
    FULL.where(open_in(MINE, WAITING), messages.c.sender_id.is_(None))
    .order_by(deliveries.c.id.desc())
    .offset(bind("newest"))
)


def notes_beyond(conn: sa.Connection, recipient_id: int, newest: int) -> Sequence[Row]:
    """Read what the bus itself wrote to somebody and nobody has read, but for the newest ones."""
    return NOTES_BEYOND.rows(conn, recipient_id=recipient_id, newest=newest)


def leased(conn: sa.Connection, recipient_id: int) -> Sequence[Row]:
    return LEASED.rows(conn, recipient_id=recipient_id)


def settled(conn: sa.Connection, recipient_id: int, since_ms: int, limit: int) -> Sequence[Row]:
    """Read of what somebody had read, and what ended since; the last first, no bodies."""
    return SETTLED.rows(conn, recipient_id=recipient_id, since_ms=since_ms, most=limit)


OPEN_OF = Statement(
    FULL.where(deliveries.c.recipient_id == MINE, deliveries.c.ended_ms.is_(None)).order_by(
        deliveries.c.id
    )
)


def open_of(conn: sa.Connection, recipient_id: int) -> Sequence[Row]:
    """Read all of a recipient's deliveries that have not ended, held ones too."""
    return OPEN_OF.rows(conn, recipient_id=recipient_id)


UPDATE_READER = Update(participants, "id")


NEWS = Statement(
    sa.select(
        deliveries.c.seq,
        deliveries.c.priority,
        deliveries.c.message_id,
        *(messages.c[name] for name in ("type", "subject", "sender_id", "created_ms")),
        beginning(messages.c.body, bind("chars")).label("begin"),
        sender.c.name.label("from_name"),
        sender.c.kind.label("from_kind"),
    )
    .select_from(
        deliveries.join(messages, messages.c.id == deliveries.c.message_id).outerjoin(
            sender, sender.c.id == messages.c.sender_id
        )
    )
    .where(open_in(MINE, WAITING), deliveries.c.seq > bind("after"))
    .order_by(deliveries.c.seq, deliveries.c.id)
    .limit(bind("most"))
)
IS_UNREAD = Statement(
    sa.select(deliveries.c.id).where(
        open_in(MINE, WAITING), deliveries.c.message_id == bind("only")
    )
)


def news(
    conn: sa.Connection, recipient_id: int, after: int, *, chars: int, limit: int
) -> Sequence[Row]:
    """Read what came to an inbox behind a place of the log and is not read; of bodies the begin."""
    return NEWS.rows(conn, recipient_id=recipient_id, after=after, chars=chars, most=limit)


def is_unread(conn: sa.Connection, recipient_id: int, message_id: str) -> bool:
    """Say whether a message waits for somebody to read it."""
    return IS_UNREAD.first(conn, recipient_id=recipient_id, only=message_id) is not None


def touch_reader(conn: sa.Connection, participant_id: int, now_ms: int, *, has_new: bool) -> None:
    """Note that somebody read; one that took something new can be reached again."""
    values = {"last_read_ms": now_ms} | ({"wake_failures": 0} if has_new else {})
    UPDATE_READER.run(conn, participant_id, values)
