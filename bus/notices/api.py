"""The routes of notices; parse, call, answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bus.errors import RateLimitedError
from bus.notices import service
from bus.notices.model import Stamp
from bus.web.calls import Calls
from bus.web.request import read_json
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("notices")
PERSON, READERS = ("person",), ("person", "admin")
AGAIN_S = 10


class TargetBody(msgspec.Struct, forbid_unknown_fields=True):
    """Where somebody is to be told."""

    kind: str
    url: str = ""
    topic: str = ""
    address: str = ""
    token: str | None = None
    events: list[str] | None = None
    previews: bool = False
    new_secret: bool = False


@calls.add("GET", "/api/people/<name>/notices", who=READERS, summary="Where one is told when away")
def notices(principal: Principal, name: str) -> dict[str, Any]:
    run = runtime()
    with run.store.read() as conn:
        shown = service.show_all(conn, run.config, principal, name)
        one = service.whose(conn, principal, name)
    return shown | {"away": not run.presence.is_here(one.id)}


@calls.add(
    "PUT",
    "/api/people/<name>/notices/<target>",
    who=PERSON,
    summary="Be told there when away",
    body=TargetBody,
)
def put_target(principal: Principal, name: str, target: str) -> tuple[dict[str, Any], int]:
    given = msgspec.structs.asdict(read_json(TargetBody))
    answer, is_new = runtime().store.write(
        lambda tx: service.put(tx, principal, name, target, given), principal.id
    )
    return answer, 201 if is_new else 200


@calls.add(
    "DELETE",
    "/api/people/<name>/notices/<target>",
    who=READERS,
    summary="Be told there no more",
)
def remove_target(principal: Principal, name: str, target: str) -> dict[str, Any]:
    return runtime().store.write(
        lambda tx: service.remove(tx, principal, name, target), principal.id
    )


@calls.add(
    "POST",
    "/api/people/<name>/notices/<target>/test",
    who=PERSON,
    summary="Try a target now",
)
def test_target(principal: Principal, name: str, target: str) -> dict[str, Any]:
    run = runtime()
    now_ms = run.clock.now_ms()
    stamp = Stamp(run.ids.new("n", now_ms), now_ms, run.config.url)
    with run.store.read() as conn:
        row, letter = service.begin_test(conn, principal, name, target, stamp)
    if not run.tests.has_room(principal.id):
        raise RateLimitedError(
            f"one test in {AGAIN_S} s, after the first few", retry_after_s=AGAIN_S
        )
    began_s = run.clock.monotonic_s()
    verdict = run.sender.try_target(row, letter)
    took_ms = round((run.clock.monotonic_s() - began_s) * 1000)
    run.store.write(lambda tx: service.end_test(tx, row.id, verdict), principal.id)
    return {"name": target, "ok": verdict.is_taken, "said": verdict.said, "took_ms": took_ms}
