"""One endless stream of events over many connections.

Connects, reads line by line, notices a dead link, waits with jitter, goes on after the last
event. It must not know what the events mean; whoever reads decides what to remember.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from watcher import log, plainjson
from watcher.address import advise, limit_answer
from watcher.backoff import Backoff
from watcher.bus import AWAY, BusError, authorize, parse_problem
from watcher.cursor import is_plain
from watcher.events import Event, EventReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from watcher.address import Address, Limit
    from watcher.clock import Clock

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 45.0  # three times the bus's comment every 15 s
REFUSED_WAIT_S = 60.0  # a token can be rotated, so asking goes on, but slowly
LONGEST_PAUSE_S = 15.0  # a wait is cut in pieces so that the reader can feed its watchdog
READ_BYTES = 64 << 10
MAX_PROBLEM_BYTES = 64 << 10
_LINK_ERRORS = (OSError, http.client.HTTPException, ValueError)


@dataclass(frozen=True)
class Opened:
    """A connection stands: what was missed can be asked for now."""


@dataclass(frozen=True)
class Beat:
    """Nothing happened, and the stream is well, or waiting to connect (then with the reason)."""

    trouble: str = ""


Step = Union[Opened, Event, Beat]  # noqa: UP007 - evaluated at import, also by 3.10's tools


@dataclass(frozen=True)
class Timing:
    """How long the stream waits for what."""

    connect_s: float = CONNECT_TIMEOUT_S
    read_s: float = READ_TIMEOUT_S
    refused_s: float = REFUSED_WAIT_S


class Stream:
    """The bus's stream for this node, until `stop`.

    `last_event_id` is where the next connection goes on; it moves with every event that was
    handed out, and the reader may set it before the first step.
    """

    def __init__(
        self,
        address: Address,
        read_token: Callable[[], str],
        instance: str,
        clock: Clock,
        timing: Timing | None = None,
    ) -> None:
        self.last_event_id = ""
        self._address = address
        self._read_token = read_token
        self._instance = instance
        self._clock = clock
        self._timing = timing or Timing()
        self._backoff = Backoff(clock.fraction)
        self._retry_s = 0.0
        self._farewell = self._papers = self._refused_id = ""
        self._stop = threading.Event()
        self._socket: socket.socket | None = None
        self._is_asked = self._is_heard = False

    def stop(self) -> None:
        """End the stream now, from any thread."""
        self._stop.set()
        sock = self._socket
        if sock is not None:
            # the plain shutdown also for TLS: it wakes the reader and leaves its state alone
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def steps(self) -> Iterator[Step]:
        """Give what happens, for ever: connections, events, and a beat at least every 45 s."""
        while not self._stop.is_set():
            started_s = self._clock.monotonic_s()
            trouble = BusError(AWAY, "away", "the stream ended")
            try:
                yield from self._one_connection()
            except BusError as error:
                trouble = error
            except TimeoutError as error:
                is_held = self._is_asked and not self._is_heard and self._is_answering()
                trouble = HELD_BACK if is_held else _away(error, self._address)
            except _LINK_ERRORS as error:
                trouble = _away(error, self._address)
            self._backoff.note_healthy(self._clock.monotonic_s() - started_s)
            yield from self._pause(trouble)

    def _one_connection(self) -> Iterator[Step]:
        self._farewell, self._is_asked, self._is_heard = "", False, False
        connection = self._address.connect(self._timing.connect_s)
        try:
            self._is_asked = True
            # kept by itself: http.client lets go of it where the server says `Connection: close`
            self._socket = connection.sock
            limit = limit_answer(connection, self._timing.connect_s)
            response = self._ask(connection)
            yield Opened()
            yield from self._read(response, limit)
        finally:
            self._socket = None
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        if self._stop.is_set():  # set between the two lines above, where it found no socket
            raise OSError("stopping")
        target = self._address.target("/api/stream", {"instance": self._instance})
        connection.request("GET", target, headers=self._headers())
        response = connection.getresponse()
        if response.status != 200:
            body = response.read(MAX_PROBLEM_BYTES)
            raise parse_problem(response.status, body, response.headers.get("Retry-After"))
        if response.headers.get_content_type() != "text/event-stream":
            raise BusError(502, "not_the_bus", "what answers there is not an event stream")
        return response

    def _is_answering(self) -> bool:
        """Say whether the bus answers a call by the way on which its stream does not come."""
        try:
            connection = self._address.connect(self._timing.connect_s)
        except _LINK_ERRORS:
            return False
        try:
            limit_answer(connection, self._timing.connect_s)
            connection.request("GET", self._address.target("/healthz"))
            return connection.getresponse().status == 200
        except _LINK_ERRORS:
            return False
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        self._papers = authorize(self._read_token)
        headers = {
            "Authorization": self._papers,
            "Accept": "text/event-stream",
            "Cache-Control": "no-store",
        }
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        return headers

    def _read(self, response: http.client.HTTPResponse, limit: Limit) -> Iterator[Step]:
        reader = EventReader(self.last_event_id)
        while not self._stop.is_set():
            # for a whole line: a drip of bytes is no sign; the first one the bus sends at once
            limit.restart(self._timing.read_s if self._is_heard else self._timing.connect_s)
            # readline, never read(): it gives a line the moment it is there, chunked or not
            chunk = response.readline(READ_BYTES)
            if not chunk:
                return
            self._is_heard = True
            for event in reader.feed(chunk):
                self._note(event)
                yield event
            self._move(reader.last_event_id)
            if reader.retry_ms is not None:
                self._retry_s = reader.retry_ms / 1000
            yield Beat()

    def _note(self, event: Event) -> None:
        self._move(event.last_event_id)
        if event.type == "bye":
            self._farewell = _read_reason(event.data)

    def _move(self, event_id: str) -> None:
        """Take a position, unless it could not go into a header at the next connection."""
        if not event_id or is_plain(event_id):
            self.last_event_id = event_id
        elif event_id != self._refused_id:
            self._refused_id = event_id
            log.warn("event_id_refused", id=event_id, goes_on_after=self.last_event_id or None)

    def _pause(self, trouble: BusError) -> Iterator[Step]:
        if self._stop.is_set():
            return
        if trouble.status == 400 and self.last_event_id:
            self.last_event_id = ""  # the bus does not take this position; it will send all again
        wait_s = self._choose_wait_s(trouble)
        self._explain(trouble, wait_s)
        text = self._farewell or str(trouble)
        until_s = self._clock.monotonic_s() + wait_s
        while (left_s := until_s - self._clock.monotonic_s()) > 0:
            yield Beat(text)
            if self._clock.wait(self._stop, min(left_s, LONGEST_PAUSE_S)):
                return

    def _choose_wait_s(self, trouble: BusError) -> float:
        if self._farewell == "lifetime":
            self._backoff.reset()  # an orderly end of one connection: nobody else comes back now
            return self._clock.fraction()
        if self._farewell == "revoked" and self._has_new_papers():
            self._backoff.reset()  # renewed while this stream stood: the new token is good at once
            return self._clock.fraction()
        if trouble.is_about_the_token or self._farewell == "replaced":
            return self._timing.refused_s
        return self._backoff.next_s(max(self._retry_s, trouble.retry_after_s or 0.0))

    def _has_new_papers(self) -> bool:
        try:
            return authorize(self._read_token) != self._papers
        except BusError:
            return False

    def _explain(self, trouble: BusError, wait_s: float) -> None:
        if self._farewell:
            advice = _ADVICE.get(self._farewell)
            log.say("stream_ended", reason=self._farewell, again_in_s=f"{wait_s:.1f}", note=advice)
            return
        log.warn(
            "stream_lost",
            code=trouble.code,
            reason=trouble.detail,
            again_in_s=f"{wait_s:.1f}",
            note=_ADVICE.get(trouble.code) or _STATUS_ADVICE.get(trouble.status),
        )


HELD_BACK = BusError(
    AWAY, "held_back", "the bus answers, but not a byte of its stream comes: a proxy keeps it back"
)
_ADVICE = {
    "held_back": "nginx: `proxy_buffering off;` in the bus's location; Caddy: no `response_buffers`"
    " in its reverse_proxy; see docs/howto/behind-a-proxy.md",
    "replaced": "another watcher came with this one's instance id; was its folder copied?",
    "instance_busy": "another watcher uses this node's token; stop it or enrol this one as a node",
}
_STATUS_ADVICE = {
    401: "the bus does not take this node's token; make a new code and enrol again",
    403: "this token may not read the node's stream; make a new code and enrol again",
}


def _read_reason(data: str) -> str:
    try:
        return str(plainjson.read(data)["reason"])
    except (ValueError, KeyError, TypeError):
        return "unknown"


def _away(error: Exception, where: Address) -> BusError:
    return BusError(AWAY, "away", _describe(error, where))


def _describe(error: Exception, where: Address) -> str:
    if isinstance(error, TimeoutError):
        return "nothing was heard for too long: the link is dead"
    reason, advice = str(error) or type(error).__name__, ""
    if isinstance(error, ssl.SSLError):  # not where a link broke, which is how each bus goes down
        advice = advise(where, error)
    return f"{reason}; {advice}" if advice else reason
