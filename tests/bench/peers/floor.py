"""Not a peer: a loop that answers at once, so that what the clients themselves cost is seen."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.peers.peer import NOW, Reads, Sends, Server, Step, Variant, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ANSWER = rb"A\n"


class Nothing(Server):
    def start(self) -> None:
        program = Path(__file__).with_name("nothing.py")
        self.launch([sys.executable, "-I", "-S", str(program), str(self.address[1])])
        self.await_listening()

    def sends(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        return Sends([write(mailbox, body) for body in bodies], ANSWER)

    def batches(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        return Sends([b"".join(write(mailbox, body) for body in bodies)], ANSWER, len(bodies))

    def reads(self, mailbox: str, reader: int, since: str) -> Reads:
        word = "R" if since == NOW else "E"
        return Reads([Step(f"{word} {mailbox}\n".encode(), ANSWER)])


def write(mailbox: str, body: bytes) -> bytes:
    return f"S {mailbox} {len(body)}\n".encode() + body


class Floor:
    name = "(nothing)"
    install = "`tests/bench/peers/nothing.py`"
    speaks = "bytes"
    variants: Sequence[Variant] = (Variant("", "at once; kept nowhere"),)
    lacks: Mapping[str, str] = {}

    def version(self) -> str:
        return f"Python {platform.python_version()}"

    def make(self, folder: Path, variant: Variant, mailboxes: Sequence[str]) -> Nothing:
        return Nothing(folder, variant, mailboxes, ("127.0.0.1", free_port()))


PEER = Floor()
