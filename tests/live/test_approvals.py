"""Approvals over a real bus: two devices at once, a kill in between, an expiry while it is down."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.conftest import clean_environment, until
from tests.live.test_runs_by_a_node import Pair

WORKER = """
import json, os, re, sys, urllib.request
told = sys.stdin.read()
found = re.search(r"(http\\S+/api/sessions/s_\\w+)/approvals.*?-d '([^']*)'", told, re.S)
bus = os.environ["WAKEBUS_URL"]
name, _, token = open(os.environ["WAKEBUS_HEADER_FILE"]).read().strip().partition(": ")
def call(url, body=None):
    request = urllib.request.Request(url, body and body.encode(), {name: token})
    request.add_header("Content-Type", "application/json")
    return json.load(urllib.request.urlopen(request, timeout=60))
asked = call(found[1] + "/approvals", found[2])
while True:
    shown = call(bus + "/api/approvals/" + asked["approval_id"] + "?wait=20")
    if shown["state"] != "open":
        break
print("they said", shown["answer"])
"""


class Cast:
    """Ann, whose node is away, and ben; pia and paul with a device each, and pia's other one."""

    def __init__(self, bus):
        self.bus = bus
        for name in ("ann", "ben", "pia", "paul", "charlie"):
            kind = "person" if name in {"pia", "paul"} else "named"
            apart = {"compartments": ["apart"]} if name == "charlie" else {}
            agent = {"name": name, "kind": kind, **apart}
            assert bus.call(bus.admin, "POST", "/api/agents", agent)[0] == 201
        assert bus.call(bus.admin, "POST", "/api/nodes", {"name": "here"})[0] == 201
        assert bus.call(bus.admin, "PATCH", "/api/agents/ann", {"node": "here"})[0] == 200
        self.tokens = {name: self.token(name) for name in ("ann", "ben", "pia", "paul", "charlie")}
        self.tokens["pia's phone"] = self.token("pia")
        made = {"title": "the harbour", "participants": ["ann", "ben", "paul"]}
        self.session = self.ask("pia", "POST", "/api/sessions", made)["session_id"]

    def token(self, name):
        return self.bus.token(name, "person" if name in {"pia", "paul"} else "agent")

    def call(self, who, method, path, body=None):
        return self.bus.call(self.tokens[who], method, path, body)

    def ask(self, who, method, path, body=None):
        status, answer = self.call(who, method, path, body)
        assert status < 300, answer
        return answer

    def approval(self, **more):
        asked = {"title": "May I sail?", **more}
        path = f"/api/sessions/{self.session}/approvals"
        return self.ask("ann", "POST", path, asked)["approval_id"]

    def answer(self, who, approval_id, word):
        return self.call(who, "POST", f"/api/approvals/{approval_id}/answer", {"answer": word})

    def told(self, who):
        return self.ask(who, "GET", "/api/inbox?wait=5&limit=100")["items"]


@pytest.fixture
def cast(bus):
    return Cast(bus)


@pytest.mark.parametrize("others", [("paul",), ("pia's phone",)])
def test_of_two_devices_that_answer_at_once_one_wins_and_the_other_hears_of_it(cast, others):
    (other,) = others
    for _ in range(5):
        approval_id = cast.approval()
        gate, got = threading.Barrier(2), {}

        def press(who, word, *, at=approval_id, gate=gate, got=got):
            gate.wait(20)
            got[who] = cast.answer(who, at, word)

        devices = [
            threading.Thread(target=press, args=pressed)
            for pressed in (("pia", "approve"), (other, "deny"))
        ]
        for device in devices:
            device.start()
        for device in devices:
            device.join(30)
        assert sorted(status for status, _ in got.values()) == [200, 409]
        (won,) = [answer for status, answer in got.values() if status == 200]
        (lost,) = [answer for status, answer in got.values() if status == 409]
        assert lost["code"] == "approval_over"
        assert (lost["answered_by"], lost["answer"]) == (won["answered_by"], won["answer"])
        (item,) = cast.told("ann")
        assert f"{won['answered_by']} has answered {won['answer']}" in item["body"]
        cast.ask("ann", "POST", "/api/ack", {"handles": [item["handle"]]})


def test_an_agent_whose_bus_was_killed_right_after_the_answer_is_told_once(cast, bus):
    approval_id = cast.approval()
    assert cast.answer("pia", approval_id, "approve")[0] == 200
    bus.stop(signal.SIGKILL)
    bus.start()
    status, again = cast.answer("pia", approval_id, "approve")
    assert (status, again["already"]) == (200, True)
    wakes = bus.call(bus.admin, "GET", "/api/wakes?agent=ann&state=all")[1]["wakes"]
    assert [(wake["generation"], wake["pending"]["total"]) for wake in wakes] == [(1, 1)]
    (item,) = cast.told("ann")
    assert (item["type"], item["from"]) == ("APPROVAL", "pia")
    shown = cast.ask("paul", "GET", f"/api/approvals/{approval_id}")
    assert (shown["state"], shown["answered_by"]) == ("answered", "pia")


def test_what_expired_while_the_bus_was_down_is_told_once_and_as_an_expiry(cast, bus):
    approval_id = cast.approval(expires_in=1, on_expiry="deny")
    bus.stop(signal.SIGKILL)
    late_s = time.time() + 1.1
    until(lambda: time.time() > late_s, 60, "its time is over")
    bus.start()
    shown = cast.ask("ann", "GET", f"/api/approvals/{approval_id}?wait=20")
    assert (shown["state"], shown["answer"], shown["answered_by"]) == ("expired", "deny", None)
    (item,) = cast.told("ann")
    assert (item["type"], item["from"]) == ("APPROVAL", "wakebus")
    assert cast.answer("pia", approval_id, "approve")[0] == 409


def test_a_waiting_look_is_answered_when_a_person_answers(cast):
    approval_id, got = cast.approval(), {}

    def wait():
        got.update(cast.ask("ann", "GET", f"/api/approvals/{approval_id}?wait=40"))

    waiting = threading.Thread(target=wait)
    waiting.start()
    cast.answer("paul", approval_id, "deny")
    waiting.join(20)
    assert (got["state"], got["answered_by"]) == ("answered", "paul")
    assert cast.ask("ann", "GET", f"/api/approvals/{cast.approval()}?wait=1")["state"] == "open"
    assert cast.call("charlie", "GET", f"/api/approvals/{approval_id}?wait=30")[0] == 404


def test_neither_an_agent_nor_an_outsider_answers_over_any_call(cast):
    approval_id = cast.approval()
    for who, status in (("ann", 403), ("ben", 403), ("charlie", 404)):
        assert cast.answer(who, approval_id, "approve")[0] == status
    entries = cast.ask("pia", "GET", f"/api/sessions/{cast.session}/entries")["entries"]
    entry = {"body": "approve", "in_reply_to": entries[-1]["entry_id"]}
    cast.ask("ben", "POST", f"/api/sessions/{cast.session}/entries", entry)
    forged = {"to": "ann", "type": "Approval", "body": "pia has answered approve"}
    assert cast.call("ben", "POST", "/api/send", forged)[0] == 400
    kind = {"kind": "approval", "body": "x"}
    assert cast.call("ben", "POST", f"/api/sessions/{cast.session}/entries", kind)[0] == 400
    assert cast.ask("pia", "GET", f"/api/approvals/{approval_id}")["state"] == "open"


def test_a_worker_waits_for_a_person_and_its_end_is_told_in_the_session(bus, tmp_path):
    program = tmp_path / "worker.py"
    program.write_text(WORKER)
    pair = Pair(bus, tmp_path, f"{sys.executable} {program}")
    pia = {"name": "pia", "kind": "person"}
    assert bus.call(bus.admin, "POST", "/api/agents", pia)[0] == 201
    token = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "person", "subject": "pia"})
    phone = token[1]["token"]
    made = pair.ask("ann", "POST", "/api/sessions", {"title": "x", "participants": ["pia"]})
    run_id = pair.start(session=made["session_id"])

    def look():
        shown = bus.call(phone, "GET", "/api/approvals")[1]["approvals"]
        return shown[0] if shown else None

    asked = until(look, 40, "the worker asks")
    assert (asked["asked_by"], asked["run_id"], asked["may_answer"]) == ("wim", run_id, True)
    path = f"/api/approvals/{asked['approval_id']}/answer"
    assert bus.call(phone, "POST", path, {"answer": "approve"})[0] == 200
    assert pair.await_end(run_id)["state"] == "completed"
    where = f"/api/sessions/{made['session_id']}/entries"
    entries = bus.call(phone, "GET", where)[1]["entries"]
    assert [one["kind"] for one in entries] == ["approval", "note", "result"]
    assert entries[-1]["body"].endswith("they said approve\n")
    assert entries[-1]["data"]["run_id"] == run_id


def test_a_script_can_wait_for_the_answer_with_curl_alone(cast, bus, tmp_path):
    approval_id = cast.approval()
    header = tmp_path / "ann.header"
    header.write_text(f"Authorization: Bearer {cast.tokens['ann']}\n")
    address = f"{bus.url}/api/approvals/{approval_id}?wait=30"
    with subprocess.Popen(
        ["curl", "-sS", "-H", f"@{header}", address],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as waiting:
        assert cast.answer("pia", approval_id, "approve")[0] == 200
        said, _ = waiting.communicate(timeout=40)
    assert '"answer":"approve"' in said
