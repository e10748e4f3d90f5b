"""How a person's browser comes to the page, stays and leaves."""

from __future__ import annotations

import urllib.request

import pytest
from browsing import PHONE
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def sign_in(visits):
    return visits.follow_link


def test_a_link_opens_the_page_by_one_click_and_the_cookie_is_out_of_reach(sign_in):
    page = sign_in("alice")
    expect(page.get_by_role("heading", name="Fleet", exact=True)).to_be_visible()
    expect(page.locator("#live")).to_have_text("live")
    (cookie,) = page.context.cookies()
    assert cookie["name"] == "wakebus"
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert cookie["path"] == "/"
    assert page.evaluate("document.cookie") == ""


def test_what_only_looks_at_a_link_does_not_use_it_up(house, visits):
    link = house.link("alice")
    for _ in range(3):
        urllib.request.urlopen(link, timeout=60).close()
    page = visits.open()
    page.goto(link)
    page.get_by_role("button", name="Sign in as alice").click()
    expect(page.get_by_role("heading", name="Fleet", exact=True)).to_be_visible()


def test_a_link_is_good_once(house, visits):
    link = house.link("alice")
    first, second = visits.open(), visits.open()
    visits.expect_complaint("400")
    for page in (first, second):
        page.goto(link)
    first.get_by_role("button", name="Sign in as alice").click()
    expect(first.get_by_role("heading", name="Fleet", exact=True)).to_be_visible()
    second.get_by_role("button", name="Sign in as alice").click()
    expect(second.get_by_role("alert")).to_contain_text("this code is not good")
    assert second.context.cookies() == []


def test_a_code_is_typed_with_the_keyboard_alone_in_any_case_and_leads_back(house, visits):
    code = house.link("alice").partition("code=")[2]
    page = visits.open(viewport=PHONE)
    page.goto(f"{house.url}/me")
    expect(page.get_by_label("Your code")).to_be_focused()
    page.keyboard.type(code.lower().replace("-", " "))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="alice")).to_be_visible()
    assert page.url == f"{house.url}/me"


@pytest.mark.parametrize(
    "to",
    ["//example.org/x", "https://example.org", "/\\example.org", "/%0d%0aX: y", "javascript:1"],
)
def test_the_way_back_leads_nowhere_else(house, visits, to):
    page = visits.open()
    page.goto(house.link("alice") + "&to=" + urllib.request.quote(to, safe=""))
    page.get_by_role("button", name="Sign in as alice").click()
    expect(page.get_by_role("heading", name="Fleet", exact=True)).to_be_visible()
    assert page.url == f"{house.url}/fleet"


def test_without_javascript_one_signs_in_looks_and_leaves(house, sign_in):
    page = sign_in("alice", java_script_enabled=False)
    expect(page.get_by_role("heading", name="Machines")).to_be_visible()
    page.get_by_role("link", name="alice").click()
    expect(page.get_by_text("this one")).to_be_visible()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.context.cookies() == []


def test_signing_out_ends_the_token_and_what_it_has_open_in_every_tab(house, sign_in):
    page = sign_in("alice")
    (cookie,) = page.context.cookies()
    other = page.context.new_page()
    other.goto(f"{house.url}/fleet")
    expect(other.locator("#live")).to_have_text("live")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    assert house.bus.call(cookie["value"], "GET", "/api/whoami")[0] == 401


def test_one_browser_signs_another_in_and_out(house, sign_in, visits):
    desk = sign_in("alice")
    desk.get_by_role("link", name="alice").click()
    desk.get_by_role("button", name="Make a code for another device").click()
    link = desk.locator("a.address").get_attribute("href")
    phone = visits.open(viewport=PHONE, user_agent="Mozilla/5.0 (Android 15) Firefox/140.0 <b>")
    phone.goto(link)
    phone.get_by_role("button", name="Sign in as alice").click()
    expect(phone.locator("#live")).to_have_text("live")
    desk.goto(f"{house.url}/me")
    expect(desk.get_by_text("Firefox on Android").first).to_be_visible()
    desk.get_by_role("button", name="Sign out Firefox on Android").click()
    expect(desk.get_by_text("That browser is signed out.")).to_be_visible()
    expect(phone.get_by_role("heading", name="Sign in")).to_be_visible()
    tokens = house.admin("GET", "/api/tokens")["tokens"]
    labels = {one["label"] for one in tokens if one["subject"] == "alice" and one["ends_at"]}
    assert "browser Firefox on Android" in labels
