"""Stopping the bus: streams say bye, what was begun is answered, kept connections let go."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import urllib.parse
import urllib.request

import pytest


@pytest.fixture
def connection(bus):
    where = urllib.parse.urlsplit(bus.url)
    with contextlib.closing(http.client.HTTPConnection(where.hostname, where.port, 20)) as made:
        yield made


@pytest.fixture
def stream(bus):
    request = urllib.request.Request(f"{bus.url}/api/stream")
    request.add_header("Authorization", f"Bearer {bus.admin}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.readline()
        yield answer


def test_a_stream_is_told_of_a_stop_and_where_to_go_on(bus, stream):
    assert bus.stop() == 0
    frames = stream.read().decode().strip().split("\n\n")
    last = dict(line.split(": ", 1) for line in frames[-1].splitlines())
    assert last["event"] == "bye"
    assert '"reason":"shutdown"' in last["data"]
    assert "-" in last["id"]


def test_a_waiting_read_is_answered_before_the_end(bus, connection):
    token = bus.add("ann")
    connection.request("GET", "/api/inbox?wait=60", headers={"Authorization": f"Bearer {token}"})
    bus.call(token, "GET", "/readyz")
    assert bus.stop() == 0
    assert json.load(connection.getresponse())["items"] == []


def test_a_kept_connection_without_a_request_does_not_hold_the_bus(bus, connection):
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    assert bus.stop(signal.SIGTERM) == 0
    assert "SIGKILL" not in (bus.data_dir / "bus.log").read_text()


def test_a_stop_is_one_line_of_the_log_and_no_fault(bus, stream, connection):
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    assert bus.stop() == 0
    log = (bus.data_dir / "bus.log").read_text()
    assert "Traceback" not in log
    assert "did not end in time" not in log


def test_who_still_sends_what_was_refused_does_not_hold_the_bus(bus, connection):
    connection.putrequest("POST", "/api/send")
    for name, value in (("Content-Length", "20000000"), ("Connection", "close")):
        connection.putheader(name, value)
    connection.endheaders(b" ")
    with connection.getresponse() as answer:
        assert answer.status == 413
        assert bus.stop() == 0
    assert "did not end in time" not in (bus.data_dir / "bus.log").read_text()
