"""Runs from a person's command line: dispatched, listed, shown as a ladder, taken back."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest
from commandline import BUS

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
    assert shown.out.endswith("\n\nWhat the worker said:\n  | half[2J\n"), shown.out
    assert "\x1b" not in shown.out
    assert pia("run", "list").out.startswith("no open runs; ")
    assert run_id in pia("run", "list", "--state", "failed").out
    told = pia("inbox").out
    assert "RESULT" in told
    assert "bus ack" in told
    assert "bus reply" not in told, "a worker takes no answer"


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
    assert "One message tells of the first that completes" in started.out
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
    assert "TASK is empty" in pia("run", "start", "wim", *WORDS, stdin="").err


def follow(command, run_id, *more):
    """Start `bus run show --follow`; its lines come one by one."""
    words = [BUS, "run", "show", run_id, "--follow", *more]
    return subprocess.Popen(
        words, env=command.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def lines_until(process, what):
    lines = [process.stdout.readline()]
    while what not in lines[-1]:
        assert lines[-1], (lines, process.stderr.read())
        lines.append(process.stdout.readline())
    return lines


@pytest.mark.parametrize(
    ("status", "code"), [("completed", 0), ("failed", 1), ("timed_out", 6), ("cancelled", 7)]
)
def test_a_run_that_is_followed_is_drawn_as_it_grows_and_its_code_says_how_it_ended(
    cast, status, code
):
    pia, work = cast
    run_id = pia("run", "start", "wim", "work", *WORDS, "--json").json["run_id"]
    with follow(pia, run_id) as process:
        assert run_id in lines_until(process, "queued")[0]
        claim = work(run_id, "claim", instance="one")["claim"]
        assert "submitted" not in "".join(lines_until(process, "working")), "each rung once"
        work(run_id, "end", claim=claim, status=status, reason="why", output="half\x1b[2J")
        rest = process.stdout.read()
        assert (process.wait(20), process.stderr.read()) == (code, "")
    assert rest.split()[3] == status
    assert "  | half" in rest
    assert "\x1b" not in rest
    assert pia("run", "show", run_id, "--follow").code == code, "also one that is over"
    assert pia("run", "show", run_id).code == 0


def test_a_run_that_is_followed_over_a_kill_of_the_bus_is_told_to_its_end(bus, cast):
    pia, work = cast
    run_id = pia("run", "start", "wim", "work", *WORDS, "--json").json["run_id"]
    with follow(pia, run_id, "--json") as process:
        lines_until(process, '"queued"')
        bus.stop(signal.SIGKILL)
        assert "again in" in process.stderr.readline()
        bus.start()
        claim = work(run_id, "claim", instance="one")["claim"]
        work(run_id, "end", claim=claim, status="completed")
        told = [json.loads(line) for line in process.stdout]
        assert [one["state"] for one in told if "waits" not in one] == ["working", "completed"]
        assert process.wait(20) == 0


def test_whom_no_stream_would_tell_of_a_run_is_refused_at_once(cast, bus, tmp_path):
    pia, _ = cast
    run_id = pia("run", "start", "wim", "work", *WORDS, "--json").json["run_id"]
    made = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "agent", "subject": "wim"})[1]
    file = tmp_path / "wim.token"
    file.write_text(made["token"])
    refused = pia("run", "show", run_id, "--follow", BUS_TOKEN_FILE=str(file))
    assert refused.code == 1
    assert f"bus run show {run_id}" in refused.err


def test_a_brief_tells_which_runs_came_to_nothing_and_where_the_rest_is(cast):
    pia, work = cast
    for label in ("one", "two"):
        words = ("--label", label, "--size", "S")
        run_id = pia("run", "start", "wim", "work", *words, "--json").json["run_id"]
        claim = work(run_id, "claim", instance="one")["claim"]
        work(run_id, "end", claim=claim, status="failed", reason="no disk\x1b[2J\nall is well")
    told = pia("brief", "--limit", "1").out
    assert "failed runs (2)" in told.splitlines()[0]
    (line,) = [line for line in told.splitlines() if " failed " in line and "two" in line]
    assert "no disk" in line
    assert "all is well" in line, "what a worker says begins no line of its own"
    assert "\x1b" not in told
    assert "+1 more failed runs: bus run list --state all" in told


def test_what_a_run_cost_is_summed_for_its_worker_its_thread_and_its_day(cast):
    pia, work = cast
    total = ["2", "300", "30", "0.5000"]
    for label in ("one", "two"):
        words = ("--label", label, "--size", "S")
        run_id = pia("run", "start", "wim", "work", *words, "--json").json["run_id"]
        claim = work(run_id, "claim", instance="one")["claim"]
        used = {"tokens_in": 150, "tokens_out": 15, "cost_usd": 0.25}
        for _ in range(2):  # a node that has not heard the answer says it again
            work(run_id, "end", claim=claim, status="completed", **used)
    shown = pia("run", "show", run_id, "--json").json
    assert {name: shown[name] for name in used} == used
    assert pia("cost").out.splitlines()[1].split() == ["wim", *total]
    threads = pia("cost", "--by", "thread", "--json").json["costs"]
    assert shown["thread"] in {one["thread"] for one in threads}
    assert sum(one["cost_usd"] for one in threads) == 0.5
    (day,) = pia("cost", "--by", "day", "--json").json["costs"]
    assert day == {"day": shown["ended_at"][:10], "turns": 2, "tokens_in": 300,
                   "tokens_out": 30, "cost_usd": 0.5}  # fmt: skip


def test_the_end_of_a_page_says_how_the_same_list_goes_on(cast):
    pia, _ = cast
    for _ in range(3):
        run_id = pia("run", "start", "wim", "work", *WORDS, "--json").json["run_id"]
        pia("run", "cancel", run_id)
    which = ("run", "list", "--state", "cancelled", "--limit", "2")
    more = pia(*which).out.splitlines()[-1]
    assert more.startswith("There are more: add --after r_")
    rest = pia(*which, *more.split()[-2:]).out
    assert rest.count("cancelled by pia") == 1
