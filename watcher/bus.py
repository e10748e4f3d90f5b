"""The bus as the watcher calls it: JSON over HTTP, one class for everything that can go wrong.

Every call made through here may be repeated: the bus's routes are idempotent by contract, so a
kept connection that turns out dead costs a second try, not a doubt. It must not know the stream.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import threading
from typing import TYPE_CHECKING, Any

from watcher import plainjson
from watcher.address import advise, limit_answer
from watcher.privatefile import LooseFileError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from watcher.address import Address

    Parse = Callable[[bytes, int], Any]

TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 16 << 20
MAX_KEPT = 4
AWAY = 0
TRY_AGAIN = frozenset({AWAY, 408, 425, 429, 500, 502, 503, 504})
UNAUTHORIZED = frozenset({401, 403})
_NETWORK_ERRORS = (OSError, http.client.HTTPException, ValueError)


class BusError(Exception):
    """The bus refused, or (`status` 0) did not answer.

    `code` is the bus's word for it; `retry_after_s` what it asked to wait, or None.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{detail} ({code})" if status else detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s

    @property
    def is_passing(self) -> bool:
        """Say whether the same call may succeed later without anybody doing anything."""
        return self.status in TRY_AGAIN

    @property
    def is_about_the_token(self) -> bool:
        """Say whether a new token would help."""
        return self.status in UNAUTHORIZED


class Bus:
    """The bus for one principal, from any thread.

    `read_token` is asked at every call, so that a rotated token file needs no restart; None is
    for the calls that need no token.
    """

    def __init__(
        self,
        address: Address,
        read_token: Callable[[], str] | None,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.address = address
        self._read_token = read_token
        self._timeout_s = timeout_s
        self._idle: list[http.client.HTTPConnection] = []
        self._is_over = False
        self._lock = threading.Lock()

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Ask.

        Raises:
            BusError: the bus refused or did not answer.
        """
        target = self.address.target(path, query)
        answer: dict[str, Any] = self._call("GET", target, {}, None, self._timeout_s)
        return answer

    def post(
        self, path: str, body: Mapping[str, Any], *, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """Send a JSON object.

        Raises:
            BusError: the bus refused or did not answer.
        """
        headers = {"Content-Type": "application/json"}
        data = json.dumps(body).encode()
        target = self.address.target(path)
        answer: dict[str, Any]
        answer = self._call("POST", target, headers, data, timeout_s or self._timeout_s)
        return answer

    def post_text(self, path: str, text: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Send plain text.

        Raises:
            BusError: the bus refused or did not answer.
        """
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        data = text.encode("utf-8", "replace")
        target = self.address.target(path, query)
        answer: dict[str, Any] = self._call("POST", target, headers, data, self._timeout_s)
        return answer

    def append(self, path: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Append bytes to a stream.

        Raises:
            BusError: the bus refused or did not answer.
        """
        target = self.address.target(path)
        self._call("POST", target, dict(headers), data, self._timeout_s, lambda *_: None)

    def read_stream(self, path: str) -> bytes:
        """Read a stream's bytes from its beginning, as many as one answer holds.

        Raises:
            BusError: the bus refused or did not answer.
        """
        target = self.address.target(path)
        told: bytes = self._call("GET", target, {}, None, self._timeout_s, lambda body, _: body)
        return told

    def close(self) -> None:
        """Close what is kept open; the next call opens anew."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __enter__(self) -> Bus:  # noqa: PYI034 - Python 3.10 has no Self
        return self

    def __exit__(self, *_: object) -> None:
        """Keep no connection from now on, also none of a call that another thread still makes."""
        self._is_over = True
        self.close()

    def _call(  # noqa: PLR0913, PLR0917 - what goes into one request
        self,
        verb: str,
        target: str,
        headers: dict[str, str],
        data: bytes | None,
        timeout_s: float,
        parse: Parse | None = None,
    ) -> Any:
        if parse is None:
            headers, parse = {**headers, "Accept": "application/json"}, parse_object
        if self._read_token is not None:
            headers["Authorization"] = authorize(self._read_token)
        kept = self._take_kept(timeout_s)
        if kept is not None:
            with contextlib.suppress(*_NETWORK_ERRORS):
                return self._exchange(kept, verb, target, headers, data, timeout_s, parse)
        try:
            fresh = self.address.connect(timeout_s)
            return self._exchange(fresh, verb, target, headers, data, timeout_s, parse)
        except (http.client.InvalidURL, UnicodeError) as error:  # ours: the same call fails always
            raise BusError(400, "unsendable", f"this cannot be sent: {error}") from error
        except _NETWORK_ERRORS as error:
            raise _no_answer(self.address, error) from error

    def _exchange(  # noqa: PLR0913, PLR0917 - what goes into one request
        self,
        connection: http.client.HTTPConnection,
        verb: str,
        target: str,
        headers: dict[str, str],
        data: bytes | None,
        timeout_s: float,
        parse: Parse,
    ) -> Any:
        limit_answer(connection, timeout_s)
        try:
            connection.request(verb, target, data, headers)
            response = connection.getresponse()
            body = response.read(MAX_ANSWER_BYTES)
            is_reusable = response.isclosed() and not response.will_close
        except BaseException:
            connection.close()
            raise
        self._keep(connection, is_reusable=is_reusable)
        if response.status // 100 == 2:
            return parse(body, response.status)
        raise parse_problem(response.status, body, response.headers.get("Retry-After"))

    def _take_kept(self, timeout_s: float) -> http.client.HTTPConnection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            # an idle connection with something to read was closed by the other end
            if connection.sock and not _has_something(connection.sock):
                connection.sock.settimeout(timeout_s)
                return connection
            connection.close()

    def _keep(self, connection: http.client.HTTPConnection, *, is_reusable: bool) -> None:
        with self._lock:
            if is_reusable and not self._is_over and len(self._idle) < MAX_KEPT:
                self._idle.append(connection)
                return
        connection.close()


def _has_something(sock: socket.socket) -> bool:
    poller = select.poll()  # select itself takes no descriptor from 1024 up
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))


def authorize(read_token: Callable[[], str]) -> str:
    """Write the header's value.

    Raises:
        BusError: the token's file cannot be read, or others can read it.
    """
    try:
        token = read_token()
    except (OSError, ValueError, LooseFileError) as error:
        raise BusError(401, "token_unreadable", str(error)) from error
    if not token.isascii() or not token.isprintable():
        raise BusError(401, "token_unreadable", "its file holds more than a token; enrol again")
    return f"Bearer {token}"


def parse_object(body: bytes, status: int) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        BusError: something else answered, a gateway's page for example.
    """
    try:
        value = plainjson.read(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BusError(502, "not_the_bus", f"the answer ({status}) is not the bus's JSON")
    return value


def parse_problem(status: int, body: bytes, retry_after: str | None) -> BusError:
    """Read a refusal; one that the bus did not write keeps its status."""
    try:
        problem = plainjson.read(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    return BusError(
        status,
        str(problem.get("code") or f"http_{status}"),
        str(problem.get("detail") or f"HTTP status {status}"),
        retry_after_s=parse_retry_after(retry_after),
    )


def parse_retry_after(value: str | None) -> float | None:
    """Read whole seconds; a date is left alone, because nodes' clocks decide nothing."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 9:
        return float(text)
    return None


def _no_answer(address: Address, error: Exception) -> BusError:
    reason = str(error) or type(error).__name__
    advice = advise(address, error)
    where = f"no answer from {address.url('/')}: {reason}"
    return BusError(AWAY, "away", f"{where}; {advice}" if advice else where)
