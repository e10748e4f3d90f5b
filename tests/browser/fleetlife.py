"""What a fleet has on a usual day, made by the calls that its machines and agents make."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from browsing import House


def add_machine(house: House, name: str, *agents: str) -> None:
    """Add a machine with its agents, and tokens for all of them."""
    house.admin("POST", "/api/nodes", {"name": name, "agents": list(agents)})
    for agent in agents:
        made = house.admin("POST", "/api/tokens", {"kind": "agent", "subject": agent})
        house.tokens[agent] = made["token"]
    made = house.admin("POST", "/api/tokens", {"kind": "node", "subject": name})
    house.tokens[name] = made["token"]


def listen(house: House, node: str) -> HTTPResponse:
    """Have a machine's watcher be there; closing what this gives is its death."""
    request = urllib.request.Request(f"{house.url}/api/stream?last_event_id=now&instance=one")
    request.add_header("Authorization", f"Bearer {house.tokens[node]}")
    stream = urllib.request.urlopen(request, timeout=60)
    stream.readline()
    return stream


def wake(house: House, sender: str, node: str, agent: str) -> None:
    """Have an agent be written to, woken, read and ack, as its machine's watcher tells it."""
    sent = house.call(sender, "POST", "/api/send", {"to": agent, "body": "hello", "type": "TASK"})
    (asked,) = house.call(agent, "GET", f"/api/wakes?agent={agent}")["wakes"]
    path = f"/api/wakes/{asked['wake_id']}"
    house.call(node, "POST", path, {"state": "received"})
    house.call(node, "POST", path, {"state": "admitted", "turn_id": "t", "method": "program"})
    items = house.call(agent, "GET", "/api/inbox")["items"]
    handles = [item["handle"] for item in items]
    assert sent["id"] in {item["id"] for item in items}
    house.call(agent, "POST", "/api/ack", {"handles": handles})
    house.call(node, "POST", path, {"state": "ended"})


def kill_letter(house: House, sender: str, to: str, **draft: Any) -> str:
    """Have a letter be dead; gives its id."""
    sent = house.call(sender, "POST", "/api/send", {"to": to, "body": "look", **draft})
    (item,) = house.call(to, "GET", f"/api/inbox?id={sent['id']}")["items"]
    said = {"handle": item["handle"], "mode": "fatal", "reason": "no such repository"}
    house.call(to, "POST", "/api/release", said)
    return str(sent["id"])


def hold_thread(house: House, one: str, other: str) -> str:
    """Have two agents answer each other until the guard holds their thread; gives that."""
    who, to, answered = one, other, {}
    while True:
        sent = house.call(who, "POST", "/api/send", {"to": to, "body": "and?", **answered})
        if sent["deliveries"][0]["state"] == "held":
            return str(sent["thread"])
        who, to, answered = to, who, {"in_reply_to": sent["id"]}


def raise_alert(house: House, agent: str, subject: str) -> str:
    """Have an agent raise an alert; gives its id."""
    said = {"severity": "warning", "subject": subject, "body": "see the log"}
    return str(house.call(agent, "POST", "/api/alerts", said)["id"])


def state_of(house: House, message_id: str) -> str:
    """Say what has become of a message."""
    shown = house.admin("GET", f"/api/messages/{message_id}")
    return str(json.loads(json.dumps(shown))["deliveries"][0]["state"])
