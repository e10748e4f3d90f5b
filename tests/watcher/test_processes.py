"""Real processes: bounded output, the limit, the group and its grandchildren."""

from __future__ import annotations

import sys
import threading

import pytest
from processlist import find_living, is_gone

from watcher import processes
from watcher.clock import SystemClock


@pytest.fixture
def run():
    """Run a shell script as a watched process; gives its result and its process id."""

    def start(script, *, stop=None, on_look=lambda: None, argv=None, **more):
        settings = {"env": {"PATH": "/usr/bin:/bin"}, "cwd": None, "stdin": None, "limit_s": 20}
        command = processes.Command(argv or ["sh", "-c", script], **{**settings, **more})
        pids = []
        result = processes.run(
            command,
            SystemClock(),
            stop or threading.Event(),
            on_start=pids.append,
            on_look=on_look,
        )
        return result, (pids or [None])[0]

    return start


def test_it_gives_status_output_and_the_end_of_the_errors(run):
    result, _ = run("echo out; echo err >&2; exit 3")
    assert (result.ended_by, result.status, result.is_good) == ("exit", 3, False)
    assert (result.output, result.error_tail) == (b"out\n", b"err\n")


def test_it_hands_over_more_input_than_a_pipe_holds(run):
    text = b"x" * 150_000
    result, _ = run("cat", stdin=text)
    assert result.is_good
    assert result.output == text


def test_it_is_not_held_up_by_a_program_that_reads_nothing(run):
    result, _ = run("exit 0", stdin=b"x" * 1_000_000)
    assert result.is_good


def test_it_keeps_the_beginning_of_a_long_output_and_the_end_of_long_errors(run):
    script = "import sys; sys.stdout.write('a' * 900000); sys.stderr.write('b' * 90000 + 'end')"
    result, _ = run("", argv=[sys.executable, "-c", script])
    assert result.is_good
    assert result.is_cut
    assert len(result.output) == processes.MAX_OUTPUT_BYTES
    assert len(result.error_tail) == processes.MAX_ERROR_BYTES
    assert result.error_tail.endswith(b"end")


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
def test_the_limit_ends_the_whole_group(run, trap):
    script = f'{trap}sh -c "{trap}sleep 60" & echo started; sleep 60; wait'
    result, pid = run(script, limit_s=0.3, grace_s=0.3)
    assert result.ended_by == "limit"
    assert result.output == b"started\n"
    assert is_gone(pid)


def test_a_program_may_end_itself_in_order_when_told_to(run):
    script = "trap 'echo bye; exit 0' TERM; echo started; while :; do sleep 0.05; done"
    result, _ = run(script, limit_s=0.3)
    assert result.ended_by == "limit"
    assert result.output == b"started\nbye\n"


def test_a_stop_ends_the_group_quickly(run):
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    result, pid = run("trap '' TERM; while :; do sleep 1; done", stop=stop, grace_s=600)
    assert result.ended_by == "stop"
    assert is_gone(pid)


def test_an_end_is_seen_though_a_child_holds_the_output_open(run):
    result, pid = run("sleep 600 & echo done")
    assert result.is_good
    assert result.output == b"done\n"
    assert len(find_living(pid)) == 1  # what a program leaves behind on purpose is its own affair
    processes._signal_group(pid, 9)


def test_a_closed_output_is_not_the_end(run):
    result, _ = run("exec >&- 2>&-; sleep 0.3; exit 5")
    assert (result.ended_by, result.status) == ("exit", 5)


@pytest.mark.parametrize(
    ("argv", "cwd"), [(["/no/such/program"], None), (["cat"], "/no/such/folder"), (["/tmp"], None)]
)
def test_what_cannot_be_started_says_why(run, argv, cwd):
    result, pid = run("", argv=argv, cwd=cwd)
    assert result.ended_by == "not_started"
    assert result.error_tail
    assert pid is None


def test_it_looks_while_the_program_lives(run):
    looks = []
    run("sleep 0.5", on_look=lambda: looks.append(1))
    assert len(looks) >= 2
