"""Who calls a wrong address hears which one was tried, and by what another is named."""

from __future__ import annotations

import socket
import subprocess
import threading

import pytest
from commandline import BUS

HOW = "BUS_URL or --url"


@pytest.fixture(scope="module")
def bus(shared_bus):
    return shared_bus


@pytest.fixture
def nobody():
    """A port at which nobody listens while the test has it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def stranger():
    """Something that speaks HTTP and is no bus."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(20)


@pytest.mark.parametrize("words", [("inbox",), ("node", "list"), ("trace", "m_1")])
def test_each_command_names_the_address_that_it_tried(as_admin, nobody, words):
    got = as_admin(*words, "--url", nobody)
    assert got.code == 3
    assert nobody in got.err
    assert HOW in got.err


def test_whoever_follows_hears_it_at_the_first_try_and_not_at_each(as_admin, nobody):
    command = [BUS, "tail", "--url", nobody]
    with subprocess.Popen(
        command, env=as_admin.environment, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = [process.stderr.readline() for _ in range(3)]
        process.kill()
    assert [nobody in line for line in lines] == [True, False, True]
    assert HOW in lines[1]


def test_what_is_no_bus_is_named_by_its_address(as_admin, stranger):
    got = as_admin("agent", "list", BUS_URL=stranger)
    assert got.code == 3
    assert "Something else answers there" in got.err
    assert f"{stranger}/api/agents answered 404" in got.err
    assert HOW in got.err


@pytest.mark.parametrize("url", ["127.0.0.1:8091", "http://", "http://127.0.0.1:port", "ftp://a"])
def test_what_is_no_address_is_not_called(as_admin, url):
    got = as_admin("agent", "list", BUS_URL=url)
    assert got.code == 4
    assert f"{url!r} is not an address such as http://" in got.err
    assert HOW in got.err
