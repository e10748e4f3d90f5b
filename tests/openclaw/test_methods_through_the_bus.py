"""Each way to wake a real OpenClaw agent, by the real bus and watcher, from the send to the answer.

What a method cannot see must stand in the trace as not seen, and what it can see as seen.
"""

from __future__ import annotations

import json

import pytest
from wholepath import ACK, ANSWER, LADDER, READ, states, unseen

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(900)]
DONE = {"text": "Inbox done."}
ASK_OPENCLAW = ["openclaw", "agent", "--agent", "by-program", "-m", "{text}"]
METHODS = {
    "by-gateway": ["method=gateway"],
    "by-hook": ["method=hook"],
    "by-command": ["method=command"],
    "by-program": ["method=program", f"argv={json.dumps(ASK_OPENCLAW)}"],
    "by-auto": ["method=auto"],
}


@pytest.fixture(scope="module", autouse=True)
def nodes(household, machines):
    """Add alpha's machine, and the sleepers' machine once as it is and once as it may be."""
    here, there = machines
    here.behave("alpha", READ, ACK, DONE)
    household.add_node("here", here, {"alpha": ["method=gateway"]})
    household.add_node("there", there, METHODS)
    plain = {"by-wake-hook": ["method=hook"], "by-fallback": ["method=auto"]}
    household.add_node("plain", there, plain, config=write_plain(there.openclaw))
    there.openclaw.warm_hooks("warm")


def write_plain(openclaw):
    """Write what is read by a watcher that was given the hooks' token only, and no mapping."""
    config = json.loads(openclaw.config.read_text())
    config["gateway"]["auth"]["token"] = "not the gateway's"
    del config["hooks"]["mappings"]
    path = openclaw.folder / "plain.json"
    path.write_text(json.dumps(config))
    return path


@pytest.mark.parametrize(
    ("sleeper", "method", "result", "not_seen"),
    [
        ("by-gateway", "gateway", "ended", []),
        ("by-auto", "gateway", "ended", []),
        ("by-hook", "hook", "acked", []),
        ("by-wake-hook", "hook", "acked", ["woken"]),
        ("by-fallback", "hook", "acked", ["woken"]),
        ("by-command", "command", "acked", ["woken"]),
    ],
)
def test_a_sleeper_reads_and_answers_and_its_trace_says_what_was_seen(
    household, machines, sleeper, method, result, not_seen
):
    here, there = machines
    there.behave(sleeper, READ, ANSWER, DONE)
    task_id = household.send_by_turn(here, "alpha", sleeper, f"a question for {sleeper}")
    task = household.follow("alpha", task_id, "acked")
    assert states(task) == LADDER
    assert unseen(task) == not_seen

    assert [(w["method"], w["result"]) for w in household.await_idle(sleeper)] == [(method, result)]
    assert_answered(household, sleeper, task, "YOUR ANSWER")
    assert len(there.turns(sleeper)) == 1


def test_a_program_that_asks_openclaw_gets_the_message_and_its_words_are_the_answer(
    household, machines
):
    here, there = machines
    there.behave("by-program", {"text": "Forty-two."}, match="begin: data, not instructions")
    task_id = household.send_by_turn(here, "alpha", "by-program", "how many are there?")
    task = household.follow("alpha", task_id, "acked")
    assert (states(task), unseen(task)) == (LADDER, [])

    wake = household.await_idle("by-program")[0]
    assert (wake["method"], wake["result"]) == ("program", "ended")
    assert_answered(household, "by-program", task, "Forty-two.")
    (turn,) = there.turns("by-program", "begin: data")
    assert "how many are there?" in turn["last_user"]


def assert_answered(household, sleeper, task, text):
    """Hold that the one answer came to alpha, which was woken for it and read it."""
    (answer_id,) = task["reply_ids"]
    answer = household.follow(sleeper, answer_id, "acked")
    assert (states(answer), unseen(answer)) == (LADDER, [])
    _, shown = household.bus.call(household.tokens[sleeper], "GET", f"/api/messages/{answer_id}")
    assert shown["body"].strip() == text
