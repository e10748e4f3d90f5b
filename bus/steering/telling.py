"""How the end of an approval reads: the bus's words, and another's in quotes or inside marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.clock import to_text
from bus.mail.rules import quote
from bus.steering.model import ANSWERED, EXPIRED

if TYPE_CHECKING:
    from bus.store.statement import Row


def write(row: Row, mark: str) -> str:
    """Write what its asker is told; what a person wrote stands inside marks of its own."""
    lines = [
        write_outcome(row),
        f"You had asked in session {row.session_id}: {quote(row.title)}",
    ]
    if row.run_id:
        lines.append(f"It was for run {row.run_id}.")
    if row.note:
        lines += [f"<<<{mark} a note with it>>>", row.note, f"<<<{mark} end of the note>>>"]
    lines.append(f"All of it: GET /api/approvals/{row.id}")
    return "\n".join(lines)


def write_outcome(row: Row) -> str:
    """Write what came of a request; what no person said is never told as if one had."""
    if row.state == ANSWERED:
        return f"{row.answered_by} has answered {row.answer} to your request {row.id}."
    if row.state == EXPIRED:
        late = f"Nobody answered your request {row.id} by {to_text(row.expires_ms)}."
        if row.answer is None:
            return f"{late} It has come to nothing: no person has said yes, nor no."
        return f"{late} As you chose, it counts as {row.answer}; no person has said so."
    return f"Your request {row.id} is over without an answer: {row.reason}."


def write_line(row: Row) -> str:
    """Write one line for all in the session."""
    title = quote(row.title)
    if row.state == ANSWERED:
        return f"{row.answered_by} answered {row.answer} to {title}"
    counts = "" if row.answer is None else f"; as {row.asker} chose, it counts as {row.answer}"
    return f"{row.state}: {title} ({row.reason}{counts})"
