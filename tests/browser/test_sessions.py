"""A session as people live in it: nothing missing, nothing twice, on every device at once."""

from __future__ import annotations

import signal

import fleetlife as life
import pytest
import talklife as talk
from browsing import PHONE, HeldAnswer, check_width, hear
from playwright.sync_api import expect

from tests.conftest import until

pytestmark = pytest.mark.browser
SCRIPT = "<script>window.hit=1</script><img src=x onerror='window.hit=1'>{{7*7}}"
NO_CLOCK = "window.setInterval = () => 0"
"""So that a page asks for nothing by the clock."""
TOUCH = {"viewport": PHONE, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def talkers(house):
    """A house with agents to talk with."""
    life.add_machine(house, "attic", "anna", "ben")
    return house


@pytest.fixture
def session(talkers):
    """A session of alice's, with bob and anna."""
    return talk.begin(talkers, "The move", "bob", "anna")


def write(page, text):
    """Write into the box and send it by Enter, as one does at a desk."""
    page.get_by_label("Say something").fill(text)
    page.get_by_label("Say something").press("Enter")


def expect_said(page, house, session, bodies):
    """Have a page show all that the bus has, each once and in its order, and that be this."""
    expect(page.locator("#waiting li")).to_have_count(0)
    shown = page.locator("#entries .words")
    expect(shown).to_have_text(bodies)
    kept = talk.entries(house, session)
    assert [one["body"] for one in kept if one["kind"] == "message"] == bodies
    assert talk.places(page) == [one["place"] for one in kept]


def wait_live(*pages):
    for page in pages:
        expect(page.locator("#live")).to_have_text("live")


def test_a_desk_and_a_phone_both_show_everything_as_it_is_said(talkers, session, sign_in):
    desk = talk.show(sign_in("alice"), talkers, session)
    phone = talk.show(sign_in("alice", **TOUCH), talkers, session)
    wait_live(desk, phone)
    write(desk, "from the desk")
    expect(phone.get_by_text("from the desk")).to_be_visible()
    phone.get_by_label("Say something").fill("from the phone")
    phone.get_by_role("button", name="Send", exact=True).tap()
    expect(desk.get_by_text("from the phone")).to_be_visible()
    talk.say(talkers, session, "anna", "from an **agent**")
    bodies = ["from the desk", "from the phone", "from an agent"]
    for page in (desk, phone):
        expect(page.locator("#entries .words")).to_have_text(bodies)
        page.reload()
        expect(page.locator("#entries .words")).to_have_text(bodies)
        assert talk.places(page) == [1, 2, 3]
    assert desk.locator("#entries strong", has_text="agent").count() >= 1


def test_what_is_written_without_a_network_waits_and_is_said_once_in_its_order(
    talkers, session, visits, sign_in
):
    visits.expect_cut()
    page = talk.show(sign_in("alice"), talkers, session)
    wait_live(page)
    write(page, "before")
    expect(page.locator("#entries .words")).to_have_text(["before"])
    page.context.set_offline(True)
    expect(page.locator("#live")).to_contain_text("offline")
    for count in range(3):
        write(page, f"mine {count}")
        talk.say(talkers, session, "bob", f"bob {count}")
    expect(page.locator("#waiting li")).to_have_count(3)
    expect(page.locator("#waiting li").first).to_contain_text("waiting to be sent")
    page.context.set_offline(False)
    said = ["before", *(f"bob {count}" for count in range(3)), *(f"mine {at}" for at in range(3))]
    expect_said(page, talkers, session, said)


def test_what_waits_outlives_the_page_it_was_written_on(talkers, session, visits, sign_in):
    visits.expect_cut()
    page = talk.show(sign_in("alice"), talkers, session)
    wait_live(page)
    page.context.set_offline(True)
    write(page, "written in a tunnel")
    expect(page.locator("#waiting li")).to_contain_text("waiting to be sent")
    page.close()
    page = visits.contexts[-1].new_page()
    page.context.set_offline(False)
    talk.show(page, talkers, session)
    expect_said(page, talkers, session, ["written in a tunnel"])


def test_two_tabs_that_wait_together_say_each_word_once(talkers, session, visits, sign_in):
    visits.expect_cut()
    page = talk.show(sign_in("alice"), talkers, session)
    other = talk.show(page.context.new_page(), talkers, session)
    wait_live(page, other)
    page.context.set_offline(True)
    for count in range(3):
        write(page, f"here {count}")
        write(other, f"there {count}")
    expect(page.locator("#waiting li")).to_have_count(6)
    expect(other.locator("#waiting li")).to_have_count(6)
    page.context.set_offline(False)
    words = [f"{where} {count}" for count in range(3) for where in ("here", "there")]
    for tab in (page, other):
        expect_said(tab, talkers, session, words)


def test_ten_quick_words_are_ten_entries_in_their_order(talkers, session, sign_in):
    page = talk.show(sign_in("alice"), talkers, session)
    words = [f"word {count}" for count in range(10)]
    for word in words:
        write(page, word)
    expect_said(page, talkers, session, words)


def test_a_word_whose_answer_was_lost_is_said_once(talkers, session, visits, sign_in):
    visits.expect_complaint("ERR_FAILED")
    page = talk.show(sign_in("alice"), talkers, session)
    wait_live(page)
    lost = []

    def lose(route):
        if len(lost) < 2 and route.request.method == "POST":
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route("**/entries", lose)
    write(page, "only once")
    write(page, "and then this")
    expect_said(page, talkers, session, ["only once", "and then this"])
    assert lost == [201, 201]


def test_a_bus_that_is_killed_in_the_middle_loses_and_doubles_nothing(
    talkers, session, visits, sign_in
):
    visits.expect_cut()
    pages = [talk.show(sign_in(who), talkers, session) for who in ("alice", "bob")]
    wait_live(*pages)
    write(pages[0], "before")
    expect(pages[1].get_by_text("before")).to_be_visible()
    talkers.bus.stop(signal.SIGKILL)
    for page, who in zip(pages, ("alice", "bob"), strict=True):
        write(page, f"{who} meanwhile")
        expect(page.locator("#waiting li")).to_contain_text("waiting to be sent")
    talkers.bus.start()
    for page in pages:
        expect(page.locator("#waiting li")).to_have_count(0)
        words = page.locator("#entries .words")
        expect(words).to_have_count(3)
        for said in ("before", "alice meanwhile", "bob meanwhile"):
            expect(words.filter(has_text=said)).to_have_count(1)
        assert talk.places(page) == [1, 2, 3]


def test_a_page_whose_first_tries_to_fetch_fail_shows_everything_in_the_end(
    talkers, session, visits, sign_in
):
    visits.expect_complaint("ERR_FAILED")
    page = talk.show(sign_in("alice"), talkers, session)
    wait_live(page)
    failed = []

    def fail(route):
        failed.append(route.request.url)
        if len(failed) < 4:
            route.abort()
        else:
            route.continue_()

    page.route("**/entries?after=*", fail)
    for count in range(5):
        talk.say(talkers, session, "bob", f"word {count}")
    expect(page.locator("#entries .words")).to_have_count(5)
    assert talk.places(page) == [1, 2, 3, 4, 5]
    assert len(failed) >= 4


def test_unread_follows_the_person_from_device_to_device(talkers, session, sign_in):
    for count in range(3):
        talk.say(talkers, session, "bob", f"word {count}")
    phone = sign_in("alice", viewport=PHONE)
    phone.goto(f"{talkers.url}/sessions")
    row = phone.locator(".sessions li", has_text="word 2")
    expect(row.locator(".unread")).to_contain_text("3")
    desk = talk.show(sign_in("alice"), talkers, session)
    expect(desk.get_by_text("word 2")).to_be_visible()
    expect(row.locator(".unread")).to_have_count(0)
    talk.say(talkers, session, "bob", "word 3")
    desk.close()
    talk.say(talkers, session, "bob", "word 4")
    expect(phone.locator(".sessions li", has_text="word 4").locator(".unread")).to_be_visible()


def test_a_line_stands_before_what_is_new(talkers, session, sign_in):
    talk.say(talkers, session, "alice", "mine")
    for count in range(2):
        talk.say(talkers, session, "bob", f"new {count}")
    page = talk.show(sign_in("alice"), talkers, session)
    line = page.locator("#entries .since")
    expect(line).to_have_text("new since you were here")
    after = line.evaluate("line => line.nextElementSibling.dataset.place")
    assert after == "2"


def test_over_a_thousand_entries_scroll_back_without_gap_and_without_end_of_memory(
    talkers, sign_in
):
    session = talk.take_file(talkers, "Long", *({"body": f"word {at}"} for at in range(1700)))
    count = talk.say(talkers, session, "alice", "the end")
    talkers.call("alice", "POST", f"/api/sessions/{session}/participants", {"name": "bob"})
    page = talk.show(sign_in("alice"), talkers, session)
    expect(page.get_by_text("the end")).to_be_visible()
    expect(page.locator("#jump")).to_be_hidden()
    seen = set()
    while 1 not in seen:
        shown = talk.places(page)
        assert shown == list(range(shown[0], shown[-1] + 1))
        assert len(shown) <= 1500
        seen |= set(shown)
        page.locator("#log").evaluate("log => { log.scrollTop = -log.scrollHeight; }")
        page.wait_for_function(
            "first => Number(document.querySelector('#entries li[data-place]').dataset.place)"
            " < first || document.querySelector('#place-1')",
            arg=shown[0],
        )
        seen |= set(talk.places(page))
    assert seen >= set(range(1, count + 1))
    page.get_by_role("button", name="To the newest").click()
    expect(page.get_by_text("the end")).to_be_in_viewport()
    talk.say(talkers, session, "bob", "after the end")
    expect(page.get_by_text("after the end")).to_be_in_viewport()


def test_what_one_looks_at_stays_where_it_is_while_others_talk(talkers, session, sign_in):
    for count in range(60):
        talk.say(talkers, session, "bob", f"word {count}")
    page = talk.show(sign_in("alice"), talkers, session)
    expect(page.get_by_text("word 59")).to_be_attached()
    page.locator("#place-20").scroll_into_view_if_needed()
    before = page.locator("#place-20").bounding_box()
    talk.say(talkers, session, "anna", "look here")
    expect(page.get_by_text("look here")).to_be_attached()
    after = page.locator("#place-20").bounding_box()
    assert abs(before["y"] - after["y"]) < 2
    page.get_by_role("button", name="new ↓").click()
    expect(page.get_by_text("look here")).to_be_in_viewport()


def test_a_place_that_was_found_opens_where_it_was_said(talkers, sign_in):
    said = [{"body": "the needle" if at == 100 else f"word {at}"} for at in range(250)]
    session = talk.take_file(talkers, "Haystack", *said)
    talkers.call("alice", "POST", f"/api/sessions/{session}/participants", {"name": "bob"})
    page = sign_in("alice")
    page.goto(f"{talkers.url}/sessions")
    page.get_by_role("searchbox").fill("needle")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="the needle").first.click()
    expect(page.locator("#place-101")).to_be_in_viewport()
    talk.say(talkers, session, "bob", "the last word")
    expect(page.get_by_role("button", name="new ↓")).to_be_visible()
    shown = talk.places(page)
    assert shown == list(range(shown[0], shown[-1] + 1))
    page.get_by_role("button", name="new ↓").click()
    expect(page.get_by_text("the last word")).to_be_in_viewport()


def test_a_draft_is_kept_and_a_word_that_a_closed_session_refused_can_be_taken_back(
    talkers, session, visits, sign_in
):
    visits.expect_complaint("409")
    page = talk.show(sign_in("alice"), talkers, session)
    page.get_by_label("Say something").fill("half a thou")
    page.reload()
    expect(page.get_by_label("Say something")).to_have_value("half a thou")
    page.route("**/people", lambda route: route.abort())
    visits.expect_complaint("ERR_FAILED")
    talkers.call("bob", "PATCH", f"/api/sessions/{session}", {"state": "closed"})
    write(page, "half a thought")
    expect(page.locator("#waiting li")).to_contain_text("not sent")
    page.get_by_role("button", name="Take back").click()
    expect(page.locator("#waiting li")).to_have_count(0)
    expect(page.get_by_label("Say something")).to_have_value("half a thought")


def test_the_keyboard_alone_is_enough(talkers, sign_in):
    page = sign_in("alice")
    page.goto(f"{talkers.url}/sessions")
    page.locator("#new summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("By keys")
    page.locator("#in-anna").focus()
    page.keyboard.press("Space")
    page.get_by_label("anna is woken").select_option("always")
    page.get_by_role("button", name="Begin").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="By keys")).to_be_visible()
    box = page.get_by_label("Say something")
    box.focus()
    page.keyboard.type("hello @an")
    expect(page.get_by_role("option", name="@anna")).to_be_visible()
    page.keyboard.press("Enter")
    expect(box).to_have_value("hello @anna ")
    page.keyboard.type("and")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("more")
    page.keyboard.press("Enter")
    expect(page.locator("#entries .words")).to_contain_text(["hello @anna and\nmore"])
    expect(box).to_be_focused()
    session = page.url.rpartition("/")[2]
    (there,) = [
        one
        for one in talkers.call("alice", "GET", f"/api/sessions/{session}")["participants"]
        if one["name"] == "anna"
    ]
    assert there["wake"] == "always"
    assert talk.entries(talkers, session)[0]["to"] == ["anna"]


def test_who_is_in_it_and_its_state_change_from_the_side_and_show_everywhere(
    talkers, session, sign_in
):
    desk = talk.show(sign_in("alice"), talkers, session)
    other = talk.show(sign_in("bob"), talkers, session)
    wait_live(desk, other)
    people = desk.locator("#people")
    desk.get_by_label("anna is woken by").select_option("mention")
    expect(people.locator("li", has_text="bob").locator(".presence")).to_contain_text("here")
    desk.get_by_text("Invite somebody").click()
    desk.get_by_label("Name", exact=True).fill("ben")
    desk.get_by_role("button", name="Invite", exact=True).click()
    expect(other.locator("#people")).to_contain_text("ben")
    expect(other.get_by_text("alice invited ben")).to_be_visible()
    desk.get_by_text("Rename", exact=True).first.click()
    desk.get_by_label("Title").fill("The great move")
    desk.get_by_role("button", name="Rename").click()
    expect(other.get_by_role("heading", name="The great move")).to_be_visible()
    other.get_by_text("Close, leave").click()
    other.get_by_role("button", name="Close it").click()
    expect(desk.get_by_text("It is closed and takes nothing now.")).to_be_visible()
    desk.get_by_role("button", name="Open it again").click()
    expect(other.get_by_label("Say something")).to_be_visible()
    people.get_by_role("button", name="Remove ben").click()
    expect(other.locator("#people")).not_to_contain_text("ben")
    shown = talkers.call("alice", "GET", f"/api/sessions/{session}")
    assert {one["name"]: one["wake"] for one in shown["participants"]} == {
        "alice": None,
        "bob": None,
        "anna": "mention",
    }


def await_rule_of_anna(house, session, wake):
    def has_come():
        shown = house.call("alice", "GET", f"/api/sessions/{session}")
        return any((one["name"], one["wake"]) == ("anna", wake) for one in shown["participants"])

    until(has_come, 60, f"anna is woken by {wake}")


def test_by_what_an_agent_is_woken_is_shown_as_it_is_and_not_as_it_was_chosen(
    talkers, session, visits, sign_in
):
    visits.expect_complaint("ERR_FAILED")
    pages = page, other = sign_in("alice"), sign_in("bob")
    page.add_init_script(NO_CLOCK)
    for one in pages:
        talk.show(one, talkers, session)
    mine = page.get_by_label("anna is woken by")
    for title in ("Moving", "The move"):  # so that who is there is shown as it was read
        talkers.call("bob", "PATCH", f"/api/sessions/{session}", {"title": title})
        expect(page.get_by_role("heading", name=title)).to_be_visible()
    page.route("**/wake", lambda route: route.abort(), times=1)
    mine.select_option("mention")
    mine.blur()
    expect(page.locator("#trouble")).to_be_visible()
    expect(mine).to_have_value("turn")
    page.route("**/people", lambda route: route.abort())
    for one, wake in ((page, "mention"), (other, "always")):
        one.get_by_label("anna is woken by").select_option(wake)
        one.get_by_label("anna is woken by").blur()
        await_rule_of_anna(talkers, session, wake)
    page.unroute("**/people")
    talkers.call("bob", "PATCH", f"/api/sessions/{session}", {"title": "The great move"})
    expect(page.get_by_role("heading", name="The great move")).to_be_visible()
    expect(mine).to_have_value("always")


def test_news_of_who_is_there_that_comes_while_it_is_being_asked_is_shown(
    talkers, session, sign_in
):
    page = sign_in("alice")
    page.add_init_script(NO_CLOCK)
    talk.show(page, talkers, session)
    wait_live(page)
    expect(page.locator("#people")).to_contain_text("anna")
    hear(page, "session")
    asked = HeldAnswer(page, "**/people")
    talkers.call("bob", "POST", f"/api/sessions/{session}/participants", {"name": "ben"})
    asked.wait_read()
    talkers.call("bob", "PATCH", f"/api/sessions/{session}", {"title": "The great move"})
    page.wait_for_function("() => window.heard.some((one) => one.title === 'The great move')")
    asked.give()
    expect(page.get_by_role("heading", name="The great move")).to_be_visible()


def test_who_is_there_comes_and_goes_without_a_reload(talkers, session, sign_in):
    page = talk.show(sign_in("alice"), talkers, session)
    wait_live(page)
    bob = page.locator("#people li", has_text="bob").locator(".presence")
    expect(bob).to_contain_text("away")
    other = talk.show(sign_in("bob"), talkers, session)
    expect(bob).to_contain_text("here")
    other.context.close()
    expect(bob).to_contain_text("away", timeout=40_000)


def test_the_box_to_write_in_stays_in_view_over_a_keyboard(talkers, session, sign_in):
    for count in range(30):
        talk.say(talkers, session, "bob", f"word {count}")
    talk.say(talkers, session, "alice", "mine")
    page = talk.show(sign_in("alice", **TOUCH), talkers, session)
    expect(page.get_by_text("mine")).to_be_in_viewport()
    box = page.get_by_label("Say something")
    box.tap()
    page.set_viewport_size({"width": 360, "height": 360})
    expect(box).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("mine")).to_be_in_viewport()
    box.fill("one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven\ntwelve")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_in_viewport(ratio=1)
    check_width(page)


def test_without_javascript_one_reads_writes_and_goes_back(talkers, session, sign_in):
    for count in range(130):
        talk.say(talkers, session, "bob", f"word {count}")
    page = sign_in("alice", java_script_enabled=False)
    page.goto(f"{talkers.url}/sessions")
    page.get_by_role("link", name="The move").first.click()
    expect(page.get_by_text("word 129")).to_be_in_viewport()
    expect(page.get_by_text("word 10", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_text("word 10", exact=True)).to_have_count(1)
    page.get_by_role("link", name="Newest").click()
    page.get_by_role("button", name="I have read this").click()
    shown = talkers.call("alice", "GET", f"/api/sessions/{session}")
    assert shown["unread"] == 0
    page.get_by_label("Say something").fill("no script here\nat all")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#place-131 .words")).to_have_text("no script here at all")
    assert talk.entries(talkers, session, after=130)[0]["body"] == "no script here\nat all"


def test_who_is_not_in_it_finds_nothing(talkers, session, visits, sign_in):
    talk.say(talkers, session, "alice", "a secret of theirs")
    visits.expect_complaint("404")
    page = sign_in("charlie")
    for rest in ("", "/entries", "/people"):
        answer = page.goto(f"{talkers.url}/sessions/{session}{rest}")
        assert answer.status == 404
        assert "secret" not in page.content()
    page.goto(f"{talkers.url}/sessions?q=secret")
    expect(page.get_by_text("Nothing with these words")).to_be_visible()
    page.goto(f"{talkers.url}/sessions")
    expect(page.get_by_text("No session yet")).to_be_visible()


def test_what_agents_write_is_text_wherever_it_is_shown(talkers, visits, sign_in):
    hostile = f"{SCRIPT}\u202e\u001b[31m"
    session = talk.begin(talkers, SCRIPT, "bob", "anna", by="anna")
    talkers.call("anna", "POST", f"/api/sessions/{session}/participants", {"name": "alice"})
    talk.say(talkers, session, "anna", f"needle {hostile}")
    talk.say(talkers, session, "anna", "[wakebus] alice left\n\nwakebus: bob is the owner now")
    talkers.call("anna", "PATCH", f"/api/sessions/{session}", {"title": f"Again {SCRIPT}"})
    stream = talk.begin_output(talkers, session, "anna")
    talk.append(talkers, "anna", stream, hostile)
    asked = {"title": SCRIPT, "body": hostile, "who": ["alice"]}
    talkers.call("anna", "POST", f"/api/sessions/{session}/approvals", asked)
    page = talk.show(sign_in("alice"), talkers, session)
    expect(page.get_by_role("heading", name=f"Again {SCRIPT}")).to_be_visible()
    expect(page.locator(".running")).to_contain_text(SCRIPT)
    expect(page.get_by_role("button", name="approve")).to_be_visible()
    check_harmless(page, 4)
    spoofed = page.get_by_text("wakebus: bob is the owner now")
    inside = "one => one.closest('li').className"
    assert "note" not in spoofed.evaluate(inside).split()
    assert page.locator("#entries .note").count() == 2
    page.goto(f"{talkers.url}/sessions")
    expect(page.get_by_text(f"Again {SCRIPT}").first).to_be_visible()
    check_harmless(page, 1)
    page.goto(f"{talkers.url}/sessions?q=needle")
    expect(page.get_by_text(f"needle {SCRIPT}").first).to_be_visible()
    check_harmless(page, 2)


def test_a_note_out_of_a_file_is_none_of_the_bus_s_own(talkers, sign_in):
    spoofed = {"kind": "note", "from": "wakebus", "body": f"alice removed bob {SCRIPT}"}
    died = {"kind": "output", "body": "half", "data": {"state": "died", "stream": "x"}}
    session = talk.take_file(talkers, "From a file", spoofed, died, {"body": SCRIPT})
    page = talk.show(sign_in("alice"), talkers, session)
    expect(page.locator("#place-1")).to_contain_text("imported")
    expect(page.locator("#place-2")).to_contain_text("broke off")
    expect(page.locator("#place-3")).to_contain_text("imported")
    check_harmless(page, 2)


def check_harmless(page, least):
    """Refuse a page that has taken a text for more than that."""
    said = page.locator("body").inner_text()
    assert said.count(SCRIPT) >= least
    assert "\u202e" not in said + page.title()
    assert "\u001b" not in said
    assert page.evaluate("window.hit") is None
    assert page.locator("main script, main img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_and_a_phone_is_wide_enough(
    talkers, session, sign_in, check_axe, scheme
):
    talk.say(talkers, session, "bob", "@anna " + "long" * 80 + "\n\n| a | b |\n|--|--|\n| 1 | 2 |")
    talk.say(talkers, session, "anna", "```\n" + "code " * 60 + "\n```")
    page = sign_in("alice", viewport=PHONE, color_scheme=scheme)
    for path in ("/sessions", "/sessions?q=code", f"/sessions/{session}", "/me"):
        page.set_viewport_size(PHONE)
        page.goto(f"{talkers.url}{path}")
        wait_live(page)
        check_axe(page)
        check_width(page)
        page.set_viewport_size({"width": 1280, "height": 900})
        check_axe(page)
