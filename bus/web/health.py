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
    from bus.web.runtime import Runtime

calls = Calls("health")


@calls.add("GET", "/healthz", who=(), summary="The process lives")
def healthz() -> dict[str, Any]:
    return {"status": "ok", "version": __version__}


@calls.add("GET", "/readyz", who=(), summary="The bus can read and write and is not stopping")
def readyz() -> dict[str, Any]:
    run = runtime()
    epoch, aside = check_ready(run), len(run.keeper.aside)
    ready: dict[str, Any] = {"status": "ready", "epoch": epoch, "set_aside": aside}
    if run.fleet.is_shared:
        ready |= {"process": run.fleet.id, "processes": run.fleet.live}
    # A wall clock that was set is told and no reason to send anybody elsewhere.
    off_s = run.clock.off_ms() / 1000
    return ready | ({"clock_off_s": off_s} if off_s else {})


def check_ready(run: Runtime) -> str:
    """Say whether the bus can serve; gives the log's epoch.

    Raises:
        DrainingError: it is stopping.
        StorageFailedError: the database does not answer, or what is due cannot be done.
    """
    if run.drain.begun:
        raise DrainingError(retry_after_s=5)
    if run.store.writer.trouble:
        raise StorageFailedError(run.store.writer.trouble, retry_after_s=5)
    if run.keeper.trouble:
        raise StorageFailedError(f"what is due cannot be done: {run.keeper.trouble}")
    with run.store.read() as conn:
        return read_bounds(conn).epoch


@calls.add("GET", "/metrics", who=("person", "admin"), summary="For Prometheus")
def metrics(_principal: Principal) -> Response:
    page = runtime().metrics.render(runtime())
    return Response(page, mimetype="text/plain; version=0.0.4")
