"""RabbitMQ over AMQP 0-9-1: a durable exchange for each mailbox, a durable queue for each reader.

Messages are persistent and publishers wait for confirms. Its own way to give one message to many
is a queue for each of them behind one exchange, so that a fan-out to 1,000 keeps it 1,000 times.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.peers import wire
from tests.bench.peers.peer import BODY_BYTES, NOW, Reads, Sends, Server, Step, Variant, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INSTALLED_AT = Path("/usr/lib/rabbitmq/lib")
PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"
STARTING_S = 120
EXPIRES_MS = 5000
ARGUMENTS = "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"

METHOD, HEADER, BODY = 1, 2, 3
END = b"\xce"
START_OK, TUNE, TUNE_OK = (10, 11), (10, 30), (10, 31)
CONNECTION_OPEN, CONNECTION_OPEN_OK = (10, 40), (10, 41)
CHANNEL_OPEN, CHANNEL_OPEN_OK = (20, 10), (20, 11)
EXCHANGE_DECLARE, EXCHANGE_DECLARE_OK = (40, 10), (40, 11)
QUEUE_DECLARE, QUEUE_DECLARE_OK, QUEUE_BIND, QUEUE_BIND_OK = (50, 10), (50, 11), (50, 20), (50, 21)
QUEUE_PURGE, QUEUE_PURGE_OK = (50, 30), (50, 31)
CONSUME, CONSUME_OK, PUBLISH, DELIVER, ACK = (60, 20), (60, 21), (60, 40), (60, 60), (60, 80)
CONFIRM_SELECT, CONFIRM_SELECT_OK = (85, 10), (85, 11)
DURABLE, PERSISTENT = b"\x02", b"\x02"
RESERVED = b"\0\0"
CHANNELS, FRAME_BYTES = 2047, 131_072
"""The most that the server allows, which is what it offers."""


class RabbitServer(Server):
    def start(self) -> None:
        port = self.address[1]
        configuration, plugins = self.folder / "rabbitmq.conf", self.folder / "plugins"
        configuration.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
        plugins.write_text("[].\n")
        environment = {
            "RABBITMQ_NODENAME": f"peer{port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ARGUMENTS,
            # So the script becomes the server instead of waiting for it.
            "RUNNING_UNDER_SYSTEMD": "true",
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        # Erlang's directory of nodes is ours, since one that it starts is a daemon nobody ends.
        self.launch(["sh", "-c", f"epmd & exec {PROGRAM}"], **environment)
        self.await_listening(STARTING_S)
        steps = [*OPENING]
        for mailbox in self.mailboxes:
            exchange = RESERVED + short(mailbox) + short("fanout") + DURABLE + table({})
            steps.append(Step(method(EXCHANGE_DECLARE, exchange), answer(EXCHANGE_DECLARE_OK, 0)))
            steps += self.queue(mailbox, 0)
        said = [[step.send.decode("latin-1"), step.answer.decode("latin-1")] for step in steps]
        wire.connect(list(self.address), said)[0].close()

    def queue(self, mailbox: str, reader: int) -> list[Step]:
        """Make a reader's queue if it is not there; all but the first go when nobody reads them."""
        name = short(f"{mailbox}.{reader}")
        kind = table(
            {"x-queue-type": self.variant.settings["kind"]}
            | ({"x-expires": EXPIRES_MS} if reader else {})
        )
        bind = RESERVED + name + short(mailbox) + short("") + b"\0" + table({})
        return [
            Step(
                method(QUEUE_DECLARE, RESERVED + name + DURABLE + kind),
                answer(QUEUE_DECLARE_OK, len(name) + 4 + 4),
            ),
            Step(method(QUEUE_BIND, bind), answer(QUEUE_BIND_OK, 0)),
        ]

    def sends(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        confirming = Step(method(CONFIRM_SELECT, b"\0"), answer(CONFIRM_SELECT_OK, 0))
        requests = [publish(mailbox, body) for body in bodies]
        return Sends(requests, CONFIRMED, steps=[*OPENING, confirming])

    def batches(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        alone = self.sends(sender, mailbox, bodies)
        return Sends([b"".join(alone.requests)], CONFIRMED, len(bodies), alone.steps)

    def reads(self, mailbox: str, reader: int, since: str) -> Reads:
        name = short(f"{mailbox}.{reader}")
        steps = [*OPENING, *self.queue(mailbox, reader)]
        if since == NOW:
            purge = method(QUEUE_PURGE, RESERVED + name + b"\0")
            steps.append(Step(purge, answer(QUEUE_PURGE_OK, 4)))
        consume = RESERVED + name + CONSUMER + b"\0" + table({})
        steps.append(Step(method(CONSUME, consume), answer(CONSUME_OK, len(CONSUMER))))
        # Each message is acknowledged, as by all who do not want to lose it.
        acknowledge = frame(METHOD, struct.pack(">HH", *ACK) + b"\\g<tag>\0", 4 + 8 + 1)
        return Reads(steps, answer=DELIVERED, reply=acknowledge)


def short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def table(entries: Mapping[str, str | int]) -> bytes:
    whole = b"".join(
        short(name)
        + (
            b"I" + struct.pack(">i", value)
            if isinstance(value, int)
            else b"S" + struct.pack(">I", len(value)) + value.encode()
        )
        for name, value in entries.items()
    )
    return struct.pack(">I", len(whole)) + whole


def frame(kind: int, payload: bytes, length: int | None = None) -> bytes:
    """Frame it for channel 1; the length of what is a template is not that of its text."""
    return struct.pack(">BHI", kind, 1, length or len(payload)) + payload + END


def method(number: tuple[int, int], arguments: bytes, *, channel: int = 1) -> bytes:
    payload = struct.pack(">HH", *number) + arguments
    return struct.pack(">BHI", METHOD, channel, len(payload)) + payload + END


def answer(number: tuple[int, int], length: int, channel: int = 1) -> bytes:
    """Say what a method from the server looks like, of which only kind and length matter."""
    payload = struct.pack(">HH", *number)
    begins = struct.pack(">BHI", METHOD, channel, len(payload) + length) + payload
    return escape(begins) + b".{%d}" % length + escape(END)


def escape(raw: bytes) -> bytes:
    """Write bytes as an expression that means them, each by its number."""
    return b"".join(b"\\x%02x" % byte for byte in raw)


def publish(exchange: str, body: bytes) -> bytes:
    said = method(PUBLISH, RESERVED + short(exchange) + short("") + b"\0")
    properties = struct.pack(">HHQH", 60, 0, len(body), 1 << 12) + PERSISTENT
    return said + frame(HEADER, properties) + frame(BODY, body)


def open_connection() -> list[Step]:
    account = short("PLAIN") + struct.pack(">I", 12) + b"\0guest\0guest" + short("en_US")
    # No heartbeats: nobody here is silent for long without being looked at.
    tuned = method(TUNE_OK, struct.pack(">HIH", CHANNELS, FRAME_BYTES, 0), channel=0)
    opened = method(CONNECTION_OPEN, short("/") + b"\0\0", channel=0)
    return [
        # The server says much of itself, at last the one language that it has.
        Step(b"AMQP\0\0\x09\x01", rb".*?en_US" + escape(END)),
        Step(method(START_OK, table({}) + account, channel=0), answer(TUNE, 2 + 4 + 2, 0)),
        Step(tuned + opened, answer(CONNECTION_OPEN_OK, 1, 0)),
        Step(method(CHANNEL_OPEN, b"\0"), answer(CHANNEL_OPEN_OK, 4)),
    ]


CONSUMER = short("reader")
OPENING = open_connection()
CONFIRMED = answer(ACK, 8 + 1).replace(b".{9}", b"(?P<upto>.{8}).")

DELIVERED = b"".join(
    [
        escape(struct.pack(">BH", METHOD, 1)) + b".{4}" + escape(struct.pack(">HH", *DELIVER)),
        escape(CONSUMER) + rb"(?P<tag>.{8}).*?",
        escape(struct.pack(">BHI", BODY, 1, BODY_BYTES)) + b".{%d}" % BODY_BYTES + escape(END),
    ]
)


class RabbitMQ:
    name = "RabbitMQ"
    install = "apt install rabbitmq-server"
    speaks = "AMQP 0-9-1"
    variants = (
        Variant(
            "classic queue",
            "after fsync of the queue's files",
            {"kind": "classic"},
        ),
        Variant(
            "quorum queue",
            "after fsync of the Raft log, here of one node",
            {"kind": "quorum"},
        ),
    )
    lacks: Mapping[str, str] = {}

    def version(self) -> str | None:
        found = sorted(INSTALLED_AT.glob("rabbitmq_server-*"))
        return found[-1].name.partition("-")[2] if found and Path(PROGRAM).exists() else None

    def make(self, folder: Path, variant: Variant, mailboxes: Sequence[str]) -> Server:
        return RabbitServer(folder, variant, mailboxes, ("127.0.0.1", free_port()))


PEER = RabbitMQ()
