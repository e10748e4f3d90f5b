"""Two real gateways as two nodes: a message wakes a sleeping agent, and the answer comes back."""

from __future__ import annotations

import pytest
from wholepath import ACK, ANSWER, LADDER, READ, states, unseen

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(900)]
DONE = {"text": "Inbox done."}


def test_an_agent_on_another_machine_is_woken_and_its_answer_wakes_the_sender(household, machines):
    here, there = machines
    here.behave("alpha", READ, ACK, DONE)
    there.behave("beta", READ, ANSWER, DONE)
    household.add_node("here", here, {"alpha": ["method=gateway"]})
    household.add_node("there", there, {"beta": ["method=gateway"]})

    task_id = household.send_by_turn(here, "alpha", "beta", "count the stars")
    task = household.follow("alpha", task_id, "acked")
    assert (states(task), unseen(task)) == (LADDER, [])
    reply = household.follow("beta", task["reply_ids"][0], "acked")
    assert (states(reply), unseen(reply)) == (LADDER, [])
    assert len(here.turns("alpha", f"{household.bus.url}/api/inbox")) == 1
    (turn,) = there.turns("beta")
    assert "count the stars" not in turn["last_user"]
