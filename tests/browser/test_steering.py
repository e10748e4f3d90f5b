"""What a person does to work that goes on: watch it word by word, answer, stop, and more of it."""

from __future__ import annotations

import signal

import fleetlife as life
import pytest
import talklife as talk
from browsing import PHONE, HeldAnswer, hear
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def talkers(house):
    """A house with agents to talk with."""
    life.add_machine(house, "attic", "anna", "ben")
    return house


@pytest.fixture
def session(talkers):
    """A session of alice's, with bob and anna."""
    return talk.begin(talkers, "The move", "bob", "anna")


def wait_live(*pages):
    for page in pages:
        expect(page.locator("#live")).to_have_text("live")


def running(page):
    return page.locator("#entries .running")


def test_words_come_as_they_are_said_and_the_whole_is_set_as_it_is_meant(talkers, session, sign_in):
    page = talk.show(sign_in("alice"), talkers, session)
    wait_live(page)
    stream = talk.begin_output(talkers, session, "anna")
    talk.append(talkers, "anna", stream, "I am **on")
    expect(running(page)).to_have_text("I am **on")
    late = talk.show(sign_in("bob", viewport=PHONE), talkers, session)
    talk.append(talkers, "anna", stream, " it**\n\n<script>window.hit=1</script>\u202e")
    said = "I am **on it**\n\n<script>window.hit=1</script>"
    for one in (page, late):
        expect(running(one)).to_have_text(said)
    talk.end_output(talkers, session, "anna", stream)
    for one in (page, late):
        expect(one.locator("#entries .words strong")).to_have_text("on it")
        expect(running(one)).to_have_count(0)
        assert talk.places(one) == [1]
        assert one.evaluate("window.hit") is None


def test_words_go_on_from_the_byte_after_a_cut_and_a_killed_bus(talkers, session, visits, sign_in):
    visits.expect_cut()
    page = talk.show(sign_in("alice"), talkers, session)
    wait_live(page)
    stream = talk.begin_output(talkers, session, "anna")
    said = "Grüße 🚚 "
    whole = said
    talk.append(talkers, "anna", stream, said)
    expect(running(page)).to_have_text(whole.strip())
    half = "ü".encode()
    for cut in ("offline", "killed", "half a letter"):
        if cut == "offline":
            page.context.set_offline(True)
        elif cut == "killed":
            talkers.bus.stop(signal.SIGKILL)
            talkers.bus.start()
        else:
            talk.append(talkers, "anna", stream, half[:1])
            page.context.set_offline(True)
            talk.append(talkers, "anna", stream, half[1:])
            whole += "ü"
        talk.append(talkers, "anna", stream, f"after {cut}; ")
        whole += f"after {cut}; "
        page.context.set_offline(False)
        expect(running(page)).to_have_text(whole.strip())
    talk.end_output(talkers, session, "anna", stream)
    expect(running(page)).to_have_count(0)
    expect(page.locator("#entries .words")).to_have_text(whole.strip())


def test_what_broke_off_says_so(talkers, session, sign_in):
    page = talk.show(sign_in("alice"), talkers, session)
    stream = talk.begin_output(talkers, session, "anna")
    talk.append(talkers, "anna", stream, "as far as")
    talk.end_output(talkers, session, "anna", stream, state="failed", reason="no <b>model</b>")
    expect(page.get_by_text("broke off")).to_be_visible()
    expect(page.get_by_text("no <b>model</b>")).to_be_visible()
    expect(page.get_by_text("as far as")).to_be_visible()


def test_an_end_that_is_told_while_its_beginning_is_still_on_its_way_is_shown(
    talkers, session, sign_in
):
    page = talk.show(sign_in("alice"), talkers, session)
    wait_live(page)
    hear(page, "entry")
    asked = HeldAnswer(page, "**/entries?after=*")
    stream = talk.begin_output(talkers, session, "anna")
    page.wait_for_function("() => window.heard.length === 1")
    asked.wait_read()
    talk.end_output(talkers, session, "anna", stream, state="failed", reason="no model")
    page.wait_for_function("() => window.heard.length === 2")
    asked.give()
    expect(page.get_by_text("broke off")).to_be_visible()


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without JavaScript"])
def test_an_approval_is_answered_once_and_every_device_shows_it(
    talkers, session, visits, sign_in, script
):
    asked = {"title": "Delete <b>all</b>?", "body": "It *cannot* be undone."}
    path = f"/api/sessions/{session}/approvals"
    approval = talkers.call("anna", "POST", path, asked)["approval_id"]
    page = talk.show(sign_in("alice", java_script_enabled=script), talkers, session)
    other = talk.show(sign_in("bob", viewport=PHONE), talkers, session)
    wait_live(other)
    expect(page.get_by_text("Delete <b>all</b>?")).to_be_visible()
    page.get_by_label("A word with the answer").fill("not today")
    page.get_by_role("button", name="deny").click()
    for one in (page, other):
        expect(one.locator("#place-1")).to_contain_text("said alice")
        expect(one.locator("#place-1")).to_contain_text("not today")
        expect(one.get_by_role("button", name="approve")).to_have_count(0)
    shown = talkers.call("anna", "GET", f"/api/approvals/{approval}")
    assert (shown["answer"], shown["answered_by"]) == ("deny", "alice")


def test_a_word_with_an_answer_is_kept_while_the_network_goes_and_comes(
    talkers, session, visits, sign_in
):
    visits.expect_cut()
    asked = {"title": "Go on?"}
    talkers.call("anna", "POST", f"/api/sessions/{session}/approvals", asked)
    page = talk.show(sign_in("alice"), talkers, session)
    wait_live(page)
    word = page.get_by_label("A word with the answer")
    word.fill("if it rains")
    page.context.set_offline(True)
    expect(page.locator("#live")).to_contain_text("offline since")
    page.locator("#place-1").evaluate("one => { one.dataset.isOld = 'yes'; }")
    page.context.set_offline(False)
    expect(page.locator("#place-1[data-is-old]")).to_have_count(0)
    expect(word).to_have_value("if it rains")


def test_whoever_was_not_asked_has_no_buttons(talkers, session, sign_in):
    asked = {"title": "Go on?", "who": ["bob"]}
    talkers.call("anna", "POST", f"/api/sessions/{session}/approvals", asked)
    page = talk.show(sign_in("alice"), talkers, session)
    expect(page.get_by_text("It is asked of bob.")).to_be_visible()
    expect(page.get_by_role("button", name="approve")).to_have_count(0)


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without JavaScript"])
def test_stop_and_also_reach_those_who_are_named(talkers, session, sign_in, script):
    talkers.call("alice", "POST", f"/api/sessions/{session}/participants", {"name": "ben"})
    page = talk.show(sign_in("alice", java_script_enabled=script), talkers, session)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_label("Say something").fill("@anna also the images")
    page.get_by_role("button", name="Also do this").click()
    expect(page.locator("#entries .words")).to_have_text(["@anna also the images"])
    page.get_by_label("Say something").fill("@ben enough")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#entries .words")).to_have_text(["@anna also the images", "@ben enough"])
    expect(page.locator("#entries .steered")).to_have_text(["also do this", "stop"])
    kept = [one for one in talk.entries(talkers, session) if one["kind"] == "message"]
    assert [(one["to"], one["data"]["what"]) for one in kept] == [
        (["anna"], "also"),
        (["ben"], "stop"),
    ]
