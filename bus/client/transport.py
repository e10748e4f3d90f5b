"""One kept connection to the bus: a request goes out, a JSON object or a `ClientError` comes back.

It knows no call of the API; `bus.client.calls` has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from bus.client.failures import ClientError, checked, unreachable
from bus.client.trust import check_trusted, trusted_file
from bus.config import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest, Response, Session

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0
FIRST_BYTES_S = 10.0
"""The bus sends the first bytes of a stream at once."""
HELD_BACK = (
    "the bus answers, but not a byte of its stream comes: a proxy keeps it back; nginx: "
    "`proxy_buffering off;` in the bus's location; Caddy: no `response_buffers` in its "
    "reverse_proxy; see docs/howto/behind-a-proxy.md"
)


class BearerAuth(requests.auth.AuthBase):
    """Puts the token on a request; as `auth` it also keeps a `.netrc` from replacing it."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        if self.token:
            r.headers["Authorization"] = f"Bearer {self.token}"
        return r


class Transport:
    """A base address, a token and the connections kept to it."""

    def __init__(
        self,
        url: str,
        token: str,
        session: Session | None = None,
        *,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.timeout_s = timeout_s
        self._session = session or make_session(self.url)
        self._session.auth = BearerAuth(token)

    def close(self) -> None:
        self._session.close()

    def call(  # noqa: PLR0913 - the parts of an HTTP request
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
        repeatable: bool = False,
    ) -> Response:
        """Make one request and give its good answer.

        `wait_s` is how long the bus was asked to wait before it answers. A `repeatable` request
        whose connection broke is sent once more: a kept connection may have been closed by a
        restart of the bus.

        Raises:
            ClientError: any answer that is not 2xx, or none.
        """
        timeout = (CONNECT_TIMEOUT_S, self.timeout_s + wait_s)
        for is_last in (not repeatable, True):
            try:
                response = self._session.request(
                    method,
                    self.url + path,
                    params=present(params or {}),
                    json=json,
                    data=data,
                    headers=headers,
                    timeout=timeout,
                    allow_redirects=False,
                )
            except requests.ConnectionError as error:
                if is_last:
                    raise unreachable(self.url, error) from error
                continue
            except requests.RequestException as error:
                raise unreachable(self.url, error) from error
            return checked(response)
        raise AssertionError  # pragma: no cover - the second pass is always the last

    def open_stream(self, params: Mapping[str, Any], last_id: str, silence_s: float) -> Response:
        """Open the event stream; a silence longer than `silence_s` breaks its reading.

        Raises:
            ClientError: the bus refused the stream or could not be reached.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        try:
            response = self._session.get(
                f"{self.url}/api/stream",
                params=present(params),
                headers=headers,
                stream=True,
                timeout=(CONNECT_TIMEOUT_S, min(FIRST_BYTES_S, silence_s)),
                allow_redirects=False,
            )
        except requests.ReadTimeout as error:
            if self._is_answering():
                raise ClientError(0, "held_back", HELD_BACK) from error
            raise unreachable(self.url, error) from error
        except requests.RequestException as error:
            raise unreachable(self.url, error) from error
        let_wait(response, silence_s)
        return checked(response)

    def _is_answering(self) -> bool:
        """Say whether the bus answers a call by the way on which its stream does not come."""
        try:
            return self.call("GET", "/healthz").ok
        except ClientError:
            return False


def let_wait(response: Response, silence_s: float) -> None:
    """Have the reading of an answer wait so long for its next bytes."""
    sock = getattr(getattr(response.raw, "connection", None), "sock", None)
    if sock is not None:
        sock.settimeout(silence_s)


def make_session(url: str) -> Session:
    """Make a session; one to this machine asks no proxy that the environment may name.

    Whom it trusts, the environment says for every address.

    Raises:
        ConfigError: the file with the trusted authorities holds none.
    """
    session = requests.Session()
    session.trust_env = not is_loopback(urlsplit(url).hostname or "")
    key, file = trusted_file()
    if file and url.startswith("https:"):
        check_trusted(key, file)
        session.verify = file
    return session


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the fields of a body, or the parameters of a query, that were not given."""
    return {name: value for name, value in fields.items() if value is not None}
