"""One request to a host that the administration allowed, and to no other.

The name is resolved once, each address that it stands for is judged, and the connection goes to
that very address, with the name in TLS and in `Host`: who owns the name cannot have it mean another
one in between. No redirect is followed, no proxy of the environment is asked, and of the answer its
status is read and nothing is kept.
"""

from __future__ import annotations

import http
import http.client
import socket
import ssl
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

import gevent

from bus import __version__
from bus.notices.model import Verdict
from bus.notices.rules import find_place, show_host, why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bus.notices.model import Address, Allowed, Place

WHOLE_S = 15.0
"""How long it may take from the look-up of the name to the answer's head."""
STEP_S = 10.0
"""How long each step of it may take."""
MOST_ADDRESSES = 3
READ = 1024


class RefusedError(Exception):
    """Nothing goes there; its text says why, in the bus's own words."""


class Connection(http.client.HTTPConnection):
    """A connection to one address, whatever its name means by now."""

    def __init__(self, to: Address, ip: str) -> None:
        super().__init__(to.host, to.port, timeout=STEP_S)
        self._ip, self._is_tls = ip, to.scheme == "https"
        self.default_port = 443 if self._is_tls else 80

    def connect(self) -> None:
        self.sock = socket.create_connection((self._ip, self.port), STEP_S)
        if self._is_tls:
            self.sock = trust().wrap_socket(self.sock, server_hostname=self.host)


@cache
def trust() -> ssl.SSLContext:
    """Trust whom this machine trusts; SSL_CERT_FILE can name others."""
    return ssl.create_default_context()


def resolve(host: str, port: int) -> list[str]:
    """Look a name up; an address stands for itself."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def post(to: Address, allowed: Allowed, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Post to an address of the list."""
    return judged(lambda: begin_post(to, allowed, headers, body))


def judged(attempt: Callable[[], Verdict]) -> Verdict:
    """Make an attempt, and say in the bus's own words how it failed where it did."""
    try:
        with gevent.Timeout(WHOLE_S):
            return attempt()
    except (TimeoutError, gevent.Timeout):
        said = f"no answer within {WHOLE_S:g} s"
    except RefusedError as error:
        said = str(error)
    except socket.gaierror:
        said = "its name does not resolve"
    except ssl.SSLCertVerificationError as error:
        said = f"TLS: its certificate is not good: {error.verify_message}"
    except ssl.SSLError:
        said = "TLS: it could not be agreed on"
    except http.client.HTTPException:
        said = "what it answers is not HTTP"
    except OSError as error:
        said = f"it cannot be reached: {error.strerror or type(error).__name__}"
    return Verdict(is_taken=False, said=said[:200])


def begin_post(to: Address, allowed: Allowed, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Find where it may go, and post it to the first that can be reached."""
    place = find_place(allowed, to)
    if place is None:
        raise RefusedError(f"{show_host(to)} is not allowed any more (BUS_NOTICE_HOSTS)")
    status = ask(to, find_ways(to, place), headers, body)
    if 200 <= status < 300:
        return Verdict(is_taken=True, said=name_status(status))
    more = "; redirects are not followed" if 300 <= status < 400 else ""
    return Verdict(is_taken=False, said=f"{name_status(status)}{more}")


def find_ways(to: Address, place: Place) -> list[str]:
    """List the addresses of a host, all of which nothing speaks against.

    Raises:
        RefusedError: something speaks against one of them.
    """
    found = resolve(to.host, to.port)
    for ip in found:
        why = why_not(ip, place)
        if why:
            raise RefusedError(f"{show_host(to)} stands for {ip}: {why}")
    return found[:MOST_ADDRESSES]


def ask(to: Address, ways: list[str], headers: Mapping[str, str], body: bytes) -> int:
    """Post it once; another address is for who cannot be reached, not for who answers badly."""
    for left, ip in reversed(list(enumerate(reversed(ways)))):
        connection = Connection(to, ip)
        with closing(connection):
            try:
                connection.connect()
            except OSError:
                if left:
                    continue
                raise
            given = {"User-Agent": f"wakebus/{__version__}", **headers}
            connection.request("POST", to.path, body, given)
            answer = connection.getresponse()
            answer.read(READ)
            return answer.status
    raise RefusedError("its name does not resolve")


def name_status(status: int) -> str:
    """Write a status with its own name, not with what the other end calls it."""
    try:
        return f"HTTP {status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"
