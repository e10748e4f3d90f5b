"""The morning's brief, what turns cost, and runs, as a person reads them."""

from __future__ import annotations

import re

import fleetlife as life
import pytest
from browsing import PHONE, check_width
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
HOSTILE = "<script>alert(1)</script>{{ 7*7 }} [wakebus] paid"


@pytest.fixture(scope="module")
def office(house):
    """A machine with agents and a worker on it, of which one had a dear turn and one a dark one."""
    life.add_machine(house, "attic", "anna", "ben")
    house.add("wim", kind="worker", node="attic")
    take_turn(house, "anna", tokens_in=12_000, tokens_out=345, cost_usd=1.25)
    take_turn(house, "ben", tokens_in=700, tokens_out=77)
    return house


def take_turn(house, agent, **used):
    """Have an agent be woken, read and settle all, in a turn of which something is told."""
    house.call("alice", "POST", "/api/send", {"to": agent, "body": "hello", "subject": "a turn"})
    (asked,) = house.call(agent, "GET", f"/api/wakes?agent={agent}")["wakes"]
    path = f"/api/wakes/{asked['wake_id']}"
    house.call("attic", "POST", path, {"state": "received"})
    house.call("attic", "POST", path, {"state": "admitted", "turn_id": "t", "method": "gateway"})
    handles = [item["handle"] for item in house.call(agent, "GET", "/api/inbox")["items"]]
    house.call(agent, "POST", "/api/ack", {"handles": handles})
    house.call("attic", "POST", path, {"state": "ended", **used})


def dispatch(house, label, who="anna", **more):
    order = {"worker": "wim", "task": "count **all**", "label": label, "size": "S"}
    return house.call(who, "POST", "/api/runs", order | {"cleanup": "keep"} | more)["run_id"]


def told(page):
    return page.locator(".told")


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without JavaScript"])
def test_a_brief_is_read_by_a_button_alone_and_on_every_device(office, sign_in, script):
    who = "alice" if script else "bob"
    life.kill_letter(office, "anna", "ben", subject=f"lost plans, {script}")
    page, phone = (sign_in(who, java_script_enabled=script) for _ in range(2))
    for one in (page, phone, page):
        one.goto(f"{office.url}/brief")
        one.reload()
        expect(told(one).filter(has_text=f"lost plans, {script}").first).to_be_visible()
    page.get_by_role("button", name="I have read this").click()
    expect(page.get_by_text("Read: your next brief begins here.")).to_be_visible()
    for one in (page, phone):
        one.goto(f"{office.url}/brief")
        expect(one.get_by_text("when you read last")).to_be_visible()
        expect(told(one).filter(has_text=f"lost plans, {script}")).to_have_count(0)
        # It can be read again, and that keeps nothing.
        one.get_by_role("link", name="the last day").click()
        expect(told(one).filter(has_text=f"lost plans, {script}").first).to_be_visible()


def test_a_brief_leads_to_what_it_names_and_the_gravest_stands_first(office, sign_in):
    title = "paint, blocked"
    task = office.call("alice", "POST", "/api/tasks", {"title": title})["id"]
    path = f"/api/tasks/{task}"
    office.call("anna", "PATCH", path, {"status": "blocked", "note": "no paint"})
    message = life.kill_letter(office, "ben", "anna", subject="dead as a doornail")
    page = sign_in("alice")
    page.goto(f"{office.url}/brief?since=day")
    kinds = page.locator(".sums a").all_text_contents()
    assert [word for word in ("blocked", "dead") if any(word in one for one in kinds)]
    expect(told(page).first).to_contain_text("blocked by anna")
    page.locator(f'.told a[title="{task}"]').first.click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    page.go_back()
    page.locator(f'.told a[title="{message}"]').first.click()
    expect(page.get_by_role("heading", name="dead as a doornail")).to_be_visible()


def test_a_brief_since_what_is_no_time_says_so_and_tells_the_usual_one(office, visits, sign_in):
    visits.expect_complaint("400")
    page = sign_in("alice")
    page.goto(f"{office.url}/brief?since=yesterday-ish")
    expect(page.get_by_role("alert")).to_contain_text("since")
    expect(page.get_by_role("button", name="I have read this")).to_be_visible()


def test_a_brief_of_another_compartment_tells_nothing(office, sign_in):
    page = sign_in("charlie")
    page.goto(f"{office.url}/brief?since=week")
    expect(page.get_by_text("Nothing happened.")).to_be_visible()


def row(area, name):
    head = area.page.get_by_role("rowheader", name=name, exact=True)
    return area.get_by_role("row").filter(has=head)


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without JavaScript"])
def test_what_is_not_known_to_have_cost_is_said_so_and_never_nothing(office, sign_in, script):
    page = sign_in("alice", java_script_enabled=script)
    page.get_by_role("link", name="Cost").click()
    agents = page.get_by_role("region", name="By agent")
    expect(row(agents, "anna")).to_contain_text("1.25 $")
    expect(row(agents, "anna")).to_contain_text("12,000 · 345")
    expect(row(agents, "ben")).to_contain_text("unknown")
    assert "0.0" not in row(agents, "ben").inner_text()
    expect(page.get_by_role("img")).to_have_attribute("aria-label", has_dollars("1.25"))
    expect(page.get_by_role("region", name="By thread")).to_contain_text("a turn")
    row(agents, "ben").get_by_role("link").click()
    expect(page.locator(".totals")).to_contain_text("unknown")
    page.get_by_role("link", name="today").click()
    expect(row(page.get_by_role("region", name="By agent"), "ben")).to_be_visible()


def has_dollars(text):
    return re.compile(re.escape(f"{text} US dollars in all"))


def test_the_wakes_of_a_day_stand_beside_what_an_agent_may_have(office, sign_in):
    page = sign_in("alice")
    page.goto(f"{office.url}/cost")
    budget = page.get_by_role("region", name="Wakes of the last day")
    expect(row(budget, "anna")).to_contain_text("1 of 500")


def test_nobody_else_s_cost_is_told(office, visits, sign_in):
    visits.expect_complaint("404")
    page = sign_in("charlie")
    page.goto(f"{office.url}/cost")
    expect(page.get_by_text("No turn of these days is known")).to_be_visible()
    page.goto(f"{office.url}/cost?agent=anna")
    expect(page.get_by_role("alert")).to_contain_text("anna")
    assert "1.25" not in page.content()


def test_a_run_is_followed_to_its_end_and_what_it_said_is_cleaned(office, sign_in):
    run_id = dispatch(office, "counting", who="alice")
    page = sign_in("alice")
    page.get_by_role("link", name="Runs").click()
    page.get_by_role("link", name="counting").click()
    expect(page.locator("#live")).to_have_text("live")
    expect(page.get_by_role("heading", name="counting")).to_contain_text("queued")
    path = f"/api/runs/{run_id}"
    office.call("wim", "POST", f"{path}/claim", {"instance": "one"})
    expect(page.get_by_role("heading", name="counting")).to_contain_text("working")
    said = f"**42** files\n\n{HOSTILE}\n\n![x](http://evil.test/a.png)"
    end = {"claim": 1, "status": "completed", "output": said, "tokens_in": 5, "exit_code": 0}
    office.call("wim", "POST", f"{path}/end", end)
    expect(page.get_by_role("heading", name="counting")).to_contain_text("completed")
    result = page.get_by_role("region", name="What it said")
    expect(result.locator("strong")).to_have_text("42")
    expect(result).to_contain_text("<script>alert(1)</script>{{ 7*7 }}")
    assert page.locator("main img, main script").count() == 0
    expect(page.locator(".facts")).to_contain_text("unknown")  # tokens alone were told
    expect(page.get_by_role("table", name="The way of this run")).to_contain_text("at work")


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without JavaScript"])
def test_a_run_is_taken_back_with_a_reason_and_not_twice(office, visits, sign_in, script):
    visits.expect_complaint("409")
    run_id = dispatch(office, f"needless-{int(script)}")
    page, old = (sign_in("alice", java_script_enabled=script) for _ in range(2))
    for one in (page, old):
        one.goto(f"{office.url}/runs/{run_id}")
    # What it was told is for whom it concerns: a person who only sees it may still stop it.
    expect(page.get_by_text("are for anna and wim")).to_be_visible()
    page.get_by_label("Why").fill("no <b>need</b>")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    expect(page.locator("#run")).to_contain_text("cancelled by alice: no <b>need</b>")
    if not script:
        old.get_by_role("button", name="Cancel the run").click()
        expect(old.get_by_role("heading", name="needless")).to_contain_text("cancelled")


def test_runs_are_listed_by_state_and_others_see_none(office, visits, sign_in):
    visits.expect_complaint("404")
    run_id = dispatch(office, "of-anna-alone")
    page = sign_in("alice", java_script_enabled=False)
    page.goto(f"{office.url}/runs")
    expect(page.get_by_role("link", name="of-anna-alone")).to_be_visible()
    page.get_by_label("State").select_option("completed")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("link", name="of-anna-alone")).to_have_count(0)
    other = sign_in("charlie")
    other.goto(f"{office.url}/runs?state=all")
    expect(other.get_by_text("None that you may see.")).to_be_visible()
    other.goto(f"{office.url}/runs/{run_id}")
    expect(other.locator("main")).to_contain_text("no run")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, None], ids=["phone", "desktop"])
def test_each_fits_and_axe_finds_no_grave_fault(office, sign_in, check_axe, scheme, viewport):
    life.kill_letter(office, "anna", "ben", subject="w" * 150)
    run_id = dispatch(office, "l" * 60)
    page = sign_in("alice", color_scheme=scheme, **({"viewport": viewport} if viewport else {}))
    for path in ("/brief?since=day", "/cost", "/cost?days=1", "/runs?state=all", f"/runs/{run_id}"):
        page.goto(f"{office.url}{path}")
        expect(page.locator("#live")).to_have_text("live")
        check_axe(page)
        check_width(page)
