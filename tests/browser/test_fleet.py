"""The fleet as a person watches it: it changes by itself, and what waits is done by one button."""

from __future__ import annotations

import time

import fleetlife as life
import pytest
from browsing import PHONE, check_width
from playwright.sync_api import expect

from tests.conftest import until

pytestmark = pytest.mark.browser
WITHIN_A_MINUTE_MS = 60_000
TTL_S = 3
"""Long enough to be read and given up, and soon over."""


@pytest.fixture(scope="module")
def fleet(house):
    """Two machines, of which one is here, and what waits for a person."""
    life.add_machine(house, "attic", "anna", "ben")
    life.add_machine(house, "shed", "dora", "emil")
    stream = life.listen(house, "attic")
    for _ in range(3):
        life.wake(house, "alice", "attic", "anna")
    yield house
    stream.close()


def row_of(page, text):
    return page.locator("#wanting li").filter(has_text=text)


def test_it_shows_who_is_here_and_how_fast_they_wake(fleet, sign_in):
    page = sign_in("alice")
    attic, shed = (page.get_by_role("article", name=name) for name in ("attic", "shed"))
    expect(attic.get_by_role("heading")).to_contain_text("here")
    expect(shed.get_by_role("heading")).to_contain_text("not seen yet")
    chart = attic.get_by_role("img")
    expect(chart).to_have_count(1)
    assert "Of the last 3 wakes half took at most" in chart.get_attribute("aria-label")


def test_what_happens_is_there_without_a_reload(fleet, sign_in):
    page = sign_in("alice")
    expect(page.locator("#live")).to_have_text("live")
    life.raise_alert(fleet, "anna", "the attic is on fire")
    expect(row_of(page, "the attic is on fire")).to_be_visible()
    message = life.kill_letter(fleet, "anna", "ben", subject="lost plans")
    expect(row_of(page, "lost plans")).to_be_visible()
    assert life.state_of(fleet, message) == "dead"


@pytest.mark.timeout(150)
def test_a_machine_that_dies_shows_within_a_minute(fleet, sign_in):
    stream = life.listen(fleet, "shed")
    page = sign_in("alice")
    heading = page.get_by_role("article", name="shed").get_by_role("heading")
    expect(heading).to_contain_text("here")
    stream.close()
    expect(heading).to_contain_text("away", timeout=WITHIN_A_MINUTE_MS)


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without JavaScript"])
def test_each_button_does_what_it_says_with_the_keyboard_alone(fleet, sign_in, script):
    dead = life.kill_letter(fleet, "anna", "ben", subject=f"again, {script}")
    life.hold_thread(fleet, "dora", "emil")
    alert = life.raise_alert(fleet, "anna", f"smoke, {script}")
    page = sign_in("alice", java_script_enabled=script)
    for row, said in (
        (row_of(page, f"smoke, {script}"), "The alert is settled."),
        (row_of(page, "dora and emil"), "Let go: it goes on."),
        (row_of(page, f"again, {script}"), "Sent again."),
    ):
        row.get_by_role("button").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").filter(has_text=said)).to_be_visible()
        expect(row).to_have_count(0)
    assert life.state_of(fleet, dead) != "dead"
    assert fleet.admin("GET", f"/api/alerts/{alert}")["state"] == "settled"
    assert fleet.admin("GET", "/api/held")["threads"] == []


def test_a_letter_that_is_not_wanted_any_more_is_sent_for_another_day(fleet, sign_in):
    life.kill_letter(fleet, "anna", "ben", subject="too late", ttl=TTL_S)
    over_s = time.time() + TTL_S
    page = sign_in("alice")
    button = row_of(page, "too late").get_by_role("button")
    until(lambda: time.time() > over_s, 3 * TTL_S, "the end of its time")
    button.click()
    expect(page.get_by_text("Sent again, wanted for another day.")).to_be_visible()


def test_who_is_on_a_button_stays_on_it_when_the_page_changes(fleet, sign_in):
    life.raise_alert(fleet, "anna", "one that stays")
    page = sign_in("alice")
    button = row_of(page, "one that stays").get_by_role("button")
    button.focus()
    life.raise_alert(fleet, "ben", "another one")
    expect(row_of(page, "another one")).to_be_visible()
    expect(button).to_be_focused()


@pytest.mark.parametrize("path", ["/fleet", "/me", "/sign-in", "/no-such-page"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_and_a_phone_is_wide_enough(
    fleet, visits, check_axe, path, scheme
):
    visits.expect_complaint("404")
    opens = visits.open if path == "/sign-in" else lambda **how: visits.sign_in("alice", **how)
    page = opens(viewport=PHONE, color_scheme=scheme)
    page.goto(f"{fleet.url}{path}")
    check_axe(page)
    check_width(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    check_axe(page)
