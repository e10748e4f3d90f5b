"""Whether the bus lives, whether it can serve, and what it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response

from bus import __version__
from bus.errors import DrainingError, StorageFailedError
from bus.store.log import read_bounds
from bus.web.calls import Calls
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("health")


@calls.add("GET", "/healthz", who=(), summary="The process lives")
def healthz() -> dict[str, Any]:
    return {"status": "ok", "version": __version__}


@calls.add("GET", "/readyz", who=(), summary="The bus can read and write and is not stopping")
def readyz() -> dict[str, Any]:
    if runtime().drain.begun:
        raise DrainingError(retry_after_s=5)
    if runtime().store.writer.trouble:
        raise StorageFailedError(runtime().store.writer.trouble, retry_after_s=5)
    if runtime().keeper.trouble:
        raise StorageFailedError(f"what is due cannot be done: {runtime().keeper.trouble}")
    # A wall clock that was set is told and no reason to send anybody elsewhere.
    off_s = runtime().clock.off_ms() / 1000
    with runtime().store.read() as conn:
        epoch = read_bounds(conn).epoch
    ready = {"status": "ready", "epoch": epoch, "set_aside": len(runtime().keeper.aside)}
    return ready | ({"clock_off_s": off_s} if off_s else {})


@calls.add("GET", "/metrics", who=("person", "admin"), summary="For Prometheus")
def metrics(_principal: Principal) -> Response:
    run = runtime()
    run.metrics.clock_off.set(run.clock.off_ms() / 1000)
    run.metrics.storage_fails.set(bool(run.store.writer.trouble))
    run.metrics.set_aside.set(len(run.keeper.aside))
    page = run.metrics.render(run.store.writer, run.places.taken)
    return Response(page, mimetype="text/plain; version=0.0.4")
