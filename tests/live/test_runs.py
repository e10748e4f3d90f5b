"""Runs on a real bus, with a claimant that does over HTTP what a node's watcher would."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

BUS = str(Path(sys.executable).with_name("bus"))
ORDER = {"worker": "wim", "task": "count", "label": "count", "size": "S", "cleanup": "keep"}


class Cast:
    """Ann dispatches, wim works on node here; each by a token of its own."""

    def __init__(self, bus) -> None:
        self.bus = bus
        self.ask("admin", "POST", "/api/nodes", {"name": "here", "agents": ["ann"]})
        wim = {"name": "wim", "kind": "worker", "node": "here"}
        self.ask("admin", "POST", "/api/agents", wim)
        self.tokens = {}
        for kind, name in (("agent", "ann"), ("agent", "wim"), ("node", "here")):
            self.tokens[name] = bus.token(name, kind)

    def ask(self, who: str, method: str, path: str, body=None, status: int = 0, **headers: str):
        token = self.bus.admin if who == "admin" else self.tokens[who]
        got, answer = self.bus.call(token, method, path, body, **headers)
        assert got == status if status else got < 300, (got, answer)
        return answer

    def start(self, **more) -> str:
        return self.ask("ann", "POST", "/api/runs", ORDER | more, 202)["run_id"]

    def claim(self, run_id: str) -> int:
        return self.ask("wim", "POST", f"/api/runs/{run_id}/claim", {"instance": "one"})["claim"]

    def end(self, run_id: str, claim: int, status: int = 200, **more):
        said = {"claim": claim, "status": "completed", "output": "4 files", **more}
        return self.ask("wim", "POST", f"/api/runs/{run_id}/end", said, status)

    def results(self) -> list[dict]:
        items = self.ask("ann", "GET", "/api/inbox?limit=100")["items"]
        return [item for item in items if item["type"] == "RESULT"]

    def wakes(self) -> list[dict]:
        return self.ask("admin", "GET", "/api/wakes?agent=ann")["wakes"]

    def events(self, who: str, cursor: str = ""):
        """Give a stream's events one by one."""
        request = urllib.request.Request(f"{self.bus.url}/api/stream?last_event_id={cursor}")
        request.add_header("Authorization", f"Bearer {self.tokens[who]}")
        with urllib.request.urlopen(request, timeout=60) as stream:
            kind = ""
            for line in stream:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    yield kind, json.loads(value)


@pytest.fixture
def cast(bus):
    return Cast(bus)


def test_a_node_hears_of_a_run_does_it_and_the_parent_of_its_result(cast):
    live = cast.events("here")
    while next(live)[0] != "ready":
        pass
    run_id = cast.start()
    kind, told = next(live)
    assert (kind, told["run_id"], told["state"]) == ("run", run_id, "queued")
    assert set(told) == {"to_agent", "run_id", "state", "claim", "at"}, "ids alone"
    claim = cast.claim(run_id)
    alive = {"claim": claim, "turn_id": "t1"}
    assert not cast.ask("wim", "POST", f"/api/runs/{run_id}/alive", alive)["cancel"]
    assert cast.end(run_id, claim, exit_code=0) == {"state": "completed", "already": False}
    (item,) = cast.results()
    assert item["from"] == "wim"
    assert "reply" not in item["commands"]
    assert run_id in item["body"]
    assert "4 files" in item["body"]
    live.close()


def test_a_stream_without_a_cursor_begins_with_what_may_be_claimed_or_must_stop(cast):
    waiting, stopping, working = (cast.start(label=f"n{at}") for at in range(3))
    for run in (stopping, working):
        cast.claim(run)
    cast.ask("ann", "POST", f"/api/runs/{stopping}/cancel", {})
    for cursor in ("", "otherone-1"):
        live, told = cast.events("here", cursor), {}
        for kind, data in live:
            if kind == "run":
                told[data["run_id"]] = data["state"]
            if kind == "ready":
                break
        assert told == {waiting: "queued", stopping: "cancelled"}
        live.close()
    listed = cast.ask("here", "GET", "/api/runs?state=open")["runs"]
    assert {run["run_id"] for run in listed} == {waiting, stopping, working}


@pytest.mark.parametrize("is_answered", [True, False])
def test_a_bus_that_is_killed_after_a_runs_end_gives_its_parent_exactly_one_result(
    cast, is_answered
):
    run_id = cast.start()
    claim = cast.claim(run_id)
    if is_answered:
        cast.end(run_id, claim)
    else:
        said = json.dumps({"claim": claim, "status": "completed", "output": "4 files"})
        headers = {"Authorization": f"Bearer {cast.tokens['wim']}"}
        headers |= {"Content-Type": "application/json"}
        where = cast.bus.url.removeprefix("http://")
        link = http.client.HTTPConnection(where, timeout=60)
        with closing(link):
            link.request("POST", f"/api/runs/{run_id}/end", said, headers)
            cast.bus.stop(signal.SIGKILL)
    if is_answered:
        cast.bus.stop(signal.SIGKILL)
    cast.bus.start()
    again = cast.end(run_id, claim)
    assert again["state"] == "completed"
    assert again["already"] or not is_answered
    assert [wake["pending"]["total"] for wake in cast.wakes()] == [1]
    assert len(cast.results()) == 1


def test_a_dispatch_that_is_repeated_after_a_kill_is_one_run(cast):
    first = cast.ask("ann", "POST", "/api/runs", ORDER, 202, Idempotency_Key="k")
    cast.bus.stop(signal.SIGKILL)
    cast.bus.start()
    again = cast.ask("ann", "POST", "/api/runs", ORDER, 202, Idempotency_Key="k")
    assert again == first | {"deduplicated": True}
    assert len(cast.ask("ann", "GET", "/api/runs")["runs"]) == 1


def test_what_a_run_lacks_is_named_with_the_call_that_would_be_right(cast):
    lacking = {"agentId": "wim", "task": "count"}
    refused = cast.ask("ann", "POST", "/api/runs", lacking, 400)
    assert refused["code"] == "run_incomplete"
    assert refused["missing"] == ["label", "size", "cleanup"]
    corrected = refused["corrected"] | {"task": "count"}
    assert json.dumps(refused["corrected"]) in refused["detail"]
    cast.ask("ann", "POST", "/api/runs", corrected, 202)


def test_the_names_of_sessions_spawn_are_taken_and_a_foreground_spawn_is_not(cast):
    spawn = {"agentId": "wim", "task": "x", "label": "x", "runTimeoutSeconds": 60}
    spawn |= {"cleanup": "delete", "mode": "background", "detach": True}
    cast.ask("ann", "POST", "/api/runs", spawn, 202)
    for wrong in ({"mode": "run"}, {"detach": False}):
        assert cast.ask("ann", "POST", "/api/runs", spawn | wrong, 400)["code"] == "waiting_refused"


WRONG = [
    {"label": "../x"},
    {"output": "/etc/passwd"},
    {"output": "a/../../b"},
    {"output": "a\nb"},
    {"size": "XL"},
    {"size": None, "run_timeout_seconds": 0},
    {"size": None, "run_timeout_seconds": 1e9},
    {"run_timeout_seconds": 5},
    {"cleanup": "burn"},
    {"notify": "loudly"},
    {"model": "a b"},
    {"verify": "rm -rf"},
    {"task_id": "c_1"},
    {"task": "\ud800"},
    {"report": "all"},
    {"runs": []},
    {"unknown": 1},
]


def test_a_run_that_is_not_right_is_refused_and_nothing_is_taken(cast):
    for wrong in WRONG:
        refused = cast.ask("ann", "POST", "/api/runs", ORDER | wrong, 400)
        assert refused["code"] == "invalid_request", wrong
    assert cast.ask("ann", "GET", "/api/runs?state=all")["runs"] == []


def test_who_polls_is_told_to_come_back_later_and_that_it_will_be_woken(cast):
    run_id = cast.start()
    request = urllib.request.Request(f"{cast.bus.url}/api/runs/{run_id}")
    request.add_header("Authorization", f"Bearer {cast.tokens['ann']}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        shown = json.load(answer)
        assert int(answer.headers["Retry-After"]) == shown["retry_after_s"] <= 420
    assert "you will be woken" in shown["note"]
    cast.end(run_id, cast.claim(run_id))
    assert "note" not in cast.ask("ann", "GET", f"/api/runs/{run_id}")


def test_too_long_an_output_is_cut_and_not_refused(cast):
    run_id = cast.start()
    cast.end(run_id, cast.claim(run_id), output="ä" * 100_000)
    shown = cast.ask("ann", "GET", f"/api/runs/{run_id}")
    assert len(shown["output"].encode()) == 65_536
    assert shown["output_bytes"] == 200_000


@pytest.mark.sqlite_only("its file put back under the bus")
def test_after_a_restore_an_old_claim_settles_nothing_and_the_run_is_done_anew(cast):
    waiting, working = cast.start(), cast.start(label="two")
    kept = cast.claim(working)
    words = [BUS, "backup", "--json"]
    done = subprocess.run(words, env=cast.bus.environment, capture_output=True, check=True)
    file = json.loads(done.stdout)["file"]
    since = cast.claim(waiting)
    cast.bus.stop(signal.SIGKILL)
    restore = [BUS, "restore", file, "--json"]
    subprocess.run(restore, env=cast.bus.environment, capture_output=True, check=True)
    cast.bus.start()
    for run, claim in ((waiting, since), (working, kept)):
        assert cast.end(run, claim, 409)["code"] == "fenced"
    (told,) = cast.results()
    assert working in told["body"]
    assert "restored" in told["body"]
    cast.end(waiting, cast.claim(waiting))
    assert len(cast.results()) == 2


def test_the_metrics_tell_of_runs(cast):
    cast.end(run := cast.start(), cast.claim(run))
    cast.start(label="open")
    text = cast.bus.metrics()
    assert 'wakebus_runs_ended_total{state="completed"} 1.0' in text
    assert "wakebus_runs_open 1.0" in text
