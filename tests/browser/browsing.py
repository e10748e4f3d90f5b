"""A bus with people on it, and the browsers of a test."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.conftest import until

if TYPE_CHECKING:
    from playwright.sync_api import (
        APIResponse,
        Browser,
        BrowserContext,
        ConsoleMessage,
        Page,
        Route,
    )

    from tests.conftest import Bus

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
CUT = (
    *("ERR_INTERNET_DISCONNECTED", "ERR_NETWORK_", "ERR_CONNECTION_", "ERR_SOCKET_"),
    *("ERR_ADDRESS_UNREACHABLE", "ERR_TIMED_OUT", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE_CHUNKED"),
    "503",
)
"""All that Chromium calls a broken way to the bus (its net_error_list.h), and a bus that starts."""


@dataclass
class House:
    """A bus with people and agents on it."""

    bus: Bus
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.bus.url

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Call as the administration, which must succeed."""
        status, answer = self.bus.call(self.bus.admin, method, path, body)
        assert status < 300, (path, answer)
        return answer

    def add(self, name: str, **fields: Any) -> str:
        """Add an agent or a person; gives a token."""
        self.admin("POST", "/api/agents", {"name": name, **fields})
        kind = "person" if fields.get("kind") == "person" else "agent"
        made = self.admin("POST", "/api/tokens", {"kind": kind, "subject": name})
        self.tokens[name] = made["token"]
        return made["token"]

    def call(self, name: str, method: str, path: str, body: Any = None) -> Any:
        """Call as one of the house, which must succeed."""
        status, answer = self.bus.call(self.tokens[name], method, path, body)
        assert status < 300, (path, answer)
        return answer

    def link(self, name: str) -> str:
        """Give a link by which somebody signs in, once."""
        return self.admin("POST", f"/api/people/{name}/sign-in")["link"]


class Visits:
    """The browsers of a test, each a context of its own, and what their pages complained of."""

    def __init__(self, browser: Browser, house: House) -> None:
        self._browser, self._house = browser, house
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []
        self.expected: list[str] = []

    def open(self, **how: Any) -> Page:
        """Open a browser in which nobody is signed in."""
        context = self._browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB"} | how)
        self.contexts.append(context)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        return context.new_page()

    def follow_link(self, name: str, *, by: str = "", **how: Any) -> Page:
        """Open a browser and sign somebody in by a link, as people do; `by` another address."""
        page, url = self.open(**how), by or self._house.url
        page.goto(self._house.link(name).replace(self._house.url, url))
        page.get_by_role("button", name=f"Sign in as {name}").click()
        page.wait_for_url(f"{url}/fleet")
        return page

    def sign_in(self, name: str, *, by: str = "", **how: Any) -> Page:
        """Do the same by the form's own request: how a form looks is not each test's business.

        That goes out from the tests' own host, and not from the browser's where it has another.
        """
        page, url = self.open(**how), by or self._house.url
        code = self._house.link(name).partition("code=")[2]
        asked = {"form": {"code": code}, "headers": {"Origin": url}, "max_redirects": 0}
        assert page.context.request.post(f"{url}/sign-in", **asked).status == 303
        page.goto(f"{url}/fleet")
        return page

    def expect_complaint(self, part: str) -> None:
        """Take what a page writes to its console with this in it as what the test is about."""
        self.expected.append(part)

    def expect_cut(self) -> None:
        """Take whatever a page says of a network that is cut or a bus that is gone."""
        self.expected += CUT

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def end(self) -> None:
        """Close all, and fail where a page complained of what nobody expected."""
        for context in self.contexts:
            with suppress(Exception):
                context.close()
        left = [said for said in self.complaints if not any(part in said for part in self.expected)]
        assert not left, f"the console must stay clean: {left}"


HEAR = """async (kind) => {
    const {on} = await import(document.querySelector('script[src$="live.js"]').src);
    window.heard = [];
    on(kind, (data) => window.heard.push(data));
}"""


def hear(page: Page, kind: str) -> None:
    """Keep what a page is told of a kind from now on, as `window.heard`."""
    page.evaluate(HEAR, kind)


class HeldAnswer:
    """What the bus answers first at a path: read at once, given to its page when that is told."""

    def __init__(self, page: Page, pattern: str) -> None:
        self._page = page
        self._held: list[tuple[Route, APIResponse]] = []
        page.route(pattern, self._hold, times=1)

    def _hold(self, route: Route) -> None:
        self._held.append((route, route.fetch()))

    def wait_read(self) -> None:
        """Wait until the page has asked and the bus has answered."""
        until(lambda: self._page.evaluate("1") and self._held, 60, "the page has asked")

    def give(self) -> None:
        """Let the page have it."""
        route, answer = self._held[0]
        route.fulfill(response=answer)


def check_width(page: Page) -> None:
    """Refuse a page that is wider than what shows it."""
    wide, seen = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= seen, f"{page.url} is {wide} wide in a window of {seen}"
