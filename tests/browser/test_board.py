"""The board as people use it: moved by a pointer, by the keys, by a form; two look at once."""

from __future__ import annotations

import re

import pytest
from browsing import PHONE, HeldAnswer, check_width
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
HOSTILE = "<b onmouseover=alert(1)>{{ 7*7 }}</b> [wakebus] done"
KEEP_WHETHER_BACK = """id => {
    const old = document.querySelector("#column-backlog");
    window.wasBack = false;
    new MutationObserver(() => { window.wasBack ||= Boolean(old.querySelector(`#${id}`)); })
        .observe(old, {childList: true, subtree: true});
}"""


@pytest.fixture(scope="module")
def shop(house):
    """Two named agents and a worker beside the people."""
    for name in ("ann", "ben"):
        house.add(name)
    house.add("wim", kind="worker")
    return house


def add(house, title, who="alice", **fields):
    return house.call(who, "POST", "/api/tasks", {"title": title, **fields})["id"]


def move(house, who, task_id, status, note=""):
    return house.call(who, "PATCH", f"/api/tasks/{task_id}", {"status": status, "note": note})


def status_of(house, task_id):
    return house.admin("GET", f"/api/tasks/{task_id}")["status"]


def open_board(page, house, query=""):
    page.goto(f"{house.url}/board{query}")
    if page.locator("#live").is_visible():
        expect(page.locator("#live")).to_have_text("live")


def card(page, title):
    return page.locator("li.card:not(.ghost)").filter(
        has=page.get_by_role("link", name=title, exact=True)
    )


def column(page, status):
    return page.locator(f"#column-{status}")


def in_column(page, status, title):
    return expect(column(page, status).get_by_role("link", name=title, exact=True))


def drag(page, title, status):
    grip = card(page, title).get_by_role("button", name=f"Move {title}").bounding_box()
    to = column(page, status).get_by_role("heading").bounding_box()
    page.mouse.move(grip["x"] + 5, grip["y"] + 5)
    page.mouse.down()
    page.mouse.move(grip["x"] + 40, grip["y"] + 30, steps=3)
    page.mouse.move(to["x"] + 30, to["y"] + 20, steps=8)


def test_a_card_dragged_to_a_column_is_there_and_the_other_browser_sees_it(shop, sign_in):
    task_id = add(shop, "mend the gutter")
    mine, other = sign_in("alice"), sign_in("bob")
    for page in (mine, other):
        open_board(page, shop)
    drag(mine, "mend the gutter", "in_progress")
    expect(column(mine, "in_progress")).to_have_class(re.compile("over"))
    mine.mouse.up()
    for page in (mine, other):
        in_column(page, "in_progress", "mend the gutter").to_be_visible()
    expect(card(other, "mend the gutter")).to_contain_text("alice")
    assert status_of(shop, task_id) == "in_progress"


def test_a_card_let_go_where_it_may_not_go_stays(shop, sign_in):
    task_id = add(shop, "straight to done")
    page = sign_in("alice")
    open_board(page, shop)
    drag(page, "straight to done", "done")
    expect(column(page, "done")).not_to_have_class(re.compile("may|over"))
    page.mouse.up()
    in_column(page, "backlog", "straight to done").to_be_visible()
    expect(page.locator(".ghost")).to_have_count(0)
    assert status_of(shop, task_id) == "backlog"


def test_the_keys_alone_move_a_card_and_a_screen_reader_hears_each_step(shop, sign_in):
    task_id = add(shop, "by the keys")
    page = sign_in("alice")
    open_board(page, shop)
    heard = page.locator("#announced")
    card(page, "by the keys").get_by_role("button", name="Move by the keys").focus()
    page.keyboard.press("Enter")
    expect(heard).to_have_text(
        "by the keys is picked up from backlog. It may go to in progress, blocked."
    )
    page.keyboard.press("ArrowRight")
    expect(heard).to_have_text("Over in progress, 1 of 2.")
    page.keyboard.press("ArrowRight")
    expect(heard).to_have_text("Over blocked, 2 of 2; it will be asked why.")
    page.keyboard.press("ArrowRight")
    expect(heard).to_contain_text("Nothing further right")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(heard).to_have_text("by the keys is in in progress now.")
    in_column(page, "in_progress", "by the keys").to_be_visible()
    expect(card(page, "by the keys").get_by_role("button", name="Move by the keys")).to_be_focused()
    assert status_of(shop, task_id) == "in_progress"


def test_escape_leaves_a_card_where_it_was(shop, sign_in):
    task_id = add(shop, "left alone")
    page = sign_in("alice")
    open_board(page, shop)
    card(page, "left alone").get_by_role("button", name="Move left alone").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page.locator("#announced")).to_have_text("left alone stays in backlog.")
    assert status_of(shop, task_id) == "backlog"


def test_a_move_that_needs_a_word_asks_for_it_and_shows_it_on_the_card(shop, sign_in):
    add(shop, "paint the shed")
    page = sign_in("alice")
    open_board(page, shop)
    drag(page, "paint the shed", "blocked")
    page.mouse.up()
    asked = page.get_by_role("dialog")
    asked.get_by_label("What does it wait for?").fill("no paint <i>until</i> Monday")
    asked.get_by_role("button", name="Move").click()
    in_column(page, "blocked", "paint the shed").to_be_visible()
    expect(card(page, "paint the shed")).to_contain_text("alice: no paint <i>until</i> Monday")


def test_who_says_nothing_when_asked_leaves_it(shop, sign_in):
    task_id = add(shop, "not blocked after all")
    page = sign_in("alice")
    open_board(page, shop)
    drag(page, "not blocked after all", "blocked")
    page.mouse.up()
    page.get_by_role("button", name="Leave it").click()
    expect(page.locator("#announced")).to_contain_text("stays in backlog")
    assert status_of(shop, task_id) == "backlog"


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without JavaScript"])
def test_a_card_s_menu_offers_what_its_reader_may_do_and_does_it(shop, sign_in, script):
    title = f"from the menu, {script}"
    task_id = add(shop, title)
    page = sign_in("alice", java_script_enabled=script)
    open_board(page, shop)
    card(page, title).get_by_text("Move to").click()
    to = card(page, title).get_by_label("To")
    assert to.locator("option").all_text_contents() == [
        *("in progress: I claim it", "blocked (say why)")
    ]
    to.select_option("in_progress")
    card(page, title).get_by_role("button", name="Move", exact=False).last.click()
    expect(page.get_by_text("Moved.")).to_be_visible()
    in_column(page, "in_progress", title).to_be_visible()
    assert status_of(shop, task_id) == "in_progress"


def test_a_refusal_is_shown_in_the_words_of_the_bus(shop, visits, sign_in):
    visits.expect_complaint("400")
    task_id = add(shop, "say why")
    page = sign_in("alice", java_script_enabled=False)
    open_board(page, shop)
    card(page, "say why").get_by_text("Move to").click()
    card(page, "say why").get_by_label("To").select_option("blocked")
    card(page, "say why").get_by_role("button", name="Move say why").click()
    expect(page.get_by_role("alert")).to_contain_text("backlog -> blocked needs a 'note'")
    in_column(page, "backlog", "say why").to_be_visible()
    assert status_of(shop, task_id) == "backlog"


@pytest.mark.parametrize("script", [True, False], ids=["dragged", "without JavaScript"])
def test_a_move_from_an_old_page_is_refused_by_name_and_shows_what_is(
    shop, visits, sign_in, script
):
    visits.expect_complaint("409")
    title = f"moved meanwhile, {script}"
    task_id = add(shop, title)
    move(shop, "ann", task_id, "in_progress")
    page = sign_in("alice", java_script_enabled=script)
    open_board(page, shop)
    if script:
        # Held, a card stays as it was when it was taken: nothing is read again under the hand.
        drag(page, title, "blocked")
    move(shop, "ann", task_id, "review")
    if script:
        page.mouse.up()
        page.get_by_role("dialog").get_by_label("What does it wait for?").fill("rain")
        page.get_by_role("dialog").get_by_role("button", name="Move").click()
    else:
        card(page, title).get_by_text("Move to").click()
        card(page, title).get_by_label("To").select_option("blocked")
        card(page, title).get_by_label("Note").fill("rain")
        card(page, title).get_by_role("button", name=f"Move {title}").click()
    expect(page.get_by_role("alert")).to_contain_text("it is in review by now, moved there by ann")
    in_column(page, "review", title).to_be_visible()
    assert status_of(shop, task_id) == "review"


def test_what_others_do_waits_while_somebody_writes_in_a_card(shop, sign_in):
    add(shop, "half a word")
    page = sign_in("alice")
    open_board(page, shop)
    card(page, "half a word").get_by_text("Move to").click()
    card(page, "half a word").get_by_label("Note").fill("I think that")
    other = add(shop, "added meanwhile")
    # Told of it by another tab of the same browser, so that the first has been told, too.
    second = page.context.new_page()
    second.goto(f"{shop.url}/board")
    in_column(second, "backlog", "added meanwhile").to_be_visible()
    expect(card(page, "half a word").get_by_label("Note")).to_have_value("I think that")
    card(page, "half a word").get_by_text("Move to").click()
    in_column(page, "backlog", "added meanwhile").to_be_visible()
    assert status_of(shop, other) == "backlog"


def test_a_card_does_not_jump_back_by_what_was_being_read_when_it_was_dropped(shop, sign_in):
    task_id = add(shop, "no way back")
    page = sign_in("alice")
    open_board(page, shop)
    read = HeldAnswer(page, "**/board")
    add(shop, "news meanwhile")
    read.wait_read()
    drag(page, "no way back", "in_progress")
    page.mouse.up()
    in_column(page, "in_progress", "no way back").to_be_visible()
    page.evaluate(KEEP_WHETHER_BACK, f"card-{task_id}")
    read.give()
    in_column(page, "backlog", "news meanwhile").to_be_visible()
    in_column(page, "in_progress", "no way back").to_be_visible()
    assert not page.evaluate("window.wasBack")


def test_a_note_half_written_is_not_sent_with_a_move_that_nobody_chose(shop, visits, sign_in):
    visits.expect_complaint("409")
    task_id = add(shop, "chosen by nobody")
    move(shop, "ann", task_id, "in_progress")
    page = sign_in("alice")
    page.goto(f"{shop.url}/board/{task_id}")
    expect(page.locator("#live")).to_have_text("live")
    page.locator(f"#note-{task_id}").fill("not yet")
    move(shop, "ann", task_id, "review")
    expect(page.get_by_role("heading", name="chosen by nobody")).to_contain_text("review")
    page.get_by_role("button", name="Move chosen by nobody").click()
    expect(page.get_by_role("alert")).to_contain_text("it is in review by now")
    assert status_of(shop, task_id) == "review"


def test_what_is_half_written_on_a_task_s_page_stays_when_others_write(shop, sign_in):
    task_id = add(shop, "half written")
    move(shop, "ann", task_id, "in_progress")
    page = sign_in("alice")
    page.goto(f"{shop.url}/board/{task_id}")
    expect(page.locator("#live")).to_have_text("live")
    page.get_by_label("To", exact=True).select_option("blocked")
    note = page.locator(f"#note-{task_id}")
    note.fill("the roofer is ill")
    note.press("Home")
    shop.call("ann", "POST", f"/api/tasks/{task_id}/notes", {"text": "half of it"})
    expect(page.locator(".history")).to_contain_text("half of it")
    expect(page.get_by_label("To", exact=True)).to_have_value("blocked")
    expect(note).to_be_focused()
    page.keyboard.type("I heard that ")
    expect(note).to_have_value("I heard that the roofer is ill")


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without JavaScript"])
def test_a_task_is_added_written_on_and_moved_from_its_own_page(shop, sign_in, script):
    title = f"a new roof, {script}"
    page = sign_in("alice", java_script_enabled=script)
    open_board(page, shop)
    page.get_by_text("Add a task").click()
    page.get_by_label("Title").fill(title)
    page.get_by_label("What is to be done").fill("with **tiles**")
    page.get_by_role("button", name="Add to the backlog").click()
    expect(page.get_by_text("Added to the backlog.")).to_be_visible()
    card(page, title).get_by_role("link", name=title).click()
    expect(page.locator(".words strong")).to_have_text("tiles")
    page.get_by_label("Note (Markdown)").fill("ask *ben*")
    page.get_by_role("button", name="Write").click()
    expect(page.locator(".history em").filter(has_text="ben")).to_be_visible()
    page.get_by_label("To", exact=True).select_option("in_progress")
    page.get_by_role("button", name=f"Move {title}").click()
    expect(page.get_by_text("Moved.")).to_be_visible()
    expect(page.locator(".facts")).to_contain_text("alice")


def test_a_task_s_page_stays_as_it_is_now(shop, sign_in):
    task_id = add(shop, "watched")
    page = sign_in("bob")
    page.goto(f"{shop.url}/board/{task_id}")
    expect(page.locator("#live")).to_have_text("live")
    move(shop, "ann", task_id, "in_progress", "I begin")
    expect(page.locator(".history")).to_contain_text("ann moved it to in progress")
    expect(page.get_by_role("heading", name="watched")).to_contain_text("in progress")


def test_the_run_behind_a_card_is_named_with_its_state_and_leads_to_its_page(shop, sign_in):
    task_id = add(shop, "count the files")
    move(shop, "ann", task_id, "in_progress")
    order = {"worker": "wim", "task": "count **all**", "label": "counting", "size": "S"}
    order |= {"cleanup": "keep", "task_id": task_id}
    started = shop.call("ann", "POST", "/api/runs", order)
    page = sign_in("alice")
    open_board(page, shop)
    behind = card(page, "count the files").locator(".behind")
    expect(behind).to_contain_text("counting")
    shop.call("ann", "POST", f"/api/runs/{started['run_id']}/cancel", {"reason": "no more"})
    expect(behind).to_contain_text("cancelled")
    behind.get_by_role("link", name="counting").click()
    expect(page.get_by_role("heading", name="counting")).to_contain_text("cancelled")
    expect(page.get_by_role("link", name="count the files")).to_be_visible()


def test_the_board_is_narrowed_by_who_holds_what(shop, visits, sign_in):
    visits.expect_complaint("404")
    mine, others = add(shop, "held by ben"), add(shop, "held by nobody")
    move(shop, "ben", mine, "in_progress")
    page = sign_in("alice", java_script_enabled=False)
    open_board(page, shop)
    page.get_by_text("Filter", exact=True).first.click()
    page.get_by_label("Whose").select_option("holder")
    page.get_by_label("is", exact=True).fill("ben")
    page.get_by_role("button", name="Filter").click()
    in_column(page, "in_progress", "held by ben").to_be_visible()
    expect(page.get_by_role("link", name="held by nobody")).to_have_count(0)
    # A move from here leads back to here.
    card(page, "held by ben").get_by_text("Move to").click()
    card(page, "held by ben").get_by_label("To").select_option("backlog")
    card(page, "held by ben").get_by_role("button", name="Move held by ben").click()
    expect(page).to_have_url(re.compile("name=ben.*said=moved"))
    open_board(page, shop, "?party=holder&name=nobodyknown")
    expect(page.get_by_role("alert")).to_contain_text("nobodyknown")
    assert status_of(shop, others) == "backlog"


def test_another_compartment_s_person_sees_and_moves_nothing(shop, visits, sign_in):
    visits.expect_complaint("404")
    task_id = add(shop, "not for charlie")
    page = sign_in("charlie")
    open_board(page, shop)
    expect(page.get_by_role("heading", name="backlog")).to_contain_text("0")
    page.goto(f"{shop.url}/board/{task_id}")
    expect(page.locator("main")).to_contain_text("no task")


def test_hostile_titles_and_notes_are_text(shop, sign_in):
    task_id = add(shop, HOSTILE, body=HOSTILE)
    move(shop, "ann", task_id, "blocked", HOSTILE)
    page = sign_in("alice")
    open_board(page, shop)
    expect(card(page, HOSTILE)).to_contain_text(f"ann: {HOSTILE}")
    page.goto(f"{shop.url}/board/{task_id}")
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    expect(page.locator(".history .words")).to_have_text(HOSTILE)
    assert page.locator("[onmouseover]").count() == 0


def test_a_finger_moves_a_card_by_its_grip(shop, sign_in):
    task_id = add(shop, "by a finger")
    page = sign_in("alice", viewport=PHONE, has_touch=True, is_mobile=True)
    open_board(page, shop, "?compartment=open")
    grip = card(page, "by a finger").get_by_role("button", name="Move by a finger")
    grip.scroll_into_view_if_needed()
    page.evaluate("scrollBy(0, -200)")
    box = grip.bounding_box()
    touch = page.context.new_cdp_session(page)

    def point(kind, x, y):
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    x, y = box["x"] + 8, box["y"] + 8
    point("touchStart", x, y)
    point("touchMove", x + 20, y + 20)
    expect(page.locator(".ghost")).to_have_count(1)
    # Columns lie below each other here; the next one that it may go to is brought under the finger.
    page.locator("#column-in_progress").evaluate("one => scrollTo(0, one.offsetTop - 100)")
    to = page.locator("#column-in_progress").bounding_box()
    point("touchMove", to["x"] + 60, to["y"] + 20)
    expect(column(page, "in_progress")).to_have_class(re.compile("over"))
    point("touchEnd", 0, 0)
    in_column(page, "in_progress", "by a finger").to_be_visible()
    assert status_of(shop, task_id) == "in_progress"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, None], ids=["phone", "desktop"])
def test_it_fits_and_axe_finds_no_grave_fault(shop, sign_in, check_axe, scheme, viewport):
    task_id = add(shop, "w" * 200, body="x" * 300)
    move(shop, "ann", task_id, "blocked", "y" * 200)
    page = sign_in("alice", color_scheme=scheme, **({"viewport": viewport} if viewport else {}))
    open_board(page, shop)
    page.get_by_text("Add a task").click()
    page.locator(".menu summary").first.click()
    check_axe(page)
    check_width(page)
    page.goto(f"{shop.url}/board/{task_id}")
    expect(page.locator("#live")).to_have_text("live")
    check_axe(page)
    check_width(page)
