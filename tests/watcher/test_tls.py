"""TLS: the household's own authority is trusted where it is named, and nothing else is."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from watcher import address
from watcher.bus import Bus, BusError
from watcher.events import Event
from watcher.stream import Stream, Timing

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the keys")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Make a key and a certificate for 127.0.0.1 that is its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bus"
    names = "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    argv = ["openssl", *words.split(), *names.split()]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def where(bus, certificate):
    """Put the fake bus behind TLS; gives its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    bus.server.socket = context.wrap_socket(bus.server.socket, server_side=True)
    return address.parse(bus.url.replace("http:", "https:"), certificate / "cert.pem")


def test_calls_go_through_tls(bus, where):
    bus.answers["/api/x"] = lambda _: {"n": 1}
    with Bus(where, lambda: "t") as client:
        assert [client.get("/api/x") for _ in range(3)] == [{"n": 1}] * 3


def test_an_authority_that_is_not_named_is_not_trusted(where):
    strange = address.Address(where.scheme, where.host, where.port)
    with Bus(strange, lambda: "t") as client, pytest.raises(BusError, match="certificate"):
        client.get("/api/x")


def test_an_authority_file_that_is_not_there_is_said(where):
    broken = address.Address(where.scheme, where.host, where.port, ca_file=Path("/no/such.pem"))
    with (
        Bus(broken, lambda: "t") as client,
        pytest.raises(BusError, match=r"/no/such\.pem.*No such file"),
    ):
        client.get("/api/x")


def test_plain_http_to_a_bus_behind_tls_says_what_to_write(bus, where):
    match = "write https:// in its address"
    where = address.parse(bus.url)
    with Bus(where, lambda: "t") as client, pytest.raises(BusError, match=match):
        client.get("/api/x")


def test_https_to_a_plain_bus_says_what_to_write(bus, certificate):
    where = address.parse(bus.url.replace("http:", "https:"), certificate / "cert.pem")
    match = "write http:// in its address"
    with Bus(where, lambda: "t") as client, pytest.raises(BusError, match=match):
        client.get("/api/x")


def test_a_stream_goes_through_tls_and_stops_at_once(bus, where, clock):
    stream = Stream(where, lambda: "t", "i_1", clock, Timing(read_s=600))
    events = []
    seen = threading.Event()

    def read():
        for step in stream.steps():
            if isinstance(step, Event) and step.type == "wake":
                events.append(step)
                seen.set()

    reader = threading.Thread(target=read)
    reader.start()
    bus.push_wake("w_1", event_id="1-7")
    assert seen.wait(30)
    stream.stop()
    reader.join(30)
    assert not reader.is_alive()
    assert events[0].last_event_id == "1-7"
