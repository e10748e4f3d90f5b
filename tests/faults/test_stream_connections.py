"""A stream's connection, whatever is spoken on it, is good to the last byte and then another's."""

from __future__ import annotations

import socket
import ssl
import subprocess
from contextlib import closing

import pytest


@pytest.fixture
def cert(tmp_path):
    """Make a certificate that signed itself; its key is beside it."""
    file = str(tmp_path / "cert.pem")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    made += ["-subj", "/CN=bus", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, "-out", file, "-keyout", f"{file}.key"], check=True, capture_output=True)
    return file


def connect(bus, cert=""):
    host, _, port = bus.url.rpartition("/")[2].rpartition(":")
    plain = socket.create_connection((host, int(port)), timeout=30)
    if not cert:
        return plain
    return ssl.create_default_context(cafile=cert).wrap_socket(plain, server_hostname=host)


def ask(link, token, call="GET /api/stream HTTP/1.1", body=b""):
    head = f"{call}\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
    head += f"Content-Length: {len(body)}\r\n" if body else ""
    link.sendall(f"{head}\r\n".encode() + body)


def read_until(link, word):
    text = b""
    while word not in text:
        more = link.recv(65536)
        assert more, text
        text += more
    return text


def read_rest(link):
    text = b""
    while more := link.recv(65536):
        text += more
    return text


def test_a_stream_goes_through_tls_from_the_first_byte_to_the_bye(bus, restart, add, cert):
    ann, bus.ca_file = add("ann"), str(cert)
    restart(BUS_TLS_CERT=cert, BUS_TLS_KEY=f"{cert}.key", BUS_HEARTBEAT_S="1")
    with closing(connect(bus, cert)) as link, closing(connect(bus, cert)) as other:
        ask(link, bus.admin)
        read_until(link, b"event: ready")
        read_until(link, b"2\r\n:\n\r\n")
        for _ in range(3):
            ask(other, ann, "POST /api/send HTTP/1.1", b'{"to":"ann","body":"x"}')
            read_until(other, b" 202 ")
            assert b'"to_agent":"ann"' in read_until(link, b"event: message")
        assert bus.stop() == 0
        assert b'"reason":"shutdown"' in read_rest(link)


def test_a_reader_of_http_1_0_gets_bare_events_and_then_the_end(bus):
    with closing(connect(bus)) as link:
        ask(link, bus.admin, "GET /api/stream HTTP/1.0")
        read_until(link, b"event: ready")
        assert bus.stop() == 0
        assert read_rest(link).decode().partition("\nevent: bye\n")[0].startswith("id: ")


def test_streams_that_have_ended_leave_their_connections_to_others(bus, restart):
    restart(BUS_MAX_CONNECTIONS="6", BUS_MAX_STREAMS="5", BUS_STREAM_S="10")
    for _ in range(4):
        links = [connect(bus) for _ in range(4)]
        for link in links:
            ask(link, bus.admin)
            read_until(link, b"event: ready")
        for link in links:
            link.close()
        while "wakebus_streams 0.0" not in bus.metrics():
            pass


def test_a_refused_stream_is_an_answer_like_any_and_the_connection_goes_on(bus):
    with closing(connect(bus)) as link:
        ask(link, "no-token")
        assert b"unauthorized" in read_until(link, b"}")
        ask(link, bus.admin, "GET /api/stream?last_event_id=x HTTP/1.1")
        assert read_until(link, b"}").startswith(b"HTTP/1.1 400 ")
        ask(link, bus.admin)
        read_until(link, b"event: ready")
