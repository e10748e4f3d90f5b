"""What systemd hears, over a real datagram socket."""

from __future__ import annotations

import socket

import pytest

from watcher.notify import Notify


@pytest.fixture(params=["path", "abstract"])
def listener(request, tmp_path):
    name = "\0wakebus-test-" + tmp_path.name if request.param == "abstract" else str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name)
        sock.settimeout(30)
        yield sock, name.replace("\0", "@")


def test_it_says_ready_alive_and_stopping(listener, clock):
    sock, name = listener
    notify = Notify({"NOTIFY_SOCKET": name}, clock)
    notify.ready()
    notify.beat()
    notify.beat()
    notify.status("connected")
    notify.stopping()
    said = [sock.recv(100) for _ in range(4)]
    assert said == [b"READY=1", b"WATCHDOG=1", b"STATUS=connected", b"STOPPING=1"]


def test_without_systemd_it_says_nothing(clock):
    Notify({}, clock).ready()


def test_a_systemd_that_went_away_is_no_trouble(clock, tmp_path):
    Notify({"NOTIFY_SOCKET": str(tmp_path / "gone")}, clock).ready()


def test_the_words_of_a_bus_cannot_say_something_else_to_systemd(listener, clock):
    sock, name = listener
    Notify({"NOTIFY_SOCKET": name}, clock).status("refused: a\nMAINPID=1\r\nREADY=1\ud800")
    assert sock.recv(100) == b"STATUS=refused: a MAINPID=1 READY=1?"
