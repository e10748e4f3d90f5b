"""`GET /errors/CODE`: what an error's `type` points to, so that whoever met it can read on."""

from __future__ import annotations

from typing import Any

from bus.errors import NotFoundError
from bus.web.calls import Calls
from bus.web.problems import STATUS, all_errors

calls = Calls("explain")


@calls.add("GET", "/errors/<code>", who=(), summary="What an error means")
def explain(code: str) -> dict[str, Any]:
    for error in all_errors():
        if error.code == code:
            return {
                "code": code,
                "title": error.title,
                "status": STATUS[code],
                "meaning": " ".join((error.__doc__ or "").split()),
                "retryable": error.retryable,
            }
    known = ", ".join(sorted(STATUS))
    raise NotFoundError(f"no error is called {code[:40]!r}; there are {known}")
