"""Runs one program to its end, its limit or a stop, with bounded memory; never by a shell.

The program leads a process group of its own, so that what it started can be ended with it. It
must not know messages or the bus.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from watcher.clock import Clock

MAX_OUTPUT_BYTES = 200_000
MAX_ERROR_BYTES = 2_000
READ_BYTES = 64 << 10
LOOK_EVERY_S = 0.2  # for the stop, the limit, and an end that a child's open pipe hides
GRACE_S = 2.0
STOP_GRACE_S = 0.5  # systemd, or a person at a terminal, waits for us


@dataclass(frozen=True)
class Command:
    """What to run. `stdin` is handed over and closed; None is an empty input."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path | None
    stdin: bytes | None
    limit_s: float
    most_output_bytes: int = MAX_OUTPUT_BYTES
    grace_s: float = GRACE_S
    stop_grace_s: float = STOP_GRACE_S


@dataclass(frozen=True)
class Result:
    """How it went: the exit status (negative: a signal), or why there is none."""

    ended_by: Literal["exit", "limit", "stop", "not_started"]
    status: int | None = None
    output: bytes = b""
    output_bytes: int = 0
    """How much it wrote; `output` holds the beginning of more than could be kept."""
    error_tail: bytes = b""

    @property
    def is_cut(self) -> bool:
        """Say whether it wrote more than was kept."""
        return self.output_bytes > len(self.output)

    @property
    def is_good(self) -> bool:
        """Say whether it ended by itself and well."""
        return self.ended_by == "exit" and self.status == 0

    @property
    def exit_code(self) -> int | None:
        """The exit status as a shell has it: of a signal it is 128 and the signal's number."""
        if self.status is None or self.status >= 0:
            return self.status
        return 128 - self.status


def run(  # noqa: PLR0913 - what one may hear of a process
    command: Command,
    clock: Clock,
    stop: threading.Event,
    *,
    on_start: Callable[[int], None] = lambda _pid: None,
    on_look: Callable[[], None] = lambda: None,
    on_output: Callable[[bytes], None] = lambda _piece: None,
) -> Result:
    """Run it. `on_start` gets the process id; `on_look` is called often while it lives.

    `on_output` gets what it prints, as it comes, and must not wait.
    """
    try:
        process = subprocess.Popen(
            list(command.argv),
            stdin=subprocess.DEVNULL if command.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=command.cwd,
            env=dict(command.env),
            start_new_session=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Result("not_started", error_tail=str(error).encode())
    with process, _Pipes(process, command, on_output) as pipes:
        try:
            on_start(process.pid)
            ended_by = _watch(process, pipes, command, clock, stop, on_look)
        finally:
            end_group(process, clock, command.stop_grace_s if stop.is_set() else command.grace_s)
        pipes.drain()
        return Result(
            ended_by, process.returncode, bytes(pipes.output), pipes.seen_bytes, bytes(pipes.errors)
        )


def _watch(  # noqa: PLR0913, PLR0917 - the parts of one loop
    process: subprocess.Popen[bytes],
    pipes: _Pipes,
    command: Command,
    clock: Clock,
    stop: threading.Event,
    on_look: Callable[[], None],
) -> Literal["exit", "limit", "stop"]:
    until_s = clock.monotonic_s() + command.limit_s
    while process.poll() is None:
        if stop.is_set():
            return "stop"
        left_s = until_s - clock.monotonic_s()
        if left_s <= 0:
            return "limit"
        on_look()
        if pipes.are_open:
            pipes.turn(min(left_s, LOOK_EVERY_S))
        else:
            _wait(process, min(left_s, LOOK_EVERY_S))
    return "exit"


def end_group(process: subprocess.Popen[bytes], clock: Clock, grace_s: float) -> None:
    """End a group whose leader still lives: TERM, then KILL to whatever is left of it.

    A leader that ended by itself leaves its group alone: a program may start what outlives it.
    """
    if process.poll() is not None:
        return
    _signal_group(process.pid, signal.SIGTERM)
    until_s = clock.monotonic_s() + grace_s
    while clock.monotonic_s() < until_s and _has_group(process):
        _wait(process, 0.02)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _has_group(process: subprocess.Popen[bytes]) -> bool:
    process.poll()  # takes the dead leader away, which would count as a member
    return _signal_group(process.pid, 0)


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout_s)


class _Pipes:
    """The three pipes of a process, moved without blocking and kept within bounds."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        command: Command,
        on_output: Callable[[bytes], None],
    ) -> None:
        self._on_output = on_output
        self.output = bytearray()
        self.errors = bytearray()
        self.seen_bytes = 0
        self._most_bytes = command.most_output_bytes
        self._to_write = memoryview(command.stdin or b"")
        self._selector = selectors.DefaultSelector()
        self._add(process.stdin, selectors.EVENT_WRITE, self._write)
        self._add(process.stdout, selectors.EVENT_READ, self._read_output)
        self._add(process.stderr, selectors.EVENT_READ, self._read_errors)

    def __enter__(self) -> _Pipes:  # noqa: PYI034 - Python 3.10 has no Self
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._selector.get_map().values()):
            self._end(key.fileobj)
        self._selector.close()

    @property
    def are_open(self) -> bool:
        return bool(self._selector.get_map())

    def turn(self, timeout_s: float) -> bool:
        """Move what can be moved now; say whether anything could."""
        ready = self._selector.select(timeout_s)
        for key, _ in ready:
            key.data(key.fileobj)
        return bool(ready)

    def drain(self) -> None:
        """Take what the process left; one of its children may hold a pipe open for ever."""
        for key in list(self._selector.get_map().values()):
            if key.events == selectors.EVENT_WRITE:
                self._end(key.fileobj)
        most = self._most_bytes // READ_BYTES + 8  # a child that writes on is not waited for
        for _ in range(most):
            if not self.are_open or not self.turn(0):
                return

    def _add(self, pipe: IO[bytes] | None, events: int, move: Callable[[IO[bytes]], None]) -> None:
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, events, move)

    def _end(self, pipe: object) -> None:
        self._selector.unregister(pipe)  # type: ignore[arg-type]  # what was registered
        with contextlib.suppress(OSError):
            pipe.close()  # type: ignore[attr-defined]  # one of Popen's pipes

    def _write(self, pipe: IO[bytes]) -> None:
        try:
            count = os.write(pipe.fileno(), self._to_write[:READ_BYTES])
        except BlockingIOError:
            return
        except OSError:  # it reads no more, which is its own affair
            count = len(self._to_write)
        self._to_write = self._to_write[count:]
        if not self._to_write:
            self._end(pipe)

    def _read(self, pipe: IO[bytes]) -> bytes:
        try:
            chunk = os.read(pipe.fileno(), READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            chunk = b""
        if not chunk:
            self._end(pipe)
        return chunk

    def _read_output(self, pipe: IO[bytes]) -> None:
        chunk = self._read(pipe)
        self.output += chunk[: self._most_bytes - len(self.output)]
        self.seen_bytes += len(chunk)
        if chunk:
            self._on_output(chunk)

    def _read_errors(self, pipe: IO[bytes]) -> None:
        self.errors += self._read(pipe)
        del self.errors[:-MAX_ERROR_BYTES]
