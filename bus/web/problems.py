"""Errors as answers: one table of status codes, one shape (RFC 9457, application/problem+json)."""

from __future__ import annotations

import json
import logging
import math
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Response, current_app, g
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from bus import errors
from bus.logs import log
from bus.web.runtime import request_id, runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

STATUS: dict[str, int] = {
    "internal": 500,
    "invalid_request": 400,
    "waiting_refused": 400,
    "type_not_taken": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "sender_mismatch": 403,
    "not_found": 404,
    "unknown_recipient": 404,
    "unknown_handle": 404,
    "fenced": 409,
    "ended": 409,
    "no_reply_address": 409,
    "conflict": 409,
    "name_taken": 409,
    "mixed_compartments": 409,
    "request_timeout": 408,
    "batch_too_large": 400,
    "too_many_recipients": 400,
    "other_node": 409,
    "code_used": 409,
    "code_expired": 410,
    "move_refused": 403,
    "no_such_move": 409,
    "task_claimed": 409,
    "run_incomplete": 400,
    "takes_runs": 400,
    "takes_messages": 400,
    "run_too_deep": 409,
    "too_many_children": 429,
    "run_claimed": 409,
    "run_over": 409,
    "stale_epoch": 403,
    "sequence_gap": 409,
    "stream_closed": 409,
    "stream_gone": 410,
    "stream_full": 413,
    "too_many_durable": 429,
    "session_closed": 409,
    "apart": 409,
    "too_many_participants": 409,
    "too_many_sessions": 409,
    "approval_over": 409,
    "too_many_approvals": 429,
    "key_reused": 422,
    "instance_busy": 409,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "method_not_allowed": 405,
    "inbox_full": 429,
    "rate_limited": 429,
    "writer_share": 429,
    "storage_busy": 503,
    "storage_failed": 503,
    "too_many_streams": 503,
    "too_many_connections": 503,
    "draining": 503,
    "config": 500,
    "schema_out_of_date": 503,
    "locked": 503,
}
FROM_FLASK: dict[int, type[errors.BusError]] = {
    404: errors.NotFoundError,
    405: errors.MethodNotAllowedError,
    413: errors.BodyTooLargeError,
    415: errors.UnsupportedMediaTypeError,
}


def all_errors() -> Iterator[type[errors.BusError]]:
    """List every error of the tree."""
    yield errors.BusError
    yield from errors.BusError.__subclasses__()


def describe_errors() -> dict[str, Any]:
    """Say of every code what it means, for `/openapi.json`; an error's `type` points there."""
    return {
        error.code: {
            "title": error.title,
            "status": STATUS[error.code],
            "meaning": " ".join((error.__doc__ or "").split()),
            "retryable": error.retryable,
        }
        for error in all_errors()
    }


def problem(error: errors.BusError) -> Response:
    """Make the answer of an error."""
    status = STATUS[error.code]
    g.problem = error.code
    body = {
        "type": f"{runtime().config.url}/openapi.json#/x-errors/{error.code}",
        "title": error.title,
        "status": status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id(),
        "retryable": error.retryable,
        **error.more,
    }
    response = Response(json.dumps(body), status, mimetype="application/problem+json")
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def answer(error: errors.BusError) -> Response:
    """Make the answer of an error: a page for a person who looks at pages, else the one shape."""
    show_page = current_app.extensions.get("wakebus_error_page")
    page: Response | None = show_page(error, STATUS[error.code]) if show_page else None
    if page is None:
        return problem(error)
    g.problem = error.code
    return page


def answer_to(error: Exception) -> Response:
    """Make the answer of whatever a call raised: every error has the one shape."""
    if isinstance(error, errors.BusError):
        return answer(error)
    if isinstance(error, HTTPException):
        return answer_to_http(error)
    at = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(at.filename).name}:{at.lineno} {at.name}"
    request = request_id()
    log("fault_met", logging.ERROR, kind=type(error).__name__, where=where, request=request)
    logging.getLogger("bus").debug("fault", exc_info=error)
    return answer(errors.BusError("the bus met a fault of its own; its log says more"))


def answer_to_http(error: HTTPException) -> Response:
    """Make the answer of what Werkzeug refuses: no such route, not by this method."""
    kind = FROM_FLASK.get(error.code or 500, errors.InvalidRequestError)
    response = answer(kind(None if error.code in FROM_FLASK else error.description))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response
