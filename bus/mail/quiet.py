"""What quiet hours held back, looked at again: at their end, when they change, and at a start.

To an agent all of it goes at once, for one wake; a person gets one brief that tells of it in order
of importance, and its stream one event instead of one for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.clock import to_text
from bus.directory import service as directory
from bus.guard import service as guard
from bus.mail import keeping_queries, queries
from bus.mail.model import PRIORITIES, SYSTEM, Draft
from bus.mail.moves import append_message, keep_quiet, move, quiet_until
from bus.mail.notes import write_to
from bus.mail.rules import count_messages, next_due, quote
from bus.mail.threads import Context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.store.statement import Row
    from bus.store.transaction import Transaction

TOGETHER = 1000
LISTED = 30
QUOTED = 120
OVER = "its quiet hours are over"


def settle_quiet(tx: Transaction, participant_id: int) -> None:
    """Let go what is not quiet any more, and hold the rest until when it is now."""
    free = []
    for row in keeping_queries.held_quiet(tx.conn, participant_id, TOGETHER):
        until = quiet_until(tx, row)
        if row.expires_ms is not None and row.expires_ms <= tx.now_ms:
            continue  # it is due too, and ends by itself
        if until is None:
            free.append(row)
        elif until != row.quiet_ms:
            keep_quiet(tx, row)
        else:
            due = next_due(row._asdict(), tx.config.delayed_s)
            queries.update_delivery(tx.conn, row.id, {"due_ms": due})
    let_go(tx, participant_id, free)


def let_go(tx: Transaction, participant_id: int, rows: Sequence[Row]) -> None:
    """Deliver what quiet hours held, but for what the guard holds by now."""
    free = []
    for row in rows:
        held = guard.is_held(tx.conn, row.thread)
        if held:
            move(tx, row, "held", held)
        else:
            free.append(row)
    if not free:
        return
    place, one = None, directory.get(tx.conn, participant_id)
    # Who may be disturbed by more than before, and still sleeps, gets that alone.
    is_quiet = one.quiet is not None and directory.quiet_until(one.quiet, tx.now_ms) is not None
    if one.kind == "person" and not is_quiet:
        place = tell(tx, participant_id, free)
    for row in free:
        seq = append_message(tx, row) if place is None else place
        move(tx, row, "queued", OVER, seq=seq, queued_ms=tx.now_ms)
    tx.allowances.pop(participant_id, None)
    tx.record("quiet_ended", to=free[0].to_name, deliveries=len(free))
    tx.announce("mail_queued", participant_id=participant_id)


def tell(tx: Transaction, participant_id: int, rows: Sequence[Row]) -> int | None:
    """Write the one brief; gives its place in the log, which all that it tells of share."""
    lines = [f"In your quiet hours came {count_messages(len(rows))}; the most important first:"]
    lines += [line_of(row) for row in rows[:LISTED]]
    if len(rows) > LISTED:
        lines.append(f"- and {len(rows) - LISTED} more")
    lines.append("Read them: bus inbox. What else happened: bus brief")
    draft = Draft(
        to=(),
        body="\n".join(lines),
        type="BRIEF",
        subject=f"{count_messages(len(rows))} came in your quiet hours",
        priority=rows[0].priority,
        reply_expected=False,
        wake=False,
    )
    context = Context(tx.ids.new("t", tx.now_ms), 0, (SYSTEM,))
    message_id = write_to(tx, draft, context, participant_id)
    written = queries.of_recipient(tx.conn, message_id, participant_id)
    return None if written is None else written.seq


def line_of(row: Row) -> str:
    """Write one of them as a line; its words are in quotes, for they are another's."""
    said = quote(row.subject or row.body, QUOTED)
    what = f"{PRIORITIES[row.priority]}: {row.type} from {row.from_name or SYSTEM}"
    return f"- {what} {said} ({row.message_id}, {to_text(row.created_ms)})"
