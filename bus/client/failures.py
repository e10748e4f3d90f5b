"""What went wrong with a call: the bus's own refusal, or why nothing that is a bus answered."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import Response

UNREACHABLE = "unreachable"
NOT_A_BUS = "not_a_bus"
PASSING = frozenset({0, 409, 429, 500, 502, 503, 504})
"""What ends by itself, 0 being no answer at all; everything else would be refused again."""
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

    @property
    def passes(self) -> bool:
        """Whether it ends by itself."""
        return self.status in PASSING


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
