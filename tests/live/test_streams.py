"""A stream ends when it must, is noticed when it ends, and leaves nothing behind."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import closing, contextmanager

import pytest


def add(bus, name, **more):
    assert bus.call(bus.admin, "POST", "/api/agents", {"name": name, **more})[0] == 201
    asked = {"kind": more.get("kind", "agent"), "subject": name}
    made = bus.call(bus.admin, "POST", "/api/tokens", asked)[1]
    return made["token"], made["id"]


@contextmanager
def stream(bus, token, path="/api/stream"):
    """Open a stream; gives a way to read its next event."""
    with closing(http.client.HTTPConnection(bus.url.removeprefix("http://"), timeout=30)) as link:
        link.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = link.getresponse()
        if answer.status != 200:
            yield answer.status, json.loads(answer.read())
            return

        def read():
            name = ""
            while line := answer.readline():
                key, _, value = line.decode().rstrip("\n").partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    return name, json.loads(value)
            return "end", {}

        yield 200, read


def read_until(read, name):
    while (said := read())[0] != name:
        assert said[0] != "end", f"the stream ended without {name}"
    return said[1]


@pytest.fixture
def node_token(bus, tmp_path):
    bus.enrol("here", tmp_path / "node", ["ben"], bus.environment)
    return (tmp_path / "node" / "node.token").read_text().strip()


def online(bus):
    status, answer = bus.call(bus.admin, "GET", "/api/nodes")
    return status == 429 or answer["nodes"][0]["online"]  # asked too often is no answer


def head(bus, token, path):
    with closing(http.client.HTTPConnection(bus.url.removeprefix("http://"), timeout=30)) as link:
        link.request("HEAD", path, headers={"Authorization": f"Bearer {token}"})
        return link.getresponse().status


def test_a_look_by_head_takes_no_place_no_node_and_no_mail(bus, node_token):
    token, _ = add(bus, "ann")
    bus.call(token, "POST", "/api/send", {"to": "ann", "body": "x"})
    assert {head(bus, token, "/api/stream") for _ in range(40)} == {405}
    assert head(bus, node_token, "/api/stream?instance=evil") == 405
    assert head(bus, token, "/api/inbox") == 405
    assert not online(bus)
    assert bus.call(token, "GET", "/api/inbox?view=headers")[1]["items"][0]["state"] == "queued"
    with stream(bus, token) as (status, _):
        assert status == 200


@pytest.mark.timeout(14)
def test_a_node_is_offline_as_soon_as_its_watcher_is_gone(bus, node_token):
    admin = bus.admin
    with stream(bus, admin) as (_, hear):
        read_until(hear, "ready")
        with stream(bus, node_token, "/api/stream?instance=i1") as (_, read):
            read_until(read, "hello")
            assert online(bus)
        while online(bus):  # the test's own time limit is shorter than a heartbeat
            pass


def test_the_same_watcher_replaces_its_stream_and_another_is_refused(bus, node_token):
    path = "/api/stream?instance="
    with stream(bus, node_token, f"{path}i1") as (_, first):
        read_until(first, "hello")
        with stream(bus, node_token, f"{path}i2") as (status, said):
            assert (status, said["code"]) == (409, "instance_busy")
        with stream(bus, node_token, f"{path}i1") as (_, second):
            read_until(second, "hello")
            assert read_until(first, "bye")["reason"] == "replaced"
            assert online(bus)


def test_a_revoked_token_ends_its_stream_at_once(bus):
    token, token_id = add(bus, "ann")
    with stream(bus, token) as (_, read):
        read_until(read, "ready")
        bus.call(bus.admin, "DELETE", f"/api/tokens/{token_id}")
        assert read_until(read, "bye")["reason"] == "revoked"


def test_a_revoked_token_reads_nothing_by_a_wait_that_began_before(bus):
    token, token_id = add(bus, "ann")
    other, _ = add(bus, "ben")
    said = []
    waiting = threading.Thread(
        target=lambda: said.append(bus.call(token, "GET", "/api/inbox?wait=30"))
    )
    waiting.start()
    while "wakebus_streams 1.0" not in bus.metrics():
        pass
    bus.call(bus.admin, "DELETE", f"/api/tokens/{token_id}")
    bus.call(other, "POST", "/api/send", {"to": "ann", "body": "not for a revoked one"})
    waiting.join(30)
    assert said[0][0] == 401


def test_who_leaves_a_compartment_sees_no_more_of_it(bus):
    person, _ = add(bus, "pat", kind="person", compartments=["red"])
    ann, _ = add(bus, "ann", compartments=["red"])
    add(bus, "ben", compartments=["red"])
    with stream(bus, person) as (_, read):
        read_until(read, "ready")
        bus.call(bus.admin, "PATCH", "/api/agents/pat", {"compartments": ["blue"]})
        bus.call(ann, "POST", "/api/send", {"to": "ben", "body": "x"})
        assert read()[1]["reason"] == "changed"


def test_a_person_hears_of_no_sender_that_it_may_not_see(bus):
    person, _ = add(bus, "pat", kind="person", compartments=["red"])
    blue, _ = add(bus, "bob", compartments=["blue"])
    red, _ = add(bus, "ron", compartments=["red"])
    add(bus, "both", compartments=["red", "blue"])
    with stream(bus, person) as (_, read):
        read_until(read, "ready")
        bus.call(blue, "POST", "/api/send", {"to": "both", "body": "x", "type": "BLUEPLAN"})
        bus.call(red, "POST", "/api/send", {"to": "both", "body": "x"})
        assert read()[1]["from"] == "ron"


def test_waiting_reads_take_places_like_streams_so_that_sending_has_room(bus):
    token, _ = add(bus, "ann")
    with stream(bus, token), stream(bus, token):
        assert "wakebus_streams 2.0" in bus.metrics()
    while "wakebus_streams 0.0" not in bus.metrics():
        pass
    threads = [
        threading.Thread(target=bus.call, args=(token, "GET", "/api/inbox?wait=30"))
        for _ in range(32)
    ]
    for thread in threads:
        thread.start()
    while "wakebus_streams 32.0" not in bus.metrics():
        pass
    status, said = bus.call(token, "GET", "/api/inbox?wait=30")
    assert (status, said["code"]) == (503, "too_many_streams")
    assert bus.call(token, "GET", "/api/inbox")[0] == 200
    bus.call(token, "POST", "/api/send", {"to": "ann", "body": "x"})
    for thread in threads:
        thread.join(30)


def test_a_waiting_read_whose_client_has_gone_takes_no_mail(bus):
    token, _ = add(bus, "ann")
    where = bus.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(where, timeout=30)) as link:
        headers = {"Authorization": f"Bearer {token}"}
        link.request("GET", "/api/inbox?wait=60", headers=headers)
        while "wakebus_streams 1.0" not in bus.metrics():
            pass
    while "wakebus_streams 0.0" not in bus.metrics():
        pass
    bus.call(token, "POST", "/api/send", {"to": "ann", "body": "x"})
    assert bus.call(token, "GET", "/api/inbox?view=headers")[1]["items"][0]["state"] == "queued"


@pytest.mark.timeout(14)
def test_a_stray_byte_before_the_end_does_not_keep_a_node_online(bus, node_token):
    where = bus.url.removeprefix("http://").split(":")
    with socket.create_connection((where[0], int(where[1])), timeout=30) as link:
        asked = "GET /api/stream?instance=i1 HTTP/1.1\r\nHost: a\r\n"
        link.sendall(f"{asked}Authorization: Bearer {node_token}\r\n\r\n".encode())
        while b"hello" not in link.recv(4096):
            pass
        assert online(bus)
        link.sendall(b"\r\n")
    while online(bus):  # the test's own time limit is shorter than two heartbeats
        pass
