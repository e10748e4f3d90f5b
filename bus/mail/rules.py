"""Pure decisions of mail: what a request means, when a delivery is next due, what a handle is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from bus.clock import from_text
from bus.errors import (
    BodyTooLargeError,
    InvalidRequestError,
    TakesRunsError,
    TooManyRecipientsError,
    UnknownHandleError,
    WaitingRefusedError,
)
from bus.guard.model import is_of_guard
from bus.mail.model import APPROVAL, ENTRY_KEY, PRIORITIES, Draft, EntryKey, Handle, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
HANDLE = re.compile(r"(m_[0-9A-Z]{26})\.(\d{1,18})")
LIFE = 1_000_000
"""What the numbers of leases go up by, each second that passes until a restore."""
OLDER_NAMES = {"to_agent": "to", "sessionKey": "to", "payload": "body", "message": "body"}
MAX_SUBJECT = 200
YEAR_S = 366 * 86_400


def modern_names(fields: Mapping[str, Any], older: Mapping[str, str]) -> dict[str, Any]:
    """Read names that other systems use, each for the bus's own; two for one thing are refused."""
    modern: dict[str, Any] = {}
    for name, value in fields.items():
        new = older.get(name, name)
        if new in modern:
            raise InvalidRequestError(f"{new!r} is given twice (also as {name!r}); give one")
        modern[new] = value
    return modern


def read_draft(fields: Mapping[str, Any], limits: Limits, now_ms: int) -> Draft:
    """Turn the fields of a request into a draft, or say what is wrong with it."""
    given = modern_names(fields, OLDER_NAMES)
    if given.get("timeoutSeconds"):
        raise WaitingRefusedError
    if "body" not in given:
        raise InvalidRequestError("'body' is missing: the text of the message")
    return Draft(
        to=read_recipients(given.get("to"), limits),
        body=read_body(given["body"], limits),
        type=read_type(given.get("type", "MESSAGE")),
        subject=read_subject(given.get("subject", "")),
        in_reply_to=given.get("in_reply_to"),
        priority=read_priority(given.get("priority", "normal")),
        reply_expected=given.get("reply_expected", not given.get("in_reply_to")),
        wake=read_wake(given.get("wake", "auto")),
        deliver_ms=read_time(given, ("deliver_at", "deliver_in"), now_ms),
        expires_ms=read_expiry(given, now_ms),
    )


def read_recipients(to: object, limits: Limits) -> tuple[str, ...]:
    """Read one name or a list of names; a name given twice counts once."""
    names = [to] if isinstance(to, str) else to
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
        raise InvalidRequestError("'to' is a name, a list of names, a session key or a group")
    if len(names) > limits.max_recipients:
        raise TooManyRecipientsError(
            f"'to' has {len(names)} names; at most {limits.max_recipients}"
        )
    return tuple(dict.fromkeys(names))


def read_body(body: object, limits: Limits) -> str:
    """Read a text, or any other JSON value as its text."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    size = count_bytes(text, "the body")
    if size > limits.max_body_bytes:
        raise BodyTooLargeError(
            f"the body has {size} bytes, at most {limits.max_body_bytes}; send a path or an address"
        )
    return text


def count_bytes(text: str, what: str) -> int:
    """Count the bytes of a text; one that has none, since it is half a character, is refused."""
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidRequestError(f"{what} is not valid Unicode (a lone surrogate)") from error


def read_type(word: str) -> str:
    """Read a type: one word."""
    if not TYPE.fullmatch(word):
        raise InvalidRequestError(f"'type' is one word such as TASK or STATUS, not {word[:40]!r}")
    if word.upper() == APPROVAL:
        raise InvalidRequestError(
            f"'type' {APPROVAL} is the bus's: a person answers what was asked by "
            "POST /api/approvals/ID/answer"
        )
    return word


def read_subject(subject: str) -> str:
    """Read a subject: one short line."""
    if len(subject) > MAX_SUBJECT or not subject.isprintable():
        raise InvalidRequestError(f"'subject' is one line of at most {MAX_SUBJECT} characters")
    return subject


def read_priority(word: str) -> int:
    """Give the rank of a priority, 0 first."""
    if word not in PRIORITIES:
        raise InvalidRequestError(
            f"'priority' is one of {', '.join(PRIORITIES)}, not {word[:40]!r}"
        )
    return PRIORITIES.index(word)


def read_wake(word: str) -> bool:
    """Read whether the message wakes its recipient."""
    if word not in {"auto", "never"}:
        raise InvalidRequestError("'wake' is auto or never")
    return word == "auto"


def read_time(given: Mapping[str, Any], names: tuple[str, str], now_ms: int) -> int | None:
    """Read a time given as a date or as seconds from now, not both."""
    at, seconds = given.get(names[0]), given.get(names[1])
    if at is not None and seconds is not None:
        raise InvalidRequestError(f"give {names[0]!r} or {names[1]!r}, not both")
    if seconds is not None:
        if not 0 <= seconds <= YEAR_S:
            raise InvalidRequestError(f"{names[1]!r} is seconds from now, 0 to {YEAR_S}")
        return now_ms + round(float(seconds) * 1000)
    if at is None:
        return None
    try:
        time_ms = from_text(at)
    except (ValueError, OverflowError) as error:
        raise InvalidRequestError(f"{names[0]!r} is not a time: {error}") from error
    if time_ms > now_ms + YEAR_S * 1000:
        raise InvalidRequestError(f"{names[0]!r} is more than a year from now")
    return time_ms


def read_expiry(given: Mapping[str, Any], now_ms: int) -> int | None:
    """Read when the message is no longer wanted; it must be ahead of its delivery."""
    expires = read_time(given, ("expires_at", "ttl"), now_ms)
    deliver = read_time(given, ("deliver_at", "deliver_in"), now_ms) or now_ms
    if expires is not None and expires <= deliver:
        raise InvalidRequestError("it would expire before it is delivered")
    return expires


def read_handle(text: str) -> Handle:
    """Take a handle apart."""
    found = HANDLE.fullmatch(text)
    if not found:
        raise UnknownHandleError(
            f"{text[:60]!r} is not a handle; a handle is an item's id, a dot and a number"
        )
    return Handle(found[1], int(found[2]), text)


def refuse_worker(name: str) -> TakesRunsError:
    """Say what would have been right instead of a message to a worker."""
    run = {"worker": name, "task": "...", "label": "LABEL", "size": "M", "cleanup": "keep"}
    return TakesRunsError(
        f"{name} is a worker and takes runs, not messages: POST /api/runs {json.dumps(run)}; "
        "its result comes as a message that wakes you"
    )


def first_of_life(now_ms: int) -> int:
    """Give the number below the leases of a restored database: above every one printed before.

    What the clock says is the only thing that a restored database shares with the one it replaces;
    two leases of one item a second, a million times over, would be needed to meet.
    """
    return now_ms // 1000 * LIFE


def shown_attempt(attempt: int) -> int:
    """Give the number of a lease as a reader counts them, restored or not."""
    return attempt % LIFE


def quote(text: str, most: int = 1000) -> str:
    """Write another's words as one line in quotes, so that none of them can pass for the bus's."""
    line = " ".join(text.replace('"', "'").split())
    return f'"{line[: most - 1]}…"' if len(line) > most else f'"{line}"'


def read_entry_key(text: str | None) -> EntryKey | None:
    """Say of which entry of a session a message tells; None for any other message."""
    if text is None or not text.startswith(ENTRY_KEY):
        return None
    session, place, _for_whom = text.removeprefix(ENTRY_KEY).split(" ")
    return EntryKey(session, int(place))


def session_of(text: str | None) -> str | None:
    """Name the session of which a message tells, by its key."""
    found = read_entry_key(text)
    return None if found is None else found.session


def count_messages(number: int) -> str:
    """Write how many messages."""
    return "1 message" if number == 1 else f"{number} messages"


def is_scheduled(delivery: Mapping[str, Any]) -> bool:
    """Say whether a delivery is held until a time, and not by the guard."""
    return delivery["state"] == "held" and not is_of_guard(delivery["reason"])


def next_due(delivery: Mapping[str, Any], delayed_s: int) -> int | None:
    """Give when the keeper must look at a delivery again, in ms, or None for never.

    A leased item is looked at when its lease ends and not before: its reader is at work.
    """
    if delivery["ended_ms"] is not None:
        return None
    if delivery["state"] == "read":
        return int(delivery["lease_until_ms"])
    times = [delivery["expires_ms"]]
    if is_scheduled(delivery):
        times.append(delivery["quiet_ms"] or delivery["deliver_ms"])
    elif delivery["delayed_ms"] is None:
        times.append((delivery["queued_ms"] or delivery["created_ms"]) + delayed_s * 1000)
    known = [time for time in times if time is not None]
    return min(known) if known else None
