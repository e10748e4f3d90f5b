"""Pure decisions over alerts: what one may say, and whom to tell next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.alerts.model import MAX_ABOUT, MAX_BODY_BYTES, SEVERITIES, Draft
from bus.errors import InvalidRequestError
from bus.mail.rules import count_bytes, read_subject

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def read_draft(severity: str, subject: str, body: str, about: str) -> Draft:
    """Check an alert as it was asked for."""
    if severity not in SEVERITIES:
        raise InvalidRequestError(
            f"'severity' is one of {', '.join(SEVERITIES)}, not {severity[:40]!r}"
        )
    if not read_subject(subject).strip():
        raise InvalidRequestError("'subject' says in one line what is the matter")
    if len(about) > MAX_ABOUT or not about.isprintable():
        raise InvalidRequestError(f"'about' is one line of at most {MAX_ABOUT} characters")
    size = count_bytes(body, "'body'")
    if size > MAX_BODY_BYTES:
        raise InvalidRequestError(
            f"'body' has {size} bytes, at most {MAX_BODY_BYTES}: say where the rest lies"
        )
    return Draft(severity, subject, body, about)


def next_place(chain: Sequence[int], place: int, told: Collection[int]) -> int | None:
    """Give the place of the next in the chain who was not told yet; None where there is none."""
    return next((at for at in range(place, len(chain)) if chain[at] not in told), None)
