"""What a program prints, piece by piece, kept until it is handed on.

No more than a session shows: a program may print without end. It must not know programs.
"""

from __future__ import annotations

import threading

MOST_BYTES = 200_000
CUT_NOTE = b"\n[More was printed; it is not shown here.]\n"


class Pieces:
    """Pieces go in, from any thread; what waits comes out."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._lock = threading.Lock()
        self._waiting = bytearray()
        self._left_bytes = most_bytes

    def tell(self, piece: bytes) -> None:
        """Take a piece, or as much of it as is still shown."""
        with self._lock:
            if self._left_bytes < 0:
                return
            self._waiting += piece[: self._left_bytes]
            self._left_bytes -= len(piece)
            if self._left_bytes < 0:
                self._waiting += CUT_NOTE

    def resume(self, said: bytes) -> None:
        """Hear what an earlier life has said: a program begins anew, in an output of its own."""

    def take(self) -> bytes:
        """Give what waits; empty where nothing does."""
        with self._lock:
            data, self._waiting = bytes(self._waiting), bytearray()
        return data
