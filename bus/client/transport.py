"""One kept connection to the bus: a request goes out, a JSON object or a `ClientError` comes back.

It knows no call of the API; `bus.client.calls` has them.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from bus.client.trust import check_trusted, trusted_file
from bus.config import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import PreparedRequest, Response, Session

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0
UNREACHABLE = "unreachable"
NOT_A_BUS = "not_a_bus"
FIRST_BYTES_S = 10.0
"""The bus sends the first bytes of a stream at once."""
HELD_BACK = (
    "the bus answers, but not a byte of its stream comes: a proxy keeps it back; nginx: "
    "`proxy_buffering off;` in the bus's location; Caddy: no `response_buffers` in its "
    "reverse_proxy; see docs/howto/behind-a-proxy.md"
)
CERTIFICATE, OTHER_NAME, NOT_TLS = "certificate", "other_name", "not_tls"
OTHER_NAME_CODES = (62, 64)
"""OpenSSL's numbers for a certificate of another host name or another IP address."""


class ClientError(Exception):
    """The bus refused a call, or could not be reached (then `status` is 0)."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        retry_after: float | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep what a program decides by (`status`, `code`) and what a person reads (`detail`).

        `retry_after` is in seconds, None where the bus named no time; `more` is the whole problem.
        """
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.more = dict(more or {})
        super().__init__(f"{code}: {detail}" if detail else code)

    @property
    def unreachable(self) -> bool:
        """Whether no answer of a bus came back at all."""
        return self.status == 0


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
                    params=present(params),
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


def present(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Leave out the parameters that were not given."""
    return {key: value for key, value in (params or {}).items() if value is not None}


def checked(response: Response) -> Response:
    """Give a 2xx answer back; raise any other as what it says."""
    if response.status_code // 100 == 2:
        return response
    problem = json_object(response)
    retry_after = response.headers.get("Retry-After", "")
    asked = (response.url or "").partition("?")[0]
    fallback = f"{asked} answered {response.status_code} {response.reason}, and not as a bus does"
    raise ClientError(
        response.status_code,
        str(problem.get("code", NOT_A_BUS)),
        str(problem.get("detail") or (problem.get("title") if problem else fallback) or ""),
        float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None,
        problem,
    )


def json_object(response: Response) -> dict[str, Any]:
    """Read a JSON object; anything else is an empty one."""
    try:
        value = response.json()
    except (ValueError, requests.RequestException):
        return {}
    return value if isinstance(value, dict) else {}


def unreachable(url: str, error: Exception) -> ClientError:
    """Say in one plain sentence that there is no bus at an address, and why."""
    if isinstance(error, requests.exceptions.SSLError):
        return untrusted(url, error)
    return ClientError(0, UNREACHABLE, f"no bus answers at {url} ({cause(error)})")


def untrusted(url: str, error: Exception) -> ClientError:
    """Say what is wrong with the TLS of an address: whom it is signed by, whom it is for, or all.

    The ways out differ, and so do the codes.
    """
    found = next((one for one in layers(error) if isinstance(one, ssl.SSLError)), None)
    if isinstance(found, ssl.SSLCertVerificationError):
        is_name = found.verify_code in OTHER_NAME_CODES
        why = f"the certificate of {url} could not be verified ({found.verify_message.strip('. ')})"
        return ClientError(0, OTHER_NAME if is_name else CERTIFICATE, why)
    return ClientError(0, NOT_TLS, f"no TLS is spoken at {url}")


def cause(error: BaseException) -> str:
    """Find the operating system's own words under the layers of an HTTP library's error."""
    if isinstance(error, requests.Timeout):
        return "it did not answer in time"
    said = (one.strerror for one in layers(error) if isinstance(one, OSError) and one.strerror)
    return next(said, "the connection failed").lower()


def layers(error: BaseException) -> Iterator[BaseException]:
    """Give an error and those under it, each the reason of the one before."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__ or reason_of(seen)


def reason_of(error: BaseException) -> BaseException | None:
    """Give the error that urllib3 carries inside another, where there is one."""
    inner = getattr(error, "reason", None) or next(iter(error.args), None)
    return inner if isinstance(inner, BaseException) else None
