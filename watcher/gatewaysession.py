"""One connection's life with OpenClaw's gateway: the greeting, requests, answers, events, the end.

A thread reads it. It must not know where the gateway is configured, nor what is asked for.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from watcher import __version__, log, plainjson, websocket

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = 4
STARTING = "UNAVAILABLE"
LATE_ANSWER = "answer"
"""What an answer is passed on as for which nobody waits any more."""
SCOPES = ("operator.read", "operator.write")
CONNECT_TIMEOUT_S = 20.0  # a gateway that has just started answers late
SILENCE_S = 80.0  # it pings every 25 s and ticks every 30 s: silence that long is a dead peer
LOOK_EVERY_S = 0.25


class GatewayError(Exception):
    """The gateway could not be asked, or would not; the message is one line for a person."""


class UnreachableError(GatewayError):
    """There is no connection, and nothing was asked. `is_refusal`: it answered, and said no."""

    def __init__(self, message: str, *, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.is_refusal = is_refusal


class LostError(GatewayError):
    """The connection ended before the answer came: what was asked may have been done."""


class GivenUpError(GatewayError):
    """The caller no longer wanted the answer; what was asked may have been done."""


class RejectedError(GatewayError):
    """The gateway answered with an error."""

    def __init__(self, code: str, message: str, payload: dict[str, Any]) -> None:
        super().__init__(message or code)
        self.code = code
        self.payload = payload


@dataclass(frozen=True)
class Hello:
    """What the gateway said of itself; `boot_id` changes when it was restarted."""

    boot_id: str
    version: str
    methods: frozenset[str]


@dataclass
class _Call:
    """A request that waits for its answer."""

    done: threading.Event = field(default_factory=threading.Event)
    answer: dict[str, Any] | None = None


class Session:
    """One connection's life: a thread reads it until it ends."""

    def __init__(
        self, socket: websocket.WebSocket, on_event: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self.hello = Hello("", "", frozenset())
        self.is_open = True
        self._socket = socket
        self._on_event = on_event
        self._lock = threading.Lock()
        self._calls: dict[str, _Call] = {}
        self._reason = ""

    def start(self) -> None:
        threading.Thread(target=self._read, name="gateway", daemon=True).start()

    def shut(self) -> None:
        self.is_open = False
        self._socket.shut()

    def call(
        self, method: str, params: dict[str, Any], timeout_s: float, gives_up: Callable[[], bool]
    ) -> dict[str, Any]:
        identity, call = uuid.uuid4().hex, _Call()
        with self._lock:
            if not self.is_open:
                raise UnreachableError(f"the gateway's connection ended: {self._reason}")
            self._calls[identity] = call
        try:
            self._send({"type": "req", "id": identity, "method": method, "params": params})
            self._wait(call, method, timeout_s, gives_up)
        finally:
            with self._lock:
                self._calls.pop(identity, None)
        return _unwrap(call.answer, self._reason)

    def _send(self, frame: dict[str, Any]) -> None:
        try:
            self._socket.send_text(json.dumps(frame))
        except OSError as error:
            self._end(str(error))
            raise LostError(f"the gateway's connection ended: {error}") from error

    def _wait(
        self, call: _Call, method: str, timeout_s: float, gives_up: Callable[[], bool]
    ) -> None:
        until_s = time.monotonic() + timeout_s
        while not call.done.wait(min(LOOK_EVERY_S, max(0.0, until_s - time.monotonic()))):
            if gives_up():
                raise GivenUpError(f"{method} was given up")
            if time.monotonic() >= until_s:
                raise LostError(f"the gateway gave no answer to {method} in {timeout_s:g} s")

    def _read(self) -> None:
        reason = "closed by us"
        try:
            while self.is_open:
                self._take(self._socket.receive_text(SILENCE_S))
        except (OSError, ValueError) as error:
            reason = str(error)
        finally:
            self._end(reason)
            self._socket.close()
        log.say("gateway_disconnected", reason=reason)

    def _take(self, text: str) -> None:
        frame = plainjson.read(text)
        if not isinstance(frame, dict):
            return
        if frame.get("type") == "res":
            with self._lock:
                # A second answer under the same id comes at the end of a run: nobody waits for it,
                # but it says what the run used.
                call = self._calls.pop(str(frame.get("id")), None)
            if call is not None:
                call.answer = frame
                call.done.set()
            elif isinstance(payload := frame.get("payload"), dict):
                self._on_event(LATE_ANSWER, payload)
        elif frame.get("type") == "event":
            payload = frame.get("payload")
            self._on_event(str(frame.get("event")), payload if isinstance(payload, dict) else {})

    def _end(self, reason: str) -> None:
        """Let everyone who waits know."""
        with self._lock:
            self.is_open = False
            self._reason = self._reason or reason
            calls = list(self._calls.values())
            self._calls.clear()
        self._socket.shut()
        for call in calls:
            call.done.set()


def _unwrap(answer: dict[str, Any] | None, reason: str) -> dict[str, Any]:
    if answer is None:
        raise LostError(f"the gateway's connection ended: {reason}")
    payload = answer.get("payload")
    payload = payload if isinstance(payload, dict) else {}
    if answer.get("ok") is True:
        return payload
    error = answer.get("error")
    error = error if isinstance(error, dict) else {}
    raise RejectedError(str(error.get("code", "")), str(error.get("message", "")), payload)


def open_session(
    url: str,
    auth: dict[str, str],
    on_event: Callable[[str, dict[str, Any]], None],
    scopes: tuple[str, ...] = SCOPES,
) -> Session:
    try:
        socket = websocket.connect(url, timeout_s=CONNECT_TIMEOUT_S)
    except OSError as error:
        raise UnreachableError(f"no gateway at {url}: {error}") from error
    session = Session(socket, on_event)
    try:
        _await_challenge(socket)
        session.start()
        session.hello = _greet(session, url, _introduce(auth, scopes))
    except GatewayError:
        session.shut()
        raise
    except (OSError, ValueError) as error:
        session.shut()
        with contextlib.suppress(OSError):
            socket.close()
        raise UnreachableError(f"the gateway at {url} does not greet: {error}") from error
    return session


def _await_challenge(socket: websocket.WebSocket) -> None:
    frame = plainjson.read(socket.receive_text(CONNECT_TIMEOUT_S))
    if not isinstance(frame, dict) or frame.get("event") != "connect.challenge":
        raise ValueError("what answers there is not OpenClaw's gateway")


def _greet(session: Session, url: str, words: dict[str, Any]) -> Hello:
    try:
        payload = session.call("connect", words, CONNECT_TIMEOUT_S, lambda: False)
    except RejectedError as error:
        if error.code == STARTING:
            raise UnreachableError(f"the gateway at {url} is not ready: {error}") from error
        raise UnreachableError(
            f"the gateway at {url} refuses us: {error} ({error.code})", is_refusal=True
        ) from error
    except LostError as error:
        raise UnreachableError(f"the gateway at {url} does not greet: {error}") from error
    server, features = payload.get("server"), payload.get("features")
    server = server if isinstance(server, dict) else {}
    methods = features.get("methods") if isinstance(features, dict) else None
    return Hello(
        boot_id=str(server.get("bootId", "")),
        version=str(server.get("version", "")),
        methods=frozenset(map(str, methods if isinstance(methods, list) else [])),
    )


def _introduce(auth: dict[str, str], scopes: tuple[str, ...]) -> dict[str, Any]:
    """Write the parameters of `connect`. Other client ids are refused."""
    return {
        "minProtocol": PROTOCOL,
        "maxProtocol": PROTOCOL,
        "client": {
            "id": "gateway-client",
            "version": __version__,
            "platform": sys.platform,
            "mode": "backend",
        },
        "role": "operator",
        "scopes": list(scopes),
        "caps": [],
        **({"auth": auth} if auth else {}),
    }
