"""What systemd is told: ready, alive, stopping, and one line of status; nothing elsewhere.

READY means that the watcher runs, not that the bus answers: a node must come up without its bus.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.clock import Clock

BEAT_EVERY_S = 5.0


class Notify:
    """The socket that systemd named in NOTIFY_SOCKET, or nothing."""

    def __init__(self, environ: Mapping[str, str], clock: Clock) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # systemd writes a leading @ for an abstract socket, whose real first byte is NUL
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._clock = clock
        self._last_beat_s: float | None = None

    def ready(self) -> None:
        """Say that the start is done."""
        self._send("READY=1")

    def beat(self) -> None:
        """Say that the loop moves; call it at every step, it thins itself out."""
        now_s = self._clock.monotonic_s()
        if self._last_beat_s is None or now_s - self._last_beat_s >= BEAT_EVERY_S:
            self._last_beat_s = now_s
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        # A line of its own would be another word to systemd, and others' words are in it.
        self._send(f"STATUS={' '.join(text.split())}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)  # a full socket must not hold the loop
            sock.sendto(text.encode("utf-8", "replace"), self._address)
