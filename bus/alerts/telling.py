"""How an alert reads: the bus's words, and another's in quotes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.alerts.model import BLOCKED, REVIEW
from bus.clock import to_text
from bus.mail.rules import quote

if TYPE_CHECKING:
    from bus.directory.model import Participant
    from bus.store.statement import Row

STAYS = {BLOCKED: "is blocked", REVIEW: "waits for a review"}
MOST_QUOTED = 4000


def write(row: Row, to: Participant, goes_on_ms: int | None) -> str:
    """Write what somebody of the chain is told."""
    if row.cause in STAYS:
        since = to_text(row.created_ms)
        what = f"Task {row.about} {quote(row.subject)} of {row.by} {STAYS[row.cause]} since {since}"
    else:
        about = f" about {quote(row.about)}" if row.about else ""
        what = f"{row.by} raises an alert ({row.severity}){about}: {quote(row.subject)}"
    said = f" It says: {quote(row.body, MOST_QUOTED)}" if row.body.strip() else ""
    later = (
        f" Without an ack it goes on to the next at {to_text(goes_on_ms)}."
        if goes_on_ms is not None
        else " Nobody comes after you."
    )
    return f"{what}.{said} Ack this message once you have it in hand.{later} {next_step(row, to)}"


def next_step(row: Row, to: Participant) -> str:
    """Write what its reader can do, in the words that it has."""
    is_person, is_task = to.kind == "person", row.cause in STAYS
    if is_task:
        return f"bus task show {row.about}" if is_person else f"GET /api/tasks/{row.about}"
    if is_person:
        return f"bus alert show {row.id}; to answer: bus send {row.by} 'TEXT'"
    return f'GET /api/alerts/{row.id}; to answer: POST /api/send {{"to":"{row.by}"}}'
