"""The article's bus, as the rig runs it: Flask under one gevent worker, a file, a look a second."""

from __future__ import annotations

import importlib.metadata
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.peers.peer import (
    BATCHES,
    HTTP_ANSWER,
    NOW,
    Reads,
    Sends,
    Server,
    Step,
    Variant,
    free_port,
    write_http,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BENCH = Path(__file__).parents[1]
CONNECTIONS = 4000
"""Gunicorn's own 1,000 would be full of 1,000 readers, with no place for a sender."""


class PollingServer(Server):
    def start(self) -> None:
        inbox = self.folder / "inbox"
        inbox.touch()
        argv = [sys.executable, "-m", "gunicorn", "-k", "gevent", "-w", "1"]
        argv += ["--worker-connections", str(CONNECTIONS), "--chdir", str(BENCH)]
        argv += ["-b", f"127.0.0.1:{self.address[1]}", "--log-level", "warning", "pollingbus:app"]
        self.launch(argv, POLLINGBUS_INBOX=str(inbox))
        self.await_listening()

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        # Its streams never end by themselves: a polite stop would take gunicorn's 30 s.
        super().stop(signal.SIGKILL)

    def sends(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        return Sends([write_send(sender, mailbox, body) for body in bodies], HTTP_ANSWER)

    def batches(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> None:
        """It takes one message a request."""

    def reads(self, mailbox: str, reader: int, since: str) -> Reads:
        if since == NOW:
            # There is no such thing: all hear all that ever came. So it has a fresh start.
            (self.folder / "inbox").write_bytes(b"")
        # Its first byte is its first message: a reader has begun with the request, and drops
        # what is for others, as the article's watcher does.
        mine = b'"to_agent": "%s", [^\n]{1,80}"body": "#(\\d{8})#' % mailbox.encode()
        return Reads([Step(write_http("GET", "/api/stream"), b"")], mine)


def write_send(sender: int, mailbox: str, body: bytes) -> bytes:
    message = {"to": mailbox, "from": f"sender{sender}", "body": body.decode()}
    return write_http("POST", "/api/send", json.dumps(message).encode())


class PollingBus:
    name = "the article's polling bus"
    install = "pip install flask gunicorn gevent (its code is tests/bench/pollingbus.py)"
    speaks = "HTTP"
    variants = (Variant("", "when it is written to a file; never synced"),)
    lacks: Mapping[str, str] = {BATCHES: "one message a request"}

    def version(self) -> str:
        flask, gunicorn = (importlib.metadata.version(name) for name in ("flask", "gunicorn"))
        return f"Flask {flask}, gunicorn {gunicorn}"

    def make(self, folder: Path, variant: Variant, mailboxes: Sequence[str]) -> Server:
        return PollingServer(folder, variant, mailboxes, ("127.0.0.1", free_port()))


PEER = PollingBus()
