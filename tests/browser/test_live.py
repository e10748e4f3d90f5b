"""One connection for all tabs, which loses nothing when it is cut."""

from __future__ import annotations

import signal

import pytest
from browsing import hear
from playwright.sync_api import expect

from tests.conftest import until

pytestmark = pytest.mark.browser
KEEPS = """import {on} from "./live.js";
window.heard = [];
on("message", (data) => window.heard.push(data));"""
PUT_IN_ANEW = """async () => {
    const {replace} = await import(document.querySelector('script[src$="live.js"]').src
        .replace("live.js", "page.js"));
    const made = (seen, untouched, choices) => {
        const part = document.createElement("div");
        part.innerHTML = `<details id="d"></details>
            <form><input type="hidden" name="seen" value="${seen}"><input id="w" value="empty">
                <input id="u" value="${untouched}">
                <select id="c">${choices}</select><select id="v">${choices}</select></form>
            <form><input type="hidden" name="seen" value="${seen}">
                <input id="x" value="${untouched}"></form>`;
        return part;
    };
    const old = made("old", "old", "<option>a<option>b<option>c");
    document.body.append(old);
    const at = (id) => old.querySelector(`#${id}`);
    at("d").open = true;
    at("w").value = "half a word";
    at("c").value = "b";
    at("v").value = "c";
    replace(old, made("new", "new", "<option>a<option>b"));
    const [form, other] = old.querySelectorAll("form");
    return {
        opened: at("d").open, written: at("w").value, "beside it": at("u").value,
        chosen: at("c").value, vanished: at("v").value, seen: form.elements.seen.value,
        "of another form": [other.elements.seen.value, at("x").value],
    };
}"""
FALL_BACKS = {
    "shared worker": "",
    "leader": "delete window.SharedWorker",
    "each its own": "delete window.SharedWorker; delete Navigator.prototype.locks",
}


def streams_of(house):
    """Count the streams that were opened so far, and those that are open."""
    log = (house.bus.data_dir / "bus.log").read_text()
    return log.count("action=stream_opened")


def send(house, count=1):
    """Write to alice; gives the ids."""
    return [
        house.call("bob", "POST", "/api/send", {"to": "alice", "body": "hello"})["id"]
        for _ in range(count)
    ]


def heard(page):
    """Give the ids of the messages that a page was told of."""
    return [one["id"] for one in page.evaluate("window.heard")]


def tab(page, house):
    other = page.context.new_page()
    other.goto(f"{house.url}/me")
    return other


def wait_live(*pages):
    for page in pages:
        expect(page.locator("#live")).to_have_text("live")


@pytest.mark.parametrize("way", FALL_BACKS)
def test_every_tab_hears_everything_once(house, visits, way):
    page = visits.open()
    page.context.add_init_script(FALL_BACKS[way])
    page.goto(house.link("alice"))
    before = streams_of(house)
    page.get_by_role("button").click()
    wait_live(page)
    tabs = [page, tab(page, house), tab(page, house)]
    wait_live(*tabs)
    for one in tabs:
        hear(one, "message")
    sent = send(house, 5)
    for one in tabs:
        one.wait_for_function("(count) => window.heard.length >= count", arg=5)
        assert heard(one) == sent
    assert streams_of(house) - before == (3 if way == "each its own" else 1)


def test_when_the_tab_that_leads_closes_another_goes_on(house, visits):
    page = visits.open()
    page.context.add_init_script(FALL_BACKS["leader"])
    page.goto(house.link("alice"))
    page.get_by_role("button").click()
    wait_live(page)
    other = tab(page, house)
    wait_live(other)
    hear(other, "message")
    page.close()
    sent = send(house, 3)
    other.wait_for_function("() => window.heard.length >= 3")
    assert heard(other) == sent


def test_what_came_between_the_making_of_a_page_and_its_first_word_is_not_lost(house, sign_in):
    page = sign_in("alice")
    wait_live(page)
    late, held = page.context.new_page(), []
    late.route("**/fleet.js", lambda route: held.append(route))  # noqa: PLW0108 - it looks inside
    with late.expect_request("**/fleet.js"):
        late.goto(f"{house.url}/fleet", wait_until="commit")
    sent = send(house, 2)
    until(lambda: late.evaluate("1") and held, 60, "the script was asked for")
    held[0].fulfill(body=KEEPS, content_type="text/javascript")
    late.wait_for_function("() => window.heard?.length >= 2")
    assert heard(late) == sent


def test_a_network_that_goes_is_told_and_what_was_missed_comes_once(house, visits, sign_in):
    page = sign_in("alice")
    visits.expect_cut()
    wait_live(page)
    hear(page, "message")
    first = send(house)
    page.wait_for_function("() => window.heard.length === 1")
    page.context.set_offline(True)
    expect(page.locator("#live")).to_contain_text("offline since")
    expect(page.locator("#live")).to_contain_text("will come back")
    missed = send(house, 3)
    page.context.set_offline(False)
    wait_live(page)
    page.wait_for_function("() => window.heard.length >= 4")
    assert heard(page) == first + missed


def test_a_bus_that_is_killed_comes_back_without_a_reload(house, visits, sign_in):
    page = sign_in("alice")
    visits.expect_cut()
    wait_live(page)
    hear(page, "message")
    house.bus.stop(signal.SIGKILL)
    expect(page.locator("#live")).to_contain_text("offline since")
    house.bus.start()
    sent = send(house, 2)
    wait_live(page)
    page.wait_for_function("() => window.heard.length >= 2")
    assert heard(page) == sent


def test_news_whose_first_reading_is_refused_is_shown_a_little_later(house, visits, sign_in):
    visits.expect_complaint("503")
    page = sign_in("alice")
    page.goto(f"{house.url}/messages")
    wait_live(page)
    refused = []

    def refuse(route):
        refused.append(route.request.url)
        route.fulfill(status=503, body="busy")

    page.route("**/messages", refuse, times=1)
    [sent] = send(house)
    expect(page.locator(f'a[href$="{sent}"]')).to_be_visible()
    assert len(refused) == 1


def test_what_somebody_has_begun_goes_with_the_part_that_is_put_in_anew(sign_in):
    page = sign_in("alice")
    assert page.evaluate(PUT_IN_ANEW) == {
        "opened": True,
        "written": "half a word",
        "beside it": "old",
        "chosen": "b",
        "vanished": "a",
        "seen": "old",
        "of another form": ["new", "new"],
    }
