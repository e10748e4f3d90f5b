"""The board over a real bus: claims at once, a stream that tells of a task, a kill after a move."""

from __future__ import annotations

import json
import signal
import threading
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

AT_ONCE = 10


def add(bus, token, **more):
    status, task = bus.call(token, "POST", "/api/tasks", {"title": "paint the shed", **more})
    assert status == 201, task
    return task["id"]


def test_of_ten_agents_that_claim_at_once_one_has_the_task(bus):
    tokens = {name: bus.add(name) for name in (f"agent-{at}" for at in range(AT_ONCE))}
    line = threading.Barrier(AT_ONCE)

    def claim(name, path):
        line.wait(20)
        return name, bus.call(tokens[name], "PATCH", path, {"status": "in_progress"})

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(5):
            path = f"/api/tasks/{add(bus, tokens['agent-0'])}"
            said = [made.result() for made in [pool.submit(claim, name, path) for name in tokens]]
            results = Counter(answer.get("code", "claimed") for _, (_, answer) in said)
            assert results == {"claimed": 1, "task_claimed": AT_ONCE - 1}
            (winner,) = [name for name, (status, _) in said if status == 200]
            _, task = bus.call(tokens["agent-0"], "GET", path)
            assert task["holder"] == winner
            assert len(task["history"]) == 2
            assert all(a["holder"] == winner for _, (status, a) in said if status == 409)


def test_a_persons_stream_tells_of_each_move_and_the_holders_too(bus):
    ann, pia = bus.add("ann"), bus.add("pia", "person")
    task_id = add(bus, pia)
    for token, wanted in ((pia, ["added", "moved", "moved"]), (ann, ["moved", "moved"])):
        request = urllib.request.Request(f"{bus.url}/api/stream?last_event_id=earliest")
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=40) as stream:
            if token == pia:
                for to in ("in_progress", "review"):
                    bus.call(ann, "PATCH", f"/api/tasks/{task_id}", {"status": to})
            seen = []
            for line in stream:
                if line.startswith(b"data: ") and b'"what"' in line:
                    seen.append(json.loads(line[6:]))
                if len(seen) == len(wanted):
                    break
        assert [one["what"] for one in seen] == wanted
        assert seen[-1]["status"] == "review"
        assert {one["id"] for one in seen} == {task_id}


def test_a_move_and_its_message_outlive_a_kill_of_the_bus(bus):
    ann, pia = bus.add("ann"), bus.add("pia", "person")
    task_id = add(bus, pia)
    for to in ("in_progress", "review"):
        assert bus.call(ann, "PATCH", f"/api/tasks/{task_id}", {"status": to})[0] == 200
    bus.stop(signal.SIGKILL)
    bus.start()
    assert bus.call(pia, "GET", f"/api/tasks/{task_id}")[1]["status"] == "review"
    (told,) = bus.call(pia, "GET", "/api/inbox")[1]["items"]
    assert task_id in told["body"]
    assert (told["from"], told["type"], told["trust"]) == ("wakebus", "BOARD", "system")
    again = bus.call(ann, "PATCH", f"/api/tasks/{task_id}", {"status": "review"})[1]
    assert again["already"]
    assert bus.call(pia, "GET", "/api/inbox?view=headers")[1]["more"] == 0


def test_who_claims_in_anothers_name_is_refused_and_the_own_name_is_taken_as_it_was_written(bus):
    ann = bus.add("ann")
    path = f"/api/tasks/{add(bus, ann)}"
    claim = {"status": "in_progress", "agent": "ben"}
    assert bus.call(ann, "PATCH", path, claim)[1]["code"] == "sender_mismatch"
    assert bus.call(ann, "PATCH", path, claim | {"agent": "Ann"})[0] == 200


def test_what_is_no_task_or_no_change_is_refused_with_what_is_right(bus):
    ann = bus.add("ann")
    path = f"/api/tasks/{add(bus, ann)}"
    for method, where, body, why in (
        ("POST", "/api/tasks", {"title": " "}, "one line"),
        ("POST", "/api/tasks", {"title": "two\nlines"}, "one line"),
        ("POST", "/api/tasks", {"title": "x", "body": "\ud800"}, ""),
        ("POST", "/api/tasks", {"title": "x", "body": "y" * 262_145}, "at most 262144"),
        ("PATCH", path, {}, "give 'status'"),
        ("PATCH", path, {"status": "finished"}, "one of backlog, in_progress"),
        ("PATCH", path, {"note": "x"}, "give 'status'"),
        ("PATCH", path, {"title": "y", "note": "x"}, "/notes"),
        ("PATCH", path, {"status": "in_progress", "note": "x" * 16_385}, "at most 16384"),
        ("POST", f"{path}/notes", {"text": " "}, "say something"),
        ("GET", "/api/tasks?status=finished", None, "status"),
        ("GET", "/api/tasks?holder=me&lead=me", None, "give one of"),
        ("GET", "/api/tasks?status=done&stale=true", None, "in progress"),
    ):
        status, answer = bus.call(ann, method, where, body)
        assert (status, answer["code"]) == (400, "invalid_request"), (where, body, answer)
        assert why in answer["detail"]
    task = bus.call(ann, "GET", path)[1]
    assert (task["status"], len(task["history"])) == ("backlog", 1)
