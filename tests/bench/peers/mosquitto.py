"""Mosquitto, MQTT 3.1.1 at QoS 1: a topic of each mailbox, a lasting session of each reader."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.peers.peer import (
    BODY_BYTES,
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

PUBACK = rb"\x40\x02.."
CONNACK = rb"\x20\x02.\x00"
SUBACK = rb"\x90\x03..\x01"


@dataclass
class Mosquitto(Server):
    has_mailboxes: bool = False

    def start(self) -> None:
        self.launch(["/usr/sbin/mosquitto", "-c", "mosquitto.conf"])
        self.await_listening()
        if self.has_mailboxes:
            return
        self.has_mailboxes = True
        for mailbox in self.mailboxes:  # without a lasting session nothing is kept of it
            steps = self.reads(mailbox, 0, NOW).steps
            with socket.create_connection(self.address, 10) as sock:
                for step in steps:
                    sock.sendall(step.send)
                    got = b""
                    while not re.match(step.answer, got, re.DOTALL):
                        more = sock.recv(65536)
                        assert more, got
                        got += more

    def sends(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        steps = [Step(write_connect(f"sends-{mailbox}-{sender}", lasting=False), CONNACK)]
        return Sends([write_publish(mailbox, 1, body) for body in bodies], PUBACK, steps=steps)

    def batches(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        steps = [Step(write_connect(f"sends-{mailbox}-{sender}", lasting=False), CONNACK)]
        parts = [write_publish(mailbox, number, body) for number, body in enumerate(bodies, 1)]
        return Sends([b"".join(parts)], PUBACK, len(parts), steps)

    def reads(self, mailbox: str, reader: int, since: str) -> Reads:
        topic = mailbox.encode()
        steps = [Step(write_connect(f"{mailbox}-{reader}", lasting=True), CONNACK)]
        if since == NOW:
            asked = b"\x00\x01" + len(topic).to_bytes(2, "big") + topic + b"\x01"
            steps.append(Step(write_packet(0x82, asked), SUBACK))
        given = b"[\x32\x3a].." + re.escape(len(topic).to_bytes(2, "big") + topic)
        whole = given + rb"(?P<number>..).{%d}" % BODY_BYTES
        return Reads(steps, answer=whole, reply=b"\x40\x02\\g<number>")


def write_connect(name: str, *, lasting: bool) -> bytes:
    head = b"\x00\x04MQTT\x04" + (b"\x00" if lasting else b"\x02") + b"\x00\x00"
    return write_packet(0x10, head + len(name).to_bytes(2, "big") + name.encode())


def write_publish(topic: str, number: int, body: bytes) -> bytes:
    where = len(topic).to_bytes(2, "big") + topic.encode()
    return write_packet(0x32, where + number.to_bytes(2, "big") + body)


def write_packet(kind: int, rest: bytes) -> bytes:
    length, left = b"", len(rest)
    while True:
        left, digit = left >> 7, left & 0x7F
        length += bytes([digit | (0x80 if left else 0)])
        if not left:
            return bytes([kind]) + length + rest


class MosquittoQos1:
    name = "Mosquitto QoS 1"
    install = "apt install mosquitto"
    speaks = "MQTT"
    variants = (
        Variant(
            "as it comes",
            "when it is in memory; all of it is written every 30 minutes",
            {"autosave_interval": "1800"},
        ),
        Variant(
            "saved on changes",
            "when it is in memory; all of it is written after every second change",
            {"autosave_on_changes": "true", "autosave_interval": "1"},
        ),
    )
    lacks: Mapping[str, str] = {}

    def version(self) -> str | None:
        found = program_version("mosquitto", "-h")
        return re.search(r"version (\S+)", found)[1] if found else None  # type: ignore[index]

    def make(self, folder: Path, variant: Variant, mailboxes: Sequence[str]) -> Mosquitto:
        server = Mosquitto(folder, variant, mailboxes, ("127.0.0.1", free_port()))
        lines = {
            "listener": f"{server.address[1]} 127.0.0.1",
            "allow_anonymous": "true",
            "user": "root",
            "persistence": "true",
            "persistence_location": f"{folder}/",
            "max_queued_messages": "0",
            **variant.settings,
        }
        text = "".join(f"{name} {value}\n" for name, value in lines.items())
        (folder / "mosquitto.conf").write_text(text)
        return server


PEER = MosquittoQos1()
