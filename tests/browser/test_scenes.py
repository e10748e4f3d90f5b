"""The four scenes that a request and its answer cannot play, in Chromium, with a real OpenClaw.

In the midst of each the network goes, the bus is killed, and a page is loaded anew. In the end
each page shows what the bus has: nothing missing, nothing twice.
"""

from __future__ import annotations

import pytest
from browsing import PHONE
from playwright.sync_api import expect

from tests.conftest import until

pytestmark = [pytest.mark.browser, pytest.mark.openclaw, pytest.mark.timeout(600)]
TOUCH = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
SOON_MS = 180_000
"""How long anything may take that an agent does, which is only a matter of a loaded machine."""
SHOWN = """all => all.map(one => [Number(one.dataset.place), one.dataset.from,
  (one.querySelector(".words, .asked, .note-line .said-by")?.textContent ?? "").trim()])"""
ASK = "path => fetch(path).then(answer => answer.json())"
GROWN = "size => [...document.querySelectorAll('.words')].at(-1).textContent.length > size"
FOUND_NOTHING = "Nothing to ack."
STORY = " ".join(f"Wave {number} came over the bow and went." for number in range(500))


@pytest.fixture(scope="module")
def house(stage):
    return stage.house


@pytest.fixture
def enter(stage, visits):
    """Have somebody sign in and open a session, on whatever they have, by whatever way."""
    visits.expect_cut()

    def open_session(who, session, **how):
        page = visits.sign_in(who, **how)
        page.goto(f"{how.get('by') or stage.house.url}/sessions/{session}")
        expect(page.locator("#live")).to_have_text("live")
        return page

    return open_session


def write(page, text):
    page.get_by_label("Say something").fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def said(page, text):
    return page.locator("#entries .words").get_by_text(text, exact=True)


def read_on(page):
    """Wait for more of the story; whatever broke, it goes on where it was."""
    heard = page.locator("#entries .words").last
    before = heard.text_content()
    page.wait_for_function(GROWN, arg=len(before), timeout=SOON_MS)
    assert STORY.startswith(before), "what was heard is how it begins"
    assert STORY.startswith(heard.text_content()), "and it goes on there"


def check_whole(page, session, count):
    """Have a page show what the bus says to this same browser is there, each once, in order."""
    path = f"/api/sessions/{session}/entries?limit=200"

    def kept():
        return [
            [one["place"], one["from"], one["body"].strip()]
            for one in page.evaluate(ASK, path)["entries"]
        ]

    def shown():
        return page.locator("#entries li[data-place]").evaluate_all(SHOWN)

    expect(page.locator("#waiting li")).to_have_count(0, timeout=SOON_MS)
    expect(page.locator("#entries .running")).to_have_count(0, timeout=SOON_MS)
    try:
        until(lambda: shown() == kept(), 30, "the page shows what there is")
    except AssertionError:
        assert shown() == kept()
    assert [place for place, _, _ in shown()] == list(range(1, count + 1))


def test_what_a_timer_began_while_nobody_was_there_is_found_by_who_comes_later(
    stage, visits, enter
):
    session = stage.begin("The night's backlog", "night")
    reports = [f"report {number} of the night" for number in (1, 2, 3)]
    say = [stage.command("night", f"/api/sessions/{session}/entries", {"body": r}) for r in reports]
    stage.behave("night", {"text": "Done."}, then={"exec": "; ".join(say)})
    desk = enter("alice", session)
    later = {"to": "night", "body": "Look through the backlog.", "deliver_in": 5}
    sent = stage.house.call("alice", "POST", "/api/send", later)["id"]
    desk.context.close()
    until(lambda: stage.is_away("alice"), 30, "nobody is there")
    stage.kill_bus()
    stage.await_acked(sent)
    assert stage.is_away("alice")
    phone = visits.sign_in("alice", **TOUCH)
    phone.goto(f"{stage.house.url}/sessions")
    row = phone.locator(".sessions li", has_text="The night's backlog")
    expect(row.locator(".unread")).to_contain_text("3")
    phone.context.set_offline(True)
    phone.context.set_offline(False)
    row.get_by_role("link").tap()
    for report in reports:
        expect(said(phone, report)).to_be_visible()
    phone.reload()
    check_whole(phone, session, 3)
    shown = stage.house.call("alice", "GET", f"/api/sessions/{session}")
    until(
        lambda: stage.house.call("alice", "GET", f"/api/sessions/{session}")["unread"] == 0,
        30,
        f"it counts as read: {shown}",
    )


def test_an_agent_that_nobody_asked_is_heard_at_once_and_who_is_away_answers_by_phone(
    stage, visits, enter
):
    hook = {"kind": "webhook", "url": f"{stage.receiver.url}/bob", "events": ["approval"]}
    stage.house.call("bob", "PUT", "/api/people/self/notices/hook", hook)
    desk = visits.sign_in("alice")
    desk.goto(f"{stage.house.url}/sessions")
    expect(desk.locator("#live")).to_have_text("live")
    assert stage.is_away("bob")
    title = "Three changes of the night"
    begin = stage.command(
        "reviewer", "/api/sessions", {"title": title, "participants": ["alice", "bob"]}
    )
    ask = stage.command("reviewer", "/api/sessions/$S/approvals", {"title": "May I merge them?"})
    ask = ask.replace(" --json", '" --json', 1).replace("http", '"http', 1)
    both = f"S=$({begin} | grep -o 's_[0-9A-Z]*' | head -n 1); {ask}"
    stage.machine.behave("reviewer", {"exec": both}, {"text": "Asked."}, match="Review the night")
    stage.machine.start_turn("reviewer", "Review the night.")
    row = desk.locator(".sessions li", has_text=title)
    expect(row.locator(".unread")).to_be_visible(timeout=SOON_MS)
    row.get_by_role("link").click()
    expect(desk.get_by_text("May I merge them?")).to_be_visible()
    session = desk.url.rpartition("/")[2]

    (notice,) = stage.receiver.wait(1, 60)
    assert notice.said["data"]["items"][0]["kind"] == "approval"
    assert session in notice.said["data"]["link"]
    phone = visits.sign_in("bob", **TOUCH)
    phone.goto(notice.said["data"]["link"])
    expect(phone.locator("#live")).to_have_text("live")
    desk.context.set_offline(True)
    stage.behave("reviewer", {"text": "All three are merged."})
    phone.get_by_role("button", name="approve").tap()
    expect(phone.get_by_text("said bob")).to_be_visible()
    stage.kill_bus()
    stage.await_said(session, "All three are merged.")
    desk.context.set_offline(False)
    expect(desk.get_by_text("said bob")).to_be_visible()
    for page in (desk, phone):
        expect(said(page, "All three are merged.")).to_be_visible(timeout=SOON_MS)
    phone.reload()
    count = len(stage.entries(session))
    for page in (desk, phone):
        check_whole(page, session, count)
    approvals = [one for one in stage.entries(session) if one["kind"] == "approval"]
    assert [one["data"]["answered_by"] for one in approvals] == ["bob"]


def test_what_began_at_the_desk_goes_on_at_the_phone_to_the_byte(stage, enter):
    session = stage.begin("How was the sea?", "bob", {"name": "teller", "wake": "mention"})
    stage.house.call("bob", "POST", f"/api/sessions/{session}/entries", {"body": "ask teller"})
    stage.behave("teller", {"text": STORY})
    desk = enter("alice", session)
    write(desk, "@teller how was the sea?")
    running = desk.locator("#entries .running")
    expect(running).to_contain_text("Wave 20 ", timeout=SOON_MS)
    half = running.text_content()
    assert STORY.startswith(half)
    assert len(half) < len(STORY)
    desk.context.close()
    cursor = stage.house.call("alice", "GET", f"/api/sessions/{session}")["cursor"]
    assert cursor >= 2, "what was read at the desk counts"

    phone = enter("alice", session, by=stage.relay.url, **TOUCH)
    # The answer counts as read where its end was to be seen: it grows, and may be behind the edge.
    is_new = phone.locator("#entries .since + #place-3").count()
    assert phone.locator("#entries .since").count() == is_new == (cursor == 2)
    expect(phone.locator("#entries .running")).to_contain_text("Wave 20 ")
    stage.relay.swallow()
    expect(phone.locator("#live")).to_contain_text("offline", timeout=60_000)
    stage.relay.mend()
    expect(phone.locator("#live")).to_have_text("live", timeout=60_000)
    read_on(phone)
    stage.kill_bus()
    read_on(phone)
    phone.reload()
    phone.context.set_offline(True)
    phone.context.set_offline(False)
    entry = stage.await_said(session, STORY)
    expect(phone.locator(f"#place-{entry['place']} .words")).to_have_text(STORY, timeout=SOON_MS)
    stream = f"/streams/{entry['data']['stream']}?offset=-1"
    assert phone.evaluate("path => fetch(path).then(it => it.text())", stream) == STORY
    check_whole(phone, session, 3)


def test_five_people_and_an_agent_see_one_talk_whatever_breaks(stage, enter):
    people = ("alice", "bob", "charlie", "dora", "emil")
    session = stage.begin("The harbour", *people[1:], {"name": "crew", "wake": "mention"})
    stage.behave("crew", {"text": "The tide is at four."})
    by = {"bob": TOUCH, "charlie": {"by": stage.relay.url}}
    pages = {who: enter(who, session, **by.get(who, {})) for who in people}
    for who, page in pages.items():
        write(page, f"{who} is here")
    for who in people:
        for page in pages.values():
            expect(said(page, f"{who} is here")).to_have_count(1)
    pages["dora"].context.set_offline(True)
    stage.relay.swallow()
    for who, page in pages.items():
        write(page, f"{who} goes on")
    write(pages["alice"], "@crew when is the tide?")
    pages["emil"].reload()
    expect(said(pages["emil"], "alice goes on")).to_have_count(1)
    stage.kill_bus()
    stage.relay.mend()
    pages["dora"].context.set_offline(False)
    for page in pages.values():
        expect(said(page, "The tide is at four.")).to_have_count(1, timeout=SOON_MS)
    for who, page in pages.items():
        write(page, f"{who} is done")
    for page in pages.values():
        for who in people:
            expect(said(page, f"{who} is done")).to_have_count(1, timeout=SOON_MS)
    kept = stage.entries(session)
    words = [f"{who} {what}" for who in people for what in ("is here", "goes on", "is done")]
    words += ["@crew when is the tide?", "The tide is at four."]
    # A turn that began while the bus was down found no mail, says so, and there is another.
    heard = sorted(one["body"] for one in kept)
    assert heard in (sorted(words), sorted([*words, FOUND_NOTHING]))
    for who, page in pages.items():
        check_whole(page, session, len(kept))
        assert stage.entries(session, who) == kept, "all have it in one order"
