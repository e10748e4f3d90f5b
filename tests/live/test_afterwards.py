"""Renaming, removing and rotating under a real bus with a real watcher, and mail all the while."""

from __future__ import annotations

import json
import sys
import threading

import pytest

QUIET = [sys.executable, "-c", "import sys; sys.stdin.read()"]


@pytest.fixture
def boss(bus):
    return bus.add("boss", "person")


def send(bus, token, to, body="do it"):
    status, sent = bus.call(token, "POST", "/api/send", {"to": to, "body": body})
    assert status == 202, sent
    return sent["id"]


def tokens_of(bus, subject):
    _, listed = bus.call(bus.admin, "GET", "/api/tokens")
    return [one for one in listed["tokens"] if one["subject"] == subject]


def wait_until(bus, boss, condition):
    """Look again after each second of a long poll that nothing ends."""
    for _ in range(30):
        found = condition()
        if found:
            return found
        bus.call(boss, "GET", "/api/inbox?view=headers&wait=1")
    raise AssertionError("not within 30 s")


def rotate(bus, kind, subject, **more):
    body = {"kind": kind, "subject": subject, **more}
    status, answer = bus.call(bus.admin, "POST", "/api/tokens/rotate", body)
    assert status == 200, answer
    return answer


def test_a_renamed_agent_keeps_its_mail_token_and_watcher(bus, boss, tmp_path):
    node = tmp_path / "node"
    token = bus.add_node("here", node, {"pong": QUIET})["pong"]
    bus.follow_until(boss, send(bus, boss, "pong"), "acked", 30)
    status, _ = bus.call(bus.admin, "PATCH", "/api/agents/pong", {"name": "echo"})
    assert status == 200
    bus.follow_until(boss, send(bus, boss, "echo"), "acked", 30)
    assert bus.call(boss, "POST", "/api/send", {"to": "pong", "body": "x"})[0] == 404
    assert json.loads((node / "watcher.json").read_text())["agents"]["echo"]["argv"] == QUIET
    for name in ("echo", "pong"):
        header = (node / f"{name}.header").read_text().strip().rpartition(" ")[2]
        assert header == token
        assert bus.call(header, "GET", "/api/whoami")[1]["name"] == "echo"
    _, history = bus.call(boss, "GET", "/api/messages?with=echo")
    assert len(history["messages"]) == 2


def test_mail_that_waits_while_its_agent_is_renamed_is_read_under_the_new_name(bus, boss, tmp_path):
    bus.add_node("here", tmp_path / "node", {"pong": QUIET})
    bus.call(bus.admin, "PATCH", "/api/agents/pong", {"paused": True})
    sent = send(bus, boss, "pong")
    bus.call(bus.admin, "PATCH", "/api/agents/pong", {"name": "echo"})
    bus.call(bus.admin, "PATCH", "/api/agents/echo", {"paused": False})
    assert bus.follow_until(boss, sent, "acked", 30)["to"] == "echo"


def test_a_removed_agent_s_mail_ends_and_its_name_begins_anew(bus, boss, tmp_path):
    node = tmp_path / "node"
    old = bus.add_node("here", node, {"pong": QUIET, "ping": QUIET})["pong"]
    bus.call(bus.admin, "PATCH", "/api/agents/pong", {"paused": True})
    sent = send(bus, boss, "pong")
    assert bus.call(bus.admin, "DELETE", "/api/agents/pong")[0] == 200
    assert bus.follow_until(boss, sent, "dead", 30)["reason"] == "pong was removed from the bus"
    _, inbox = bus.call(boss, "GET", "/api/inbox")
    (failure,) = inbox["items"]
    assert failure["type"] == "FAILURE"
    bus.call(boss, "POST", "/api/ack", {"handle": failure["handle"]})
    bus.call(bus.admin, "POST", "/api/agents", {"name": "pong"})
    assert bus.call(old, "GET", "/api/inbox")[0] == 401
    made = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "agent", "subject": "pong"})[1]
    assert bus.call(made["token"], "GET", "/api/inbox")[1]["items"] == []
    wait_until(bus, boss, lambda: not (node / "pong.header").exists())
    bus.follow_until(boss, send(bus, boss, "ping"), "acked", 30)


def test_tokens_of_a_node_and_its_agents_are_renewed_without_a_restart_or_a_lost_message(
    bus, boss, tmp_path
):
    node = tmp_path / "node"
    old = bus.add_node("here", node, {"pong": QUIET})["pong"]
    old_node = (node / "node.token").read_text().strip()
    bus.follow_until(boss, send(bus, boss, "pong"), "acked", 30)
    sent: list[str] = []
    writer = threading.Thread(
        target=lambda: sent.extend(send(bus, boss, "pong") for _ in range(30))
    )
    writer.start()
    for kind, subject in (("agent", "pong"), ("node", "here")):
        assert rotate(bus, kind, subject)["by"] == "node"
    wait_until(bus, boss, lambda: old not in (node / "pong.header").read_text())
    wait_until(bus, boss, lambda: bus.call(old_node, "GET", "/api/whoami")[0] == 401)
    writer.join(60)
    for message in [*sent, send(bus, boss, "pong")]:
        delivery = bus.follow_until(boss, message, "acked", 60)
        assert delivery["attempt"] == 1, "and none was read twice"
    assert len(sent) == 30
    assert bus.call(old, "GET", "/api/whoami")[0] == 200, "a turn in the middle goes on with it"
    (ends, good) = sorted(tokens_of(bus, "pong"), key=lambda one: one["ends_at"] is None)
    assert ends["ends_at"]
    assert good["last_used_at"]
    assert (node / "pong.header").stat().st_mode & 0o777 == 0o600
    assert not (node / "state" / "renewal.json").exists()
    assert bus.call(bus.admin, "DELETE", f"/api/tokens/{ends['id']}")[0] == 200
    assert bus.call(old, "GET", "/api/whoami")[0] == 401, "revoked is at once"


def test_tokens_that_are_rotated_while_their_node_is_away_are_renewed_when_it_is_back(
    bus, boss, tmp_path
):
    node = tmp_path / "node"
    old = bus.add_node("here", node, {"pong": QUIET})["pong"]
    bus.follow_until(boss, send(bus, boss, "pong"), "acked", 30)
    bus.watchers[0].terminate()
    bus.watchers[0].wait(60)
    rotate(bus, "agent", "pong")
    sent = send(bus, boss, "pong")
    bus.watch(node, bus.environment)
    bus.follow_until(boss, sent, "acked", 30)
    wait_until(bus, boss, lambda: old not in (node / "pong.header").read_text())


def test_a_person_and_the_administration_have_two_good_tokens_for_a_while(bus, boss):
    for kind, subject, old in (("person", "boss", boss), ("admin", "", bus.admin)):
        new = rotate(bus, kind, subject)["token"]
        for token in (old, new):
            assert bus.call(token, "GET", "/api/whoami")[0] == 200
        assert new != old


def test_a_node_that_is_renamed_goes_on(bus, boss, tmp_path):
    node = tmp_path / "node"
    bus.add_node("here", node, {"pong": QUIET})
    bus.call(bus.admin, "PATCH", "/api/nodes/here", {"name": "there"})
    bus.follow_until(boss, send(bus, boss, "pong"), "acked", 30)
    settings = node / "watcher.json"
    wait_until(bus, boss, lambda: json.loads(settings.read_text())["node"] == "there")
