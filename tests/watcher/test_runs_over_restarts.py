"""Background runs and a whole watcher that is killed, stopped and started again."""

from __future__ import annotations

import json
import signal

import pytest
from daemons import stop
from fakebus import ProblemError
from fakegateway import FakeGateway
from processlist import is_gone

from tests.conftest import until

RESTARTED = "the watcher was restarted, and the program ended with it"


@pytest.fixture
def program(enrolled, workspace):
    """Enrol a node whose worker beta runs this shell script."""

    def write(script):
        runs = {"workspace": str(workspace)}
        return enrolled(agents={"beta": {"argv": ["sh", "-c", script], "runs": runs}})

    return write


@pytest.fixture
def gateway(enrolled, workspace, tmp_path):
    """Enrol a node whose worker beta is an agent of a gateway."""
    fake = FakeGateway()
    config = tmp_path / "openclaw.json"
    config.write_text(
        json.dumps({"gateway": {"port": fake.server.port, "auth": {"token": fake.token}}})
    )
    agent = {"method": "gateway", "runs": {"workspace": str(workspace)}}
    enrolled(agents={"beta": agent}, openclaw={"config": str(config)})
    yield fake
    fake.close()
    assert not fake.server.faults


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)


def test_it_goes_from_an_offer_on_the_stream_to_the_end(bus, runs, program, start, workspace):
    program("cat")
    process = start()
    bus.wait_for_call("/api/stream")
    runs.offer(task="count them")
    assert runs.await_end()["output"] == "count them"
    log = stop(process)
    assert "count them" not in log
    assert (workspace / "checkpoints" / "subagent-audit.md").read_text() == "count them"


def test_it_takes_what_was_offered_before_it_started(runs, program, start):
    program("cat")
    runs.offer(push=False)
    start()
    assert runs.await_end()["status"] == "completed"


def test_it_takes_what_is_open_after_a_gap(bus, runs, program, start):
    program("cat")
    start()
    bus.wait_for_call("/api/runs")
    runs.offer(push=False)
    bus.frames.put(b"event: gap\ndata: {}\n\n")
    assert runs.await_end()["status"] == "completed"


def test_a_killed_watcher_runs_no_program_twice_and_leaves_none_alive(
    bus, runs, program, start, tmp_path
):
    program(f"echo $$ >> {tmp_path}/pids; setsid sleep 300 & sleep 301")
    runs.offer(push=False)
    first = start()
    until((tmp_path / "pids").exists, 30, "the program has begun")
    kill(first)
    start()
    end = runs.await_end()
    assert (end["status"], end["reason"]) == ("failed", RESTARTED)
    (pid,) = (tmp_path / "pids").read_text().split()
    assert is_gone(int(pid))


def test_a_watcher_that_was_killed_between_claim_and_start_runs_it_once(
    bus, runs, program, start, tmp_path, folder
):
    program(f"echo ran >> {tmp_path}/log; echo words")
    runs.offer(push=False)
    runs.refusals["claim"] = [ProblemError(503, "away")] * 10_000
    first = start()
    bus.wait_for(lambda _: runs.calls("claim"))
    kill(first)
    runs.refusals.clear()
    # the bus took the claim, and its answer was lost with the watcher
    runs.states["r_1"], runs.instances["r_1"] = "working", runs.calls("claim")[0]["instance"]
    start()
    assert runs.await_end()["status"] == "completed"
    assert (tmp_path / "log").read_text() == "ran\n"


def test_a_run_of_which_nothing_is_known_here_is_not_begun(bus, runs, program, start, tmp_path):
    program(f"touch {tmp_path}/ran")
    runs.offer(push=False)
    runs.states["r_1"] = "working"
    start()
    runs.offer("r_2", push=False)
    bus.frames.put(b"event: gap\ndata: {}\n\n")
    runs.await_end("r_2")
    assert runs.calls("claim", "r_1") == []


def test_an_end_that_a_bus_away_never_heard_is_told_after_a_kill(
    bus, runs, program, start, tmp_path, folder
):
    program(f"echo ran >> {tmp_path}/log; echo words")
    runs.offer(push=False)
    runs.refusals["end"] = [ProblemError(503, "away")] * 10_000
    first = start()
    bus.wait_for(lambda _: runs.calls("end"))
    kill(first)
    runs.refusals.clear()
    start()
    end = runs.await_end()
    assert (end["status"], end["output"]) == ("completed", "words\n")
    assert (tmp_path / "log").read_text() == "ran\n"
    until(lambda: not list(folder.runs.iterdir()), 30, "nothing is owed")


@pytest.mark.parametrize("end_it", [kill, stop])
def test_a_run_by_the_gateway_is_followed_by_the_next_life(bus, runs, gateway, start, end_it):
    runs.offer(push=False)
    first = start()
    gateway.await_call("agent.wait")
    end_it(first)
    start()
    gateway.await_call("connect", 2)
    gateway.end("r_1")
    assert runs.await_end()["status"] == "completed"
    assert len(gateway.runs) == 1
    assert len(runs.calls("claim")) == 1


def test_a_run_that_ended_in_openclaw_meanwhile_is_told_by_the_next_life(bus, runs, gateway, start):
    runs.offer(push=False)
    first = start()
    gateway.await_call("agent.wait")
    kill(first)
    gateway.end("r_1")
    gateway.restart(status="completed", error="")  # it knows it by its ledger alone
    start()
    assert runs.await_end()["status"] == "completed"
    assert len(gateway.asked("agent")) == 1


def test_a_stop_does_not_wait_for_a_program_that_goes_on(bus, runs, program, start, tmp_path):
    program(f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 1; done")
    runs.offer(push=False)
    process = start()
    until((tmp_path / "pid").exists, 30, "the program has begun")
    stop(process)
    assert "the watcher was stopped" in runs.await_end()["reason"]
    assert is_gone(int((tmp_path / "pid").read_text()))
