"""The verbs of mail, in one place for its routes and for the rooms below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.directory import service as directory
from bus.mail import briefing, inbox_queries, keeping_queries, notes, tracing
from bus.mail.cancelling import cancel
from bus.mail.carrying import Deed, tell_deed
from bus.mail.inbox import Ask, Page, read_inbox
from bus.mail.keeping import do_due, prune
from bus.mail.listing import Wanted, list_messages, name_threads
from bus.mail.quiet import settle_quiet
from bus.mail.redriving import Which, list_dead, redrive, redrive_all
from bus.mail.render import Reader, harmless, one_line
from bus.mail.resulting import Place, find_place, keep_answer, send_result
from bus.mail.sending import Key, hash_request, replay, send
from bus.mail.settling import ack, extend, release, reply
from bus.mail.talking import (
    Hearer,
    Said,
    find_talks,
    forget_unread,
    is_asked,
    note_said,
    take_back_unread,
    tell_asker,
    tell_entry,
)
from bus.mail.threads import release_thread
from bus.mail.tracing import history, is_for, sees_thread, trace

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.config import Config
    from bus.store.transaction import Hooks

__all__ = [
    "Ask",
    "Deed",
    "Hearer",
    "Key",
    "Page",
    "Place",
    "Reader",
    "Said",
    "Wanted",
    "Which",
    "ack",
    "cancel",
    "count_readable",
    "do_due",
    "extend",
    "find_place",
    "find_talks",
    "first_due",
    "forget_unread",
    "harmless",
    "hash_request",
    "headers",
    "hint",
    "history",
    "is_asked",
    "is_for",
    "is_readable",
    "is_unread",
    "keep_answer",
    "list_dead",
    "list_messages",
    "name_threads",
    "news",
    "note_said",
    "one_line",
    "prune",
    "read_inbox",
    "reader_of",
    "redrive",
    "redrive_all",
    "register",
    "release",
    "release_thread",
    "replay",
    "reply",
    "sees_thread",
    "send",
    "send_result",
    "take_back_unread",
    "tell",
    "tell_asker",
    "tell_deed",
    "tell_entry",
    "trace",
]
PENDING = 1000
count_readable = inbox_queries.count_readable
is_readable = inbox_queries.is_readable
is_unread = inbox_queries.is_unread
news = inbox_queries.news
hint = directory.hint
tell = notes.tell
first_due = keeping_queries.first_due


def register(hooks: Hooks) -> None:
    """Hear of failed deliveries, held threads and removals; tell a stream what is pending."""
    hooks.on("delivery_failed", notes.on_failed)
    hooks.on("thread_held", notes.tell_people)
    hooks.on("thread_near_hold", notes.warn_thread)
    hooks.on("agent_held", notes.tell_agent_held)
    hooks.on("agent_near_hold", notes.warn_agent)
    hooks.on("participant_removed", notes.on_removed)
    hooks.on("participant_changed", settle_quiet)
    hooks.on("brief_sections", briefing.tell)
    hooks.on("pending_events", pending_events)


def reader_of(conn: sa.Connection, principal: Principal, config: Config) -> Reader:
    """Find how the reader's own commands reach the bus."""
    reach = directory.reach(conn, principal.participant_id or 0, config)
    return Reader(principal.name, reach.url, reach.header_path)


def headers(conn: sa.Connection, participant_id: int, limit: int) -> list[Any]:
    """Read what waits without leasing it."""
    return list(inbox_queries.readable(conn, participant_id, limit))


def pending_events(
    conn: sa.Connection, principal: Principal, _now_ms: int
) -> list[tuple[str, dict[str, Any]]]:
    """Give what a stream without a cursor begins with."""
    if principal.participant_id is None:
        return []
    rows = tracing.pending_messages(conn, principal.participant_id, PENDING)
    return [("message", row) for row in rows]
