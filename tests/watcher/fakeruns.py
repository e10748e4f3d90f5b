"""Background runs as the bus offers them: claims by instance, heartbeats, ends that are final."""

from __future__ import annotations

import json

from fakebus import ProblemError

ENDS = {"completed", "failed", "timed_out", "cancelled", "lost"}


class Runs:
    """The runs of a fake bus; only the worker's own token may speak of one."""

    def __init__(self, bus):
        self.bus = bus
        self.orders = {}
        self.states = {}
        self.instances = {}
        self.ends = {}
        self.claims = {}  # the number of a claim that is not the first
        self.refusals = {}  # "claim", "alive" or "end": a list of problems to answer with first
        bus.answers["/api/runs"] = self._answer

    def offer(self, run_id="r_1", worker="beta", *, push=True, **order):
        """Queue a run, and tell the node's stream of it."""
        self.orders[run_id] = {
            "run_id": run_id, "worker": worker, "local_agent": "", "label": "audit",
            "task": "count the files", "model": "", "verify": "", "cleanup": "keep",
            "output": "checkpoints/subagent-audit.md", "limit_s": 60, "lease_s": 60, **order,
        }  # fmt: skip
        self.states[run_id] = "queued"
        if push:
            self.push(run_id)

    def push(self, run_id, state="queued"):
        frame = {"run_id": run_id, "to_agent": self.orders[run_id]["worker"], "state": state}
        self.bus.frames.put(f"event: run\ndata: {json.dumps(frame)}\n\n".encode())

    def cancel(self, run_id):
        self.states[run_id] = "cancelled"
        self.push(run_id, "cancelled")

    def await_end(self, run_id="r_1", timeout_s=60):
        """Give the end that was told first."""
        self.bus.wait_for(lambda _: self.ends.get(run_id), timeout_s)
        return self.ends[run_id]

    def calls(self, verb, run_id="r_1"):
        path = f"/api/runs/{run_id}/{verb}"
        return [request.json for request in self.bus.requests if request.path == path]

    def _answer(self, request):
        if request.path == "/api/runs":
            assert request.headers["Authorization"] == "Bearer wb_node_secret"
            return {"runs": [
                {"run_id": run_id, "worker": self.orders[run_id]["worker"], "state": state}
                for run_id, state in self.states.items() if state not in ENDS
            ]}  # fmt: skip
        _, _, _, run_id, verb = request.path.split("/")
        worker = self.orders[run_id]["worker"]
        assert request.headers["Authorization"] == f"Bearer wb_agent_{worker}"
        if self.refusals.get(verb):
            raise self.refusals[verb].pop(0)
        return getattr(self, f"_{verb}")(run_id, request.json)

    def _claim(self, run_id, body):
        if self.states[run_id] in ENDS:
            raise ProblemError(409, "run_over")
        if self.instances.setdefault(run_id, body["instance"]) != body["instance"]:
            raise ProblemError(409, "run_claimed")
        self.states[run_id] = "working"
        return {**self.orders[run_id], "claim": 1, "lease_until": "2026-01-01T00:00:00.000Z"}

    def _alive(self, run_id, body):
        if body["claim"] != self.claims.get(run_id, 1):
            raise ProblemError(409, "fenced")
        state = self.states[run_id]
        return {"state": state, "cancel": state in ENDS, "lease_until": "x"}

    def _end(self, run_id, body):
        if body["claim"] != self.claims.get(run_id, 1):
            raise ProblemError(409, "fenced")
        is_over = self.states[run_id] in ENDS
        with self.bus.changed:
            self.ends.setdefault(run_id, body)
            if not is_over:
                self.states[run_id] = body["status"]
            self.bus.changed.notify_all()
        return {"state": self.states[run_id], "already": is_over}
