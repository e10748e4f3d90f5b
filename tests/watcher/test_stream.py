"""The stream over real sockets: cut anywhere, stalled, reset, refused; and stopped at once."""

from __future__ import annotations

import threading

import pytest
from scriptedserver import CHUNKED_HEAD, HEAD, RESET, STALL, answer, chunk, cut

from watcher import address
from watcher.events import Event
from watcher.stream import Beat, Opened, Stream, Timing

FRAMES = (
    b'retry: 20\n:\nid: 1-1\nevent: wake\ndata: {"n":1}\n\n:\r\n'
    b"id: 1-2\r\ndata: \xe2\x82\xac\r\n\r\n"
)
EVENTS = [Event("wake", '{"n":1}', "1-1"), Event("message", "€", "1-2")]


@pytest.fixture
def connect(clock):
    """Make a stream of a scripted server: `connect(server, read_s=...)`."""
    streams = []

    def make(server, **timing):
        timing = {"connect_s": 5, "read_s": 5, **timing}
        streams.append(
            Stream(address.parse(server.url), lambda: "t", "i_1", clock, Timing(**timing))
        )
        return streams[-1]

    yield make
    for stream in streams:
        stream.stop()


def take(stream, count, kinds=(Event,)):
    """Read steps until there are so many of these kinds."""
    found = []
    for step in stream.steps():
        if isinstance(step, kinds):
            found.append(step)
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_it_reads_events_however_the_bytes_arrive(play, connect, size):
    server = play([HEAD, *cut(FRAMES, size), STALL])
    assert take(connect(server), 2) == EVENTS


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_it_reads_events_out_of_chunks_of_any_size(play, connect, size):
    server = play([CHUNKED_HEAD, *[chunk(piece) for piece in cut(FRAMES, size)], STALL])
    assert take(connect(server), 2) == EVENTS


def test_it_names_its_instance_and_token_and_no_position_at_first(play, connect):
    server = play([HEAD, FRAMES, STALL])
    take(connect(server), 1)
    (head,) = server.heads
    assert head.startswith("GET /api/stream?instance=i_1 HTTP/1.1\r\n")
    assert "Authorization: Bearer t\r\n" in head
    assert "Last-Event-ID" not in head


@pytest.mark.parametrize("end", [[], [RESET]])
def test_it_comes_back_after_the_last_event(play, connect, end):
    server = play([HEAD, FRAMES, *end], [HEAD, b"id: 1-3\ndata: z\n\n", STALL])
    assert take(connect(server), 3)[2] == Event("message", "z", "1-3")
    assert "Last-Event-ID: 1-2\r\n" in server.heads[1]


def test_it_does_not_believe_an_event_that_was_cut_off(play, connect):
    server = play([HEAD, b"id: 1-1\ndata: a\n\nid: 1-2\ndata: b\n"], [HEAD, b"data: c\n\n", STALL])
    assert [event.data for event in take(connect(server), 2)] == ["a", "c"]
    assert "Last-Event-ID: 1-1\r\n" in server.heads[1]


def test_an_id_without_an_event_moves_the_position(play, connect):
    server = play([HEAD, b"id: 1-8\n\n"], [HEAD, b"data: c\n\n", STALL])
    take(connect(server), 1)
    assert "Last-Event-ID: 1-8\r\n" in server.heads[1]


def test_it_notices_a_dead_link(play, connect):
    server = play([HEAD, b":\n", STALL], [HEAD, b"data: c\n\n", STALL])
    stream = connect(server, read_s=0.2)
    steps = take(stream, 3, (Beat, Event))
    assert any("the link is dead" in step.trouble for step in steps if isinstance(step, Beat))


def test_a_drip_of_bytes_is_a_dead_link(play, connect):
    def drip():
        yield HEAD
        while True:
            threading.Event().wait(0.02)
            yield b"x"

    server = play(drip(), [HEAD, b"data: c\n\n", STALL])
    assert [event.data for event in take(connect(server, read_s=0.3), 1)] == ["c"]


def test_a_comment_keeps_the_link_alive(play, connect):
    server = play([HEAD, b":\n", b":\n", b":\n", STALL])
    assert take(connect(server), 4, (Opened, Beat)) == [Opened(), Beat(), Beat(), Beat()]


def test_it_says_when_a_connection_stands(play, connect):
    server = play([HEAD, b"data: a\n\n"], [HEAD, b"data: b\n\n", STALL])
    steps = take(connect(server), 4, (Opened, Event))
    assert [type(step) for step in steps] == [Opened, Event, Opened, Event]


class Waits:
    """Which waits were asked for, in seconds."""

    def __init__(self, clock, monkeypatch):
        self.asked_s = []
        self.now_s = 1000.0

        def wait(event, timeout_s):
            self.asked_s.append(timeout_s)
            self.now_s += timeout_s
            return event.is_set()

        monkeypatch.setattr(clock, "wait", wait)
        monkeypatch.setattr(clock, "monotonic_s", lambda: self.now_s)

    @property
    def first_s(self):
        """The first pause, whose pieces are at most 15 s."""
        total = 0.0
        for piece_s in self.asked_s:
            total += piece_s
            if piece_s < 15:
                break
        return total


@pytest.fixture
def waits(clock, monkeypatch):
    return Waits(clock, monkeypatch)


GOOD = [HEAD, b"data: x\n\n", STALL]


@pytest.mark.parametrize(
    ("first", "least_s", "most_s"),
    [
        ([answer(503, b'{"code":"draining"}', Retry_After="7")], 7, 8.5),
        ([answer(409, b'{"code":"instance_busy"}', Retry_After="40")], 40, 60),
        ([answer(429, b"<html>", Retry_After="120")], 120, 144),
        ([answer(500, b"")], 0, 1),
        ([answer(200, b"hello", Content_Type="text/html")], 0, 1),
        ([RESET], 0, 1),
        ([HEAD, b"retry: 3000\n:\n"], 3, 3.6),
        ([HEAD, b'retry: 3000\n:\nevent: bye\ndata: {"reason":"shutdown"}\n\n'], 3, 3.6),
        ([HEAD, b'retry: 3000\n:\nevent: bye\ndata: {"reason":"lifetime"}\n\n'], 0, 1),
    ],
)
def test_it_waits_as_long_as_it_should(play, connect, waits, first, least_s, most_s):
    server = play(first, GOOD)
    for step in connect(server).steps():
        if isinstance(step, Event) and step.data == "x":
            break
    assert least_s <= waits.first_s <= most_s


@pytest.mark.parametrize(
    ("first", "note"),
    [
        ([answer(401, b'{"code":"unauthorized","detail":"no"}')], "enrol again"),
        ([answer(403, b'{"code":"forbidden","detail":"no"}')], "enrol again"),
        ([HEAD, b'event: bye\ndata: {"reason":"replaced"}\n\n'], "was its folder copied"),
    ],
)
def test_it_says_plainly_what_only_a_person_can_mend_and_asks_slowly(
    play, connect, waits, caplog, first, note
):
    server = play(first, GOOD)
    with caplog.at_level("INFO", "watcher"):
        for step in connect(server).steps():
            if isinstance(step, Event) and step.data == "x":
                break
    assert note in caplog.text
    assert waits.asked_s[:4] == [15, 15, 15, 15]


def test_it_reads_a_rotated_token_at_the_next_try(play, clock, waits):
    server = play([answer(401, b"{}")], GOOD)
    tokens = iter(["old", "new"])
    stream = Stream(address.parse(server.url), lambda: next(tokens), "i_1", clock)
    take(stream, 1)
    stream.stop()
    assert "Bearer old" in server.heads[0]
    assert "Bearer new" in server.heads[1]


REVOKED = [HEAD, b'retry: 3000\n:\nevent: bye\ndata: {"reason":"revoked"}\n\n']


@pytest.mark.parametrize(
    ("later", "least_s", "most_s"), [("new", 0, 1), ("old", 3, 60)], ids=["renewed", "revoked"]
)
def test_a_machine_whose_token_was_renewed_is_not_away_for_longer_than_a_second(
    play, clock, waits, later, least_s, most_s
):
    server = play(REVOKED, GOOD)
    tokens = iter(["old", later, later])
    stream = Stream(address.parse(server.url), lambda: next(tokens), "i_1", clock)
    for step in stream.steps():
        if isinstance(step, Event) and step.data == "x":
            break
    stream.stop()
    assert least_s <= waits.first_s <= most_s


def test_a_token_file_that_is_gone_does_not_end_the_watcher(play, clock, waits):
    server = play(REVOKED, GOOD)
    contents = iter(["old", OSError("gone"), "new"])

    def read():
        found = next(contents)
        if isinstance(found, OSError):
            raise found
        return found

    stream = Stream(address.parse(server.url), read, "i_1", clock)
    assert any(isinstance(step, Event) and step.data == "x" for step in stream.steps())
    stream.stop()
    assert waits.first_s >= 3


def test_it_drops_a_position_that_the_bus_does_not_take(play, connect):
    server = play([answer(400, b'{"code":"invalid_request"}')], GOOD)
    stream = connect(server)
    stream.last_event_id = "nonsense"
    take(stream, 1)
    assert "Last-Event-ID: nonsense" in server.heads[0]
    assert "Last-Event-ID" not in server.heads[1]


@pytest.mark.parametrize("event_id", ["😀", "é", "x" * 201])
def test_a_position_that_fits_no_header_does_not_deafen_it(play, connect, caplog, event_id):
    frames = f"id: 1-1\ndata: a\n\nid: {event_id}\ndata: b\n\n".encode()
    server = play([HEAD, frames], [HEAD, b"data: c\n\n", STALL])
    assert [event.data for event in take(connect(server), 3)] == ["a", "b", "c"]
    assert "Last-Event-ID: 1-1\r\n" in server.heads[1]
    assert caplog.text.count("event_id_refused") == 1


def test_a_line_without_end_ends_the_connection_and_not_the_watcher(play, connect):
    server = play([HEAD, b"data: " + b"x" * (1 << 20) + b"\n\n"], GOOD)
    assert [event.data for event in take(connect(server), 1)] == ["x"]


@pytest.mark.parametrize("script", [[HEAD, b":\n", STALL], [STALL]])
def test_it_stops_at_once(play, connect, script):
    server = play(script)
    stream = connect(server, connect_s=600, read_s=600)
    reader = threading.Thread(target=lambda: list(stream.steps()))
    reader.start()
    server.wait_for_connections(1)
    stream.stop()
    reader.join(30)
    assert not reader.is_alive()


def test_it_stops_at_once_while_it_waits_to_connect(connect, clock, monkeypatch):
    class Nowhere:
        url = "http://127.0.0.1:9"

    stream = connect(Nowhere)
    waiting = threading.Event()

    def wait(event, _timeout_s):
        waiting.set()
        return event.wait(600)

    monkeypatch.setattr(clock, "wait", wait)
    reader = threading.Thread(target=lambda: list(stream.steps()))
    reader.start()
    assert waiting.wait(30)
    stream.stop()
    reader.join(30)
    assert not reader.is_alive()
