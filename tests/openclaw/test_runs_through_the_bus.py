"""Work that outlives its caller, by two real gateways, two real watchers and the real bus.

Alpha dispatches from its own turns; beta, a worker on the other machine, does the work. Whatever
becomes of a child, of its gateway or of the bus, alpha is woken, reads the result and acks it.
"""

from __future__ import annotations

import json
import re
import signal
from contextlib import contextmanager

import pytest
from realopenclaw import await_that
from wholepath import ACK, ACK_LAST, LADDER, READ, states, unseen

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(900)]
DONE = {"text": "Inbox done."}
ENDS = {"completed", "failed", "timed_out", "cancelled", "lost"}


@pytest.fixture(scope="module", autouse=True)
def nodes(household, machines):
    """Make alpha's machine a node, and the other one with beta as a worker."""
    here, there = machines
    here.behave("alpha", READ, ACK, ACK_LAST, DONE)
    household.add_node("here", here, {"alpha": ["method=gateway"]})
    worker = {"name": "beta", "kind": "worker"}
    assert household.bus.call(household.bus.admin, "POST", "/api/agents", worker)[0] == 201
    household.add_node("there", there, {"beta": ["method=gateway"]})


@pytest.fixture
def ask(household):
    """Ask the bus for something of alpha's."""

    def get(path):
        status, answer = household.bus.call(household.tokens["alpha"], "GET", path)
        assert status == 200, answer
        return answer

    return get


@pytest.fixture
def dispatch(household, machines, ask):
    """Have alpha dispatch tasks, each by a curl, in one turn that is over then; gives the runs."""
    here, _ = machines

    def by_turn(*tasks, limit_s=600):
        said = f"Dispatch: {' '.join(tasks)}"
        call = f"curl -sS -H @{household.headers['alpha']} {household.bus.url}/api/runs"
        orders = [
            {"worker": "beta", "task": task, "label": label_of(task), "cleanup": "keep",
             "run_timeout_seconds": limit_s}
            for task in tasks
        ]  # fmt: skip
        curls = [{"exec": f"{call} --json '{json.dumps(order)}'"} for order in orders]
        here.behave("alpha", *curls, {"text": "Dispatched."}, match=f"Dispatch: {tasks[0]}")
        here.start_turn("alpha", said)
        here.finish_turn(said)
        runs = ask("/api/runs?parent=me&state=all")["runs"]
        found = {run["label"]: run["run_id"] for run in runs}
        return [found[label_of(task)] for task in tasks]

    return by_turn


@pytest.fixture
def await_state(ask):
    """Give a run once it is in one of these states."""

    def wait(run_id, wanted):
        def look():
            shown = ask(f"/api/runs/{run_id}")
            return shown if shown["state"] in wanted else None

        return await_that(look, f"{run_id} never was {wanted}")

    return wait


@pytest.fixture
def await_told(household, await_state):
    """Give a run once it has ended and alpha has read of it and acked it; and the rungs of that."""

    def wait(run_id):
        shown = await_state(run_id, ENDS)
        told = household.follow("beta", shown["message_id"], "acked")
        assert unseen(told) == []
        return shown, states(told)

    return wait


@pytest.fixture
def hold(tmp_path):
    """Make a step that lasts until `open_gate()`, then does something."""
    gate = tmp_path / "gate"

    def step(then):
        wait = f"until [ -e {gate} ]; do sleep 0.1; done"
        # not in the background, where OpenClaw puts a command after ten seconds
        return {"tool": "exec", "args": {"command": f"{wait}; {then}", "yieldMs": 120_000}}

    step.open_gate = gate.touch
    return step


def label_of(task):
    return task.rstrip(".").lower().replace(" ", "-")


def is_once(ladder):
    """Say whether a result was read and acked at once, in its own wake or in another's turn."""
    steps = [rung for rung in ladder if rung not in {"notified", "woken"}]
    return steps == ["accepted", "queued", "read", "acked"] and ladder.count("woken") <= 1


@contextmanager
def frozen(process):
    """Have a process stand still."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_a_parent_is_free_while_two_children_work_and_is_woken_with_what_they_did(
    household, machines, dispatch, hold, ask, await_state, await_told
):
    here, there = machines
    files, folders = "Count the files.", "Count the folders."
    kept = f"echo four files > checkpoints/subagent-{label_of(files)}.md"
    there.behave("beta", hold(kept), {"text": "I counted four files."}, match=files)
    there.behave("beta", hold("true"), {"text": "I counted nine folders."}, match=folders)
    here.behave("alpha", {"text": "I am."}, match="Are you there")

    runs = dispatch(files, folders)
    for run_id in runs:
        assert "you will be woken" in await_state(run_id, {"working"})["note"]
    here.start_turn("alpha", "Are you there?")
    here.finish_turn("Are you there?")
    assert {ask(f"/api/runs/{run_id}")["state"] for run_id in runs} == {"working"}
    assert household.wakes("alpha") == []

    hold.open_gate()
    ended, ladders = zip(*map(await_told, runs), strict=True)
    assert LADDER in ladders
    assert all(is_once(ladder) for ladder in ladders)
    said = ["I counted four files.", "I counted nine folders."]
    assert [(run["state"], run["output"]) for run in ended] == [("completed", one) for one in said]
    assert [run["file"]["written_by"] for run in ended] == ["worker", "watcher"]
    assert all(here.was_shown("alpha", one) for one in said)
    assert {wake["result"] for wake in household.await_idle("alpha")} == {"ended"}
    assert [len(there.turns("beta", task)) for task in (files, folders)] == [1, 1]
    check_costs(household, ended)


def check_costs(household, runs):
    """What OpenClaw says of the turns of runs, and of the wakes of their parent, is summed."""
    by = {}
    for what in ("agent", "thread", "day"):
        _, answer = household.bus.call(household.bus.admin, "GET", f"/api/cost?by={what}")
        by[what] = {one[what]: one for one in answer["costs"]}
    tokens = sum(run["tokens_in"] for run in runs)
    assert tokens > 0
    assert (by["agent"]["beta"]["turns"], by["agent"]["beta"]["tokens_in"]) == (2, tokens)
    assert by["agent"]["alpha"]["tokens_in"] > 0, "the turns by which it was woken"
    assert {run["thread"] for run in runs} <= set(by["thread"])
    assert {run["ended_at"][:10] for run in runs} <= set(by["day"])


def test_a_bus_that_is_killed_after_a_childs_end_wakes_its_parent_once(
    household, machines, dispatch, hold, await_state, await_told
):
    here, there = machines
    there.behave("beta", hold("true"), {"text": "I read it."}, match="Read the log")
    (run_id,) = dispatch("Read the log.")
    await_state(run_id, {"working"})
    woken = len(household.await_idle("alpha"))
    turns = len(here.turns("alpha"))
    with frozen(household.bus.watchers[0]):  # alpha's: only the bus's next life can wake her
        hold.open_gate()
        assert await_state(run_id, ENDS)["state"] == "completed"
        household.bus.stop(signal.SIGKILL)
        household.bus.start()
        assert len(here.turns("alpha")) == turns
    assert await_told(run_id)[1] == LADDER
    assert here.was_shown("alpha", "I read it.")
    assert [wake["result"] for wake in household.await_idle("alpha")[woken:]] == ["ended"]
    assert len(here.turns("alpha")) == turns + 1


def test_a_child_at_its_limit_is_told_as_timed_out(machines, dispatch, await_told):
    here, there = machines
    there.behave("beta", {"text": "Too late.", "delay": 600}, match="Take your time")
    (run_id,) = dispatch("Take your time.", limit_s=8)
    shown, ladder = await_told(run_id)
    assert (shown["state"], shown["reason"]) == ("timed_out", "turn limit 8 s")
    assert ladder == LADDER
    assert here.was_shown("alpha", "take-your-time by beta: timed_out")


def test_a_child_whose_gateway_is_killed_is_told_as_failed(machines, dispatch, await_told):
    here, there = machines
    there.behave("beta", {"text": "Too late.", "delay": 600}, match="Outlive your gateway")
    (run_id,) = dispatch("Outlive your gateway.")
    there.openclaw.await_model("Outlive your gateway.")
    there.openclaw.kill()
    there.openclaw.up()
    shown, ladder = await_told(run_id)
    assert (shown["state"], ladder) == ("failed", LADDER)
    # on a loaded machine it is away for longer than the watcher waits for it
    assert re.search("restart|went away in mid-turn", shown["reason"]), shown["reason"]
    assert here.was_shown("alpha", "outlive-your-gateway by beta: failed")
