"""`bus up`: a new user's first minute, from nothing to an answer, and a second time."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from contextlib import contextmanager

import pytest
from commandline import BUS, CommandLine, clean_environment


@pytest.fixture
def home(tmp_path):
    """An environment in which nothing is there yet, and a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return clean_environment(HOME=str(tmp_path), BUS_PORT=str(port))


@contextmanager
def up(environment):
    """Run it until it has said what it has to say, give that, and end it as Ctrl-C does."""
    with subprocess.Popen(
        [BUS, "up"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        said = []
        for line in process.stdout:
            said.append(line)
            if "until" in line or "from now on" in line:
                break
        try:
            yield "".join(said), process
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
            assert process.wait(30) == 0, rest
            assert "everything is kept" in rest


def test_from_nothing_a_task_is_answered_and_every_rung_is_shown(home):
    with up(home) as (said, _):
        rungs = re.findall(r"\+\d+ ms +[\d:.]+ +(\w+)", said)
        assert rungs == ["accepted", "queued", "notified", "woken", "read", "acked"] * 2
        assert 'ping has its answer: "pong:' in said
        url = f"http://127.0.0.1:{home['BUS_PORT']}"
        assert f"the bus is at {url}" in said
        assert f"export BUS_URL={url}" in said


def test_what_it_prints_next_works_as_printed(home):
    with up(home) as (said, _):
        run = CommandLine(home | {"BUS_URL": f"http://127.0.0.1:{home['BUS_PORT']}"})
        assert "send pong" in said
        followed = run("send", "pong", "how are you?", "--follow")
        assert followed.code == 0, followed.err
        assert "acked" in followed.out
        assert "pong: I was asleep" in run("inbox", "--wait", "10").out
        assert "ping" in run("agent", "list").out
        assert "bus-watcher enrol" in run("node", "add", "laptop", "--agents", "anna,ben").out
        assert run("agent", "add", "carl", "--node", "laptop").code == 0


def test_a_second_time_keeps_everything(home):
    with up(home):
        run = CommandLine(home | {"BUS_URL": f"http://127.0.0.1:{home['BUS_PORT']}"})
        kept = run("send", "you", "a note to myself", "--json").json["id"]
        tokens = len(run("token", "list", "--json").json["tokens"])
    with up(home):
        assert run("trace", kept).code == 0
        assert len(run("token", "list", "--json").json["tokens"]) == tokens


def test_a_taken_port_is_said_and_nothing_is_made(home, tmp_path):
    with socket.create_server(("127.0.0.1", int(home["BUS_PORT"]))):
        got = CommandLine(home)("up")
    assert got.code == 4
    assert f"port {home['BUS_PORT']} on 127.0.0.1 is taken" in got.err
    assert "PORT=" in got.err
    assert not list(tmp_path.iterdir())


def test_a_bus_that_dies_under_it_is_said(home, tmp_path):
    process = subprocess.Popen(
        [BUS, "up"], env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        for line in process.stdout:
            if "from now on" in line:
                break
        lock = tmp_path / ".local/share/wakebus/bus.db.lock"
        subprocess.run(["kill", "-9", lock.read_text().strip()], check=True)
        assert process.wait(30) == 1
        assert "the bus ended by itself" in process.stderr.read()
