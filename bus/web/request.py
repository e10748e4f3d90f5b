"""Reading a request: its JSON and its query into typed shapes, and no more than is good."""

from __future__ import annotations

from typing import Any, TypeVar

import gevent
import msgspec
from flask import request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from bus.errors import (
    BatchTooLargeError,
    BodyTooLargeError,
    InvalidRequestError,
    RequestTimeoutError,
    UnsupportedMediaTypeError,
)
from bus.web.runtime import runtime

WHOLE_BODY_S = 60.0
"""A body that comes in drips takes a place all the while."""
Query = TypeVar("Query", bound=msgspec.Struct)
DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def read_json(shape: Any) -> Any:
    """Read the body as a shape, or say where it is wrong."""
    kind = request.mimetype
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaTypeError(
            f"this call takes application/json, not {kind[:60]}; "
            "curl: -H Content-Type:application/json -d '...'"
        )
    decoder = DECODERS.setdefault(shape, msgspec.json.Decoder(shape))
    try:
        return decoder.decode(read_body())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequestError(f"the body is not right: {error}") from error


def read_body() -> bytes:
    """Read the whole body, whether its length was announced or not."""
    most = (request.max_content_length or 1) - 1
    try:
        with gevent.Timeout(WHOLE_BODY_S):
            body = request.get_data()
    except (ClientDisconnected, gevent.Timeout) as error:
        raise RequestTimeoutError from error
    except (ParseException, OSError) as error:
        raise InvalidRequestError("the body does not come in chunks as HTTP has them") from error
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
