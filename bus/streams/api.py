"""The routes of durable streams, as the open protocol has them; parse, call, answer."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from flask import Response, request

from bus.clock import to_text
from bus.errors import BusError, InvalidRequestError
from bus.streams import rules, service
from bus.streams.model import START, Append, Fork, Wanted
from bus.streams.reading_api import PATH, WHO, find, headers_of
from bus.web.calls import Calls
from bus.web.problems import problem
from bus.web.request import read_body
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.access.model import Principal

calls = Calls("streams")
LONGEST_LEASE_S = 86_400
MOST_SEQ_CHARS = 256
NAMED = {
    "epoch": "Producer-Epoch",
    "expected_seq": "Producer-Expected-Seq",
    "received_seq": "Producer-Received-Seq",
    "next_offset": "Stream-Next-Offset",
}
"""Which of what an error knows is a header of the protocol's."""
READ_BY_PAGES = (
    "ETag, Location, Retry-After, Stream-Closed, Stream-Cursor, Stream-Died, Stream-Expires-At, "
    "Stream-Next-Offset, Stream-SSE-Data-Encoding, Stream-TTL, Stream-Up-To-Date, "
    "Producer-Epoch, Producer-Seq, Producer-Expected-Seq, Producer-Received-Seq"
)
SENT_BY_PAGES = (
    "Authorization, Content-Type, If-None-Match, Stream-Alive, Stream-Closed, Stream-Expires-At, "
    "Stream-Fork-Offset, Stream-Fork-Sub-Offset, Stream-Forked-From, Stream-Producer-TTL, "
    "Stream-Seq, Stream-TTL, Producer-Epoch, Producer-Id, Producer-Seq"
)


def with_headers(view: Callable[..., Response]) -> Callable[..., Response]:
    """Say in headers, too, what a client of the protocol looks for there in a refusal."""

    @wraps(view)
    def answer(*given: Any, **parts: Any) -> Response:
        try:
            return view(*given, **parts)
        except BusError as error:
            response = problem(error)
            for name, value in error.more.items():
                if name in NAMED:
                    response.headers[NAMED[name]] = str(value)
            if error.code == "stream_closed":
                response.headers["Stream-Closed"] = "true"
            return response

    return answer


@calls.add("PUT", PATH, who=WHO, summary="Make a durable stream, or find it as wanted")
def put(principal: Principal, stream_id: str) -> Response:
    wanted, body = read_wanted(), read_body()
    row, is_new = runtime().store.write(
        lambda tx: service.put(tx, principal, stream_id, wanted, body),
        principal.id,
        is_long=wanted.fork is not None,
    )
    response = Response(b"", 201 if is_new else 200, headers_of(row), content_type=row.content_type)
    if is_new:
        response.headers["Location"] = f"{runtime().config.url}/streams/{row.id}"
    return response


def read_wanted() -> Wanted:
    """Read what a stream is to be like."""
    headers, run = request.headers, runtime()
    ttl_s = rules.read_seconds("Stream-TTL", headers.get("Stream-TTL"))
    expires_ms = rules.read_time(headers.get("Stream-Expires-At"))
    if ttl_s is not None and expires_ms is not None:
        raise InvalidRequestError("Stream-TTL or Stream-Expires-At, not both")
    if expires_ms is not None and expires_ms <= run.clock.now_ms():
        raise InvalidRequestError("Stream-Expires-At is over already")
    name = "Stream-Producer-TTL"
    lease_s = rules.read_seconds(name, headers.get(name))
    if lease_s is not None and not 1 <= lease_s <= LONGEST_LEASE_S:
        raise InvalidRequestError(f"{name} is from 1 to {LONGEST_LEASE_S} seconds")
    return Wanted(
        content_type=rules.read_type(headers.get("Content-Type")),
        ttl_s=ttl_s,
        expires_ms=expires_ms,
        lease_s=lease_s,
        closed=rules.read_flag("Stream-Closed", headers.get("Stream-Closed")),
        fork=read_fork(),
    )


def read_fork() -> Fork | None:
    """Read what a stream is to be forked from."""
    source, offset = (
        request.headers.get(f"Stream-{name}") for name in ("Forked-From", "Fork-Offset")
    )
    sub = request.headers.get("Stream-Fork-Sub-Offset")
    if source is None:
        if offset is not None or sub is not None:
            raise InvalidRequestError("a place to fork at goes with Stream-Forked-From")
        return None
    at = None if offset is None else START if offset == "-1" else rules.read_offset(offset)
    more = 0 if sub is None else rules.read_number("Stream-Fork-Sub-Offset", sub)
    # A path, or the whole address, as the protocol has it; its id is the last part of either.
    return Fork(source.partition("?")[0].rpartition("/")[2], at, more)


@calls.add("POST", PATH, who=WHO, summary="Append to a durable stream, or close it", is_told=True)
@with_headers
def post(principal: Principal, stream_id: str) -> Response:
    headers = request.headers
    seq = headers.get("Stream-Seq")
    if seq is not None and not 0 < len(seq) <= MOST_SEQ_CHARS:
        raise InvalidRequestError(f"Stream-Seq has 1 to {MOST_SEQ_CHARS} characters")
    wanted = Append(
        data=read_body(),
        content_type=rules.read_type(headers.get("Content-Type")),
        closes=rules.read_flag("Stream-Closed", headers.get("Stream-Closed")),
        is_alive=rules.read_flag("Stream-Alive", headers.get("Stream-Alive")),
        seq=seq,
        producer=rules.read_producer(headers),
    )
    done = runtime().store.write(
        lambda tx: service.append_by(tx, principal, stream_id, wanted), principal.id
    )
    is_news = wanted.producer is not None and done.is_new
    response = Response(b"", 200 if is_news else 204, headers_of(done.row))
    if wanted.producer is not None:
        response.headers["Producer-Epoch"] = str(wanted.producer.epoch)
        response.headers["Producer-Seq"] = str(done.seq)
    return response


@calls.add("DELETE", PATH, who=WHO, summary="Remove a durable stream")
def delete(principal: Principal, stream_id: str) -> Response:
    runtime().store.write(
        lambda tx: service.delete_by(tx, principal, stream_id), principal.id, is_long=True
    )
    return Response(b"", 204)


@calls.add("HEAD", PATH, who=WHO, summary="What a durable stream is like", is_told=True)
def head(principal: Principal, stream_id: str) -> Response:
    row = find(principal, stream_id)
    headers = headers_of(row) | {"Cache-Control": "no-store"}
    if row.ttl_s is not None:
        headers["Stream-TTL"] = str(row.ttl_s)
    if row.expires_ms is not None:
        headers["Stream-Expires-At"] = to_text(row.expires_ms)
    return Response(b"", 200, headers, content_type=row.content_type)


@calls.add("OPTIONS", PATH, who=(), summary="What a page of another site may send")
def options(stream_id: str) -> Response:
    del stream_id  # whether there is one is told to nobody
    return Response(b"", 204, {"Allow": "DELETE, GET, HEAD, OPTIONS, POST, PUT"})


def allow_origin(response: Response) -> None:
    """Let pages of the named sites call /streams; the token they show is their own."""
    allowed = runtime().config.durable_origins.split()
    origin = request.headers.get("Origin")
    if not allowed or origin is None or not request.path.startswith("/streams/"):
        return
    response.headers.add("Vary", "Origin")
    if "*" in allowed or origin in allowed:
        response.headers |= {
            "Access-Control-Allow-Origin": "*" if "*" in allowed else origin,
            "Access-Control-Expose-Headers": READ_BY_PAGES,
            "Access-Control-Allow-Headers": SENT_BY_PAGES,
            "Access-Control-Allow-Methods": "DELETE, GET, HEAD, POST, PUT",
            "Access-Control-Max-Age": "600",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
