"""What systemd is told of the bus: ready, alive, stopping, and one line of status; else nothing.

It must not know what makes the bus ready or alive.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

US_PER_S = 1_000_000


class Notify:
    """The socket that systemd named, or nothing where it named none."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        """Write to `address`; `watchdog_s` is how long systemd bears silence, 0 where for ever."""
        # systemd writes a leading @ for an abstract socket, whose real first byte is NUL
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = watchdog_s

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Notify:
        """Take systemd's words out of an environment.

        Gunicorn, which would say READY before the application is loaded, must not find them there.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        silence_us, process = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        is_for_us = silence_us.isdigit() and process in {"", str(os.getpid())}
        return cls(address, int(silence_us) / US_PER_S if is_for_us else 0.0)

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def ready(self) -> None:
        """Say that the bus serves; said again it changes nothing."""
        self._send("READY=1")

    def beat(self) -> None:
        """Say that the bus lives."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send("STATUS=" + " ".join(text.split()))

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)  # a full socket must not hold the hub
            sock.sendto(text.encode(), self._address)
