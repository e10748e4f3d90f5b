"""An answer goes out whole, and one that failed half-way does not go out at all."""

from __future__ import annotations

import select
import socket

import pytest

from bus.serving.gathering import MOST_BYTES, Gathering

LONG = b"x" * (MOST_BYTES + 1)


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    with ours, theirs:
        yield ours, theirs


def waits(end):
    """Say whether anything is there to be read."""
    return bool(select.select([end], [], [], 0)[0])


def test_a_head_and_its_body_come_in_one_piece(ends):
    ours, theirs = ends
    with Gathering(ours) as answer:
        answer.sendall(b"head ")
        assert not waits(theirs)
        answer.sendall(b"body")
    assert theirs.recv(100) == b"head body"


def test_it_keeps_no_long_body_back(ends):
    ours, theirs = ends
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MOST_BYTES)
    with Gathering(ours) as answer:
        answer.sendall(b"head ")
        answer.sendall(LONG)
        assert waits(theirs)
    got = b""
    while len(got) < len(LONG) + 5:
        got += theirs.recv(MOST_BYTES)
    assert got == b"head " + LONG


def test_half_an_answer_is_not_sent_where_its_connection_is_ended(ends):
    ours, theirs = ends
    with Gathering(ours) as answer:
        answer.sendall(b"HTTP/1.1 200 OK")
        answer.shutdown(socket.SHUT_RDWR)
        answer.close()
    assert theirs.recv(100) == b""


def test_it_is_the_connection_in_everything_else(ends):
    ours, _ = ends
    assert Gathering(ours).fileno() == ours.fileno()
