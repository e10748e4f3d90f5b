"""Crowds that say nothing, speak slowly or never read: sending goes on, and they are told."""

from __future__ import annotations

import http.client
import json
import selectors
import socket
import time
from contextlib import ExitStack, closing, contextmanager

import pytest

SILENT, SLOW = 1200, 300


def address_of(bus):
    host, _, port = bus.url.removeprefix("http://").partition(":")
    return host, int(port)


def connect(bus, *, source="127.0.0.1"):
    link = socket.socket()
    link.setsockopt(socket.IPPROTO_IP, 24, 1)  # a port is chosen at connect
    link.bind((source, 0))
    link.settimeout(60)
    link.connect(address_of(bus))
    return link


@contextmanager
def crowd(bus, count, said=b"", source="127.0.0.2"):
    """Open so many connections that say no more than this."""
    with ExitStack() as open_ones:
        links = []
        for _ in range(count):
            links.append(open_ones.enter_context(closing(connect(bus, source=source))))
            if said:
                links[-1].sendall(said)
        yield links


def await_told(links, words):
    """Give what the first of many was told that has these words in it; some may be hung up."""
    said = dict.fromkeys(links, b"")
    with selectors.DefaultSelector() as speaking:
        for link in links:
            speaking.register(link, selectors.EVENT_READ)
        while ready := speaking.select(60):
            for link in (key.fileobj for key, _ in ready):
                part = read_part(link)
                said[link] += part
                if words in said[link]:
                    return said[link]
                if not part:
                    speaking.unregister(link)
    raise AssertionError(set(said.values()))


def read_part(link):
    try:
        return link.recv(4096)
    except ConnectionResetError:
        return b""


@pytest.fixture
def parties(add):
    add("ann")
    return add("ben")


def send_some(bus, token, what, count=20):
    """Send as anybody would; every one is taken, and how long each took is printed."""
    took_s = []
    for _ in range(count):
        began_s = time.monotonic()
        assert bus.call(token, "POST", "/api/send", {"to": "ann", "body": "x"})[0] == 202
        took_s.append(time.monotonic() - began_s)
    took_s.sort()
    p50, worst = took_s[count // 2] * 1000, took_s[-1] * 1000
    print(f"{what}: /api/send p50 {p50:.1f} ms, worst {worst:.1f} ms")


@pytest.mark.parametrize("source", ["127.0.0.2", "127.0.0.1"], ids=["another", "the same"])
def test_a_stranger_with_more_connections_than_there_are_keeps_nobody_out(bus, parties, source):
    with crowd(bus, SILENT, source=source):
        send_some(bus, parties, f"{SILENT} silent connections from {source}")


def test_who_sends_its_head_a_byte_at_a_time_is_told_and_keeps_nobody_out(bus, restart, parties):
    restart(BUS_FIRST_REQUEST_S="2", BUS_MAX_STRANGERS="1000")
    with crowd(bus, SLOW, b"GET /api/inbox HTTP/1.1\r\nHost: a\r\nX-") as links:
        for link in links:
            link.sendall(b"a")
        send_some(bus, parties, f"{SLOW} slow heads")
        answer = links[0].recv(4096).decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 408 ")
    assert "application/problem+json" in head
    assert json.loads(body)["code"] == "request_timeout"
    assert "within 2.0 s" in json.loads(body)["detail"]


def test_a_kept_connection_that_showed_a_token_outlives_a_crowd(bus, parties):
    kept = http.client.HTTPConnection(*address_of(bus), 20, source_address=("127.0.0.2", 0))
    with closing(kept):
        for silent in (0, SILENT):
            with crowd(bus, silent):
                kept.request("GET", "/api/whoami", headers={"Authorization": f"Bearer {parties}"})
                answer = kept.getresponse()
                assert (answer.status, json.load(answer)["name"]) == (200, "ben")


def test_a_bus_with_every_connection_in_use_says_so(bus, restart, parties):
    restart(BUS_MAX_CONNECTIONS="6", BUS_MAX_STREAMS="5", BUS_MAX_STREAMS_EACH="5")
    ask = f"GET /api/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {parties}\r\n\r\n"
    body = f"POST /api/send HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {parties}\r\n"
    body += "Content-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    with ExitStack() as open_ones:
        for said in (*[ask] * 5, body):
            link = open_ones.enter_context(closing(connect(bus)))
            link.sendall(said.encode())
            if said is ask:
                assert link.recv(4096).startswith(b"HTTP/1.1 200")
        status, said = bus.call(parties, "GET", "/api/whoami")
        while status == 200:  # the half request has not been seen yet
            status, said = bus.call(parties, "GET", "/api/whoami")
        assert (status, said["code"]) == (503, "too_many_connections")
    assert bus.call(parties, "GET", "/api/whoami")[0] == 200


def test_strangers_that_ask_much_and_read_nothing_keep_nobody_out(bus, restart, parties):
    restart(BUS_MAX_CONNECTIONS="6", BUS_MAX_STREAMS="5", BUS_MAX_STRANGERS="3")
    much = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 200
    with crowd(bus, 80, much), crowd(bus, 1, source="127.0.0.3"):
        send_some(bus, parties, "80 that read nothing", count=3)


def test_one_token_with_bodies_that_never_come_keeps_nobody_out(bus, restart, add):
    ann, ben = add("ann"), add("ben")
    restart(BUS_MAX_CONNECTIONS="12", BUS_MAX_STREAMS="4", BUS_MAX_STREAMS_EACH="4")
    half = f"POST /api/send HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ann}\r\n"
    half += "Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    with crowd(bus, 20, half.encode()) as links:
        said = await_told(links, b"ann has 4 requests whose bodies")
        send_some(bus, ben, "20 halves of one token", count=3)
    assert said.startswith(b"HTTP/1.1 429 ")


def test_a_reader_that_never_reads_is_cut_off_and_holds_nobody_up(bus, restart, parties):
    restart(BUS_MAX_INBOX="1000000")
    ask = f"GET /api/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {bus.admin}\r\n\r\n"
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.settimeout(60)
    with closing(link):
        link.connect(address_of(bus))
        link.sendall(ask.encode())
        log = bus.data_dir / "bus.log"
        ends_s = time.monotonic() + 60
        batch = [{"to": "ann", "body": "x", "type": "T" * 30}] * 100
        while "action=stream_closed" not in log.read_text():
            assert time.monotonic() < ends_s
            bus.call(parties, "POST", "/api/send", batch)
        send_some(bus, parties, "a reader that never reads")


@pytest.mark.long
@pytest.mark.timeout(300)
def test_ten_thousand_idle_streams_leave_sending_as_it_was(bus, restart, add, parties):
    count = 10_000
    restart(
        BUS_MAX_CONNECTIONS="10500",
        BUS_MAX_STREAMS="10100",
        BUS_MAX_STREAMS_EACH="10100",
        BUS_MAX_STRANGERS="10500",
        BUS_RATE_PER_S="10000",
        BUS_RATE_BURST="20000",
    )
    idle = add("idle")
    send_some(bus, parties, "no streams")
    ask = f"GET /api/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {idle}\r\n\r\n".encode()
    with ExitStack() as open_ones, selectors.DefaultSelector() as waiting:
        began_s = time.monotonic()
        for number in range(count):
            link = open_ones.enter_context(closing(connect(bus, source=f"127.0.1.{number % 8}")))
            link.sendall(ask)
            waiting.register(link, selectors.EVENT_READ)
        told = 0
        while told < count:
            for key, _ in waiting.select(60):
                assert key.fileobj.recv(65536).startswith(b"HTTP/1.1 200")
                waiting.unregister(key.fileobj)
                told += 1
        print(f"{count} streams opened in {time.monotonic() - began_s:.1f} s")
        send_some(bus, parties, f"{count} idle streams", 100)
