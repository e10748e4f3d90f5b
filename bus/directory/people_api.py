"""The route by which a person's browser is let in; parse, call, answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.directory import signin
from bus.web.calls import Calls
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("people")


@calls.add(
    "POST",
    "/api/people/<name>/sign-in",
    who=("person", "admin"),
    summary="A code by which a person's browser signs in, once",
)
def sign_in(principal: Principal, name: str) -> tuple[dict[str, Any], int]:
    answer = runtime().store.write(lambda tx: signin.make_code(tx, principal, name), principal.id)
    return answer, 201
