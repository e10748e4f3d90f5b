"""Every open stream gets its bytes from one greenlet, whatever another stream's reader does."""

from __future__ import annotations

import itertools
import subprocess
from types import SimpleNamespace

import gevent
import pytest
from gevent import socket, ssl
from gevent.event import Event
from keptlog import Kept

from bus.access.model import Principal
from bus.clock import SystemClock
from bus.errors import ForbiddenError, StorageFailedError
from bus.live import outlet as outlets
from bus.live import pump as pumps
from bus.live.hub import Hub
from bus.live.outlet import Outlet
from bus.live.pump import Pump
from bus.live.reader import Reader
from bus.live.tail import Tail
from bus.serving.drain import DRAIN, Drain
from bus.web.limits import Places

ADMIN = Principal("admin", "root", "k_1")
TOPICS = ("everything", DRAIN)
WITHIN_S = 60


class Household:
    """The parts of a bus that streams need, with a real log and real sockets."""

    def __init__(self, heartbeat_s=60.0):
        config = SimpleNamespace(heartbeat_s=heartbeat_s, max_streams_each=9, max_streams=9)
        store, hub, clock = Kept(), Hub(), SystemClock()
        self.run = SimpleNamespace(
            store=store,
            hub=hub,
            tail=Tail(store, hub),
            drain=Drain(hub),
            clock=clock,
            places=Places(config),
            pump=Pump(clock, config),
        )
        self.ended = Event()
        self.head = 0

    def open(self, *, framed=True, lifetime_s=600.0, sndbuf=0, cert=""):
        """Open a stream; gives its reader's side of the connection."""
        ours, theirs = socket.socketpair()
        if sndbuf:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        theirs.settimeout(WITHIN_S)
        if cert:
            ours, theirs = speak_tls(cert, ours, theirs)
        papers = SimpleNamespace(changed=lambda _conn, _principal: "")
        self.until_s = self.run.clock.monotonic_s() + lifetime_s
        reader = Reader(self.run, ADMIN, papers, self.head, "e", self.until_s)
        outlet = Outlet(reader, TOPICS, ours, framed=framed, instance="")
        self.run.places.occupy(ADMIN)
        self.run.hub.join(outlet)
        ours.close()  # as the server does with a connection that it has handed over
        outlet.go_on(lambda _connection: self.ended.set())
        return theirs

    def write(self, many):
        self.run.store.append(self.head + 1, self.head + many)
        self.head += many
        self.run.hub.look_again({"everything"})


def speak_tls(cert, ours, theirs):
    """Have both ends of a connection speak TLS."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, f"{cert}.key")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cert)
    asking = gevent.spawn(client.wrap_socket, theirs, server_hostname="bus")
    ours = server.wrap_socket(ours, server_side=True)
    return ours, asking.get()


@pytest.fixture
def cert(tmp_path):
    """Make a certificate that signed itself; its key is beside it."""
    file = str(tmp_path / "cert.pem")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    made += ["-subj", "/CN=bus", "-addext", "subjectAltName=DNS:bus"]
    subprocess.run([*made, "-out", file, "-keyout", f"{file}.key"], check=True, capture_output=True)
    return file


def read_chunk(file):
    """Read one chunk as HTTP frames it."""
    size = int(file.readline(), 16)
    data = file.read(size)
    assert file.readline() == b"\r\n"
    return data


def read_next(file):
    """Read the next that is no comment."""
    return next(said for said in iter(lambda: read_chunk(file), None) if said != b":\n")


def read_seqs(file, upto):
    """Read on until a row; gives the rows in the order in which they came."""
    seqs = []
    while not seqs or seqs[-1] < upto:
        lines = read_chunk(file).decode().splitlines()
        seqs += [int(line[6:]) for line in lines if line.startswith("id: e-")]
    return seqs


@pytest.mark.parametrize("tls", [False, True])
def test_who_does_not_read_holds_nobody_up_and_gets_every_row_in_order_when_it_does(cert, tls):
    house, cert = Household(), cert if tls else ""
    with house.open(sndbuf=4096, cert=cert) as slow, house.open(cert=cert) as quick:
        written = 0
        with quick.makefile("rb") as file:
            for many in (300, 1, 400, 1500, 3):
                house.write(many)
                expected = list(range(written + 1, house.head + 1))
                assert read_seqs(file, house.head) == expected
                written = house.head
        with slow.makefile("rb") as file:
            assert read_seqs(file, house.head) == list(range(1, house.head + 1))


def test_who_never_reads_is_cut_off_and_its_place_is_another_s(monkeypatch):
    monkeypatch.setattr(outlets, "WRITE_TIMEOUT_S", 0.05)
    house = Household()
    with house.open(sndbuf=4096):
        house.write(500)
        assert house.ended.wait(WITHIN_S)
        assert house.run.pump.join(WITHIN_S)
        assert house.run.places.taken == 0


def test_a_silent_stream_has_its_comments_and_its_bye_when_they_are_due():
    house = Household(heartbeat_s=0.05)
    with house.open(lifetime_s=0.4) as link, link.makefile("rb") as file:
        said = list(itertools.takewhile(len, iter(lambda: read_chunk(file), None)))
        assert said[0] == b":\n"
        assert set(said[:-1]) == {b":\n"}
        assert b'event: bye\ndata: {"to_agent":null,"reason":"lifetime"}' in said[-1]
        assert file.read() == b""


def test_a_life_that_ends_before_the_next_comment_is_not_longer_for_it():
    house = Household(heartbeat_s=3600.0)
    with house.open(lifetime_s=0.1) as link, link.makefile("rb") as file:
        assert b"lifetime" in read_chunk(file)


def test_who_has_no_chunks_gets_the_bare_events_and_the_end_of_the_connection():
    house = Household()
    with house.open(framed=False) as link:
        house.write(1)
        gevent.spawn(lambda: house.ended.wait(0.01) or house.run.drain.begin())
        with link.makefile("rb") as file:
            text = file.read().decode()
    assert text.startswith("id: e-1\nevent: message\ndata: {}\n\nid: e-1\nevent: bye\n")


def test_a_database_that_fails_keeps_the_streams_which_go_on_from_where_they_were(monkeypatch):
    monkeypatch.setattr(pumps, "SHORTEST_REST_S", 0.02)
    house = Household(heartbeat_s=0.05)
    with house.open(lifetime_s=0.5) as link, link.makefile("rb") as file:
        house.write(1)
        assert read_seqs(file, 1) == [1]
        tries = []

        def fail():
            tries.append(1)
            raise StorageFailedError

        with monkeypatch.context() as broken:
            broken.setattr(house.run.store, "read", fail)
            house.write(1)
            while len(tries) < 3:  # longer than its life: who comes back now is refused
                assert read_chunk(file) == b":\n"
            while house.run.clock.monotonic_s() < house.until_s:
                assert read_chunk(file) == b":\n"
        assert read_next(file).startswith(b"id: e-2\n")
        assert b"lifetime" in read_next(file)


def test_a_stop_ends_the_streams_while_the_database_fails(monkeypatch):
    house = Household()
    with house.open() as link, link.makefile("rb") as file:
        failing = Event()

        def fail():
            failing.set()
            raise StorageFailedError

        monkeypatch.setattr(house.run.store, "read", fail)
        house.write(1)
        assert failing.wait(WITHIN_S)
        house.run.drain.begin()
        assert b"shutdown" in read_chunk(file)


def test_a_refusal_ends_the_stream_that_meets_it_and_says_why(monkeypatch):
    house = Household()
    with house.open() as link, link.makefile("rb") as file:
        monkeypatch.setattr(house.run.store, "read", refuse)
        house.write(1)
        assert b'event: bus-error\ndata: {"to_agent":null,"code":"forbidden"' in read_chunk(file)
        assert file.read() == b"0\r\n\r\n"


def test_a_fault_in_one_stream_is_not_the_others_end(monkeypatch, caplog):
    house = Household()
    with house.open() as one, one.makefile("rb") as first:
        monkeypatch.setattr(house.run.tail, "look", lambda: 1 / 0)
        house.write(1)
        assert first.read() == b""
        monkeypatch.undo()
        with house.open() as two, two.makefile("rb") as second:
            house.write(1)
            assert read_seqs(second, 2) == [2]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("many", [1, 5])
def test_who_leaves_is_noticed_without_a_write(many):
    house = Household()
    for link in [house.open() for _ in range(many)]:
        link.close()
    assert house.run.pump.join(WITHIN_S)
    assert house.run.places.taken == 0


def refuse():
    raise ForbiddenError
