"""What goes wrong at a real OpenClaw, and what the bus, the watcher and the sender make of it.

Each test has a sleeper of its own on the second machine; a person sends, and is told.
"""

from __future__ import annotations

import pytest
from realopenclaw import await_that
from wholepath import ACK, LADDER, READ, states, unseen

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(900)]
BUS_SETTINGS = {
    "BUS_MAX_ATTEMPTS": "2",
    "BUS_BACKOFF_FIRST_S": "0.2",
    "BUS_BACKOFF_MAX_S": "1",
    "BUS_WAKE_BLIND_S": "4",
}
DONE = {"text": "Inbox done."}
TWICE_WOKEN = [*LADDER[:4], *LADDER[1:4], "dead"]
SLEEPERS = ("busy", "crowded", "waiting", "killed", "failing", "deaf", "ghost")


@pytest.fixture(scope="module", autouse=True)
def nodes(household, machines):
    """Add the sleepers' machine and who writes to them; OpenClaw has no agent named ghost."""
    here, there = machines
    by_gateway = {name: ["method=gateway"] for name in SLEEPERS}
    household.add_node("here", here, {"alpha": ["method=gateway"]})
    household.add_node("there", there, by_gateway | {"deaf-by-hook": ["method=hook"]})
    household.add_person("boss")
    there.openclaw.warm_hooks("warm")


@pytest.fixture
def there(machines):
    return machines[1]


def test_mail_that_comes_in_a_long_turn_of_its_owner_is_read_once_afterwards(household, there):
    there.behave("busy", {"text": "That was long.", "delay": 8}, match="a long piece of work")
    there.behave("busy", READ, ACK, DONE)
    there.start_turn("busy", "a long piece of work")
    there.openclaw.await_model("a long piece of work")
    task = household.follow("boss", household.send("boss", "busy", "and this"), "acked")
    assert (states(task), unseen(task)) == (LADDER, [])
    assert (task["attempt"], task["failed_attempts"]) == (1, 0)
    assert [wake["result"] for wake in household.await_idle("busy")] == ["ended"]
    assert len(there.turns("busy")) == 1
    assert len(there.turns("busy", "a long piece of work")) == 1


def test_mail_that_comes_in_a_turn_of_the_bus_makes_exactly_one_more_wake(household, there):
    there.behave("crowded", READ, ACK | {"delay": 4}, DONE)
    first = household.send("boss", "crowded", "the first")
    household.follow("boss", first, "read")
    later = [household.send("boss", "crowded", f"later, {number}") for number in range(3)]
    there.behave("crowded", READ, ACK, READ, ACK, READ, ACK, DONE, match="You have 3 messages")
    household.follow("boss", first, "acked")
    for message_id in later:
        task = household.follow("boss", message_id, "acked")
        assert (states(task), task["attempt"]) == (LADDER, 1)
    assert [wake["result"] for wake in household.await_idle("crowded")] == ["ended", "ended"]
    assert len(there.turns("crowded")) == 2


def test_a_failing_model_is_a_failed_turn_and_in_the_end_the_sender_knows_why(household, there):
    there.behave("failing", {"http_status": 400, "text": "no such thing"})
    task_id = household.send("boss", "failing", "do it all the same")
    task = household.follow("boss", task_id, "dead")
    assert task["failed_attempts"] == 2
    assert states(task) == TWICE_WOKEN
    wakes = household.await_idle("failing")
    assert [wake["result"] for wake in wakes] == ["failed", "failed"]
    assert all("LLM request failed" in wake["reason"] for wake in wakes)
    body = household.failure_of("boss", task_id)["body"]
    assert "2 attempts without an ack" in body
    assert "LLM request failed" in body


def test_an_agent_that_ignores_its_mail_costs_attempts_and_the_sender_is_told(household, there):
    there.behave("deaf", {"text": "I would rather not."})
    task_id = household.send("boss", "deaf", "please")
    task = household.follow("boss", task_id, "dead")
    assert states(task) == TWICE_WOKEN
    assert [wake["result"] for wake in household.await_idle("deaf")] == ["ended", "ended"]
    assert len(there.turns("deaf")) == 2
    body = household.failure_of("boss", task_id)["body"]
    assert "the turn ended without reading the inbox" in body


def test_what_a_blind_method_never_saw_read_is_counted_and_the_sender_is_told(household, there):
    there.behave("deaf-by-hook", {"text": "I would rather not."})
    task_id = household.send("boss", "deaf-by-hook", "please")
    household.follow("boss", task_id, "dead")
    assert [wake["result"] for wake in household.await_idle("deaf-by-hook")] == ["unread"] * 2
    await_that(lambda: len(there.turns("deaf-by-hook")) == 2, "it was not woken twice")
    body = household.failure_of("boss", task_id)["body"]
    assert "nothing was read within 4 s of the call" in body


def test_mail_for_an_agent_that_openclaw_does_not_know_is_dead_at_once(household):
    task_id = household.send("boss", "ghost", "anyone there?")
    task = household.follow("boss", task_id, "dead")
    assert states(task) == ["accepted", "queued", "notified", "dead"]
    assert (task["attempt"], task["failed_attempts"]) == (0, 0)
    assert [wake["result"] for wake in household.await_idle("ghost")] == ["no_turn"]
    body = household.failure_of("boss", task_id)["body"]
    assert "unknown agent id 'ghost'" in body


def test_an_agent_is_woken_to_learn_that_its_message_came_to_nothing(household, machines):
    here, _ = machines
    here.behave("alpha", READ | {"delay": 3}, ACK, DONE)  # slow, so that we see it arrive
    task_id = household.send("alpha", "ghost", "anyone there?")
    household.follow("alpha", task_id, "dead")
    path = "/api/inbox?view=headers&wait=30"
    _, inbox = household.bus.call(household.tokens["alpha"], "GET", path)
    assert [(item["type"], item["from"]) for item in inbox["items"]] == [("FAILURE", "wakebus")]
    told = household.follow("alpha", inbox["items"][0]["id"], "acked")
    assert (states(told), unseen(told)) == (LADDER, [])


# ------------------------------------------------------------------------------- a crash


@pytest.fixture(scope="module")
def crash(household, machines):
    """Kill the gateway with a turn that has read and mail that waits; start it again."""
    _, there = machines
    there.behave("killed", READ, ACK | {"delay": 600})
    there.behave("waiting", READ, ACK, DONE)
    read = household.send("boss", "killed", "worth doing twice")
    household.follow("boss", read, "read")
    there.openclaw.kill()
    waiting = household.send("boss", "waiting", "when you are back")
    await_that(
        lambda: "no gateway at" in household.follow("boss", waiting, "queued")["reason"],
        "the trace does not say what the mail waits for",
    )
    there.behave("killed", READ, ACK, DONE)
    there.openclaw.up()
    return {"read": read, "waiting": waiting}


def test_mail_that_waits_for_a_killed_gateway_wakes_its_reader_when_it_is_back(
    household, there, crash
):
    task = household.follow("boss", crash["waiting"], "acked")
    rungs = states(task)
    assert rungs[:4] == ["accepted", "queued", "notified", "queued"]
    assert rungs[-4:] == ["notified", "woken", "read", "acked"]
    assert rungs.count("woken") == 1
    assert (task["attempt"], task["failed_attempts"]) == (1, 0)
    assert len(there.turns("waiting")) == 1


def test_mail_that_was_read_in_a_killed_turn_comes_again_and_is_acked(household, crash):
    task = household.follow("boss", crash["read"], "acked")
    rungs = states(task)
    assert rungs[:6] == [*LADDER[:5], "queued"]
    assert rungs[-4:] == LADDER[2:]
    assert rungs.count("read") == 2
    assert "the turn failed" in task["ladder"][5]["reason"]
    assert (task["attempt"], task["failed_attempts"]) == (2, 1)
    results = [wake["result"] for wake in household.await_idle("killed")]
    # while OpenClaw takes up again what the killed turn was at, it begins no other
    assert [result for result in results if result != "no_turn"] == ["failed", "ended"]
