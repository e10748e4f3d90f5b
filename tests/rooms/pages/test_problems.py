"""What goes wrong is told to a person as a page, and to all others as everywhere."""

from __future__ import annotations

import pytest
from pageasking import SITE

from bus.pages import fleet

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


def test_who_is_not_signed_in_is_led_there_and_back(browser):
    answer = browser.ask("GET", "/fleet?x=1", cookie=False, Accept=HTML)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?to=%2Ffleet%3Fx%3D1"


@pytest.mark.parametrize("path", ["/fleet", "/", "/me", "/no-such"])
def test_what_is_no_browser_gets_the_one_shape(browser, path):
    answer = browser.ask("GET", path, cookie=False, Accept="*/*")
    assert answer.mimetype == "application/problem+json"
    assert answer.status_code in {401, 404}


@pytest.mark.parametrize("path", ["/api/nothing", "/api/inbox", "/metrics", "/streams/x"])
def test_the_api_answers_a_browser_too_in_its_own_shape(browser, path):
    answer = browser.ask("GET", path, cookie=False, Accept=HTML)
    assert answer.mimetype == "application/problem+json"


def test_what_is_not_there_is_said_on_a_page(browser):
    answer = browser.ask("GET", "/no-such", Accept=HTML)
    assert answer.status_code == 404
    assert "Nothing here" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_fault_of_the_bus_is_a_page_that_tells_nothing_of_it(browser, monkeypatch):
    def fail(*_):
        raise RuntimeError("the secret cause")

    monkeypatch.setattr(fleet, "describe_agents", fail)
    answer = browser.ask("GET", "/fleet", Accept=HTML)
    assert answer.status_code == 500
    assert "its log says more" in answer.text
    assert "secret cause" not in answer.text


def test_what_came_too_late_is_told_and_not_done(browser):
    answer = browser.ask("POST", "/fleet/release", cookie=False, Accept=HTML, Origin=SITE)
    assert answer.status_code == 401
    assert "nothing was done" in answer.text
    assert 'href="/sign-in"' in answer.text


def test_no_address_of_a_page_comes_from_the_request(browser):
    answer = browser.app.test_client(use_cookies=False).get(
        "/sign-in", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    )
    assert "evil.example" not in answer.text
    assert "evil.example" not in str(answer.headers)


def test_files_are_kept_for_ever_under_the_address_that_the_pages_name(browser):
    page = browser.ask("GET", "/sign-in").text
    style = page.split('rel="stylesheet" href="')[1].split('"')[0]
    named = browser.ask("GET", style, cookie=False)
    assert named.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert named.mimetype == "text/css"
    old = browser.ask("GET", "/static/0123456789abcdef/page.css", cookie=False)
    assert old.headers["Cache-Control"] == "no-cache"
    for path in ("/static/x/showing.py", "/static/x/..%2fshowing.py", "/static/../showing.py"):
        assert browser.ask("GET", path, cookie=False).status_code == 404
