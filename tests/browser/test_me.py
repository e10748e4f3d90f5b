"""Oneself: where one is told when away, tried from the page; and one's quiet hours."""

from __future__ import annotations

import pytest
from browsing import PHONE, House, Visits, check_width
from playwright.sync_api import expect

from tests.conftest import Bus, serving
from tests.receivers import receiving

pytestmark = pytest.mark.browser


class TellingBus(Bus):
    hosts = ""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"BUS_NOTICE_HOSTS": self.hosts}


@pytest.fixture(scope="module")
def receiver():
    with receiving() as one:
        yield one


@pytest.fixture(scope="module")
def house(tmp_path_factory, made_data, receiver):
    """A bus that may tell a receiver, with alice on it."""
    bus = TellingBus(tmp_path_factory.mktemp("telling") / "data")
    bus.hosts = receiver.url
    with serving(bus, made_data):
        one = House(bus)
        one.add("alice", kind="person")
        yield one


@pytest.fixture
def visits(browser, house):
    one = Visits(browser, house)
    yield one
    one.end()


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without JavaScript"])
def test_a_target_is_added_tried_and_removed(house, visits, receiver, script):
    before = len(receiver.requests)
    page = visits.sign_in("alice", java_script_enabled=script)
    page.goto(f"{house.url}/me")
    page.get_by_text("Add one").click()
    page.get_by_label("Its name").fill("hook")
    page.get_by_label("What it is").select_option("webhook")
    page.get_by_label("Where:").fill(receiver.url)
    page.get_by_label("approval").check()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("whsec_")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="hook")).to_contain_text("of approval")
    page.get_by_role("button", name="Test hook").click()
    expect(page.get_by_role("status").filter(has_text="hook")).to_contain_text("200")
    assert len(receiver.wait(before + 1)) == before + 1
    expect(page.get_by_text("whsec_")).to_have_count(0)
    if script:  # one is not to be tried again and again
        receiver.status = 500
        page.get_by_role("button", name="Test hook").click()
        expect(page.get_by_role("alert").filter(has_text="hook")).to_contain_text("500")
        receiver.status = 200
    page.get_by_role("button", name="Remove hook").click()
    expect(page.get_by_text("nothing is told there any more")).to_be_visible()
    assert house.call("alice", "GET", "/api/people/self/notices")["targets"] == []


def test_a_place_that_is_not_allowed_is_refused_with_the_way_back(house, visits):
    visits.expect_complaint("40")
    page = visits.sign_in("alice")
    page.goto(f"{house.url}/me")
    page.get_by_text("Add one").click()
    page.get_by_label("Its name").fill("elsewhere")
    page.get_by_label("What it is").select_option("webhook")
    page.get_by_label("Where:").fill("http://169.254.169.254/latest")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("BUS_NOTICE_HOSTS")).to_be_visible()
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("heading", name="alice")).to_be_visible()


def test_quiet_hours_are_shown_with_the_command_that_changes_them(house, visits, check_axe):
    quiet = {"quiet": {"zone": "UTC", "windows": ["22:00-07:00"]}}
    house.admin("PATCH", "/api/agents/alice", quiet)
    page = visits.sign_in("alice", viewport=PHONE)
    page.goto(f"{house.url}/me")
    expect(page.get_by_text("22:00-07:00 in UTC")).to_be_visible()
    expect(page.get_by_text("bus agent change alice --no-quiet")).to_be_visible()
    page.get_by_text("Add one").click()
    check_axe(page)
    check_width(page)
