"""Where an HTTP server is and how to open a connection to it: plain or TLS, never by a proxy.

Shared by everything here that speaks HTTP. It must not know tokens or what is asked.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
        context = ssl.create_default_context(cafile=self.ca_file)
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout_s, context=context)

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
    except ValueError as error:
        raise AddressError(f"{url!r} is not a URL: {error}") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise AddressError(f"{url!r} is not a URL such as http://bus:8091")
    if parts.username is not None or parts.query or parts.fragment:
        raise AddressError(f"{parts.hostname}: a base URL has no user, question mark or fragment")
    prefix = quote(parts.path.rstrip("/"), safe="/%")
    return Address(
        parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme], prefix, ca_file
    )
