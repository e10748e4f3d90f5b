"""`bus up`: a new user's first minute, from nothing to an answer, and a second time."""

from __future__ import annotations

import re
import socket
import subprocess

import pytest
from commandline import BUS, CommandLine
from upping import up

from tests.conftest import clean_environment


@pytest.fixture
def home(tmp_path):
    """An environment in which nothing is there yet, and a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return clean_environment(HOME=str(tmp_path), BUS_PORT=str(port))


def test_from_nothing_a_task_is_answered_and_every_rung_is_shown(home):
    with up(home) as (said, _):
        rungs = re.findall(r"\+\d+ ms +[\d:.]+ +(\w+)", said)
        assert rungs == ["accepted", "queued", "notified", "woken", "read", "acked"] * 2
        assert 'ping has its answer: "pong:' in said
        url = f"http://127.0.0.1:{home['BUS_PORT']}"
        assert f"the bus is at {url}" in said
        assert f"export BUS_URL={url}" in said
        assert f"the page: {url}/sign-in?code=" in said


def test_what_the_first_answer_leaves_behind_is_for_nobody_else_to_read(home, tmp_path):
    with up(home) as (said, _):
        assert 'ping has its answer: "pong:' in said
    left = [path for path in tmp_path.rglob("*") if path.name == "answers.txt"]
    assert [path.stat().st_mode & 0o077 for path in left] == [0]


def test_what_it_prints_next_works_as_printed(home):
    with up(home) as (said, _):
        run = CommandLine(home | {"BUS_URL": f"http://127.0.0.1:{home['BUS_PORT']}"})
        assert "send pong" in said
        followed = run("send", "pong", "how are you?", "--follow")
        assert followed.code == 0, followed.err
        assert "acked" in followed.out
        assert "pong: I was asleep" in run("inbox", "--wait", "10").out
        assert "ping" in run("agent", "list").out
        nexts = re.findall(r"bus (node add|agent add) (.*?)  +#", said)
        assert [words for words, _ in nexts] == ["node add", "agent add"]
        for words, rest in nexts:
            done = run(*words.split(), *rest.split())
            assert done.code == 0, done.err
        assert run("node", "add", "desk", "--agents", "anna,ben").code == 0, "the tutorial's names"


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


def test_without_the_demonstration_nothing_of_it_is_offered(home):
    with up(home, "--no-demo") as (said, _):
        assert "pong" not in said
        run = CommandLine(home | {"BUS_URL": f"http://127.0.0.1:{home['BUS_PORT']}"})
        for words in re.findall(r"bus (person add you|token new person you .*)", said):
            assert run(*words.split()).code == 0
        assert run("send", "you", "a note to myself").code == 0


def test_tokens_on_a_network_are_warned_of(home):
    with up(home | {"BUS_HOST": "0.0.0.0"}, "--no-demo") as (said, _):
        assert said.count("warning: ") == 1
        assert "plain HTTP on 0.0.0.0" in said


def test_a_demonstration_agent_that_is_paused_does_not_hold_it_up(home):
    with up(home):
        run = CommandLine(home | {"BUS_URL": f"http://127.0.0.1:{home['BUS_PORT']}"})
        assert run("agent", "pause", "ping").code == 0
    with up(home) as (said, _):
        assert "(waiting: paused by the administration since " in said
        assert "bus agent resume ping" in said
        assert run("agent", "list").code == 0


def test_a_bus_that_runs_already_is_not_another_program(home):
    with up(home, "--no-demo"):
        got = CommandLine(home)("up")
    url = f"http://127.0.0.1:{home['BUS_PORT']}"
    assert got.code == 4
    assert f"a bus already runs here, at {url}" in got.err
    assert f"export BUS_URL={url}" in got.err
    assert "another program" not in got.err


def test_a_number_that_is_no_port_is_code_4(home):
    for words in (("up",), ("serve",), ("inbox",), ("config", "--check")):
        got = CommandLine(home)(*words, BUS_PORT="99999")
        assert got.code == 4
        assert "BUS_PORT=99999 is no port" in got.err
        assert "Traceback" not in got.err


def test_without_a_database_only_the_command_that_makes_one_is_named(home):
    got = CommandLine(home)("serve")
    assert got.code == 4
    assert "bus init" in got.err
    assert "migrate" not in got.err
