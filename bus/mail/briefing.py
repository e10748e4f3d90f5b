"""What mail tells in a brief: dead messages, held threads, results, what waits, what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.clock import to_text
from bus.directory import service as directory
from bus.guard import service as guard
from bus.mail import inbox_queries, queries
from bus.mail.model import PRIORITIES, RESULT, SYSTEM
from bus.mail.redriving import Which, find_dead
from bus.mail.rules import count_messages, quote, session_of
from bus.mail.threads import is_result
from bus.mail.tracing import sees_thread
from bus.sections import Entry, Section

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.sections import Span
    from bus.store.statement import Row

SCAN = 1000
"""So many deliveries are looked at, the newest."""
QUOTED = 160
MOST = 200
"""So many of a kind the longest brief tells."""


def tell(conn: sa.Connection, principal: Principal, span: Span) -> list[Section]:
    """Tell what of mail somebody may see."""
    return [
        tell_dead(conn, principal, span),
        tell_held(conn, principal, span),
        *tell_said(conn, principal, span),
        *tell_waiting(conn, principal, span),
    ]


def tell_dead(conn: sa.Connection, principal: Principal, span: Span) -> Section:
    """Tell what ended without an ack."""
    which = Which(since_ms=span.since_ms, limit=span.most)
    rows, below = find_dead(conn, principal, which)
    entries = tuple(
        entry_of(row, row.ended_ms, f"{line_of(row)} is {row.state}: {quote(row.reason, QUOTED)}")
        for row in rows
    )
    where = ("bus dead", "/api/deliveries")
    return Section("dead", "dead messages", 20, entries, len(rows), below is not None, *where)


def tell_held(conn: sa.Connection, principal: Principal, span: Span) -> Section:
    """Tell which threads are held now, since whenever."""
    holds = [
        hold for hold in guard.list_held(conn, SCAN) if sees_thread(conn, principal, hold.thread)
    ]
    entries = tuple(
        Entry(
            hold.at_ms, f"held ({hold.reason}): bus release {hold.thread}", hold.thread, hold.thread
        )
        for hold in holds[: span.most]
    )
    where = ("bus held", "/api/held")
    return Section("held", "held threads", 30, entries, len(holds), len(holds) == SCAN, *where)


def tell_said(conn: sa.Connection, principal: Principal, span: Span) -> list[Section]:
    """Tell which results came, and in which threads else something was said.

    What the bus wrote at a run's end is that run's, and runs tell of it.
    """
    rows = queries.sent_since(conn, span.since_ms, SCAN)
    rows = [row for row in rows if not session_of(row.reply_key)]  # of which sessions tell
    sees, is_cut = sight_of(conn, principal), len(rows) == SCAN
    seen = [row for row in rows if row.created_ms <= span.until_ms and sees(row)]
    results = [row for row in seen if row.type == RESULT and not is_result(row)]
    entries = tuple(entry_of(row, row.created_ms, line_of(row)) for row in results[: span.most])
    threads: dict[str, list[Row]] = {}
    for row in seen:
        if row.type != RESULT and row.sender_id is not None:
            threads.setdefault(row.thread, []).append(row)
    newest = [several[0] for several in threads.values()][: span.most]
    said = tuple(
        entry_of(
            row,
            row.created_ms,
            f"{count_messages(len(threads[row.thread]))}, the last: {line_of(row)}",
        )
        for row in newest
    )
    title, where = "threads in which something was said", rest_of(span)
    return [
        Section("results", "results", 40, entries, len(results), is_cut, *where),
        Section("said", title, 80, said, len(threads), is_cut, *where),
    ]


def rest_of(span: Span) -> tuple[str, str]:
    """Say where there is more than a brief has told: a longer one."""
    since = to_text(span.since_ms)
    return f"bus brief --since {since} --limit {MOST}", f"/api/brief?since={since}&limit={MOST}"


def tell_waiting(conn: sa.Connection, principal: Principal, span: Span) -> list[Section]:
    """Tell what waits in the reader's own inbox, the most important first."""
    me = principal.participant_id
    if me is None:
        return []
    rows = inbox_queries.readable(conn, me, span.most)
    entries = tuple(
        entry_of(row, row.queued_ms, f"{PRIORITIES[row.priority]}: {line_of(row)}") for row in rows
    )
    total = inbox_queries.count_readable(conn, me)
    where = ("bus inbox", "/api/inbox")
    return [Section("waiting", "messages in your inbox", 50, entries, total, False, *where)]


def entry_of(row: Row, at_ms: int, text: str) -> Entry:
    """Tell of a delivery."""
    return Entry(at_ms, text, row.message_id, row.thread, row.subject)


def line_of(row: Row) -> str:
    """Write which message it is; its subject is another's words."""
    subject = f" {quote(row.subject, QUOTED)}" if row.subject else ""
    return f"{row.type} from {row.from_name or SYSTEM} to {row.to_name}{subject} ({row.message_id})"


def sight_of(conn: sa.Connection, principal: Principal) -> Callable[[Row], bool]:
    """Give whom a principal sees as a question to a delivery, with one look for all of them."""
    me = principal.participant_id
    if principal.kind == "admin":
        return lambda _row: True
    visible = set()
    if principal.kind == "person":
        visible = {one.id for one in directory.visible(conn, principal)}

    def sees(row: Row) -> bool:
        if row.sender_id == me:
            return True
        if row.recipient_id == me:
            return row.seq is not None  # what is held is not there yet
        return row.recipient_id in visible and row.sender_id in visible | {None}

    return sees
