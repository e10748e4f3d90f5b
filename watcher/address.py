"""Where an HTTP server is and how to open a connection to it: plain or TLS, never by a proxy.

Shared by everything here that speaks HTTP. It must not know tokens or what is asked.
"""

from __future__ import annotations

import http.client
import io
import re
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from pathlib import Path

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"({_LABEL}\.)*{_LABEL}\.?|[0-9a-f.]*:[0-9a-f:.]*(%[a-z0-9._-]+)?", re.ASCII)
DEFAULT_PORTS = {"http": 80, "https": 443}


class AddressError(ValueError):
    """This is not an address that can be called."""


@dataclass(frozen=True)
class Address:
    """A parsed base URL. `ca_file` replaces the machine's list of trusted authorities."""

    scheme: str
    host: str
    port: int
    prefix: str = ""
    ca_file: Path | None = None

    def connect(self, timeout_s: float) -> http.client.HTTPConnection:
        """Open a connection, at most that long; the same limit then holds for each read.

        Raises:
            OSError: it cannot be reached, or its certificate is not trusted.
        """
        connection = self._make(timeout_s)
        connection.connect()
        return connection

    def _make(self, timeout_s: float) -> http.client.HTTPConnection:
        if self.scheme == "http":
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout_s)
        return http.client.HTTPSConnection(
            self.host, self.port, timeout=timeout_s, context=self._trust()
        )

    def check(self) -> None:
        """Read the file of trusted authorities, if there is one, before it is needed.

        Raises:
            AddressError: it cannot be used.
        """
        if self.ca_file is not None:
            self._trust()

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            why = error.strerror or str(error)
            raise AddressError(f"the CA file {self.ca_file} cannot be used: {why}") from error

    def target(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Write what goes into the request line."""
        return self.prefix + path + (f"?{urlencode(query)}" if query else "")

    def url(self, path: str) -> str:
        """Write a whole URL, for a reader."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.prefix}{path}"


def parse(url: str, ca_file: Path | None = None) -> Address:
    """Read a base URL.

    Raises:
        AddressError: with a sentence for the person who wrote it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        prefix = quote(parts.path.rstrip("/"), safe="/%")
    except ValueError as error:
        raise AddressError(f"{url!r} is not a URL: {error}") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise AddressError(f"{url!r} is not a URL such as http://bus:8091")
    if not _HOST.fullmatch(parts.hostname):
        # What no resolver takes would leave it as an error that nobody expects.
        raise AddressError(
            f"{url!r}: {parts.hostname!r} is no host; one beyond ASCII is written as xn--..."
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise AddressError(f"{parts.hostname}: a base URL has no user, question mark or fragment")
    return Address(
        parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme], prefix, ca_file
    )


def advise(where: Address, error: Exception) -> str:
    """Say what may be wrong with an address that was called in vain; "" where nothing is known."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "if its certificate is of your own making, enrol with --ca-file FILE"
    is_cut = isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    if isinstance(error, ssl.SSLError) and not is_cut:
        return "if the bus speaks plain http, write http:// in its address"
    if where.scheme == "http" and isinstance(
        error, (ConnectionResetError, http.client.BadStatusLine)
    ):
        return "if the bus speaks https, write https:// in its address"
    return ""


class Limit:
    """A point in time at which reading must have come to something."""

    def __init__(self, limit_s: float) -> None:
        self.restart(limit_s)

    def restart(self, limit_s: float) -> None:
        """Put it that far from now."""
        self._until_s = time.monotonic() + limit_s

    @property
    def left_s(self) -> float:
        """Give the time that is left."""
        return self._until_s - time.monotonic()


def limit_answer(connection: http.client.HTTPConnection, limit_s: float) -> Limit:
    """Have the next answer be there as a whole in that time.

    The limit of a connection is one for each read: an answer of a byte a second would never end.
    """
    limit = Limit(limit_s)

    class Limited(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
            super().__init__(sock, *args, **options)
            self.fp = io.BufferedReader(_LimitedReads(sock, self.fp, limit))

    connection.response_class = Limited
    return limit


class _LimitedReads(io.RawIOBase):
    """What is read from a socket, until a point in time."""

    def __init__(self, sock: socket.socket, source: Any, limit: Limit) -> None:
        self._socket = sock
        self._source = source
        self._limit = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._limit.left_s
        if left_s <= 0:
            raise TimeoutError("the answer takes too long")
        self._socket.settimeout(left_s)
        count: int | None = self._source.raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._source.close()
        super().close()
