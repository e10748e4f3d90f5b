"""The whole watcher as a process, against a fake bus: from the stream to a program's reply."""

from __future__ import annotations

import signal

import pytest
from daemons import stop
from processlist import is_gone

from tests.conftest import until


def test_it_goes_from_a_wake_to_a_programs_reply(bus, inbox, enrolled, start):
    enrolled(agents={"beta": {"argv": ["cat"]}})
    inbox.add("1", text="what is up?")
    process = start()
    bus.push_wake("w_1", event_id="1-7")
    bus.wait_for_call("/api/wakes/w_1", "ended")
    assert bus.states("w_1") == ["received", "admitted", "ended"]
    assert inbox.settled == [("reply", "m_1.1", "what is up?", None)]
    admitted = bus.wait_for_call("/api/wakes/w_1", "admitted").json
    assert (admitted["method"], admitted["turn_id"]) == ("program", "program:w_1")
    log = stop(process)
    assert process.returncode == 0
    assert "what is up?" not in log
    assert "wb_" not in log


def test_it_uses_the_nodes_token_for_wakes_and_the_agents_for_mail(bus, inbox, enrolled, start):
    enrolled(agents={"beta": {"argv": ["cat"]}})
    inbox.add("1")
    start()
    bus.push_wake("w_1", event_id="1-7")
    bus.wait_for_call("/api/wakes/w_1", "ended")
    tokens = {request.path: request.headers["Authorization"] for request in bus.requests}
    assert tokens["/api/stream"] == tokens["/api/wakes/w_1"] == "Bearer wb_node_secret"
    assert tokens["/api/inbox"] == tokens["/api/messages/m_1.1/reply"] == "Bearer wb_agent_beta"


def test_it_tells_the_bus_how_each_agent_is_reached(bus, enrolled, start):
    enrolled(agents={"beta": {"argv": ["cat"]}, "gone": {"argv": ["no-such-program"]}})
    start()
    said = bus.wait_for_call("/api/nodes/self").json
    assert said["version"]
    assert said["methods"]["beta"] == {"method": "program", "why": "starts cat for each message"}
    gone = said["methods"]["gone"]
    assert gone["method"] == "none"
    assert "cannot be woken: program: no-such-program is not an executable" in gone["why"]


def test_it_keeps_its_cursor_and_its_instance_over_a_restart(bus, inbox, enrolled, start, folder):
    enrolled(agents={"beta": {"argv": ["cat"]}})
    inbox.add("1")
    process = start()
    bus.push_wake("w_1", event_id="1-7")
    bus.wait_for_call("/api/wakes/w_1", "ended")
    stop(process)
    start()
    again = bus.wait_for_call("/api/stream", count=2)
    assert again.headers["Last-Event-ID"] == "1-7"
    first = bus.wait_for_call("/api/stream")
    assert again.query["instance"] == first.query["instance"] != ""


def test_it_adopts_what_is_open_on_the_bus_when_it_starts(bus, inbox, enrolled, start):
    enrolled(agents={"beta": {"argv": ["cat"]}})
    inbox.add("1")
    bus.wakes = [
        {"wake_id": "w_1", "generation": 3, "to_agent": "beta", "state": "asked"},
        {"wake_id": "w_blind", "generation": 3, "to_agent": "beta", "state": "requested"},
    ]
    start()
    bus.wait_for_call("/api/wakes/w_1", "ended")
    assert bus.states("w_blind") == []


NONSENSE = (
    "[" * 200_000,
    '{"wake_id": "w_9", "to_agent": "beta", "generation": 1e999, "turn_id": 1e999}',
    '{"wake_id": "a b", "to_agent": "beta"}',
    '{"wake_id": "a\\r\\nb", "to_agent": "beta"}',
    '{"wake_id": "\\ud800", "to_agent": "beta"}',
    "null",
)


def test_nonsense_from_the_bus_neither_kills_nor_deafens_it(bus, inbox, enrolled, start):
    enrolled(agents={"beta": {"argv": ["cat"]}})
    inbox.add("1")
    listed = [{"wake_id": "a b", "to_agent": "beta"}, [[[]]], None, {"generation": float("inf")}]
    bus.wakes = listed
    process = start()
    for data in NONSENSE:
        bus.frames.put(f"id: 😀\nevent: wake\ndata: {data}\n\n".encode())
    bus.push_wake("w_1", event_id="1-7")
    bus.wait_for_call("/api/wakes/w_1", "ended")
    assert process.poll() is None
    log = stop(process)
    assert log.count("wake_unreadable") == len(NONSENSE) + len(listed)
    assert {request.path for request in bus.requests if "/api/wakes/" in request.path} == {
        "/api/wakes/w_1"
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_while_a_program_runs_that_will_not(bus, inbox, enrolled, start, tmp_path, number):
    mark = tmp_path / "started"
    script = f"trap '' TERM; echo $$ > {mark}; while :; do sleep 1; done"
    enrolled(agents={"beta": {"argv": ["sh", "-c", script]}})
    inbox.add("1")
    process = start()
    bus.push_wake("w_1", event_id="1-7")
    bus.wait_for_call("/api/wakes/w_1", "admitted")
    until(lambda: mark.exists() and mark.read_text().strip(), 30, "the program has begun")
    log = stop(process, number)
    assert process.returncode == 0, log
    assert [entry[:3] for entry in inbox.settled] == [("release", "m_1.1", "silent")]
    assert bus.states("w_1") == ["received", "admitted"]
    assert is_gone(int(mark.read_text()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_bus_sees_the_node_leave_before_its_programs_have_ended(
    bus, inbox, enrolled, start, tmp_path, number
):
    mark = tmp_path / "started"
    enrolled(agents={"beta": {"argv": ["sh", "-c", f"touch {mark}; exec sleep 60"]}})
    inbox.add("1")
    seen = []
    settle = bus.answers["/api/release"]
    bus.answers["/api/release"] = lambda request: (
        seen.append(bus.stream_left.wait(1)) or settle(request)
    )
    process = start()
    bus.push_wake("w_1", event_id="1-7")
    until(mark.exists, 30, "the program has begun")
    stop(process, number)
    assert seen == [True]


def test_it_stops_while_the_bus_is_away(bus, enrolled, start):
    enrolled(url="http://127.0.0.1:9", agents={})
    process = start()
    for line in process.stderr:
        if "stream_lost" in line:
            break
    stop(process)
    assert process.returncode == 0


def test_a_second_watcher_on_the_same_folder_refuses(bus, enrolled, start):
    enrolled(agents={})
    start()
    bus.wait_for_call("/api/stream")
    second = start()
    _, complaint = second.communicate(timeout=60)
    assert second.returncode == 3
    assert "another watcher runs" in complaint
