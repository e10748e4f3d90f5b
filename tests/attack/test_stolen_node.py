"""What a stolen node's token gives, and what it does not: the facts of the security model."""

from __future__ import annotations

import hashlib
import json

import pytest

SECRET_BODY = "the vault opens at nine"


@pytest.fixture
def waiting(world):
    """Mail for an agent of the node whose token is stolen; gives the message and its wake."""
    message_id = world.send("ben", "ann", SECRET_BODY, subject="the vault")
    (wake, *_) = world.admin("GET", "/api/wakes?agent=ann")["wakes"]
    return message_id, wake["wake_id"]


def test_it_shows_that_its_agents_have_mail_and_never_what_it_says(world, waiting):
    _, wake_id = waiting
    token = {"Authorization": f"Bearer {world.tokens['here']}"}
    texts = [
        world.ask(token, method, path, body)[2]
        for method, path, body in (
            ("GET", "/api/whoami", None),
            ("GET", "/api/wakes?state=all&limit=500", None),
            ("GET", "/api/stream?last_event_id=earliest", None),
            ("GET", "/api/stream", None),
            ("POST", f"/api/wakes/{wake_id}", {"state": "received"}),
        )
    ]
    assert all("ann" in text for text in texts)
    assert not [text for text in texts if "vault" in text or "ben (" in text]
    shown = json.loads(texts[1])["wakes"]
    assert {one["to_agent"] for one in shown} <= {"ann", "ben", "dan"}


def test_it_can_have_its_agents_mail_given_up_and_every_sender_is_told(world, waiting):
    message_id, wake_id = waiting
    report = {"state": "no_turn", "permanent": True, "reason": "the thief says so"}
    assert world.call("here", "POST", f"/api/wakes/{wake_id}", report)[0] == 200
    delivery = world.call("ben", "GET", f"/api/messages/{message_id}")[1]["deliveries"][0]
    assert delivery["state"] == "dead"
    told = world.call("ben", "GET", "/api/inbox?limit=100")[1]["items"]
    (note,) = [item for item in told if item["in_reply_to"] == message_id]
    assert (note["type"], note["trust"]) == ("FAILURE", "system")
    assert '"' in note["body"]


def test_it_can_send_read_and_ack_nothing(world, waiting):
    message_id, _ = waiting
    handle = f"{message_id}.1"
    for method, path, body in (
        ("POST", "/api/send", {"to": "ann", "body": "x", "from": "ben"}),
        ("GET", "/api/inbox", None),
        ("GET", f"/api/messages/{message_id}", None),
        ("GET", "/api/messages?with=ben", None),
        ("POST", "/api/ack", {"handle": handle}),
        ("POST", f"/api/messages/{handle}/reply", {"body": "x"}),
        ("GET", "/api/agents", None),
        ("GET", "/api/tokens", None),
        ("POST", "/api/tokens", {"kind": "agent", "subject": "ann"}),
    ):
        status, said = world.call("here", method, path, body)
        assert (status, said["code"]) == (403, "forbidden"), path
    delivery = world.call("ben", "GET", f"/api/messages/{message_id}")[1]["deliveries"][0]
    assert delivery["state"] in {"queued", "notified"}


def test_it_is_nothing_to_the_agents_of_other_nodes(world, waiting):
    _, wake_id = waiting
    for state in ("received", "admitted", "ended", "failed", "no_turn", "alive"):
        status, said = world.call("there", "POST", f"/api/wakes/{wake_id}", {"state": state})
        assert (status, said["code"]) == (404, "not_found")
    claim = {"version": "1", "methods": {"ann": {"method": "stolen", "why": "x"}}}
    assert world.call("there", "POST", "/api/nodes/self", claim)[0] == 200
    assert world.admin("GET", "/api/agents/ann")["method"] != "stolen"


def test_it_ends_with_its_streams_when_it_is_revoked(world):
    stolen = world.admin("POST", "/api/tokens", {"kind": "node", "subject": "here"})
    token = {"Authorization": f"Bearer {stolen['token']}"}
    assert world.ask(token, "GET", "/api/whoami")[0] == 200
    world.admin("DELETE", f"/api/tokens/{stolen['id']}")
    for path in ("/api/whoami", "/api/wakes", "/api/stream"):
        assert world.ask(token, "GET", path)[0] == 401
    assert world.call("here", "GET", "/api/whoami")[0] == 200


def test_in_an_asked_renewal_it_can_be_first_and_a_new_code_ends_what_it_got(world):
    stolen = {"Authorization": f"Bearer {world.tokens['here']}"}
    path, made = "/api/nodes/self/tokens", "wb_agent_made-by-a-thief"

    def hand_in(token):
        digest = hashlib.sha256(token.encode()).hexdigest()
        return world.ask(stolen, "POST", path, {"agents": {"ann": digest}})[0]

    thief = {"Authorization": f"Bearer {made}"}
    assert hand_in(made) == 409, "nobody asked"
    world.admin("POST", "/api/tokens/rotate", {"kind": "agent", "subject": "ann"})
    assert hand_in(made) == 200
    assert hand_in("wb_agent_made-by-the-watcher") == 409
    assert world.ask(thief, "GET", "/api/inbox")[0] == 200
    code = world.admin("POST", "/api/nodes/here/code")["code"]
    body = {"code": code, "nonce": "n" * 32, "url": world.bus.url, "instance": "one"}
    assert world.ask({}, "POST", "/api/enrol", body)[0] == 200
    assert world.ask(thief, "GET", "/api/inbox")[0] == 401
    assert world.ask(stolen, "GET", "/api/whoami")[0] == 401
