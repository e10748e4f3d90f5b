"""Each peer over HTTP, and RabbitMQ, gives what it took; what a kill takes is what its row says."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[2])]

from tests.bench.peers import (  # noqa: E402 - found only now
    durablestreams,
    mcpagentmail,
    nchan,
    polling,
    rabbitmq,
)
from tests.bench.peers.asked import reading, send  # noqa: E402 - likewise
from tests.bench.peers.peer import BATCH, BATCHES, EARLIEST, NOW, write_body  # noqa: E402 - likewise

import syncs  # noqa: E402 - likewise  # isort: skip

pytestmark = pytest.mark.timeout(400)

MESSAGES = 10


@dataclass(frozen=True)
class Word:
    """What the row of one way to run a peer says of its acknowledgement."""

    module: object
    variant: int
    syncs: bool
    keeps: bool

    def __str__(self):
        peer = self.module.PEER
        return f"{peer.name} {peer.variants[self.variant].name}".strip()


WORDS = [
    Word(polling, 0, syncs=False, keeps=True),
    Word(nchan, 0, syncs=False, keeps=False),
    Word(durablestreams, 0, syncs=True, keeps=True),
    Word(durablestreams, 1, syncs=False, keeps=False),
    Word(mcpagentmail, 0, syncs=False, keeps=True),
    Word(rabbitmq, 0, syncs=True, keeps=True),
    Word(rabbitmq, 1, syncs=True, keeps=True),
]


@pytest.fixture(params=WORDS, ids=str, scope="module")
def word(request):
    return request.param


@pytest.fixture(scope="module")
def server(word, tmp_path_factory):
    peer = word.module.PEER
    if peer.version() is None:
        pytest.skip(f"{peer.name} is not installed: {peer.install}")
    folder = tmp_path_factory.mktemp("peer")
    server = peer.make(folder, peer.variants[word.variant], ["read", "kept", "many"])
    server.start()
    yield server
    server.stop(signal.SIGKILL)


def bodies(first, count):
    return [write_body(first + at) for at in range(count)]


def marks(first, count):
    return {f"{first + at:08d}" for at in range(count)}


def put(server, mailbox, first, count):
    answer = send(server, [server.sends(0, mailbox, bodies(first, count))], each=count)
    assert answer["done"] == [count]


def test_a_list_is_as_many_messages_and_of_two_readers_each_has_all(server, word):
    put(server, "many", 0, 1)
    batch = server.batches(0, "many", bodies(1, BATCH))
    if batch is None:
        assert BATCHES in word.module.PEER.lacks
    with reading(server, [server.reads("many", at, NOW) for at in range(2)]) as readers:
        if batch is None:
            put(server, "many", 1, MESSAGES)
        else:
            send(server, [batch], each=1)
        wanted = marks(1, MESSAGES if batch is None else BATCH)
        came = readers.await_messages(2 * len(wanted), marks=True)["marks"]
    assert sorted(came) == sorted([*wanted, *wanted])


def test_a_peer_gives_what_it_took_and_loses_to_a_kill_what_its_row_says(server, word):
    with reading(server, [server.reads("read", 0, NOW)]) as readers:
        put(server, "read", 0, MESSAGES)
        assert set(readers.await_messages(MESSAGES, marks=True)["marks"]) == marks(0, MESSAGES)
    found = syncs.watch(server.pids(), lambda: put(server, "kept", 100, MESSAGES))
    if not isinstance(found, str):
        # One that does not sync for each may do so at times, as SQLite does at a checkpoint.
        assert (len(found) >= MESSAGES) == word.syncs
    server.stop(signal.SIGKILL)
    server.start()
    with reading(server, [server.reads("kept", 0, EARLIEST)]) as readers:
        # The first thing to come is what was kept, if anything was.
        put(server, "kept", 200, 1)
        wanted = marks(200, 1) | (marks(100, MESSAGES) if word.keeps else set())
        assert set(readers.await_messages(len(wanted), marks=True)["marks"]) == wanted
