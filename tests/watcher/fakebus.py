"""A bus that does what a test scripts: real sockets, real HTTP, no rules of its own.

It records every call. `answers` maps a path's beginning to a function of the request; the stream
is whatever bytes the test pushes.
"""

from __future__ import annotations

import json
import queue
import select
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HELLO = b"retry: 20\n:\nevent: hello\ndata: {}\n\n"


class Request:
    def __init__(self, handler):
        parts = urlsplit(handler.path)
        self.verb = handler.command
        self.path = parts.path
        self.query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.headers = handler.headers
        self.raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))

    @property
    def json(self):
        return json.loads(self.raw)

    def __repr__(self):
        return f"{self.verb} {self.path} {self.query} {self.raw[:200]!r}"


class ProblemError(Exception):
    def __init__(self, status, code, detail="no", retry_after=None):
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after


class FakeBus:
    """Serves on a free port until closed."""

    def __init__(self):
        self.requests = []
        self.changed = threading.Condition()
        self.answers = {}
        self.wakes = []
        self.frames = queue.Queue()
        self.stream_refusals = []
        self.stream_left = threading.Event()  # the watcher ended a stream
        self.closing = threading.Event()
        self.hello = HELLO
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer._answer(self)

            do_POST = do_GET  # noqa: N815 - named by http.server

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # a client that went away is what tests are about
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def wait_for(self, condition, timeout_s=30):
        """Wait until `condition(requests)` gives something true, and give that."""
        found = []

        def look():
            found[:] = [condition(list(self.requests))]
            return found[0]

        with self.changed:
            assert self.changed.wait_for(look, timeout_s), self.requests
        return found[0]

    def wait_for_call(self, path, state=None, count=1, timeout_s=30):
        """Wait for the n-th call of a path (and, for wakes, of a state), and give it."""

        def look(requests):
            calls = [r for r in requests if r.path == path]
            if state is not None:
                calls = [r for r in calls if r.json.get("state") == state]
            return calls[count - 1] if len(calls) >= count else None

        return self.wait_for(look, timeout_s)

    def states(self, wake_id):
        return [r.json["state"] for r in self.requests if r.path == f"/api/wakes/{wake_id}"]

    def push_wake(self, wake_id, agent="beta", event_id=None, **more):
        wake = {"wake_id": wake_id, "generation": 1, "to_agent": agent, "state": "asked", **more}
        head = f"id: {event_id}\n" if event_id else ""
        self.frames.put(f"{head}event: wake\ndata: {json.dumps(wake)}\n\n".encode())
        return wake

    def drop_stream(self):
        """End the open stream."""
        self.frames.put(None)

    def _answer(self, handler):
        request = Request(handler)
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        try:
            if request.path == "/api/stream":
                self._stream(handler)
                return
            status, body = 200, self._find(request)
            data, kind, extra = body, "text/plain", {}
            if not isinstance(body, bytes):
                data, kind = json.dumps(body).encode(), "application/json"
        except ProblemError as problem:
            status, kind = problem.status, "application/problem+json"
            extra = {"Retry-After": str(problem.retry_after)} if problem.retry_after else {}
            data = json.dumps(
                {"code": problem.code, "detail": problem.detail, "status": status}
            ).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": len(data), **extra}.items():
            handler.send_header(name, str(value))
        handler.end_headers()
        handler.wfile.write(data)

    def _find(self, request):
        for path in sorted(self.answers, key=len, reverse=True):
            if request.path.startswith(path):
                return self.answers[path](request)
        if request.path == "/api/wakes":
            return {"wakes": self.wakes}
        if request.path.startswith("/api/wakes/"):
            return self._take_report(request)
        if request.path == "/api/nodes/self":
            return {}
        raise ProblemError(404, "not_found", request.path)

    def _take_report(self, request):
        wake_id = request.path.rpartition("/")[2]
        if request.json["state"] == "received":
            return {
                "go": True,
                "text": "you have mail",
                "agent": "beta",
                "local_agent": "main",
                "session_key": "agent:main:main",
                "pending": {"total": 1, "urgent": 0},
            }
        is_open = request.json["state"] not in {"ended", "failed", "no_turn"}
        return {"wake_id": wake_id, "state": "x", "open": is_open, "next_wake": False}

    def _stream(self, handler):
        if self.stream_refusals:
            raise self.stream_refusals.pop(0)
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(self.hello)
        while not self.closing.is_set():
            try:
                frame = self.frames.get(timeout=0.02)
            except queue.Empty:
                if select.select([handler.connection], [], [], 0)[0]:
                    self.stream_left.set()
                    break
                continue
            if frame is None:
                break
            handler.wfile.write(frame)
        handler.close_connection = True


class Inbox:
    """An inbox for the `program` method: items in, what was done with each out."""

    def __init__(self, bus):
        self.items = []
        self.settled = []
        self.refuse_reply = None
        bus.answers["/api/inbox"] = self._read
        bus.answers["/api/ack"] = lambda request: self._settle("ack", request)
        bus.answers["/api/release"] = lambda request: self._settle("release", request)
        bus.answers["/api/messages/"] = self._reply

    def add(self, name, *, text="fenced text", reply_expected=True, attempt=1, **more):
        item = {"id": f"m_{name}", "handle": f"m_{name}.{attempt}", "from": "alice",
                "thread": f"t_{name}", "attempt": attempt, "reply_expected": reply_expected,
                "text": text, **more}  # fmt: skip
        self.items.append(item)
        return item

    def _read(self, request):
        assert request.query in (
            {"limit": "1", "text": "1"} | more for more in ({}, {"shown": "1"})
        )
        return {"agent": "beta", "items": self.items[:1], "more": max(len(self.items) - 1, 0)}

    def _settle(self, verb, request):
        handle = request.json["handles"][0]
        mode = request.json.get("mode")
        self.settled.append((verb, handle, mode, request.json.get("reason")))
        item = next(item for item in self.items if item["handle"] == handle)
        self.items.remove(item)
        if mode == "fail":
            again = item["attempt"] + 1
            fresh = {**item, "attempt": again, "handle": f"{item['id']}.{again}"}
            if "failed_attempts" in item:
                fresh["failed_attempts"] += 1
            self.items.insert(0, fresh)
        return {"results": [{"handle": handle, "result": "acked"}]}

    def _reply(self, request):
        assert request.query == {"ack": "1", "unless_replied": "1"}
        if self.refuse_reply:
            raise self.refuse_reply
        handle = request.path.split("/")[3]
        self.settled.append(("reply", handle, request.raw.decode(), None))
        self.items[:] = [item for item in self.items if item["handle"] != handle]
        return {"status": "accepted", "id": "m_reply", "acked": True}
