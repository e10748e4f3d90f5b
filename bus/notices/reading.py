"""What somebody says of a target, checked. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bus.errors import InvalidRequestError
from bus.notices.model import EVENTS, FIRST_MS, LONGEST_MS, MAX_SECRET
from bus.notices.rules import HOST, VISIBLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.notices.model import Allowed

TARGET = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
NTFY_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAILBOX = re.compile(
    r"(?=[^@]{1,64}@)[A-Za-z0-9_+-]+(?:[.=][A-Za-z0-9_+-]+)*@(?P<domain>[A-Za-z0-9.-]{1,253})"
)


def read_mailbox(text: str, allowed: Allowed) -> str:
    """Check an address of email, and that mail may go to its domain."""
    found = MAILBOX.fullmatch(text)
    if found is None or not HOST.fullmatch(found["domain"].lower()):
        raise InvalidRequestError(f"'address' is one such as ann@example.org, not {text[:80]!r}")
    domain = found["domain"].lower()
    if not allowed.domains & {domain, "*"}:
        raise InvalidRequestError(
            f"no notices go to addresses of {domain[:100]}: the administration has not allowed "
            f"@{domain[:100]} (BUS_NOTICE_HOSTS)"
        )
    return text


def read_name(text: str) -> str:
    """Check what a target is called."""
    if not TARGET.fullmatch(text):
        raise InvalidRequestError(
            f"{text[:40]!r} cannot name a target: lower-case letters, digits, dash and underscore, "
            "at most 32"
        )
    return text


def read_topic(text: str) -> str:
    """Check a topic of ntfy."""
    if not NTFY_TOPIC.fullmatch(text):
        raise InvalidRequestError(
            "'topic' is a topic of ntfy: letters, digits, dash and underscore, at most 64"
        )
    return text


def read_token(text: str) -> str:
    """Check a token of ntfy; it is not said what is wrong with which."""
    if not VISIBLE.fullmatch(text) or len(text) > MAX_SECRET:
        raise InvalidRequestError("'token' is one word, such as tk_..., as ntfy gave it")
    return text


def read_events(given: Sequence[str]) -> tuple[str, ...]:
    """Check of what a target tells."""
    if not given or any(one not in EVENTS for one in given):
        raise InvalidRequestError(f"'events' are some of {', '.join(EVENTS)}")
    return tuple(one for one in EVENTS if one in given)


def backoff_ms(attempts: int, fraction: float) -> int:
    """Give the pause after so many failures: doubling, with a fifth of it left to chance."""
    pause = min(LONGEST_MS, FIRST_MS << min(attempts - 1, 20))
    return round(pause * (1 - 0.2 * fraction))
