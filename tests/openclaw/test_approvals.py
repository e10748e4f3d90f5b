"""An agent of the real OpenClaw asks a person first, ends its turn, and goes on when it may."""

from __future__ import annotations

import json

import pytest
from realopenclaw import await_that
from wholepath import ACK, READ

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(900)]
ASK = {
    "exec_match": r"(?m)^(curl [^\n]*/approvals [^\n]*)$",
    "in": "user",
    "text": "Nobody to ask.",
}
ASKED, GOES_ON = {"text": "I asked and wait."}, {"text": "I count the bright ones."}


@pytest.fixture(scope="module")
def asker(household, machine):
    machine.behave("asking", READ, ACK, GOES_ON)
    machine.behave("asking", ASK, ASKED, match="/approvals")
    household.add_node("here", machine, {"asking": ["method=gateway"]})
    household.add_person("pia")
    return machine


def call(household, who, method, path, body=None):
    status, answer = household.bus.call(household.tokens[who], method, path, body)
    assert status < 300, answer
    return answer


def open_approval(household):
    shown = call(household, "pia", "GET", "/api/approvals")["approvals"]
    return shown[0] if shown else None


def test_an_agent_asks_by_curl_in_its_turn_and_goes_on_when_a_person_has_answered(household, asker):
    made = call(
        household, "pia", "POST", "/api/sessions", {"title": "stars", "participants": ["asking"]}
    )
    where = f"/api/sessions/{made['session_id']}"
    asked = json.dumps({"title": "May I count the stars?", "on_expiry": "deny"})
    command = f"curl -sS -H @{household.headers['asking']} {household.bus.url}{where}/approvals"
    words = f"Run this:\n{command} --json '{asked}'"
    asker.start_turn("asking", words)
    approval = await_that(lambda: open_approval(household), "the agent never asked")
    assert (approval["asked_by"], approval["title"]) == ("asking", "May I count the stars?")
    asker.finish_turn(words)
    assert household.wakes("asking") == []

    answer = {"answer": "approve", "note": "the bright ones"}
    call(household, "pia", "POST", f"/api/approvals/{approval['approval_id']}/answer", answer)

    def said():
        entries = call(household, "pia", "GET", f"{where}/entries")["entries"]
        return [one["body"] for one in entries if one["kind"] == "output"]

    # what it says in the turn that the answer began is said in the session
    await_that(lambda: said() == [GOES_ON["text"]], "the agent never went on")
    (wake,) = household.await_idle("asking")
    assert wake["result"] == "ended"
    assert asker.was_shown("asking", "pia has answered approve to your request")
    assert asker.was_shown("asking", "the bright ones")
    assert call(household, "asking", "GET", "/api/inbox")["items"] == []
