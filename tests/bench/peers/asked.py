"""The clients as run.py starts them: `load.py` to send and `readers.py` to read."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asking import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.bench.peers.peer import Reads, Sends, Server

HERE = Path(__file__).parent
PYTHON = [sys.executable, "-I", "-S"]


def send(
    server: Server,
    lines: Sequence[Sends],
    *,
    meanwhile: Callable[[], object] | None = None,
    **how: Any,
) -> dict[str, Any]:
    """Have the client send in its own process; gives what it says.

    `meanwhile` is done once the first one is acknowledged.
    """
    asked = {"address": server.address, "lines": [as_text(one) for one in lines], **how}
    argv = [*PYTHON, str(HERE / "load.py")]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        json.dump(asked, process.stdin)
        process.stdin.close()
        first = process.stdout.readline()
        if first and meanwhile is not None:
            meanwhile()
        said = process.stdout.read() or first
    assert process.returncode == 0, "load.py has failed: see above"
    return json.loads(said)


class Readers(Program):
    """Connections that read, in a process of their own; all have begun."""

    def __init__(self, server: Server, lines: Sequence[Reads]) -> None:
        asked = {"address": server.address, "lines": [as_text(one) for one in lines]}
        super().__init__("peers/readers.py", asked, "-I", "-S")
        self.opened = self.hear()

    def await_messages(
        self, count: int, act: Callable[[], object] = lambda: None, **how: Any
    ) -> dict[str, Any]:
        """Act, and say when so many messages have come."""
        self.say({"count": count, **how})
        act()
        return self.hear()


@contextmanager
def reading(server: Server, lines: Sequence[Reads]) -> Iterator[Readers]:
    readers = Readers(server, lines)
    with readers:
        yield readers


def as_text(spec: Sends | Reads) -> dict[str, Any]:
    """Write what a connection does as JSON has it: bytes as text of the same numbers."""
    return {name: plain(value) for name, value in asdict(spec).items() if name != "steps"} | {
        "steps": [[plain(step.send), plain(step.answer)] for step in spec.steps]
    }


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value
