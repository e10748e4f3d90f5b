"""Reading a request: its JSON and its query into typed shapes, and no more than is good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import gevent
import msgspec
from flask import Request, request
from gunicorn.http.errors import ParseException

from bus.errors import (
    BatchTooLargeError,
    BodyTooLargeError,
    InvalidRequestError,
    RequestTimeoutError,
    UnsupportedMediaTypeError,
)
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

WHOLE_BODY_S = 60.0
"""A body that comes in drips takes a place all the while."""
JSON = "application/json"
Query = TypeVar("Query", bound=msgspec.Struct)
DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


class Asked(Request):
    """A request, and what is known of it by and by."""

    @property
    def content_length(self) -> int | None:
        """Give how long its body is said to be; the server has checked that it is a number."""
        length = self.environ.get("CONTENT_LENGTH")
        return int(length) if length and "HTTP_TRANSFER_ENCODING" not in self.environ else None

    most_bytes = 0
    """So long may its body be."""
    body: bytes | None = None
    principal: Principal | None = None
    is_told = False
    """Its room writes lines of its own of what was done."""


def the_request() -> Asked:
    """Give the request itself: whoever asks it for much asks Flask's stand-in for it once."""
    asked: Asked = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's documented way
    return asked


def read_json(shape: Any) -> Any:
    """Read the body as a shape, or say where it is wrong."""
    asked = the_request()
    kind = "" if asked.environ.get("CONTENT_TYPE") == JSON else asked.mimetype
    if kind and kind != JSON and not kind.endswith("+json"):
        raise UnsupportedMediaTypeError(
            f"this call takes application/json, not {kind[:60]}; "
            "curl: -H Content-Type:application/json -d '...'"
        )
    decoder = DECODERS.get(shape) or DECODERS.setdefault(shape, msgspec.json.Decoder(shape))
    try:
        return decoder.decode(read_body())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequestError(f"the body is not right: {error}") from error


def read_body() -> bytes:
    """Give the whole body; what is not here yet is waited for, once."""
    asked = the_request()
    if asked.body is None:
        asked.body = wait_for_body(asked)
    return asked.body


def wait_for_body(asked: Asked) -> bytes:
    """Read the whole body, whether its length was announced or not."""
    most, length = asked.most_bytes, asked.content_length
    # One byte more than there may be shows that a body of unknown length is too long.
    wanted = most + 1 if length is None else length
    try:
        with gevent.Timeout(WHOLE_BODY_S):
            body: bytes = asked.environ["wsgi.input"].read(wanted)
    except gevent.Timeout as error:
        raise RequestTimeoutError from error
    except (ParseException, OSError) as error:
        raise InvalidRequestError("the body does not come in chunks as HTTP has them") from error
    if length is not None and len(body) < length:
        raise InvalidRequestError(f"the body ended after {len(body)} of its {length} bytes")
    if len(body) > most:
        raise BodyTooLargeError(f"this request has at most {most} bytes")
    return body


def read_query(shape: type[Query]) -> Query:
    """Read the query as a shape, or say where it is wrong and what it may hold."""
    twice = next((name for name, values in request.args.lists() if len(values) > 1), None)
    if twice is not None:
        raise InvalidRequestError(f"the query says {twice[:60]!r} more than once")
    try:
        return msgspec.convert(request.args.to_dict(), shape, strict=False)
    except (msgspec.MsgspecError, UnicodeError) as error:
        known = ", ".join(field.encode_name for field in msgspec.structs.fields(shape))
        raise InvalidRequestError(f"the query is not right: {error}; it takes {known}") from error


def check_together(count: int, what: str) -> None:
    """Refuse what would keep the writer to itself."""
    most = runtime().config.max_together
    if count > most:
        raise BatchTooLargeError(f"{count} {what}; at most {most} in one request")
