"""A session's page as it is when nothing goes on: it offers and says what is so, and no more."""

from __future__ import annotations

import fleetlife as life
import pytest
import talklife as talk
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_who_has_read_everything_is_not_told_that_there_is_something_newer(house, sign_in):
    session = talk.begin(house, "The quay", "bob")
    talk.say(house, session, "bob", "all is quiet")
    page = talk.show(sign_in("alice"), house, session)
    expect(page.get_by_text("all is quiet")).to_be_visible()
    expect(page.locator("#jump")).to_be_hidden()
    expect(page.locator("#closed")).to_be_hidden()


def test_a_run_that_came_to_its_end_well_looks_so(house, sign_in):
    life.add_machine(house, "press-room")
    worker = {"name": "press", "kind": "worker", "node": "press-room"}
    house.admin("POST", "/api/agents", worker)
    made = house.admin("POST", "/api/tokens", {"kind": "agent", "subject": "press"})
    house.tokens["press"] = made["token"]
    session = talk.begin(house, "The proofs", "bob")
    order = {"worker": "press", "task": "set them", "label": "proofs", "size": "S"}
    order |= {"cleanup": "keep", "session": session}
    run = house.call("alice", "POST", "/api/runs", order)["run_id"]
    claim = {"instance": "one", "workspace": "/srv"}
    claim = house.call("press", "POST", f"/api/runs/{run}/claim", claim)["claim"]
    done = {"claim": claim, "status": "completed", "exit_code": 0}
    house.call("press", "POST", f"/api/runs/{run}/end", done)
    page = talk.show(sign_in("alice"), house, session)
    expect(page.locator(".entry.result .state.good")).to_have_text("completed")
