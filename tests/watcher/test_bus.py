"""Calls to the bus: kept connections, answers that are none, tokens that cannot be read."""

from __future__ import annotations

import os
import resource
import threading

import pytest
from fakebus import ProblemError
from scriptedserver import RESET, STALL, answer

from watcher import address
from watcher.bus import Bus, BusError, parse_retry_after
from watcher.privatefile import LooseFileError


@pytest.fixture
def make_bus():
    made = []

    def make(url, read_token=lambda: "t", timeout_s=5):
        made.append(Bus(address.parse(url), read_token, timeout_s=timeout_s))
        return made[-1]

    yield make
    for client in made:
        client.close()


def kept(body=b"{}"):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_one_connection_serves_many_calls(make_bus, bus):
    ports = set()
    bus.answers["/api/x"] = lambda request: {"n": len(request.raw)}
    client = make_bus(bus.url)
    for _ in range(5):
        assert client.post("/api/x", {"a": 1}) == {"n": 8}
        ports |= {connection.sock.getsockname()[1] for connection in client._idle}
    assert len(ports) == 1


def test_it_calls_on_where_many_files_are_open(make_bus, bus):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip("this machine lets nobody open so many files")
    bus.answers["/api/x"] = lambda _: {"n": 1}
    client = make_bus(bus.url)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    files = []
    try:
        while not files or files[-1] < 1024:
            files.append(os.open("/dev/null", os.O_RDONLY))
        assert [client.get("/api/x") for _ in range(2)] == [{"n": 1}] * 2
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("end", [[], [RESET]])
def test_a_kept_connection_that_died_costs_a_second_try(make_bus, play, end):
    server = play([kept(b'{"n":1}'), *end], [kept(b'{"n":2}'), STALL])
    client = make_bus(server.url)
    assert client.get("/api/x") == {"n": 1}
    assert client.get("/api/x") == {"n": 2}


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ([answer(200, b"<html>hello")], 502, "not_the_bus"),
        ([answer(200, b"[]")], 502, "not_the_bus"),
        ([answer(302, b"", Location="http://elsewhere/")], 302, "http_302"),
        ([answer(404, b"<html>")], 404, "http_404"),
        ([answer(409, b'{"code":"fenced"}')], 409, "fenced"),
        ([b"not http at all\r\n\r\n"], 0, "away"),
        ([RESET], 0, "away"),
        ([], 0, "away"),
    ],
)
def test_every_kind_of_trouble_is_one_class(make_bus, play, script, status, code):
    with pytest.raises(BusError) as trouble:
        make_bus(play(script).url).get("/api/x")
    assert (trouble.value.status, trouble.value.code) == (status, code)


def test_a_silent_bus_is_away_after_the_time_limit(make_bus, play):
    with pytest.raises(BusError) as trouble:
        make_bus(play([STALL]).url, timeout_s=0.2).get("/api/x")
    assert trouble.value.is_passing


def test_nobody_there_is_away(make_bus):
    with pytest.raises(BusError, match=r"no answer from http://127\.0\.0\.1:9/"):
        make_bus("http://127.0.0.1:9").get("/api/x")


def test_a_token_that_others_can_read_is_not_used(make_bus, play):
    def refuse():
        raise LooseFileError("run: chmod 600 it")

    server = play([kept()])
    with pytest.raises(BusError, match="chmod 600") as trouble:
        make_bus(server.url, refuse).get("/api/x")
    assert trouble.value.is_about_the_token
    assert server.heads == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), (" 120 ", 120), ("0", 0), (None, None), ("-1", None), ("1.5", None),
     ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("٣", None), ("9" * 30, None)],
)  # fmt: skip
def test_retry_after_is_whole_seconds(value, seconds):
    assert parse_retry_after(value) == seconds


@pytest.mark.parametrize(
    ("url", "target"),
    [("http://h:1", "/api/x"), ("http://h:1/", "/api/x"), ("https://h/bus/", "/bus/api/x")],
)
def test_a_base_url_may_have_a_path(url, target):
    assert address.parse(url).target("/api/x") == target


NO_URLS = (
    "",
    "bus:8091",
    "ftp://h",
    "http://",
    "http://h:x",
    "http://h:99999",
    "http://u:p@h",
    "http://h/?a=1",
    "http://h/#a",
    "http://[::1",
)


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_base_url_is_refused(url):
    with pytest.raises(address.AddressError):
        address.parse(url)


def test_an_address_is_written_back_for_a_reader():
    assert address.parse("http://[::1]:8091/b").url("/x") == "http://[::1]:8091/b/x"
    assert address.parse("https://bus.lan:443").url("/x") == "https://bus.lan/x"


DEEP = b"[" * 200_000


def test_an_answer_that_nests_too_deeply_kills_no_watcher(make_bus, play):
    with pytest.raises(BusError) as trouble:
        make_bus(play([answer(200, DEEP)]).url).get("/api/wakes")
    assert trouble.value.code == "not_the_bus"
    with pytest.raises(BusError) as trouble:
        make_bus(play([answer(409, DEEP)]).url).get("/api/wakes")
    assert trouble.value.code == "http_409"


class Drip:
    """An answer that comes for ever, a byte at a time."""

    def __iter__(self):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n"
        yield b"\r\n" if self.with_body else b""
        while True:
            threading.Event().wait(0.02)
            yield b"x"

    def __init__(self, *, with_body):
        self.with_body = with_body


@pytest.mark.parametrize("with_body", [False, True])
def test_an_answer_that_drips_does_not_hold_an_agent_for_ever(make_bus, play, with_body):
    with pytest.raises(BusError) as trouble:
        make_bus(play(Drip(with_body=with_body)).url, timeout_s=0.3).get("/api/x")
    assert trouble.value.is_passing


def test_what_can_never_be_sent_is_not_tried_for_ever(make_bus, bus):
    with pytest.raises(BusError) as trouble:
        make_bus(bus.url).post("/api/wakes/a b", {})
    assert not trouble.value.is_passing


@pytest.mark.parametrize("token", ["a\nb", "t\u20ac"])
def test_a_token_that_cannot_be_sent_is_said_to_be_one(make_bus, bus, token):
    with pytest.raises(BusError) as trouble:
        make_bus(bus.url, lambda: token).get("/api/x")
    assert trouble.value.is_about_the_token


def test_the_bus_client_says_what_a_problem_is(bus, client):
    def refuse(_request):
        raise ProblemError(429, "rate_limited", "slow down", retry_after=9)

    bus.answers["/api/x"] = refuse
    with pytest.raises(BusError) as refusal:
        client.post("/api/x", {})
    error = refusal.value
    assert (error.status, error.code, error.detail) == (429, "rate_limited", "slow down")
    assert (error.retry_after_s, error.is_passing) == (9, True)
