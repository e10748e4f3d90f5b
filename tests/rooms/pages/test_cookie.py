"""What a request with a cookie must show besides: that a page of this bus made it."""

from __future__ import annotations

import pytest
from pageasking import SITE

from bus.web.cookies import csrf_of

CODE = "/api/people/alice/sign-in"
FORM = "application/x-www-form-urlencoded"


def reasons(answer):
    return answer.status_code, answer.get_json()["code"]


@pytest.mark.parametrize("site", [None, "same-origin", "none"])
def test_a_page_of_the_bus_and_the_person_may_read(browser, site):
    headers = {} if site is None else {"Sec_Fetch_Site": site}
    answer = browser.ask("GET", "/api/whoami", **headers)
    assert answer.status_code == 200
    assert answer.get_json()["name"] == "alice"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "x"])
def test_a_page_elsewhere_may_not_even_read(browser, site):
    answer = browser.ask("GET", "/api/whoami", Sec_Fetch_Site=site)
    assert reasons(answer) == (403, "forbidden")


def test_a_page_of_the_bus_may_change_something(browser):
    answer = browser.ask("POST", CODE, Origin=SITE, X_CSRF=csrf_of(browser.token))
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://bus.lan"},
        {"Origin": "http://bus.lan:8092"},
        {"Origin": "https://bus.lan:8091"},
        {"Origin": "http://bus.lan.example.org:8091"},
        {"Origin": SITE, "Sec_Fetch_Site": "same-site"},
        {"Origin": SITE, "Sec_Fetch_Site": "cross-site"},
        {"Origin": SITE, "Sec_Fetch_Site": "none"},
    ],
)
def test_whatever_comes_from_elsewhere_changes_nothing_even_with_the_word(browser, headers):
    answer = browser.ask("POST", CODE, X_CSRF=csrf_of(browser.token), **headers)
    assert reasons(answer) == (403, "forbidden")


@pytest.mark.parametrize("word", ["", "A" * 52, "é", None])
def test_without_the_word_nothing_is_changed(browser, word):
    headers = {"X_CSRF": word} if word is not None else {}
    answer = browser.ask("POST", CODE, Origin=SITE, **headers)
    assert reasons(answer) == (403, "forbidden")


def test_a_form_has_the_word_as_a_field(browser):
    word = csrf_of(browser.token)
    for text, status in ((f"csrf={word}", 303), ("csrf=x", 403), ("", 403)):
        answer = browser.ask("POST", "/sign-out", text, Origin=SITE, Content_Type=FORM)
        assert answer.status_code in {status, 404}  # this token is none of a browser's


def test_who_shows_a_token_as_a_header_needs_none_of_it(browser):
    answer = browser.ask(
        "POST", CODE, cookie=False, Authorization=f"Bearer {browser.token}", Origin="http://x"
    )
    assert answer.status_code == 201


def test_a_header_wins_over_the_cookie(browser):
    answer = browser.ask("GET", "/api/whoami", Authorization="Bearer wb_person_WRONG")
    assert answer.status_code == 401


def test_the_cookie_of_tls_is_another_one(browser):
    answer = browser.ask("GET", "/api/whoami", cookie=False, Cookie="__Host-wakebus=x")
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("text/javascript", "application/octet-stream"),
        ("Text/CSS; charset=utf-8", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("text/html", "application/octet-stream"),
        ("text/plain", "text/plain"),
        ("application/json", "application/json"),
    ],
)
def test_no_stream_is_a_script_or_a_style_to_a_page_of_the_bus(browser, given, shown):
    papers = {"Authorization": f"Bearer {browser.token}"}
    body = b"[1]" if "json" in given else b"alert(1)"
    made = browser.ask("PUT", "/streams/x", body, cookie=False, Content_Type=given, **papers)
    assert made.status_code == 201
    by_token = browser.ask("GET", "/streams/x", cookie=False, **papers)
    assert by_token.headers["Content-Type"] == given
    by_page = browser.ask("GET", "/streams/x", Sec_Fetch_Site="same-origin")
    assert by_page.headers["Content-Type"] == shown
    assert by_page.data == by_token.data


@pytest.mark.parametrize("path", ["/api/inbox", "/api/sessions/s_1/entries?ack=1"])
def test_what_reading_does_besides_needs_the_word_too(browser, path):
    assert reasons(browser.ask("GET", path)) == (403, "forbidden")
    assert browser.ask("GET", path, X_CSRF=csrf_of(browser.token)).status_code in {200, 404}
    by_token = browser.ask("GET", path, cookie=False, Authorization=f"Bearer {browser.token}")
    assert by_token.status_code in {200, 404}


def test_what_waits_can_be_looked_at_without_the_word(browser):
    assert browser.ask("GET", "/api/inbox?view=headers").status_code == 200
