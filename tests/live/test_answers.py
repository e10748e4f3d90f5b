"""What a running bus tells: of errors, of itself, of mail that waits, and in its log."""

from __future__ import annotations

import json
import signal
import sys
import urllib.request

from tests.conftest import until

QUIET = [sys.executable, "-c", "import sys; sys.stdin.read()"]


def test_an_error_points_to_a_page_that_explains_it(bus):
    status, problem = bus.call("wb_agent_none", "GET", "/api/inbox")
    assert (status, problem["code"]) == (401, "unauthorized")
    page, _, pointer = problem["type"].partition("#")
    with urllib.request.urlopen(page, timeout=60) as answer:
        found = json.load(answer)
    for part in pointer.split("/")[1:]:
        found = found[part]
    assert "A token is needed" in found["meaning"]


def test_mail_for_a_node_that_was_never_there_says_so(bus):
    boss = bus.add("boss", "person")
    bus.call(bus.admin, "POST", "/api/nodes", {"name": "attic", "agents": ["ann"]})
    _, sent = bus.call(boss, "POST", "/api/send", {"to": "ann", "body": "hello"})
    _, shown = bus.call(boss, "GET", f"/api/messages/{sent['id']}")
    assert shown["deliveries"][0]["reason"] == "waiting: node attic has not been there yet"


def test_mail_for_a_node_that_went_away_says_since_when(bus, tmp_path):
    boss = bus.add("boss", "person")
    bus.add_node("attic", tmp_path / "node", {"ann": QUIET})
    _, sent = bus.call(boss, "POST", "/api/send", {"to": "ann", "body": "hello"})
    bus.follow_until(boss, sent["id"], "acked", 30)
    bus.watchers[0].terminate()
    bus.watchers[0].wait(60)
    _, again = bus.call(boss, "POST", "/api/send", {"to": "ann", "body": "hello"})
    delivery = bus.follow_until(boss, again["id"], "queued", 30)
    while not delivery["reason"]:  # the bus may see the stream's end a moment later
        bus.call(boss, "GET", "/api/inbox?view=headers&wait=1")
        delivery = bus.follow_until(boss, again["id"], "queued", 30)
    _, nodes = bus.call(bus.admin, "GET", "/api/nodes")
    since = nodes["nodes"][0]["seen_at"]
    assert delivery["reason"] == f"waiting: node attic offline since {since}"


def test_an_agent_learns_its_node_and_a_node_its_agents(bus, tmp_path):
    tokens = bus.enrol("attic", tmp_path / "node", ["ann", "ben"], bus.environment)
    assert bus.call(tokens["ann"], "GET", "/api/whoami")[1]["node"] == "attic"
    node = (tmp_path / "node" / "node.token").read_text().strip()
    assert bus.call(node, "GET", "/api/whoami")[1]["agents"] == ["ann", "ben"]


def test_the_log_tells_of_messages_wakes_and_failures_without_their_bodies(bus, tmp_path):
    boss = bus.add("boss", "person")
    broken = [sys.executable, "-c", "import sys; sys.exit('the disk is on fire')"]
    bus.add_node("attic", tmp_path / "node", {"ann": broken})
    sent = bus.call(boss, "POST", "/api/send", {"to": "ann", "body": "a secret word"})[1]["id"]
    bus.follow_until(boss, sent, "dead", 30)
    bus.call(boss, "POST", "/api/send", {"to": "nobody", "body": "a secret word"})
    file = bus.data_dir / "bus.log"
    until(lambda: "action=wake_closed" in file.read_text(), 30, "the end of the turn is told")
    bus.stop(signal.SIGTERM)
    log = file.read_text()
    assert f"action=message_accepted message={sent}" in log
    for action in ("wake_asked", "wake_begun", "wake_closed", "delivery_failed"):
        assert f"action={action}" in log
    assert "code=unknown_recipient" in log
    for hidden in ("a secret word", boss, bus.admin, "on fire"):
        assert hidden not in log
