"""What an attacker gets from the page: nothing. Tried in a real browser."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fleetlife as life
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SCRIPT = "<script>window.hit=1</script><img src=x onerror='window.hit=1'>{{7*7}}"
PAGES = ("/fleet", "/me", "/nothing-there")


@pytest.fixture(scope="module")
def hostile(house):
    """A fleet in which whatever an agent can name or write has a script in it."""
    life.add_machine(house, "attic", "anna", "ben")
    house.admin("PATCH", "/api/agents/anna", {"display_name": f"\u202e{SCRIPT}\u001b[31m"})
    life.kill_letter(house, "anna", "ben", subject=SCRIPT)
    life.raise_alert(house, "anna", f"The disk: {SCRIPT}")
    return house


class Elsewhere:
    """Another site of this machine: the same host by name of the cookie's rules, another port."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        pages = self.pages

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = pages.get(self.path, "").encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def elsewhere():
    one = Elsewhere()
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_scripts_in_what_agents_say_are_text(hostile, sign_in):
    page = sign_in("alice")
    expect(page.get_by_text(SCRIPT).first).to_be_visible()
    said = page.locator("main").inner_text()
    assert said.count(SCRIPT) >= 3
    assert "\u202e" not in said
    assert "\u001b" not in said
    assert page.evaluate("window.hit") is None
    assert page.locator("main script, main img").count() == 0


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_its_policy_and_breaks_it_nowhere(hostile, visits, sign_in, path):
    page = sign_in("alice")
    visits.expect_complaint("404")
    answer = page.goto(f"{hostile.url}{path}")
    headers = answer.headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    expect(page.locator("#live")).to_have_text("live")
    assert page.locator("script:not([src]), style, [style], [onclick]").count() == 0


def test_a_script_in_the_page_itself_would_not_run(house, visits, sign_in):
    page = sign_in("alice")
    visits.expect_complaint("Content Security Policy")
    visits.expect_complaint("Content-Security-Policy")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'window.hit = 1'}))"
    )
    assert page.evaluate("window.hit") is None


def test_a_form_of_another_site_changes_nothing(hostile, elsewhere, visits, sign_in):
    message = life.kill_letter(hostile, "anna", "ben")
    page = sign_in("alice")
    visits.expect_complaint("403")
    elsewhere.pages["/"] = (
        f"<form method=post action={hostile.url}/fleet/send-again><input name=message "
        f"value={message}><input name=to value=ben><button>Win a prize</button></form>"
    )
    page.goto(elsewhere.url)
    with page.expect_response("**/fleet/send-again") as answered:
        page.get_by_role("button").click()
    assert "cookie" in answered.value.request.all_headers(), "a port is no other site for a cookie"
    assert answered.value.status == 403
    assert life.state_of(hostile, message) == "dead"


def test_a_script_of_another_site_neither_does_nor_reads_anything(
    hostile, elsewhere, visits, sign_in
):
    message = life.kill_letter(hostile, "anna", "ben")
    page = sign_in("alice")
    visits.expect_complaint("CORS")
    visits.expect_complaint("Failed to load resource")
    visits.expect_complaint("ERR_BLOCKED_BY_RESPONSE")
    page.goto(elsewhere.url)
    for how in ('mode: "no-cors"', 'mode: "cors"'):
        for path, more in (
            (f"/api/messages/{message}/redrive", ', method: "POST", body: "{}"'),
            ("/api/agents", ""),
        ):
            said = page.evaluate(
                f"""fetch("{hostile.url}{path}", {{credentials: "include", {how}{more}}})
                .then((answer) => answer.text(), () => "")"""
            )
            assert said == ""
    assert life.state_of(hostile, message) == "dead"


def test_the_page_cannot_be_framed(house, elsewhere, visits, sign_in):
    page = sign_in("alice")
    visits.expect_complaint("frame")
    visits.expect_complaint("Failed to load resource")
    elsewhere.pages["/"] = f"<iframe src={house.url}/fleet></iframe>"
    with page.expect_response("**/fleet"):
        page.goto(elsewhere.url)
    frame = page.frames[1]
    frame.wait_for_load_state()
    assert frame.url.startswith("chrome-error:") or frame.locator("main").count() == 0


def test_a_link_of_another_site_opens_the_page_after_one_more_click(
    house, elsewhere, visits, sign_in
):
    page = sign_in("alice")
    visits.expect_complaint("40")
    elsewhere.pages["/"] = f"<a href={house.url}/me>look</a>"
    page.goto(elsewhere.url)
    page.get_by_role("link").click()
    expect(page.get_by_role("heading", name="You come from another site")).to_be_visible()
    page.get_by_role("link", name="Open the page").click()
    expect(page.get_by_role("heading", name="alice")).to_be_visible()


def test_a_page_without_its_own_word_may_change_nothing(hostile, visits, sign_in):
    message = life.kill_letter(hostile, "anna", "ben")
    page = sign_in("alice")
    visits.expect_complaint("403")
    ask = f"""(word) => fetch("/api/messages/{message}/redrive", {{method: "POST", body: "{{}}",
        headers: {{"Content-Type": "application/json", ...word}}}}).then((said) => said.status)"""
    assert page.evaluate(ask, {}) == 403
    assert page.evaluate(ask, {"X-CSRF": "A" * 52}) == 403
    assert life.state_of(hostile, message) == "dead"
    word = page.locator("meta[name=wakebus]").get_attribute("data-csrf")
    assert page.evaluate(ask, {"X-CSRF": word}) == 200


def test_another_s_word_is_not_one_s_own(hostile, visits, sign_in):
    page, other = sign_in("alice"), sign_in("bob")
    visits.expect_complaint("403")
    word = other.locator("meta[name=wakebus]").get_attribute("data-csrf")
    ask = """(word) => fetch("/me/link", {method: "POST", headers: {"X-CSRF": word}})
        .then((answer) => answer.status)"""
    assert page.evaluate(ask, word) == 403


def test_a_person_sees_only_what_their_token_sees(hostile, sign_in):
    page = sign_in("charlie")
    expect(page.get_by_text("No machine yet")).to_be_visible()
    said = page.locator("main").inner_text()
    for name in ("attic", "anna", "alice", "bob"):
        assert name not in said


def test_an_agent_s_token_is_no_cookie(hostile, visits):
    page = visits.open()
    page.context.add_cookies(
        [{"name": "wakebus", "value": hostile.tokens["anna"], "url": hostile.url}]
    )
    page.goto(f"{hostile.url}/fleet")
    assert page.url.startswith(f"{hostile.url}/sign-in")
