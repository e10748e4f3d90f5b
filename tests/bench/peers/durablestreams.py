"""The reference server of Durable Streams, the one of its two that comes from npm.

Its authors name another for production, a plugin of Caddy, which is given out as a binary only and
is in no registry; so what is measured is the reference.
"""

from __future__ import annotations

import http.client
import json
from pathlib import Path
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
    write_http,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PACKAGE = INSTALLED / "node_modules" / "@durable-streams" / "server"
ACCEPTED = rb"HTTP/1\.1 204 .*?\r\n\r\n"
FILES = "files"


class StreamsServer(Server):
    def start(self) -> None:
        argv = ["node", str(Path(__file__).with_suffix(".mjs")), str(PACKAGE / "dist/index.js")]
        argv.append(str(self.address[1]))
        if self.variant.name == FILES:
            (self.folder / "data").mkdir(exist_ok=True)
            argv.append(str(self.folder / "data"))
        self.launch(argv)
        self.await_listening()
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        for mailbox in self.mailboxes:
            # That it is there already, after a kill, is no error.
            connection.request("PUT", f"/{mailbox}", headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status in {200, 201}, answer.read()
            answer.read()
        connection.close()

    def sends(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        messages = [write_message(sender, body) for body in bodies]
        requests = [write_http("POST", f"/{mailbox}", message) for message in messages]
        return Sends(requests, ACCEPTED)

    def batches(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        # Of a list, each element is a message of its own to who reads.
        whole = b"[" + b",".join(write_message(sender, body) for body in bodies) + b"]"
        return Sends([write_http("POST", f"/{mailbox}", whole)], ACCEPTED)

    def reads(self, mailbox: str, reader: int, since: str) -> Reads:
        offset = "now" if since == NOW else "-1"
        request = write_http("GET", f"/{mailbox}?offset={offset}&live=sse")
        begun = rb"HTTP/1\.1 200 .*?\r\n\r\n"
        return Reads([Step(request, begun + rb".*?event: control\n" if since == NOW else begun)])


def write_message(sender: int, body: bytes) -> bytes:
    return json.dumps({"from": f"sender{sender}", "body": body.decode()}).encode()


class DurableStreams:
    name = "Durable Streams"
    install = "npm install @durable-streams/server"
    speaks = "HTTP"
    variants = (
        Variant(FILES, "after fdatasync of the stream's file and a synced commit of LMDB"),
        Variant("memory", "when it is in the process's memory; on no disk"),
    )
    lacks: Mapping[str, str] = {}

    def version(self) -> str | None:
        about = PACKAGE / "package.json"
        if not about.exists():
            return None
        return f"{json.loads(about.read_text())['version']}, node {program_version('node', '-v')}"

    def make(self, folder: Path, variant: Variant, mailboxes: Sequence[str]) -> Server:
        return StreamsServer(folder, variant, mailboxes, ("127.0.0.1", free_port()))


PEER = DurableStreams()
