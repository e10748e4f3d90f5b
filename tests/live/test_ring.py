"""The incident of the ring, for real: nine agents that each write anew to the next, on one bus."""

from __future__ import annotations

import json
import sys

import pytest

from tests.conftest import until

NINE = [f"ring{at}" for at in range(9)]
FORWARD = '''
import json, os, sys, urllib.request
"""An agent that acks what it reads, and then writes anew to the next: no in_reply_to, no lease."""
me, url = sys.argv[1], sys.argv[2]
token = open(sys.argv[3]).read().split()[-1]
names = [f"ring{at}" for at in range(9)]
def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, method=method)
    request.add_header("Authorization", "Bearer " + token)
    request.add_header("Content-Type", "application/json")
    request.add_header("Accept", "application/json")
    return json.load(urllib.request.urlopen(request, timeout=60))
items = call("GET", "/api/inbox")["items"]
call("POST", "/api/ack", {"handles": [item["handle"] for item in items]})
for item in items:
    if item["from"] != "wakebus":
        to = names[(names.index(me) + 1) % 9]
        call("POST", "/api/send", {"to": to, "body": "passed on"})
'''


@pytest.mark.timeout(180)
def test_nine_agents_in_a_ring_are_held_within_the_hops_and_a_person_lets_them_go(bus, tmp_path):
    program = tmp_path / "forward.py"
    program.write_text(FORWARD)
    folder = tmp_path / "node" / ".wakebus"
    folder.parent.mkdir()
    programs = {
        name: [sys.executable, str(program), name, bus.url, str(folder / f"{name}.header")]
        for name in NINE
    }
    bus.call(bus.admin, "POST", "/api/agents", {"name": "boss", "kind": "person"})
    made = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "person", "subject": "boss"})[1]
    tokens = bus.add_node("ring", folder, programs)
    bus.call(tokens["ring0"], "POST", "/api/send", {"to": "ring1", "body": "begin"})

    def held():
        return bus.call(made["token"], "GET", "/api/held")[1]["threads"]

    (one,) = until(held, 90, "the ring is held")
    assert one["reason"] == "guard: 17 hops in this thread, at most 16"
    path = bus.call(bus.admin, "GET", f"/api/messages/{one['messages'][0]}")[1]["path"]
    assert path == [NINE[at % 9] for at in range(18)]
    told = bus.call(made["token"], "GET", "/api/inbox")[1]["items"]
    assert [item["type"] for item in told] == ["GUARD"]
    assert f"bus release {one['thread']}" in json.dumps(told[0])
    status, answer = bus.call(made["token"], "POST", f"/api/threads/{one['thread']}/release")
    assert (status, answer["released"]) == (200, 1)

    def held_again():
        return [again for again in held() if again["thread"] != one["thread"]]

    (again,) = until(held_again, 90, "the ring is held again, after as many hops")
    assert again["reason"] == one["reason"]
