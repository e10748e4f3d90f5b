"""The WebSocket client keeps to RFC 6455, and holds the other side to it."""

from __future__ import annotations

import queue
import ssl
import subprocess
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websocketserver import WebSocketServer, good_answer, server_frame

from watcher import websocket
from watcher.frames import BrokenFrameError, apply_mask, build_frame, cut_frame

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@pytest.fixture
def connect():
    """Connect to a server that does what `serve(peer)` does after the handshake."""
    servers, clients = [], []

    def make(serve, answer=good_answer, **options):
        def play(peer):
            peer.shake_hands(answer)
            serve(peer)

        servers.append(WebSocketServer(play))
        clients.append(websocket.connect(servers[-1].url, timeout_s=5, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
    for server in servers:
        server.close()


def hold(peer):
    while True:
        peer.read_frame()


def send(*frames):
    def serve(peer):
        for frame in frames:
            peer.send(frame)
        hold(peer)

    return serve


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 300_000])
def test_a_text_of_any_length_comes_back_as_it_went(connect, size):
    client = connect(lambda peer: peer.send_text(peer.read_text()))
    text = "é" * (size // 2) + "x" * (size % 2)
    client.send_text(text)
    assert client.receive_text(5) == text


def test_a_message_in_pieces_with_a_ping_between_is_one_message(connect):
    pongs = []

    def serve(peer):
        peer.send(server_frame(TEXT, b"one ", is_final=False))
        peer.send(server_frame(PING, b"still there?"))
        pongs.append(peer.read_frame())
        peer.send(server_frame(0, b"two ", is_final=False))
        peer.send(server_frame(0, b"three"))
        hold(peer)

    assert connect(serve).receive_text(5) == "one two three"
    assert pongs == [(PONG, b"still there?")]


def test_a_message_may_come_one_byte_at_a_time(connect):
    def serve(peer):
        for byte in server_frame(TEXT, b"slowly"):
            peer.send(bytes([byte]))
        hold(peer)

    assert connect(serve).receive_text(5) == "slowly"


def test_a_timeout_in_mid_frame_loses_nothing(connect):
    go_on = threading.Event()

    def serve(peer):
        peer.send(server_frame(TEXT, b"whole")[:4])
        go_on.wait(30)
        peer.send(server_frame(TEXT, b"whole")[4:])
        hold(peer)

    client = connect(serve)
    with pytest.raises(TimeoutError):
        client.receive_text(0.05)
    go_on.set()
    assert client.receive_text(5) == "whole"


def test_a_close_is_answered_and_its_reason_told(connect):
    answers = queue.Queue()

    def serve(peer):
        peer.send(server_frame(CLOSE, (1008).to_bytes(2, "big") + b"go away"))
        answers.put(peer.read_frame()[0])

    client = connect(serve)
    with pytest.raises(websocket.ClosedError) as raised:
        client.receive_text(5)
    assert (raised.value.code, raised.value.reason) == (1008, "go away")
    assert answers.get(timeout=30) == CLOSE
    with pytest.raises(websocket.WebSocketError, match="over"):
        client.send_text("too late")


def test_an_end_without_goodbye_is_an_error(connect):
    with pytest.raises(websocket.ClosedError):
        connect(lambda peer: peer.cut()).receive_text(5)


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (server_frame(TEXT, b"x", is_masked=True), "must not mask"),
        (server_frame(TEXT, b"x", bits=0x40), "reserved bits"),
        (server_frame(3, b"x"), "unknown kind"),
        (server_frame(PING, b"x" * 126), "control frame"),
        (server_frame(PING, is_final=False), "control frame"),
        (server_frame(0, b"x"), "out of its place"),
        (server_frame(BINARY, b"x"), "binary"),
        (server_frame(TEXT, b"\xff"), "UTF-8"),
        (server_frame(TEXT, b"x" * 2000), "over the limit"),
        (server_frame(TEXT, b"x" * 900, is_final=False) + server_frame(0, b"x" * 200), "limit"),
        (server_frame(TEXT, b"x", is_final=False) + server_frame(TEXT, b"x"), "out of its place"),
    ],
)
def test_a_server_that_breaks_the_protocol_is_left(connect, frame, complaint):
    client = connect(send(frame), max_message_bytes=1000)
    with pytest.raises(BrokenFrameError, match=complaint):
        client.receive_text(5)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda _: "HTTP/1.1 503 Starting\r\n\r\n", "no WebSocket there"),
        (lambda _: "nonsense\r\n\r\n", "no WebSocket there"),
        (lambda head: good_answer(head).replace("Accept: ", "Accept: x"), "does not fit its key"),
        (lambda head: good_answer(head).replace("Upgrade: websocket", "Upgrade: h2c"), "upgrade"),
        (lambda head: good_answer(head).replace("Connection: Upgrade", "Connection: x"), "upgrade"),
        (
            lambda head: good_answer(head).replace(
                "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
            ),
            "extension",
        ),
        (lambda _: "HTTP/1.1 101 x\r\n" + "a: b\r\n" * 20_000, "too long"),
    ],
)
def test_a_handshake_that_does_not_fit_is_refused(connect, answer, complaint):
    with pytest.raises(websocket.HandshakeError, match=complaint):
        connect(hold, answer)


def test_the_handshake_has_a_limit_in_time():
    server = WebSocketServer(lambda peer: peer.connection.recv(1) and peer.connection.recv(10**6))
    silent = threading.Event()
    server.serve = lambda _peer: silent.wait(10)
    with pytest.raises(TimeoutError):
        websocket.connect(server.url, timeout_s=0.1)
    silent.set()
    server.close()


def test_frames_of_several_threads_do_not_mix(connect):
    seen = []
    done = threading.Event()

    def serve(peer):
        seen.extend(peer.read_text() for _ in range(40))
        done.set()
        hold(peer)

    client = connect(serve)
    texts = [str(number) * 50_000 for number in range(8)]
    threads = [
        threading.Thread(target=lambda text=text: [client.send_text(text) for _ in range(5)])
        for text in texts
    ]
    for thread in threads:
        thread.start()
    assert done.wait(20)
    assert sorted(seen) == sorted(texts * 5)
    for thread in threads:
        thread.join()


def test_shutting_it_wakes_the_reader(connect):
    client = connect(hold)
    raised = []

    def read():
        try:
            client.receive_text(30)
        except OSError as error:
            raised.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    client.shut()
    reader.join(30)
    assert raised


def test_it_speaks_tls_in_both_directions_at_once_and_checks_the_name(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", key, "-out", certificate, "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = WebSocketServer(echo)
    server.wrap = lambda connection: context.wrap_socket(connection, server_side=True)
    secure = f"wss://localhost:{server.port}"
    client = websocket.connect(secure, timeout_s=5, ca_file=certificate)
    texts = [str(number) * 100_000 for number in range(10)]
    sender = threading.Thread(target=lambda: [client.send_text(text) for text in texts])
    sender.start()
    assert [client.receive_text(5) for _ in texts] == texts
    sender.join()
    client.close()
    with pytest.raises(ssl.SSLCertVerificationError):
        websocket.connect(secure.replace("localhost", "127.0.0.1"), timeout_s=5)
    server.close()


def echo(peer):
    peer.shake_hands()
    while True:
        peer.send_text(peer.read_text())


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_a_mask_taken_twice_is_no_mask(payload, mask):
    assert apply_mask(apply_mask(payload, mask), mask) == payload
    assert apply_mask(payload, mask) == bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(1, 7))
def test_where_the_bytes_are_split_makes_no_difference(payloads, step):
    data = b"".join(server_frame(TEXT, payload) for payload in payloads)
    buffer, found = bytearray(), []
    for start in range(0, len(data), step):
        buffer += data[start : start + step]
        while (frame := cut_frame(buffer, 1000)) is not None:
            found.append(frame.payload)
    assert found == payloads
    assert not buffer


def test_a_clients_frame_is_masked_and_final():
    frame = build_frame(TEXT, b"hello", b"\x01\x02\x03\x04")
    assert frame[:2] == bytes([0x81, 0x85])
    assert apply_mask(frame[6:], frame[2:6]) == b"hello"
