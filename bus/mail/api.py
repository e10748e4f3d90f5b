"""The routes of mail: parse, call, answer."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from flask import Response, request
from gevent.event import Event

from bus.clock import to_text
from bus.errors import (
    BatchTooLargeError,
    EndedError,
    FencedError,
    InvalidRequestError,
    NotFoundError,
    SenderMismatchError,
    StorageFailedError,
    UnknownHandleError,
    UnknownRecipientError,
)
from bus.mail import render, rules, service
from bus.mail.model import FAILED, LONGEST_LEASE_S, Draft, Limits
from bus.serving.drain import DRAIN
from bus.store.transaction import participant_topic, token_topic
from bus.web import leaving
from bus.web.calls import Calls, papers_of_request
from bus.web.request import read_body, read_json, read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bus.access.model import Principal
    from bus.live.hub import Listener

calls = Calls("mail")
WRITERS = ("agent", "person")
LONGEST_WAIT_S = 60
UNLEASED = (
    "your mail is kept and can be seen, though not leased or acked: GET /api/inbox?view=headers "
    "lists it, GET /api/messages/ID shows a body"
)
MAX_KEY = 256
MARK_CHARS = 8
WORST = {"fenced": FencedError, "ended": EndedError, "unknown": UnknownHandleError}


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


class HandlesBody(msgspec.Struct, forbid_unknown_fields=True):
    """One handle or several."""

    handle: str | None = None
    handles: list[str] | None = None
    mode: str = "fail"
    reason: str = ""
    lease_s: int | None = None

    def given(self) -> list[str]:
        """List the handles."""
        handles = [self.handle] if self.handle else self.handles
        if not handles:
            raise InvalidRequestError('give "handle" or "handles" (GET /api/inbox shows them)')
        check_together(len(handles), "handles")
        return list(dict.fromkeys(handles))


def check_together(count: int, what: str) -> None:
    """Refuse what would keep the writer to itself."""
    most = runtime().config.max_together
    if count > most:
        raise BatchTooLargeError(f"{count} {what}; at most {most} in one request")


class ReplyBody(msgspec.Struct, forbid_unknown_fields=True):
    """An answer, as JSON; plain text does as well."""

    body: Any
    type: str = "REPLY"
    subject: str = ""
    reply_expected: bool = False
    ack: bool = False


def limits() -> Limits:
    """Give what a draft is checked against."""
    config = runtime().config
    return Limits(config.max_body_bytes, config.max_recipients)


SENT = SendBody | list[SendBody]


def draft_of(principal: Principal, body: SendBody) -> Draft:
    """Check one message of a request."""
    for name in (body.sender, body.from_agent):
        if name not in {None, principal.name}:
            raise SenderMismatchError(f"this token is {principal.name}'s; leave 'from' out")
    fields = {
        name: value
        for name, value in msgspec.structs.asdict(body).items()
        if value is not None and value is not msgspec.UNSET
    }
    for name in ("sender", "from_agent"):
        fields.pop(name, None)
    return rules.read_draft(fields, limits(), runtime().clock.now_ms())


def key_of(principal: Principal, route: str) -> service.Key | None:
    """Read the Idempotency-Key, quoted or bare."""
    text = request.headers.get("Idempotency-Key", "").strip().strip('"')
    if not text:
        return None
    if len(text) > MAX_KEY or not text.isprintable():
        raise InvalidRequestError(f"Idempotency-Key is printable, at most {MAX_KEY} characters")
    fingerprint = service.hash_request(request.get_data())
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
    drafts = [draft_of(principal, body) for body in bodies]
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


def wait_for_mail(principal: Principal, seconds: int, only: str | None) -> bool:
    """Wait until something is readable, at most so long; says whether something is.

    Raises:
        UnauthorizedError: the token was revoked meanwhile.
    """
    run, me = runtime(), principal.participant_id or 0
    papers, gone = papers_of_request(), Event()
    until_s = run.clock.monotonic_s() + seconds
    topics = {participant_topic(me), token_topic(principal.token_id), DRAIN}
    with run.hub.listen(topics) as listener, hang_up_tells(gone, listener):
        while not run.drain.begun and not gone.is_set():
            listener.clear()
            with run.store.read() as conn:
                papers.find(conn)
                if service.count_readable(conn, me, only):
                    return True
            left_s = until_s - run.clock.monotonic_s()
            if left_s <= 0 or not listener.wait(left_s):
                break
    return False


class InboxQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How much of the inbox to read, and how: `wait` in seconds, `max_bytes` of bodies."""

    wait: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_WAIT_S)] = 0
    view: Literal["full", "headers"] = "full"
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    max_bytes: Annotated[int, msgspec.Meta(ge=1, le=4_194_304)] = 65_536
    id: str | None = None
    text: bool = False


@calls.add("GET", "/api/inbox", who=WRITERS, summary="Read and lease what waits", query=InboxQuery)
def inbox(principal: Principal) -> dict[str, Any] | Response:
    query = read_query(InboxQuery)
    if query.id:
        check_known(principal, query.id)
    with runtime().places.take(principal) if query.wait else nullcontext():
        there = wait_for_mail(principal, query.wait, query.id)
    if query.view == "headers":
        return headers(principal, query.limit)
    ask = service.Ask(query.limit, query.max_bytes, query.id)
    page = lease_page(principal, ask) if there else service.Page([], 0)
    return show_page(principal, page, texts=query.text)


@contextmanager
def hang_up_tells(gone: Event, listener: Listener) -> Iterator[None]:
    """Have a waiting read hear that its client has gone, so that it leases nothing to nobody."""

    def leave() -> None:
        gone.set()
        listener.wake()

    with leaving.watch(request.environ.get("gunicorn.socket"), leave):
        yield


def check_known(principal: Principal, message_id: str) -> None:
    """Refuse to wait for what was never sent to the reader."""
    with runtime().store.read() as conn:
        if not service.is_for(conn, message_id, principal.participant_id or 0):
            raise NotFoundError(f"no message {message_id[:40]!r} for you")


def lease_page(principal: Principal, ask: service.Ask) -> service.Page:
    """Lease what is asked for."""
    me = principal.participant_id or 0
    try:
        return runtime().store.write(lambda tx: service.read_inbox(tx, me, ask), principal.id)
    except StorageFailedError as error:
        # Without a lease there is no handle: what is read could not be acked, and comes again.
        raise StorageFailedError(f"{error.detail}; {UNLEASED}", retry_after_s=5) from error


def headers(principal: Principal, limit: int) -> dict[str, Any]:
    """Show what waits and lease nothing."""
    me = principal.participant_id or 0
    with runtime().store.read() as conn:
        items = [render.to_header(row) for row in service.headers(conn, me, limit)]
        more = service.count_readable(conn, me) - len(items)
    return {"agent": principal.name, "items": items, "more": more}


def show_page(
    principal: Principal, page: service.Page, *, texts: bool
) -> dict[str, Any] | Response:
    """Show leased items as the reader wants them: text for a model, or JSON."""
    with runtime().store.read() as conn:
        reader = service.reader_of(conn, principal, runtime().config)
    mark = f"wakebus {runtime().ids.secret(MARK_CHARS)}"
    if request.accept_mimetypes.best_match(["application/json", "text/plain"]) == "text/plain":
        text = render.to_text_page(page.items, page.more, reader, mark)
        return Response(text, mimetype="text/plain")
    items = [render.to_json(item, reader) for item in page.items]
    if texts:
        for shown, item in zip(items, page.items, strict=True):
            shown["text"] = render.item_text(item, reader, mark)
    now = to_text(runtime().clock.now_ms())
    return {"agent": principal.name, "items": items, "more": page.more, "server_time": now}


def settle(results: list[dict[str, Any]]) -> tuple[dict[str, Any], int]:
    """Answer with a result a handle; the worst of them is the status."""
    for word, error in WORST.items():
        bad = [result for result in results if result["result"] == word]
        if bad:
            detail = error.__doc__ or ""
            raise error(f"{bad[0]['handle']}: {detail}", results=results)
    return {"results": results}, 200


@calls.add("POST", "/api/ack", who=WRITERS, summary="End items as done", body=HandlesBody)
def ack(principal: Principal) -> tuple[dict[str, Any], int]:
    handles = read_json(HandlesBody).given()
    return settle(
        runtime().store.write(lambda tx: service.ack(tx, principal, handles), principal.id)
    )


@calls.add("POST", "/api/release", who=WRITERS, summary="Give items back", body=HandlesBody)
def release(principal: Principal) -> tuple[dict[str, Any], int]:
    body = read_json(HandlesBody)
    handles = body.given()
    if body.mode not in {"silent", "fail", "fatal", "refuse"}:
        raise InvalidRequestError("'mode' is silent, fail, fatal or refuse")
    reason = render.one_line(body.reason)
    results = runtime().store.write(
        lambda tx: service.release(tx, principal, handles, body.mode, reason), principal.id
    )
    return settle(results)


@calls.add("POST", "/api/extend", who=WRITERS, summary="Lengthen leases", body=HandlesBody)
def extend(principal: Principal) -> tuple[dict[str, Any], int]:
    body = read_json(HandlesBody)
    handles = body.given()
    lease_s = body.lease_s or runtime().config.lease_s
    if not 1 <= lease_s <= LONGEST_LEASE_S:
        raise InvalidRequestError(f"'lease_s' is 1 to {LONGEST_LEASE_S} seconds")
    results = runtime().store.write(
        lambda tx: service.extend(tx, principal, handles, lease_s), principal.id
    )
    return settle(results)


class ReplyQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Whether an answer carries its ack, and whether it is only for want of another."""

    ack: bool = False
    unless_replied: bool = False


def read_reply() -> tuple[Draft, bool]:
    """Read an answer, plain text or JSON, and whether its body says that it carries its ack."""
    if request.mimetype == "application/json":
        given = read_json(ReplyBody)
    else:
        # curl's own default type is a form's; what was sent is still the answer's text.
        try:
            given = ReplyBody(read_body().decode())
        except UnicodeDecodeError as error:
            raise InvalidRequestError("the answer is not UTF-8 text") from error
    draft = Draft(
        to=(),
        body=rules.read_body(given.body, limits()),
        type=rules.read_type(given.type),
        subject=rules.read_subject(given.subject),
        reply_expected=given.reply_expected,
    )
    return draft, given.ack


@calls.add(
    "POST",
    "/api/messages/<handle>/reply",
    who=WRITERS,
    summary="Answer an item",
    body=ReplyBody,
    query=ReplyQuery,
)
def reply(principal: Principal, handle: str) -> tuple[dict[str, Any], int]:
    query = read_query(ReplyQuery)
    draft, acks = read_reply()
    acks, unless = acks or query.ack, query.unless_replied
    answer = runtime().store.write(
        lambda tx: service.reply(tx, principal, handle, draft, acks=acks, unless_replied=unless),
        principal.id,
    )
    return answer, 202 if answer["status"] == "accepted" else 200


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


class CancelBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose copies to take back, all where left out, and why."""

    to: str | list[str] | None = None
    reason: str = ""


class RedriveBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose copies to send again, all that failed where left out; `ttl` in seconds from now."""

    to: str | list[str] | None = None
    ttl: float | None = None


def names(to: str | list[str] | None) -> list[str]:
    """Read one name, several, or none for all."""
    return [to] if isinstance(to, str) else list(to or ())


@calls.add(
    "POST",
    "/api/messages/<message_id>/cancel",
    who=(*WRITERS, "admin"),
    summary="Take back what is not acked",
    body=CancelBody,
)
def cancel(principal: Principal, message_id: str) -> dict[str, Any]:
    body = read_json(CancelBody)
    to, reason = names(body.to), render.one_line(body.reason)
    return runtime().store.write(
        lambda tx: service.cancel(tx, principal, message_id, to, reason), principal.id
    )


@calls.add(
    "POST",
    "/api/messages/<message_id>/redrive",
    who=(*WRITERS, "admin"),
    summary="Send again what failed of a message",
    body=RedriveBody,
)
def redrive(principal: Principal, message_id: str) -> dict[str, Any]:
    body = read_json(RedriveBody)
    to, expires_ms = names(body.to), read_ttl(body.ttl)
    return runtime().store.write(
        lambda tx: service.redrive(tx, principal, message_id, to, expires_ms), principal.id
    )


def read_ttl(seconds: float | None) -> int | None:
    """Read a new time to live as the time when it ends."""
    return rules.read_expiry({"ttl": seconds}, runtime().clock.now_ms())


class DeadQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which dead letters: in which state, to whom, ended since when, and how far one has come."""

    state: Literal["failed", "dead", "expired", "refused"] = "failed"
    agent: str | None = None
    since: str | None = None
    before: Annotated[int, msgspec.Meta(ge=1)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100

    def which(self) -> service.Which:
        """Give it as mail knows it."""
        states = FAILED if self.state == "failed" else (self.state,)
        since_ms = rules.read_time({"since": self.since}, ("since", ""), runtime().clock.now_ms())
        return service.Which(states, self.agent, since_ms, self.before, self.limit)


@calls.add(
    "GET",
    "/api/deliveries",
    who=(*WRITERS, "admin"),
    summary="Dead letters: what ended without an ack",
    query=DeadQuery,
)
def dead(principal: Principal) -> dict[str, Any]:
    which = read_query(DeadQuery).which()
    with runtime().store.read() as conn:
        return service.list_dead(conn, principal, which)


class RedriveAllBody(DeadQuery, forbid_unknown_fields=True):
    """Which dead letters to send again: those that the list shows, at most so many at once."""

    ttl: float | None = None


@calls.add(
    "POST",
    "/api/deliveries/redrive",
    who=(*WRITERS, "admin"),
    summary="Send dead letters again, a page at a time",
    body=RedriveAllBody,
)
def redrive_all(principal: Principal) -> dict[str, Any]:
    body = read_json(RedriveAllBody)
    which, expires_ms = body.which(), read_ttl(body.ttl)
    return runtime().store.write(
        lambda tx: service.redrive_all(tx, principal, which, expires_ms), principal.id
    )
