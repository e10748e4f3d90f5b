"""A gateway that speaks as OpenClaw's does, with runs that a test begins, ends and loses."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field

from websocketserver import WebSocketServer

METHODS = ["agent", "agent.wait", "agents.list", "tasks.list", "chat.abort"]


@dataclass
class Run:
    """One run, as the gateway knows it and as its ledger shows it."""

    run_id: str
    agent_id: str
    answer: dict = field(default_factory=dict)
    task_status: str = "running"
    execution: str = "queued"
    error: str = ""
    asked_by: tuple | None = None
    """Who gets a second answer at its end, and under which id."""


class RefusedError(Exception):
    """The handler answers with an error."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class FakeGateway:
    """Knows the agents alpha and beta, and lets in whoever has the token."""

    def __init__(self, token="gw-secret-token"):
        self.token = token
        self.boot_id = "boot-1"
        self.methods = list(METHODS)
        self.agents = ["alpha", "beta"]
        self.about = {}  # what else `agents.list` says of one
        self.calls = []
        self.connects = 0
        self.scopes = {}
        self.runs = {}  # what the gateway remembers
        self.ledger = {}  # what its ledger remembers
        self.replies = {}  # the last words by session, where they are not "Done."
        self.deleted = []
        self.used = {"input": 100, "output": 7, "cacheRead": 20, "cacheWrite": 3}
        self.cost_usd = 0.25
        self.session_usage = {"inputTokens": 10, "outputTokens": 5, "estimatedCostUsd": 0.25}
        self.silent_methods = set()  # taken, done, and not answered
        self.changed = threading.Condition()
        self.server = WebSocketServer(self._serve)
        self.url = self.server.url

    def close(self):
        self.server.close()

    # ------------------------------------------------------------------ what a test does

    def asked(self, method):
        return [params for name, params in self.calls if name == method]

    def await_call(self, method, count=1, timeout_s=30):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked(method)) >= count, timeout_s), (
                f"{method} was not called {count} times: {self.calls}"
            )
        return self.asked(method)[count - 1]

    def begin(self, run_id):
        """Let the run have its turn."""
        self.ledger[run_id].execution = "running"
        self.push(run_id, {"phase": "start", "startedAt": 1})

    def end(self, run_id, **answer):
        """End the run; without an answer it ended well."""
        with self.changed:
            run = self.runs[run_id]
            run.answer = {"runId": run_id, "endedAt": 2, **(answer or {"status": "ok"})}
            run.task_status = "completed" if run.answer["status"] == "ok" else "failed"
            self.changed.notify_all()
        self.tell_use(run)

    def tell_use(self, run):
        """Send the second answer of `agent`, as OpenClaw does just after a run's end."""
        if run.asked_by is None:
            return
        peer, identity = run.asked_by
        meta = {"agentMeta": {"usage": self.used and dict(self.used), "costUsd": self.cost_usd}}
        payload = {**run.answer, "result": {"payloads": [], "meta": meta}}
        frame = {"type": "res", "id": identity, "ok": True, "payload": payload}
        with contextlib.suppress(OSError):
            peer.send_text(json.dumps(frame))

    def speak(self, run_id, whole, state="delta"):
        """Tell what a run has said so far, as OpenClaw does: all of it, each time."""
        words = {"role": "assistant", "content": [{"type": "text", "text": whole}]}
        self.tell("chat", {"runId": run_id, "state": state, "message": words})

    def restart(self, status="cancelled", error="Task execution process exited before restart."):
        """Forget all runs, as a gateway does that was killed; the ledger says what became of it."""
        with self.changed:
            self.boot_id += "'"
            self.runs.clear()
            for run in self.ledger.values():
                run.task_status, run.error = status, error
        self.cut()

    def cut(self):
        self.server.cut_all()

    def push(self, run_id, data):
        self.tell("agent", {"runId": run_id, "stream": "lifecycle", "data": data})

    def tell(self, event, payload):
        frame = json.dumps({"type": "event", "event": event, "payload": payload})
        for peer in list(self.server.peers):
            try:
                peer.send_text(frame)
            except OSError:
                continue

    # ------------------------------------------------------------------ what the gateway does

    def _serve(self, peer):
        peer.shake_hands()
        challenge = {"type": "event", "event": "connect.challenge", "payload": {"nonce": "n"}}
        peer.send_text(json.dumps(challenge))
        self._note("connect", {})
        self._answer(peer, json.loads(peer.read_text()))
        while True:
            frame = json.loads(peer.read_text())
            threading.Thread(target=self._answer, args=(peer, frame), daemon=True).start()

    def _note(self, method, params):
        with self.changed:
            if method == "connect":
                self.connects += 1
            self.calls.append((method, params))
            self.changed.notify_all()

    def _answer(self, peer, frame):
        method, params = frame["method"], frame["params"]
        if method != "connect":
            self._note(method, params)
        handler = getattr(self, "on_" + method.replace(".", "_"))
        if method == "connect":
            self.scopes[peer] = params["scopes"]
        if method == "sessions.delete" and "operator.admin" not in self.scopes[peer]:
            handler = self.on_missing_scope
        try:
            answer = {"ok": True, "payload": handler(params)}
        except RefusedError as error:
            answer = {"ok": False, "error": {"code": error.code, "message": str(error)}}
        if method in self.silent_methods:
            self.silent_methods.discard(method)
            peer.cut()
            return
        run = self.runs.get(params.get("idempotencyKey")) if method == "agent" else None
        if run is not None and run.asked_by is None:
            run.asked_by = (peer, frame["id"])
        try:
            peer.send_text(json.dumps({"type": "res", "id": frame["id"], **answer}))
        except OSError:
            return

    def on_connect(self, params):
        if params.get("auth", {}).get("token") != self.token:
            raise RefusedError("AUTH_TOKEN_MISMATCH", "unauthorized: gateway token mismatch")
        assert params["client"]["id"] == "gateway-client"
        return {
            "type": "hello-ok",
            "server": {"version": "2026.9.6", "bootId": self.boot_id},
            "features": {"methods": self.methods},
        }

    def on_agents_list(self, _params):
        return {"agents": [{"id": name, **self.about.get(name, {})} for name in self.agents]}

    def on_agent(self, params):
        run_id, agent_id = params["idempotencyKey"], params["agentId"]
        if agent_id not in self.agents:
            message = f'invalid agent params: unknown agent id "{agent_id}"'
            raise RefusedError("INVALID_REQUEST", message)
        with self.changed:
            if run_id in self.runs:
                return self.runs[run_id].answer or {"runId": run_id, "status": "in_flight"}
            self.runs[run_id] = self.ledger[run_id] = Run(run_id, agent_id)
            return {"runId": run_id, "status": "accepted"}

    def on_agent_wait(self, params):
        run = self.runs.get(params["runId"])
        with self.changed:
            self.changed.wait_for(lambda: run is not None and run.answer, params["timeoutMs"] / 1e3)
        if run is not None and run.answer:
            return run.answer
        return {"runId": params["runId"], "status": "timeout"}

    def on_tasks_list(self, _params):
        return {
            "tasks": [
                {
                    "runId": run.run_id,
                    "status": run.task_status,
                    "execution": {"state": run.execution},
                    "error": run.error,
                }
                for run in self.ledger.values()
            ]
        }

    def on_chat_abort(self, params):
        if params["runId"] not in self.runs:
            return {"ok": True, "aborted": False, "runIds": []}
        self.end(params["runId"], status="error", stopReason="rpc")
        return {"ok": True, "aborted": True, "runIds": [params["runId"]]}

    def on_chat_history(self, params):
        text = self.replies.get(params["sessionKey"], "Done.")
        is_long = len(text) > 8_000
        shown = text[:8_000] + "\n...(truncated)..." if is_long else text
        words = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": shown}]
        marks = {"id": params["sessionKey"], "truncated": is_long}
        messages = [
            {"role": "assistant", "content": [{"type": "text", "text": "I begin."}]},
            {"role": "assistant", "content": words, "__openclaw": marks},
            {"role": "toolResult", "content": [{"type": "text", "text": "noise"}]},
        ]
        return {"messages": messages}

    def on_chat_message_get(self, params):
        text = self.replies[params["messageId"]]
        return {"message": {"role": "assistant", "content": [{"type": "text", "text": text}]}}

    def on_sessions_describe(self, _params):
        return {"session": {**self.session_usage, "totalTokens": None}}

    def on_sessions_create(self, params):
        if params["model"] == "no/such":
            raise RefusedError("INVALID_REQUEST", "unknown model")
        return {"ok": True, "key": params["key"]}

    def on_missing_scope(self, _params):
        raise RefusedError("FORBIDDEN", "missing scope: operator.admin")

    def on_sessions_delete(self, params):
        self.deleted.append(params["key"])
        return {"ok": True, "deleted": True}
