"""Runs from a person's command line: dispatched, listed, shown as a ladder, taken back."""

from __future__ import annotations

import pytest

WORDS = ("--label", "logs", "--size", "S")


@pytest.fixture
def cast(bus, as_admin, act_as):
    """Pia dispatches; wim works on node here, by calls that stand for its watcher."""
    bus.call(bus.admin, "POST", "/api/nodes", {"name": "here"})
    for name in ("wim", "will"):
        assert as_admin("agent", "add", name, "--kind", "worker", "--node", "here").code == 0
    made = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "agent", "subject": "wim"})[1]

    def work(run_id: str, word: str, **said):
        status, answer = bus.call(made["token"], "POST", f"/api/runs/{run_id}/{word}", said)
        assert status == 200, answer
        return answer

    return act_as("pia", "person"), work


def test_a_new_worker_is_said_to_need_its_node_s_code(cast, as_admin):
    said = as_admin("agent", "add", "wilma", "--kind", "worker", "--node", "here").out
    assert "bus node code here" in said


def test_a_run_is_dispatched_listed_shown_and_told(cast):
    pia, work = cast
    started = pia("run", "start", "wim", "-", *WORDS, stdin="read the logs\x1b[2J")
    assert started.code == 0, started.err
    run_id = started.out.split()[0]
    assert f"bus run show {run_id}" in started.out
    claim = work(run_id, "claim", instance="one")["claim"]
    assert "working" in pia("run", "list", "--parent", "me").out
    assert "you will be woken" in pia("run", "show", run_id).out
    work(run_id, "end", claim=claim, status="failed", reason="no disk", output="half\x1b[2J")
    shown = pia("run", "show", run_id)
    rungs = [line.split()[3] for line in shown.out.splitlines() if line.lstrip().startswith("+")]
    assert rungs == ["submitted", "queued", "working", "failed"]
    assert "no disk" in shown.out
    assert "  | half" in shown.out
    assert "\x1b" not in shown.out
    assert pia("run", "list").out.strip() == "no runs"
    assert run_id in pia("run", "list", "--state", "failed").out
    assert "RESULT" in pia("inbox").out


def test_a_run_is_taken_back_once_and_says_so(cast):
    pia, _ = cast
    run_id = pia("run", "start", "wim", "work", *WORDS, "--json").json["run_id"]
    assert pia("run", "cancel", run_id, "--reason", "no need").out.endswith("cancelled\n")
    assert pia("run", "cancel", run_id).out.endswith("already\n")
    assert "no need" in pia("run", "show", run_id).out


def test_several_workers_are_a_group_that_reports_once(cast):
    pia, _ = cast
    started = pia("run", "start", "wim,will", "work", *WORDS, "--report", "first")
    assert started.code == 0, started.err
    assert started.out.startswith("g_")
    assert len(pia("run", "list", "--json").json["runs"]) == 2


def test_what_is_wrong_is_said_with_what_is_right(cast):
    pia, _ = cast
    assert pia("run", "start", "wim", "work", "--label", "x").code == 2
    refused = pia("send", "wim", "hello")
    assert refused.code == 1
    assert "bus run start" in refused.err
    refused = pia("run", "start", "pia", "work", *WORDS)
    assert refused.code == 1
    assert "bus send" in refused.err
    assert pia("run", "show", "r_none").code == 1
