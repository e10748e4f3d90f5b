"""The calls of background runs: dispatch, list, look, take back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bus.client.asking import Asking
from bus.client.transport import present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.client.asking import Json


class RunCalls(Asking):
    """What one does about runs."""

    def start_run(self, run: Json, *, key: str | None = None) -> Json:
        """Dispatch one run; without a `key` it gets one of its own, as a message does."""
        return self._post_once("/api/runs", run, key)

    def start_runs(
        self, runs: Sequence[Json], *, report: str | None = None, key: str | None = None
    ) -> Json:
        """Dispatch several as a group; `report` is all, first or each."""
        body = present({"runs": list(runs), "report": report})
        return self._post_once("/api/runs", body, key)

    def runs(self, **which: Any) -> Json:
        """List a page of runs: `parent`, `worker`, `state`, `limit`, `after`."""
        return self._get("/api/runs", which)

    def run(self, run_id: str) -> Json:
        """Give a run and its ladder."""
        return self._get(f"/api/runs/{quote(run_id, safe='')}")

    def cancel_run(self, run_id: str, reason: str = "") -> Json:
        path = f"/api/runs/{quote(run_id, safe='')}/cancel"
        return self._ask("POST", path, json={"reason": reason}, repeatable=True)
