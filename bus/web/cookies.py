"""What a browser shows of itself: its cookie, where a request comes from, and that a page made it.

A cookie goes along with whatever a browser sends, also where another page had it sent. So a
request that shows one counts only if it comes from a page of this bus, and what changes something
only with a word that such a page alone knows.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from flask import request

from bus.errors import ForbiddenError
from bus.ids import derive_secret
from bus.web.request import read_body

if TYPE_CHECKING:
    from flask import Response

    from bus.config import Config

NAME, SECURE_NAME = "wakebus", "__Host-wakebus"
KEPT_S = 400 * 86_400
"""As long as a browser keeps a cookie at most; when its token ends, the bus decides."""
FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 100
SAFE = frozenset({"GET", "HEAD"})


def is_secure(config: Config) -> bool:
    """Say whether people reach the bus over TLS, by itself or by a proxy."""
    return config.url.startswith("https:")


def cookie_name(config: Config) -> str:
    """Name the cookie; over TLS so that no neighbouring host can have set it."""
    return SECURE_NAME if is_secure(config) else NAME


def read_cookie(config: Config) -> str:
    """Give the token that a browser shows, or an empty text."""
    return request.cookies.get(cookie_name(config), "")


def set_cookie(response: Response, config: Config, token: str) -> None:
    """Have a browser keep a token, for the bus alone and out of reach of scripts; none: forget."""
    response.set_cookie(
        cookie_name(config),
        token,
        max_age=KEPT_S if token else 0,
        path="/",
        secure=is_secure(config),
        httponly=True,
        samesite="Strict",
    )


def csrf_of(token: str) -> str:
    """Give the word that a page of this browser has: it follows from the token, nothing is kept."""
    return derive_secret(token, "csrf")


def check_origin(config: Config) -> None:
    """Refuse a request of a browser that does not come from a page of this bus.

    What only reads may also come from the person, who typed the address.

    Raises:
        ForbiddenError: it comes from elsewhere.
    """
    is_safe = request.method in SAFE
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if site != "same-origin" and not (is_safe and site == "none"):
        raise ForbiddenError("this request comes from a page elsewhere; it was not done")
    origin = request.headers.get("Origin", "")
    if not is_safe and origin not in own_origins(config):
        raise ForbiddenError(
            f"this request comes from {origin[:100] or 'nowhere'}, not from {origin_of(config.url)}"
            "; if that is where you opened the page, have BUS_PUBLIC_URL say so"
        )


def own_origins(config: Config) -> set[str]:
    """List where a page of this bus can have come from: as it is set, and as it was reached."""
    return {
        origin_of(config.url),
        origin_of(f"{request.environ['wsgi.url_scheme']}://{request.environ.get('HTTP_HOST', '')}"),
    }


def origin_of(url: str) -> str:
    """Give a URL's origin as a browser writes it."""
    parts = urlsplit(url)
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}".lower()


def check_csrf(token: str) -> None:
    """Refuse what changes something and was not made by a page of this browser.

    Raises:
        ForbiddenError: the page's word is missing or another's.
    """
    shown = request.headers.get("X-CSRF") or read_form().get("csrf", "")
    if not hmac.compare_digest(shown.encode(), csrf_of(token).encode()):
        raise ForbiddenError("the page's X-CSRF is missing or old: load the page again")


def read_form() -> dict[str, str]:
    """Read the fields of a form; of a field that comes twice the first."""
    if request.mimetype != FORM:
        return {}
    try:
        text = read_body().decode()
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise ForbiddenError("this form is none of a page of this bus") from error
    return {name: values[0] for name, values in fields.items()}
