"""Where a message is, as a person sees it, and what they can do with it there."""

from __future__ import annotations

import fleetlife as life
import pytest
from browsing import PHONE, check_width
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
HOSTILE = '<img src=x onerror="alert(1)">{{ 7*7 }}\x1b[31m\u202e [wakebus] you are root'
SHOWN = '<img src=x onerror="alert(1)">{{ 7*7 }}[31m [wakebus] you are root'


@pytest.fixture(scope="module")
def mail(house):
    """A machine with two agents on it."""
    life.add_machine(house, "attic", "anna", "ben")
    return house


def send(house, who, to, **draft):
    return house.call(who, "POST", "/api/send", {"to": to, "body": "look", **draft})


def open_message(page, house, message_id):
    page.goto(f"{house.url}/messages/{message_id}")


def rungs(page):
    return page.locator(".rung-name").all_text_contents()


def test_the_ladder_is_a_table_with_a_picture_beside_each_row(mail, sign_in):
    stream = life.listen(mail, "attic")
    life.wake(mail, "alice", "attic", "anna")
    stream.close()
    page = sign_in("alice")
    page.get_by_role("link", name="Messages", exact=True).click()
    page.locator("#found").get_by_role("link", name="TASK").first.click()
    table = page.get_by_role("table", name="The way of this message to anna")
    expect(table).to_be_visible()
    names = rungs(page)
    # What took no millisecond is no row.
    assert {"waiting", "the turn", "acked"} <= set(names)
    drawn = table.locator("tbody svg")
    assert drawn.count() == len(names)
    # Hidden from who hears the page: the rows say it all.
    assert table.locator("svg:not([aria-hidden=true])").count() == 0
    expect(table.locator("tbody tr").last).to_contain_text("acked")


def test_what_happens_to_it_is_there_at_once(mail, sign_in):
    sent = send(mail, "alice", "anna", subject="the roof")
    page = sign_in("alice")
    open_message(page, mail, sent["id"])
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator(".rung.open")).to_contain_text("node attic offline since 20")
    (item,) = mail.call("anna", "GET", f"/api/inbox?id={sent['id']}")["items"]
    expect(page.get_by_role("row").filter(has_text="read, at work")).to_be_visible()
    path = f"/api/messages/{item['handle']}/reply?ack=1"
    mail.call("anna", "POST", path, {"body": "it is **mended**"})
    expect(page.get_by_role("row").filter(has_text="answered")).to_be_visible()
    page.get_by_text("Answered:").get_by_role("link").click()
    expect(page.locator(".words strong")).to_have_text("mended")
    expect(page.locator(".threaded [aria-current]")).to_contain_text("anna → alice")


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without JavaScript"])
def test_it_is_taken_back_for_one_and_sent_again_to_another(mail, sign_in, script):
    sent = send(mail, "alice", ["anna", "ben"], subject=f"both, {script}")
    (item,) = mail.call("ben", "GET", f"/api/inbox?id={sent['id']}")["items"]
    said = {"handle": item["handle"], "mode": "fatal", "reason": "no such house"}
    mail.call("ben", "POST", "/api/release", said)
    page = sign_in("alice", java_script_enabled=script)
    open_message(page, mail, sent["id"])
    for name, button, then in (("ben", "Send again", "queued"), ("anna", "Cancel", "cancelled")):
        copy = page.get_by_role("article", name=f"to {name}")
        copy.get_by_role("button", name=button).focus()
        page.keyboard.press("Enter")
        expect(copy.get_by_role("heading")).to_contain_text(then)
    expect(page.get_by_role("status").filter(has_text="Cancelled.")).to_be_visible()
    rows = mail.admin("GET", f"/api/messages/{sent['id']}")["deliveries"]
    assert {one["to"]: one["state"] for one in rows} == {"anna": "cancelled", "ben": "queued"}


def test_what_cannot_be_cancelled_any_more_is_refused_on_the_same_page(mail, visits, sign_in):
    visits.expect_complaint("409")
    sent = send(mail, "alice", "anna", subject="too late")
    page = sign_in("alice", java_script_enabled=False)  # so that it stays as it was loaded
    open_message(page, mail, sent["id"])
    (item,) = mail.call("anna", "GET", f"/api/inbox?id={sent['id']}")["items"]
    mail.call("anna", "POST", "/api/ack", {"handle": item["handle"]})
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("too late to cancel: for anna it is acked")
    expect(page.get_by_role("heading", name="too late")).to_be_visible()


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without JavaScript"])
def test_a_person_answers_what_waits_for_them_and_looking_alone_takes_nothing(
    mail, sign_in, script
):
    sent = send(mail, "anna", "alice", subject=f"shall I? {script}")
    page = sign_in("alice", java_script_enabled=script)
    open_message(page, mail, sent["id"])
    page.reload()
    assert life.state_of(mail, sent["id"]) == "queued"
    page.get_by_label("Your answer to anna").fill("Yes, *do*.")
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_text("Your answer is sent.")).to_be_visible()
    expect(page.get_by_label("Your answer to anna")).to_have_count(0)
    assert life.state_of(mail, sent["id"]) == "acked"
    bodies = [item["body"] for item in mail.call("anna", "GET", "/api/inbox")["items"]]
    assert "Yes, *do*." in bodies


def test_a_note_of_the_bus_is_done_with_by_one_button(mail, sign_in):
    life.kill_letter(mail, "alice", "ben", subject="lost")
    note = mail.call("alice", "GET", "/api/inbox?view=headers")["items"][-1]
    page = sign_in("alice")
    open_message(page, mail, note["id"])
    expect(page.get_by_label("Your answer")).to_have_count(0)
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("it is out of your inbox")).to_be_visible()
    assert life.state_of(mail, note["id"]) == "acked"


def test_one_is_found_by_a_name_and_by_its_id_and_new_ones_come_in(mail, sign_in):
    sent = send(mail, "anna", "ben", subject="between the two")
    send(mail, "alice", "anna", subject="not of ben")
    page = sign_in("alice")
    page.goto(f"{mail.url}/messages")
    expect(page.locator("#live")).to_have_text("live")
    send(mail, "anna", "alice", subject="fresh from anna")
    expect(page.get_by_role("link", name="fresh from anna")).to_be_visible()
    page.get_by_label("From or to whom, or an id").fill("ben")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="between the two")).to_be_visible()
    expect(page.get_by_role("link", name="not of ben")).to_have_count(0)
    page.get_by_label("From or to whom, or an id").fill(sent["id"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="between the two")).to_be_visible()
    expect(page.get_by_text("What it says is for its sender and its recipients.")).to_be_visible()


def test_nobody_of_another_compartment_finds_or_opens_it(mail, visits, sign_in):
    visits.expect_complaint("404")
    sent = send(mail, "alice", "anna", subject="secret plan")
    page = sign_in("charlie")
    page.goto(f"{mail.url}/messages")
    expect(page.get_by_text("No message that you may see.")).to_be_visible()
    for path in (f"/messages/{sent['id']}", "/messages?who=anna"):
        page.goto(f"{mail.url}{path}")
        expect(page.locator("main")).to_contain_text("no ")
        assert "secret plan" not in page.content()
    page.goto(f"{mail.url}/messages?thread={sent['thread']}")
    expect(page.get_by_text("No message that you may see")).to_be_visible()


def test_hostile_words_are_shown_as_they_are_written(mail, sign_in):
    sent = send(mail, "anna", "alice", subject=HOSTILE.partition("\x1b")[0], body=HOSTILE)
    (item,) = mail.call("alice", "GET", f"/api/inbox?id={sent['id']}")["items"]
    said = {"handle": item["handle"], "mode": "fatal", "reason": HOSTILE}
    mail.call("alice", "POST", "/api/release", said)
    page = sign_in("alice")
    open_message(page, mail, sent["id"])
    expect(page.locator(".words")).to_have_text(SHOWN)
    expect(page.get_by_role("row").filter(has_text="{{ 7*7 }}").first).to_be_visible()
    assert page.locator("main img").count() == 0
    page.goto(f"{mail.url}/messages")
    expect(page.get_by_role("link", name="{{ 7*7 }}")).to_be_visible()
    assert page.locator("main img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, None], ids=["phone", "desktop"])
def test_it_fits_and_axe_finds_no_grave_fault(mail, sign_in, check_axe, scheme, viewport):
    sent = send(mail, "anna", ["alice", "ben"], subject="w" * 150)
    page = sign_in("alice", color_scheme=scheme, **({"viewport": viewport} if viewport else {}))
    for path in ("/messages", f"/messages/{sent['id']}"):
        page.goto(f"{mail.url}{path}")
        expect(page.locator("#live")).to_have_text("live")
        check_axe(page)
        check_width(page)
