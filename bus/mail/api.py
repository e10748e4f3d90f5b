"""The routes of messages: send, where one is, the last ones with another; parse, call, answer.

What their recipients do with them is in `inbox_api` and `settling_api`, what is done about them
later in `redriving_api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from flask import request

from bus.errors import (
    BatchTooLargeError,
    InvalidRequestError,
    NotFoundError,
    SenderMismatchError,
    UnknownRecipientError,
)
from bus.mail import rules, service
from bus.mail.model import Draft, Limits
from bus.web.calls import Calls
from bus.web.request import check_together, read_body, read_json, read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("mail")
WRITERS = ("agent", "person")
MAX_KEY = 256


class SendBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One message to send; the second group of names is what earlier systems used."""

    to: str | list[str] | None = None
    body: Any = msgspec.UNSET
    type: str = "MESSAGE"
    subject: str = ""
    in_reply_to: str | None = None
    priority: str = "normal"
    reply_expected: bool | None = None
    wake: str = "auto"
    deliver_at: str | None = None
    deliver_in: float | None = None
    expires_at: str | None = None
    ttl: float | None = None
    sender: str | None = msgspec.field(name="from", default=None)

    to_agent: str | list[str] | None = None
    from_agent: str | None = None
    payload: Any = msgspec.UNSET
    message: Any = msgspec.UNSET
    sessionKey: str | None = None  # noqa: N815 - OpenClaw's name
    timeoutSeconds: float | None = None  # noqa: N815 - OpenClaw's name


def limits() -> Limits:
    """Give what a draft is checked against."""
    config = runtime().config
    return Limits(config.max_body_bytes, config.max_recipients)


SENT = SendBody | list[SendBody]


def draft_of(principal: Principal, body: SendBody, most: Limits, now_ms: int) -> Draft:
    """Check one message of a request."""
    for name in (body.sender, body.from_agent):
        if name not in {None, principal.name}:
            raise SenderMismatchError(f"this token is {principal.name}'s; leave 'from' out")
    # Only what differs from the defaults is here, and those are `read_draft`'s too.
    fields = {name: value for name, value in msgspec.to_builtins(body).items() if value is not None}
    for name in ("from", "from_agent"):
        fields.pop(name, None)
    return rules.read_draft(fields, most, now_ms)


def key_of(principal: Principal, route: str) -> service.Key | None:
    """Read the Idempotency-Key, quoted or bare."""
    text = request.headers.get("Idempotency-Key", "").strip().strip('"')
    if not text:
        return None
    if len(text) > MAX_KEY or not text.isprintable():
        raise InvalidRequestError(f"Idempotency-Key is printable, at most {MAX_KEY} characters")
    fingerprint = service.hash_request(read_body())
    return service.Key(principal.id, route, text, fingerprint)


@calls.add(
    "POST",
    "/api/send",
    who=WRITERS,
    summary="Send one message or a list",
    body=SENT,
    is_told=True,
)
def send(principal: Principal) -> tuple[dict[str, Any], int]:
    given = read_json(SENT)
    batch = isinstance(given, list)
    bodies = given if batch else [given]
    most = runtime().config.max_batch
    if not bodies:
        raise InvalidRequestError(f"a list has 1 to {most} messages")
    if len(bodies) > most:
        raise BatchTooLargeError(f"the list has {len(bodies)} messages; at most {most}")
    key = key_of(principal, "send")
    if key is not None:
        # Before the messages are judged: what was good then may have expired since.
        with runtime().store.read() as conn:
            kept = service.replay(conn, key)
        if kept is not None:
            return kept, 202
    checked_by, now_ms = limits(), runtime().clock.now_ms()
    drafts = [draft_of(principal, body, checked_by, now_ms) for body in bodies]
    check_together(sum(len(draft.to) for draft in drafts), "recipients in all")
    try:
        answer = runtime().store.write(
            lambda tx: service.send(tx, principal, drafts, batch=batch, key=key), principal.id
        )
    except UnknownRecipientError as error:
        raise hinted(principal, error) from error
    return answer, 202


def hinted(principal: Principal, error: UnknownRecipientError) -> UnknownRecipientError:
    """Add who was perhaps meant; done here, since it takes its time and the writer has none."""
    with runtime().store.read() as conn:
        hint = service.hint(conn, principal, error.more.get("address", ""))
    return UnknownRecipientError(f"{error.detail}; {hint}", **error.more)


@calls.add(
    "GET", "/api/messages/<message_id>", who=(*WRITERS, "admin"), summary="Where a message is"
)
def trace(principal: Principal, message_id: str) -> dict[str, Any]:
    run = runtime()
    with run.store.read() as conn:
        return service.trace(conn, principal, message_id, run.presence.is_online)


class HistoryQuery(msgspec.Struct, forbid_unknown_fields=True, rename={"other": "with"}):
    """With whom, and how many messages."""

    other: str
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 5


@calls.add(
    "GET",
    "/api/messages",
    who=WRITERS,
    summary="The last messages with another",
    query=HistoryQuery,
)
def history(principal: Principal) -> dict[str, Any]:
    ask = read_query(HistoryQuery)
    with runtime().store.read() as conn:
        return {"messages": service.history(conn, principal, ask.other, ask.limit)}


@calls.add(
    "POST", "/api/threads/<thread>/release", who=("person", "admin"), summary="Let a thread go"
)
def release_thread(principal: Principal, thread: str) -> dict[str, Any]:
    with runtime().store.read() as conn:
        if not service.sees_thread(conn, principal, thread):
            raise NotFoundError(f"no thread {thread[:40]!r} that you can see")
    released = runtime().store.write(lambda tx: service.release_thread(tx, thread), principal.id)
    return {"thread": thread, "released": released}
