"""Reading a request: JSON into a typed shape, numbers and flags from the query."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import request

from bus.errors import BodyTooLargeError, InvalidRequestError, UnsupportedMediaTypeError
from bus.web.runtime import runtime

MOST_DIGITS = 12
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
    body, most = request.get_data(), runtime().config.max_request_bytes
    if len(body) > most:
        raise BodyTooLargeError(f"a request has at most {most} bytes")
    return body


def int_arg(name: str, default: int, low: int, high: int) -> int:
    """Read a whole number from the query."""
    text = request.args.get(name)
    if text is None:
        return default
    digits = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    if not digits or not low <= int(text) <= high:
        raise InvalidRequestError(f"{name!r} is a whole number from {low} to {high}")
    return int(text)


def flag_arg(name: str) -> bool:
    """Read a yes or no from the query."""
    text = request.args.get(name, "0")
    if text not in {"0", "1", "true", "false"}:
        raise InvalidRequestError(f"{name!r} is 0 or 1")
    return text in {"1", "true"}
