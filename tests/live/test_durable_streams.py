"""A durable stream over real connections that break: to the byte, once, and for whom it is."""

from __future__ import annotations

import base64
import http.client
import json
import signal
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.conftest import until

TEXT = {"Content-Type": "text/plain"}
BUS = str(Path(sys.executable).with_name("bus"))


def add(bus, name, kind="agent", **more):
    assert bus.call(bus.admin, "POST", "/api/agents", {"name": name, **more})[0] == 201
    made = bus.call(bus.admin, "POST", "/api/tokens", {"kind": kind, "subject": name})[1]
    return made["token"], made["id"]


@pytest.fixture
def alice(bus):
    return add(bus, "alice")[0]


@pytest.fixture
def bob(bus):
    return add(bus, "bob")[0]


@contextmanager
def connected(bus):
    where = bus.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(where, timeout=40)) as link:
        yield link


def ask(bus, token, method, path, body=b"", **headers):
    """Make one request as its bytes are; gives status, headers and body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with connected(bus) as link:
        link.request(method, path, body, {"Authorization": f"Bearer {token}", **named})
        answer = link.getresponse()
        return answer.status, answer.headers, answer.read()


def put(bus, token, name, body=b"", **headers):
    status, said, _ = ask(bus, token, "PUT", f"/streams/{name}", body, **(TEXT | headers))
    assert status == 201
    return said


def append(bus, token, name, body, **headers):
    return ask(bus, token, "POST", f"/streams/{name}", body, **(TEXT | headers))[:2]


def next_event(answer):
    """Read the next event as a browser would; `end` where the stream ends."""
    name, lines = "", []
    while line := answer.readline().decode():
        field, _, value = line.rstrip("\n").partition(":")
        value = value.removeprefix(" ")
        if line == "\n" and lines:
            return name, "\n".join(lines)
        if field == "event":
            name, lines = value, []
        elif field == "data":
            lines.append(value)
    return "end", ""


@contextmanager
def following(bus, token, name, offset="-1"):
    """Follow a stream by events; gives a way to read the next."""
    with connected(bus) as link:
        path = f"/streams/{name}?offset={offset}&live=sse"
        link.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = link.getresponse()
        assert answer.status == 200, answer.read()
        yield lambda: next_event(answer)


def control(read, **wanted):
    """Read on until a control event that says something; gives the data before it, and it."""
    data = ""
    while True:
        name, text = read()
        assert name != "end", "the stream ended"
        if name == "data":
            data += text
        elif name == "control":
            said = json.loads(text)
            if wanted.items() <= said.items():
                return data, said


class Producer:
    """Appends numbered words one after the other, each again until it is answered."""

    def __init__(self, bus, token, name, words):
        self.bus, self.token, self.name, self.words = bus, token, name, words
        self.done = 0
        self.is_paused = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while self.done < self.words:
            said = {"Producer_Id": "p", "Producer_Epoch": "0", "Producer_Seq": str(self.done)}
            try:
                status, _ = append(self.bus, self.token, self.name, word(self.done), **said)
            except (OSError, http.client.HTTPException):
                self.is_paused.wait(0.02)  # the bus is away
                continue
            if status in {200, 204}:
                self.done += 1
            else:
                assert status in {429, 503}, status
                self.is_paused.wait(0.02)


def word(number):
    return b"word %d\n" % number


def read_to_end(bus, token, name, into):
    """Follow a stream until it is closed, and come back with the offset whenever cut off."""
    offset = "-1"
    while True:
        try:
            with following(bus, token, name, offset) as read:
                data = ""
                while (event := read())[0] != "end":
                    if event[0] == "data":
                        data = event[1]
                        continue
                    said = json.loads(event[1])
                    into.append(data)
                    data, offset = "", said["streamNextOffset"]
                    if said.get("streamClosed"):
                        return
        except (OSError, http.client.HTTPException, AssertionError):
            threading.Event().wait(0.02)  # the bus is away


def test_reader_and_producer_go_on_at_the_byte_when_the_bus_is_killed(bus, alice, bob):
    words, got = 300, []
    put(bus, alice, "out")
    producer = Producer(bus, alice, "out", words)
    reader = threading.Thread(target=read_to_end, args=(bus, bob, "out", got))
    producer.thread.start()
    reader.start()
    for part in (50, 150):
        until(lambda part=part: producer.done >= part and len(got) > part / 10, 30, "words came")
        bus.stop(signal.SIGKILL)
        bus.start()
    producer.thread.join(60)
    assert producer.done == words
    assert append(bus, alice, "out", b"", Stream_Closed="true")[0] == 204
    reader.join(60)
    expected = b"".join(word(number) for number in range(words))
    assert "".join(got).encode() == expected
    assert ask(bus, bob, "GET", "/streams/out")[2] == expected


def test_a_reader_whose_connection_drops_misses_nothing_and_gets_nothing_twice(bus, alice, bob):
    put(bus, alice, "out", b"one ")
    with following(bus, bob, "out") as read:
        data, said = control(read, upToDate=True)
        append(bus, alice, "out", b"two ")
        more, said = control(read, upToDate=True)
    append(bus, alice, "out", b"three ")
    with following(bus, bob, "out", said["streamNextOffset"]) as read:
        rest, _ = control(read, upToDate=True)
        append(bus, alice, "out", b"four", Stream_Closed="true")
        last, end = control(read)
        assert read() == ("end", "")
    assert data + more + rest + last == "one two three four"
    assert end["streamClosed"] is True
    assert "streamCursor" not in end


def test_a_long_poll_waits_for_what_comes_and_hears_the_end(bus, alice, bob):
    at = put(bus, alice, "out")["Stream-Next-Offset"]
    got = []

    def poll():
        got.append(ask(bus, bob, "GET", f"/streams/out?offset={at}&live=long-poll"))

    for number, (body, more) in enumerate([(b"x", {}), (b"", {"Stream_Closed": "true"})]):
        waiting = threading.Thread(target=poll)
        waiting.start()
        append(bus, alice, "out", body, **more)
        waiting.join(30)
        status, said, data = got[number]
        assert (status, data) == ((200, b"x") if body else (204, b""))
        assert said["Stream-Cursor"].isdigit()
        at = said["Stream-Next-Offset"]
    assert got[1][1]["Stream-Closed"] == "true"


def test_an_older_start_of_a_producer_is_fenced_off(bus, alice):
    put(bus, alice, "out")
    old = {"Producer_Id": "p", "Producer_Epoch": "0"}
    new = old | {"Producer_Epoch": "1"}
    assert append(bus, alice, "out", b"a", **old, Producer_Seq="0")[0] == 200
    assert append(bus, alice, "out", b"b", **new, Producer_Seq="0")[0] == 200
    status, said = append(bus, alice, "out", b"c", **old, Producer_Seq="1")
    assert (status, said["Producer-Epoch"]) == (403, "1")
    status, said = append(bus, alice, "out", b"c", **new, Producer_Seq="5")
    assert status == 409
    assert said["Producer-Expected-Seq"] == "1"
    assert said["Producer-Received-Seq"] == "5"
    assert ask(bus, alice, "GET", "/streams/out")[2] == b"ab"


def test_who_follows_a_producer_that_dies_is_told_so(bus, alice, bob):
    put(bus, alice, "out", b"half a sen", Stream_Producer_TTL="1")
    with following(bus, bob, "out") as read:
        data, said = control(read, streamClosed=True)
        assert (data, said["streamDied"]) == ("half a sen", True)
        assert read() == ("end", "")
    status, said = append(bus, alice, "out", b"tence")
    assert (status, said["Stream-Closed"]) == (409, "true")
    assert ask(bus, bob, "HEAD", "/streams/out")[1]["Stream-Died"] == "true"
    assert ask(bus, bob, "GET", "/streams/out")[2] == b"half a sen"


def test_charlie_sees_nothing(bus, alice):
    charlie, _ = add(bus, "charlie", compartments=["apart"])
    put(bus, alice, "out", b"secret")
    for method, query in (
        ("GET", ""),
        ("GET", "?offset=-1&live=sse"),
        ("GET", "?offset=now&live=long-poll"),
        ("POST", ""),
        ("DELETE", ""),
    ):
        status, said, body = ask(bus, charlie, method, f"/streams/out{query}", b"x", **TEXT)
        assert status == 404
        assert "Stream-Next-Offset" not in said
        assert b"secret" not in body
    assert ask(bus, charlie, "HEAD", "/streams/out")[0] == 404
    fork = {"Stream_Forked_From": "/streams/out"}
    assert ask(bus, charlie, "PUT", "/streams/mine", **TEXT, **fork)[0] == 404
    assert ask(bus, bus.admin, "GET", "/streams/out")[0] == 403
    assert ask(bus, "", "GET", "/streams/out")[0] == 401


def test_who_loses_the_right_to_read_is_cut_off(bus, alice, bob):
    put(bus, alice, "out", b"x")
    dora, token_id = add(bus, "dora")
    with following(bus, bob, "out") as read, following(bus, dora, "out") as second:
        control(read, upToDate=True)
        control(second, upToDate=True)
        placed = {"compartments": ["apart"]}
        assert bus.call(bus.admin, "PATCH", "/api/agents/bob", placed)[0] == 200
        assert read() == ("end", "")
        append(bus, alice, "out", b"for dora")
        assert control(second)[0] == "for dora"
        assert bus.call(bus.admin, "DELETE", f"/api/tokens/{token_id}")[0] == 200
        assert second() == ("end", "")


def test_a_follower_of_what_is_deleted_and_of_a_bus_that_stops_hears_the_end(bus, alice, bob):
    put(bus, alice, "one", b"x")
    put(bus, alice, "two", b"x")
    with following(bus, bob, "one") as one, following(bus, bob, "two") as two:
        control(one, upToDate=True)
        control(two, upToDate=True)
        assert ask(bus, alice, "DELETE", "/streams/one")[0] == 204
        assert one() == ("end", "")
        stopping = threading.Thread(target=bus.stop)
        stopping.start()
        assert two() == ("end", "")
        stopping.join(30)


def test_one_that_does_not_read_hurts_no_other(bus, alice, bob):
    kind = {"Content-Type": "application/octet-stream"}
    put(bus, alice, "out", **kind)
    with following(bus, bob, "out") as stuck, following(bus, bob, "out") as read:
        control(stuck, upToDate=True)
        control(read, upToDate=True)
        sent, got, block = b"", b"", bytes(range(256)) * 1024
        for _ in range(24):
            sent += block
            assert append(bus, alice, "out", block, **kind)[0] == 204
            while len(got) < len(sent):
                name, text = read()
                got += base64.b64decode(text) if name == "data" else b""
        assert got == sent
    assert ask(bus, bob, "GET", "/streams/out")[0] == 200


def test_a_text_whose_characters_come_in_halves_is_shown_whole(bus, alice, bob):
    put(bus, alice, "out")
    text = "Größe 🙂"
    with following(bus, bob, "out") as read:
        control(read)
        for byte in text.encode():
            append(bus, alice, "out", bytes([byte]))
        append(bus, alice, "out", b"", Stream_Closed="true")
        assert control(read, streamClosed=True)[0] == text


@pytest.mark.sqlite_only("its file put back under the bus")
def test_what_a_backup_did_not_have_is_told_as_gone_and_not_replaced_unsaid(bus, alice, bob):
    put(bus, alice, "out", b"kept ")
    done = subprocess.run(
        [BUS, "backup", "--json"], env=bus.environment, capture_output=True, check=True
    )
    kept = ask(bus, bob, "HEAD", "/streams/out")[1]["Stream-Next-Offset"]
    _, said = append(bus, alice, "out", b"lost")
    bus.stop(signal.SIGKILL)
    restore = [BUS, "restore", json.loads(done.stdout)["file"]]
    subprocess.run(restore, env=bus.environment, capture_output=True, check=True)
    bus.start()
    append(bus, alice, "out", b"else")
    lost = said["Stream-Next-Offset"]
    status, _, body = ask(bus, bob, "GET", f"/streams/out?offset={lost}")
    assert (status, json.loads(body)["code"]) == (410, "stream_gone")
    assert ask(bus, bob, "GET", f"/streams/out?offset={kept}")[2] == b"else"


def test_a_page_of_another_site_may_not_call_unless_that_site_is_named(bus, alice):
    put(bus, alice, "out", b"<script>alert(1)</script>", Content_Type="text/html")
    origin = {"Origin": "https://elsewhere.example"}
    for method in ("GET", "OPTIONS"):
        _, said, _ = ask(bus, alice, method, "/streams/out", **origin)
        assert "Access-Control-Allow-Origin" not in said
    _, said, _ = ask(bus, alice, "GET", "/streams/out")
    assert said["Content-Security-Policy"].startswith("sandbox;")
    assert said["X-Content-Type-Options"] == "nosniff"
    assert said["Cache-Control"] == "private, no-cache"


def test_many_waiting_reads_are_so_many_places(bus, alice, bob):
    put(bus, alice, "out")
    held = [following(bus, bob, "out") for _ in range(32)]
    for one in held:
        control(one.__enter__())
    status, _, body = ask(bus, bob, "GET", "/streams/out?offset=now&live=sse")
    assert (status, json.loads(body)["code"]) == (503, "too_many_streams")
    status, _, body = ask(bus, bob, "GET", "/streams/out?offset=now&live=long-poll")
    assert (status, json.loads(body)["code"]) == (503, "too_many_streams")
    for one in held:
        one.__exit__(None, None, None)
    until(lambda: ask(bus, bob, "GET", "/streams/out?offset=-1")[0] == 200, 60, "reading goes on")
